"""The decorator that makes a handler of an event and a session one of the event alone.

Private: import ``idempotent`` from ``shared.messaging.inbox``.
"""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Final, Protocol, TypeVar, overload

from sqlalchemy.event import listen, remove
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from shared.database import IsolationLevel
from shared.events import BaseEvent
from shared.messaging._delivery import current_delivery
from shared.messaging._inbox_store import Inbox

_log = logging.getLogger("shared.messaging")

E = TypeVar("E", bound="BaseEvent[Any]")
T = TypeVar("T")
S = TypeVar("S")

_FORM: Final = "async def handler(event, session)"


class HandlerTransactionError(RuntimeError):
    """A handler ended the transaction in which its event is noted.

    What it did up to a commit would be kept and the rest perhaps not, and nobody would
    run it again; after a rollback it would run again on what it did since. So a commit
    is refused before it happens, and after a rollback, or an error of PostgreSQL that
    was caught, all is undone: the event has failed. For a part that may fail there is
    ``async with session.begin_nested()``.
    """


class Idempotent(Protocol):
    """A decorator for functions, and for methods in their class."""

    @overload
    def __call__(
        self, handler: Callable[[E, AsyncSession], Coroutine[Any, Any, T]], /
    ) -> Callable[[E], Coroutine[Any, Any, T | None]]: ...

    @overload
    def __call__(
        self, handler: Callable[[S, E, AsyncSession], Coroutine[Any, Any, T]], /
    ) -> Callable[[S, E], Coroutine[Any, Any, T | None]]: ...


def idempotent(
    inbox: Inbox,
    *,
    consumer: str | None = None,
    isolation_level: IsolationLevel | None = None,
) -> Idempotent:
    """Let a handler of an event and a session take effect once for each event.

    The function that comes of it takes the event alone, for ``bus.subscribe``. It
    returns what the handler returned, and None when the event was handled before. The
    session is committed after the handler, and not by it. Where transactions collide
    the handler is run again in a new one.

    Args:
        inbox: Notes what was handled.
        consumer: Under which name. Else that of the subscription, or module and name
            of the function where it is called by hand.
        isolation_level: Of the transaction, on PostgreSQL.

    Raises:
        TypeError: *inbox* is none. On decorating: the handler is not async, or does
            not take an event and a session.
        ValueError: On decorating: *consumer* is empty. On a call: another function
            handles events of this type under the same name.
        HandlerTransactionError: On a call: the handler ended its transaction.
    """
    if not isinstance(inbox, Inbox):
        raise TypeError(
            f"idempotent takes the inbox, @idempotent(inbox) (got {_named(inbox)})."
        )
    if consumer is not None and not consumer:
        raise ValueError("consumer must not be empty.")

    def decorate(handler: Callable[..., Coroutine[Any, Any, T]]) -> Any:
        function = _checked(handler)

        @functools.wraps(handler)
        async def handle_once(*arguments: Any) -> T | None:
            event = arguments[-1]
            name = consumer or _current_consumer() or function
            inbox.check_alone(name, type(event), function)

            async def work(session: AsyncSession) -> tuple[bool, T | None]:
                if not await inbox.note(session, event.event_id, name):
                    return False, None
                with _one_transaction(session, function):
                    result = await handler(*arguments, session)
                return True, result

            ran, result = await inbox.database.run_in_transaction(
                work, isolation_level=isolation_level
            )
            if ran:
                inbox.handled += 1
            else:
                inbox.skipped += 1
                _log.info(
                    "%s was handled before.",
                    event.event_type,
                    extra={"consumer": name, "event_id": str(event.event_id)},
                )
            return result

        # By what it takes, which is not what the handler takes: for inspect.signature.
        handle_once.__signature__ = _without_session(handler)  # type: ignore[attr-defined]
        return handle_once

    return decorate


def _current_consumer() -> str | None:
    delivery = current_delivery()
    return None if delivery is None else delivery.consumer


def _checked(handler: Callable[..., object]) -> str:
    """The module and name of *handler*.

    Raises:
        TypeError: It can't be a handler.
    """
    name = getattr(handler, "__qualname__", None)
    if name is None:
        raise TypeError(f"idempotent is for functions: {_FORM} (got {handler!r}).")
    where = f"{handler.__module__}.{name}"
    if not inspect.iscoroutinefunction(handler):
        raise TypeError(f"{where} must be {_FORM}, and it is not async.")
    parameters = list(inspect.signature(handler).parameters.values())
    given = 3 if parameters and parameters[0].name in ("self", "cls") else 2
    try:
        inspect.signature(handler).bind(*range(given))
    except TypeError:
        raise TypeError(
            f"{where} must be {_FORM}, and it takes {_told(parameters)}."
        ) from None
    return where


def _named(thing: object) -> str:
    name = getattr(thing, "__qualname__", None)
    return str(name) if name else type(thing).__name__


def _told(parameters: list[inspect.Parameter]) -> str:
    return f"({', '.join(str(p).partition(':')[0] for p in parameters)})"


def _without_session(handler: Callable[..., object]) -> inspect.Signature:
    signature = inspect.signature(handler)
    parameters = list(signature.parameters.values())
    if parameters[-1].kind is inspect.Parameter.VAR_POSITIONAL:
        return signature
    return signature.replace(parameters=parameters[:-1])


@contextmanager
def _one_transaction(session: AsyncSession, function: str) -> Iterator[None]:
    """Let the block neither commit nor roll back what was begun before it."""
    own = session.sync_session
    begun = own.get_transaction()

    def refuse(ending: Session) -> None:
        # Savepoints of the handler come here too, and are its own affair.
        if not ending.in_nested_transaction():
            raise HandlerTransactionError(
                f"{function} must not commit its session: that is done when it has "
                "returned, together with the note that its event was handled."
            )

    listen(own, "before_commit", refuse)
    try:
        yield
    finally:
        remove(own, "before_commit", refuse)
    if own.get_transaction() is not begun:
        raise HandlerTransactionError(
            f"{function} must not roll its session back or close it: the note that its "
            "event was handled is undone with it. Use session.begin_nested() for a "
            "part that may fail."
        )

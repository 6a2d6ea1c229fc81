"""FastAPI: routes whose requests are carried out once for each Idempotency-Key.

::

    idempotency_keys = idempotency_table(Base.metadata)         # with the models
    store = IdempotencyStore(idempotency_keys)
    get_db = get_db_dependency("my-service")

    async def caller(user: Annotated[TokenPayload, Depends(get_current_user)]) -> str:
        return user.sub

    router = APIRouter(route_class=IdempotentRoute)

    @router.post("/orders", dependencies=[Depends(idempotent(store, get_db, caller))])
    async def order(db: Annotated[AsyncSession, Depends(get_db)], ...): ...

Two parts, since neither can do it alone. The *dependency* knows the caller and has the
session of the endpoint. The *route* sees the reply while that session is still open,
which no middleware does: it writes the reply in the same transaction as the work, and
commits both before the reply leaves.

Dependencies that stand before it in ``dependencies=[...]`` run for a repetition too;
those of the endpoint's parameters don't. So whoever may not do it any more is refused
by a check that stands before it.

What is stored is what was committed. A reply with a status below 500 that the endpoint
returns is stored with its work. An exception, whatever its status, and a reply from 500
on roll the work back, and the key is free again.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Depends, Header, Request
from fastapi.routing import APIRoute
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from shared.errors import responses_for
from shared.idempotency import (
    Claim,
    IdempotencyInProgressException,
    IdempotencyKeyInvalidException,
    IdempotencyKeyMissingException,
    IdempotencyKeyReusedException,
    IdempotencyReplyNotKeptException,
    IdempotencyStore,
    StoredReply,
    fingerprint,
    parse_idempotency_key,
)
from shared.logging.middleware import route_template

__all__ = [
    "IDEMPOTENCY_KEY_HEADER",
    "IDEMPOTENCY_RESPONSES",
    "KEPT_HEADERS",
    "REPLAYED_HEADER",
    "IdempotentRoute",
    "RouteNotIdempotentError",
    "idempotent",
]

_log = logging.getLogger("shared.idempotency")

IDEMPOTENCY_KEY_HEADER: Final = "Idempotency-Key"
REPLAYED_HEADER: Final = "Idempotency-Replayed"

# What describes the result. Not what belongs to one exchange (Date, correlation ids,
# rate limits) and no cookie, which would lie in the database for whoever reads it.
KEPT_HEADERS: Final = frozenset(
    {
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-location",
        "content-type",
        "deprecation",
        "etag",
        "last-modified",
        "link",
        "location",
        "retry-after",
        "vary",
    }
)

# For responses= of a route or router.
IDEMPOTENCY_RESPONSES: Final = responses_for(
    IdempotencyKeyMissingException,
    IdempotencyKeyInvalidException,
    IdempotencyInProgressException(),
    IdempotencyReplyNotKeptException,
    IdempotencyKeyReusedException(),
)

_SLOT: Final = "shared.idempotency"

# Seconds. The request is over by then, and its deadline too perhaps; a server that
# says nothing must not keep it, and its lease ends by itself.
_GIVE_BACK_WITHIN: Final = 5.0


class RouteNotIdempotentError(RuntimeError):
    """A route depends on ``idempotent(...)`` and is no ``IdempotentRoute``."""


class _Replay(Exception):
    """No error: the way out of the dependencies."""

    def __init__(self, reply: Response) -> None:
        self.reply = reply


@dataclass(slots=True)
class _Held:
    """A claim, and all that is needed to finish with it."""

    store: IdempotencyStore
    session: AsyncSession
    claim: Claim
    kept_headers: Collection[str]
    max_body: int

    async def keep(self, reply: Response) -> None:
        """Commit the reply and the work, or raise and leave neither."""
        if reply.status_code >= 500:
            await self.give_back()
            return
        await self.store.complete(self.session, self.claim, self._stored(reply))
        # Here and not where the session ends: were that commit to fail, nobody would
        # give the key back.
        await self.session.commit()

    async def give_back(self) -> None:
        """Roll the work back and let a repetition run."""
        try:
            async with asyncio.timeout(_GIVE_BACK_WITHIN):
                await self.store.release(self.session, self.claim)
        except Exception:
            # The error that brought us here is the one to show.
            _log.warning(
                "An idempotency key was not given back; its lease will end.",
                exc_info=True,
            )

    def _stored(self, reply: Response) -> StoredReply:
        body = getattr(reply, "body", None)  # a stream or a file has none
        if body is None or len(body) > self.max_body:
            return StoredReply(reply.status_code, (), None)
        headers = tuple(
            (name, value)
            for name, value in reply.headers.items()
            if name in self.kept_headers
        )
        return StoredReply(reply.status_code, headers, bytes(body))


class _Slot:
    """Where the dependency leaves the claim for the route."""

    held: _Held | None = None


class IdempotentRoute(APIRoute):
    """The class of routes that ``idempotent(...)`` works on.

    ``APIRouter(route_class=IdempotentRoute)``. Routes without that dependency are as
    they would be.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the handler, which solves the dependencies and calls the endpoint."""
        handler = super().get_route_handler()

        async def idempotent_handler(request: Request) -> Response:
            slot = request.scope[_SLOT] = _Slot()
            if IDEMPOTENCY_KEY_HEADER in request.headers:
                await request.body()  # before a form takes it out of the stream
            try:
                reply = await handler(request)
                if slot.held is not None:
                    await slot.held.keep(reply)
            except _Replay as replay:
                return replay.reply
            except BaseException:  # also when the request is cancelled
                if slot.held is not None:
                    await slot.held.give_back()
                raise
            return reply

        return idempotent_handler


def idempotent(
    store: IdempotencyStore,
    session: Callable[..., Any],
    caller: Callable[..., Any],
    *,
    required: bool = True,
    wait: float = 10.0,
    keep_reply: bool = True,
    kept_headers: Collection[str] = KEPT_HEADERS,
    max_body: int = 256 * 1024,
) -> Callable[..., Coroutine[Any, Any, None]]:
    """Return a dependency that lets each request through once.

    Args:
        store: Where keys and replies are.
        session: The dependency for the `AsyncSession` in which the endpoint works, the
            same object as there: only then do work and reply commit together.
            An endpoint that commits earlier has that part done twice after a crash.
        caller: A dependency that says who asks, as text. It is what keeps one caller
            from reading another's replies with a guessed key.
        required: Refuse a request without a key; otherwise it runs unprotected.
        wait: How many seconds a repetition waits for the first to be done.
        keep_reply: False for replies that must not lie in the database, such as a
            secret that is shown once. A repetition is then told that it was done.
        kept_headers: Names of the headers that are given again.
        max_body: A reply with more bytes, or streamed, is treated as not to be kept.

    Raises:
        ValueError: *wait* or *max_body* is negative.
    """
    if wait < 0 or max_body < 0:
        raise ValueError("wait and max_body must not be negative.")
    limit = max_body if keep_reply else -1
    kept = frozenset(name.lower() for name in kept_headers)
    description = (
        f"{'Required. ' if required else ''}A value of your own for this operation, "
        "such as a UUID. A repetition with the same one gets the first reply."
    )

    async def claim_key(
        request: Request,
        db: Annotated[AsyncSession, Depends(session)],
        who: Annotated[object, Depends(caller)],
        _: Annotated[
            str | None, Header(alias=IDEMPOTENCY_KEY_HEADER, description=description)
        ] = None,
    ) -> None:
        slot = request.scope.get(_SLOT)
        if slot is None:
            raise RouteNotIdempotentError(
                f"{route_template(request.scope)} depends on idempotent(...), so its "
                "router needs route_class=IdempotentRoute."
            )
        if not isinstance(who, str) or not who:
            # What is nobody's would be everybody's.
            raise TypeError("The caller of idempotent(...) must return a text.")
        fields = request.headers.getlist(IDEMPOTENCY_KEY_HEADER)
        if not fields:
            if required:
                raise IdempotencyKeyMissingException
            return
        key = parse_idempotency_key(fields)
        found = await store.claim(
            db,
            caller=who,
            operation=f"{request.method} {route_template(request.scope)}",
            key=key,
            fingerprint=fingerprint(
                request.method,
                request.scope["path"],
                request.scope["query_string"],
                await request.body(),
            ),
            wait=wait,
        )
        if isinstance(found, StoredReply):
            raise _Replay(_response(found))
        slot.held = _Held(store, db, found, kept, limit)

    return claim_key


def _response(stored: StoredReply) -> Response:
    if stored.body is None:
        raise IdempotencyReplyNotKeptException(
            headers={REPLAYED_HEADER: "true"}, first_status=stored.status
        )
    reply = Response(stored.body, stored.status)
    for name, value in stored.headers:
        reply.headers.append(name, value)
    reply.headers[REPLAYED_HEADER] = "true"
    return reply

"""What a service holds while it runs: opened in order, closed in reverse.

Private: import names from ``shared.app``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Final, Generic, TypeVar, cast

T = TypeVar("T")
Factory = Callable[[], AbstractAsyncContextManager[T]]

_log = logging.getLogger("shared.app")

CLOSE_SECONDS: Final = 5.0
"""What closing all resources gets when the requests have used up their time."""

_UNSET = object()


class StartError(RuntimeError):
    """The service can't start. The message is one line that says what to do."""


class Resource(Generic[T]):
    """A place for what a factory opens."""

    def __init__(
        self,
        name: str,
        factory: Factory[T],
        *,
        timeout: float,
        close_timeout: float = 0.0,
    ) -> None:
        self.name = name
        self.close_timeout = close_timeout
        """Seconds that closing it may take beyond those that all share."""
        self._factory = factory
        self._timeout = timeout
        self._manager: AbstractAsyncContextManager[T] | None = None
        self._value: object = _UNSET

    @property
    def value(self) -> T:
        """What was opened.

        Raises:
            RuntimeError: The service does not run.
        """
        if self._value is _UNSET:
            raise RuntimeError(
                f"Resource {self.name!r} is open while the service runs, not before "
                "and not after."
            )
        return cast("T", self._value)

    async def open(self) -> None:
        """Open it.

        Raises:
            StartError: It could not be.
        """
        try:
            async with asyncio.timeout(self._timeout):
                manager = self._factory()
                self._value = await manager.__aenter__()
        except Exception as error:
            # For who looks for the cause. The one line comes from who catches this.
            _log.debug("Resource %r could not be opened.", self.name, exc_info=True)
            raise StartError(
                f"Resource {self.name!r} could not be opened: {_words(error)}"
            ) from error
        self._manager = manager

    async def close(self, budget: float) -> None:
        """Close it; a failure is logged, since others are to be closed too.

        Args:
            budget: Seconds of those that all share.
        """
        manager, self._manager, self._value = self._manager, None, _UNSET
        if manager is None:
            return
        try:
            async with asyncio.timeout(budget + self.close_timeout):
                await manager.__aexit__(None, None, None)
        except Exception as error:
            _log.exception("Resource %r did not close: %s", self.name, _words(error))


def _words(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else f"{type(error).__name__}."


class Resources:
    """All resources of a service."""

    def __init__(self) -> None:
        self._resources: dict[str, Resource[object]] = {}
        self.open = False

    @property
    def close_timeout(self) -> float:
        """Seconds that closing may take beyond `CLOSE_SECONDS`."""
        return sum(resource.close_timeout for resource in self._resources.values())

    def add(self, resource: Resource[T]) -> Resource[T]:
        """Add one, to be opened after those that are there.

        Raises:
            RuntimeError: The service runs already.
            ValueError: There is one of that name.
        """
        if self.open:
            raise RuntimeError(f"Add resource {resource.name!r} before the start.")
        if resource.name in self._resources:
            raise ValueError(f"There is a resource named {resource.name!r} already.")
        self._resources[resource.name] = cast("Resource[object]", resource)
        return resource

    async def start(self, *, budget: Callable[[], float]) -> None:
        """Open all, or none: what is open when one fails is closed again."""
        self.open = True
        try:
            for resource in self._resources.values():
                await resource.open()
        except BaseException:
            await self.stop(budget=budget)
            raise

    async def stop(self, *, budget: Callable[[], float]) -> None:
        """Close what is open.

        Args:
            budget: Asked before each for the seconds that it has.
        """
        cancelled: BaseException | None = None
        for resource in reversed(self._resources.values()):
            try:
                await resource.close(budget())
            except BaseException as error:  # the others come first
                cancelled = error
        self.open = False
        if cancelled is not None:
            raise cancelled

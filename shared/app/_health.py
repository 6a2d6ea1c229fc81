"""Health checks: what is asked, how often, and what the world is told.

The replies have the shape of ``draft-inadarei-api-health-check``.

Private: import names from ``shared.app``.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from shared.errors import BaseAPIException

_log = logging.getLogger("shared.app.health")

CheckFunction = Callable[[], Awaitable[object]]
"""Raises, or returns False, when the thing it looks at is not well.

`DegradedError` is for what others should know and no reason to send no requests.
"""

HEALTH_MEDIA_TYPE: Final = "application/health+json"


class Status(StrEnum):
    """How a check, or a service, is."""

    PASS = "pass"  # noqa: S105  # the draft's word
    WARN = "warn"
    FAIL = "fail"


class DegradedError(Exception):
    """A check raises it where something is not as it should be, and still works.

    That is a warning, even of a critical check. Its text is replied, so it must say
    nothing that not everybody may read.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What one run of a check found."""

    status: Status
    time: datetime
    """When it ended."""
    seconds: float
    reason: str | None = None
    """Generic words or the class of the error: an error's text may hold a secret."""


class Check:
    """One thing to look at.

    However many ask, it runs once at a time, and its result is good for a while. A run
    that does not end in time counts as failed, and no second one is started beside it.
    """

    def __init__(
        self,
        name: str,
        function: CheckFunction,
        *,
        timeout: float,
        cache_seconds: float,
        critical: bool,
        startup: bool,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        if not name or not name.isprintable() or ":" in name:
            raise ValueError("A check needs a name, printable and without a colon.")
        if not 0 < timeout < float("inf"):
            raise ValueError(f"The timeout of check {name!r} must be positive.")
        if not cache_seconds >= 0:
            raise ValueError(f"cache_seconds of check {name!r} must not be negative.")
        self.name = name
        self.critical = critical
        self.startup = startup
        self.latest: CheckResult | None = None
        self.passed = False
        """Whether it ever did."""
        self._function = function
        self._timeout = timeout
        self._cache_seconds = cache_seconds
        self._clock = clock
        self._now = now
        self._fresh_until = float("-inf")
        self._flight: asyncio.Task[CheckResult] | None = None
        self._hanging: asyncio.Task[object] | None = None

    @property
    def passing(self) -> bool | None:
        """Whether the latest run did not fail; None before the first."""
        return None if self.latest is None else self.latest.status is not Status.FAIL

    async def result(self) -> CheckResult:
        """The result of the run that is under way, or of a recent one."""
        if self.latest is not None and self._clock() < self._fresh_until:
            return self.latest
        if self._flight is None:
            # An empty context: neither the deadline nor the ids of who asked first.
            self._flight = asyncio.get_running_loop().create_task(
                self._run(), context=contextvars.Context()
            )
            self._flight.add_done_callback(self._landed)
        # Who gives up waiting does not stop it for the others.
        return await asyncio.shield(self._flight)

    def _landed(self, flight: asyncio.Task[CheckResult]) -> None:
        self._flight = None

    async def _run(self) -> CheckResult:
        started = self._clock()
        reason, error = await self._look()
        ended = self._clock()
        status = Status.FAIL if reason else Status.PASS
        if isinstance(error, DegradedError):
            status = Status.WARN
        result = CheckResult(
            status=status,
            time=self._now(),
            seconds=ended - started,
            reason=reason,
        )
        self._note(result, error)
        self.latest = result
        self.passed = self.passed or result.status is not Status.FAIL
        self._fresh_until = ended + self._cache_seconds
        return result

    async def _look(self) -> tuple[str | None, BaseException | None]:
        if self._hanging is not None and not self._hanging.done():
            return "an earlier run still hangs", None
        run = asyncio.ensure_future(self._awaited())
        self._hanging = run
        try:
            await asyncio.wait({run}, timeout=self._timeout)
        finally:
            # Not awaited: what ignores being cancelled would keep us here.
            run.cancel()
        if not run.done():
            return "timed out", None
        if run.cancelled():
            return "cancelled", None
        error = run.exception()
        if error is not None:
            return _reason(error), error
        return ("refused" if run.result() is False else None), None

    async def _awaited(self) -> object:
        return await self._function()

    def _note(self, result: CheckResult, error: BaseException | None) -> None:
        """Log the change, not each of the probes' questions."""
        before = self.latest.status if self.latest else Status.PASS
        if result.status is before:
            return
        if result.status is Status.FAIL:
            _log.warning(
                "Health check %r fails: %s.", self.name, result.reason, exc_info=error
            )
        elif result.status is Status.WARN:
            _log.warning("Health check %r warns: %s.", self.name, result.reason)
        else:
            _log.info("Health check %r passes again.", self.name)


def _reason(error: BaseException) -> str:
    """The code or class of an error. Its text is for the log, which masks secrets."""
    if isinstance(error, DegradedError):
        return str(error) or "degraded"
    if isinstance(error, BaseAPIException):
        return error.code
    return type(error).__name__


class Health:
    """All checks of a service, and where the service is in its life."""

    def __init__(self, service_name: str, version: str) -> None:
        self._service_name = service_name
        self._version = version
        self._checks: dict[str, Check] = {}
        self.started = False
        self.stopping = False

    def add(self, check: Check) -> None:
        """Add a check.

        Raises:
            ValueError: There is one of that name.
        """
        if check.name in self._checks:
            raise ValueError(f"There is a check named {check.name!r} already.")
        self._checks[check.name] = check

    @property
    def checks(self) -> tuple[Check, ...]:
        """In the order in which they were added."""
        return tuple(self._checks.values())

    @property
    def ready(self) -> bool:
        """Whether requests should come, as far as the latest results say."""
        return self._serving and not any(
            check.critical and check.latest and check.latest.status is Status.FAIL
            for check in self._checks.values()
        )

    @property
    def _serving(self) -> bool:
        return self.started and not self.stopping

    async def summary(self) -> tuple[int, dict[str, Any]]:
        """Status and body of ``/health``: every check."""
        return await self._answer(self.checks, serving=True)

    async def readiness(self) -> tuple[int, dict[str, Any]]:
        """Status and body of ``/health/ready``: 503 while no request should come."""
        return await self._answer(self.checks, serving=self._serving)

    async def startup(self) -> tuple[int, dict[str, Any]]:
        """Status and body of ``/health/startup``: checks that must pass once."""
        pending = [check for check in self.checks if check.startup and not check.passed]
        return await self._answer(pending, serving=self.started)

    def liveness(self) -> tuple[int, dict[str, Any]]:
        """Status and body of ``/health/live``: the event loop turns, so it lives."""
        return 200, self._body(Status.PASS)

    async def _answer(
        self, checks: Iterable[Check], *, serving: bool
    ) -> tuple[int, dict[str, Any]]:
        checks = list(checks) if serving else []
        results = await asyncio.gather(*(check.result() for check in checks))
        status = Status.PASS
        if not serving:
            status = Status.FAIL
        for check, result in zip(checks, results, strict=True):
            if result.status is Status.FAIL and check.critical:
                status = Status.FAIL
            elif result.status is not Status.PASS and status is Status.PASS:
                status = Status.WARN
        body = self._body(status)
        if not serving:
            body["output"] = "stopping" if self.stopping else "starting"
        if checks:
            body["checks"] = {
                f"{check.name}:responseTime": [_described(check, result)]
                for check, result in zip(checks, results, strict=True)
            }
        return (503 if status is Status.FAIL else 200), body

    def _body(self, status: Status) -> dict[str, Any]:
        return {
            "status": status.value,
            "serviceId": self._service_name,
            "releaseId": self._version,
        }


def _described(check: Check, result: CheckResult) -> dict[str, Any]:
    status = result.status
    if status is Status.FAIL and not check.critical:
        status = Status.WARN
    described: dict[str, Any] = {
        "status": status.value,
        "observedValue": round(result.seconds * 1000, 3),
        "observedUnit": "ms",
        "time": result.time.astimezone(UTC).isoformat().replace("+00:00", "Z"),
    }
    if result.reason is not None:
        described["output"] = result.reason
    return described

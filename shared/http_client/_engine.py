"""Calls with retries, breakers, deadlines and context: what both clients are made of.

From the outside in: retry, choice of the URL, its breaker, time-out, transport.

Private: used by ``shared.http_client`` only.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import random
import re
import ssl
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Token
from datetime import UTC, datetime
from typing import Any, Final, TypedDict, TypeVar

from shared.errors import BaseAPIException, ServiceUnavailableException
from shared.http_client._answers import (
    counts_against_target,
    error_of_fault,
    error_of_reply,
    may_try_again,
)
from shared.http_client._balance import Balancer, Upstream
from shared.http_client._faults import Fault, FaultKind
from shared.http_client._headers import checked_value, is_token
from shared.http_client._numbers import count
from shared.http_client._options import (
    BreakerPolicy,
    CallRecord,
    ClientLimits,
    ClientTimeouts,
    Observer,
    RetryPolicy,
    TokenProvider,
)
from shared.http_client._prepare import PreparedCall, StreamOf, prepare, timeouts_of
from shared.http_client._reply import Reply
from shared.http_client._transport import (
    HttpTransport,
    OutgoingRequest,
    Transport,
    mapped,
)
from shared.http_client._url import join, parse_base_url
from shared.logging import correlation_id_var, trace_context_var
from shared.resilience import (
    DEADLINE_HEADER,
    BreakerState,
    CircuitBreaker,
    CircuitOpenError,
    Deadline,
    DeadlineExceededError,
    RetryBudget,
    Retrying,
    current_deadline,
    timeout,
)

_T = TypeVar("_T")

DEFAULT_MAX_RESPONSE_BYTES: Final = 10 * 1024 * 1024

_log: Final = logging.getLogger("shared.http_client")
_CORRELATION_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")
_DEADLINE_HEADER: Final = DEADLINE_HEADER.lower()


class ClientOptions(TypedDict, total=False):
    """What a client takes beside its name and URL; see `ServiceClient`."""

    timeout: float | ClientTimeouts
    retry: RetryPolicy
    breaker: BreakerPolicy
    limits: ClientLimits
    max_response_bytes: int
    token_provider: TokenProvider | None
    caller: str
    observe: Observer | None
    tls: ssl.SSLContext | None
    proxy: str | None
    transport: Transport | None
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[object]] | None
    rng: Callable[[], float]
    now: Callable[[], datetime]


class _TryAgainError(Exception):
    """An attempt failed with *error*, and another is safe."""

    def __init__(self, error: BaseAPIException) -> None:
        super().__init__(str(error))
        self.error = error
        self.headers = error.headers  # where Retrying looks for Retry-After


class _Progress:
    """What is known of a call so far."""

    __slots__ = ("attempts", "call", "status", "tried")

    def __init__(self, call: PreparedCall) -> None:
        self.call = call
        self.attempts = 0
        self.status: int | None = None
        self.tried: set[Upstream] = set()


class Engine:
    """One target, in any event loop. The arguments are those of `ServiceClient`."""

    def __init__(
        self,
        name: str,
        base_url: str | Sequence[str],
        *,
        timeout: float | ClientTimeouts = ClientTimeouts(),  # noqa: B008 - frozen
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008 - frozen
        breaker: BreakerPolicy = BreakerPolicy(),  # noqa: B008 - frozen
        limits: ClientLimits = ClientLimits(),  # noqa: B008 - frozen
        max_response_bytes: int = DEFAULT_MAX_RESPONSE_BYTES,
        token_provider: TokenProvider | None = None,
        caller: str = "creativeflow",
        observe: Observer | None = None,
        tls: ssl.SSLContext | None = None,
        proxy: str | None = None,
        transport: Transport | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] | None = None,
        rng: Callable[[], float] = random.random,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        if not name or not name.isprintable():
            raise ValueError("A client needs the name of its target, in one line.")
        count("max_response_bytes", max_response_bytes, least=1)
        self.name = name
        self.timeouts = timeouts_of(timeout)
        self.retry = retry
        self._caller = checked_value("User-Agent", caller)
        self._max_response_bytes = max_response_bytes
        self._token_provider = token_provider
        self._observe = observe
        self._clock = clock
        self._closed = False
        # One budget for all: that of the target, not of a number of retries.
        self._budget = RetryBudget(
            retry.budget_ratio, burst=retry.budget_burst, clock=clock
        )
        self._retryings: dict[int, Retrying] = {}
        self._new_retrying: Callable[[int], Retrying] = lambda retries: Retrying(
            on=_TryAgainError,
            max_retries=retries,
            delay=retry.delay,
            max_delay=retry.max_delay,
            max_retry_after=retry.max_retry_after,
            budget=self._budget,
            rng=rng,
            sleep_async=sleep or asyncio.sleep,
            now=now,
        )
        self._balancer = Balancer(
            _upstreams(name, base_url, breaker, clock, self._note),
            recovery_time=breaker.recovery_time,
            clock=clock,
            rng=rng,
        )
        self._only = (
            self._balancer.upstreams[0] if len(self._balancer.upstreams) == 1 else None
        )
        self._by_breaker = {one.breaker: one for one in self._balancer.upstreams}
        self._own_transports: list[HttpTransport] = []
        self._transports: dict[Upstream, Transport] = {}
        for upstream in self._balancer.upstreams:
            if transport is None:
                # A pool for each URL: one that hangs must not use up the others'.
                own = HttpTransport(limits, tls=tls, proxy=proxy)
                self._own_transports.append(own)
                self._transports[upstream] = own
            else:
                self._transports[upstream] = mapped(transport)

    @property
    def breakers(self) -> tuple[CircuitBreaker, ...]:
        """One for each URL."""
        return tuple(one.breaker for one in self._balancer.upstreams)

    def prepare(
        self, method: str, path: str, accept: str, stream_of: StreamOf, **options: Any
    ) -> PreparedCall:
        """Check and encode a call; see `prepare`."""
        return prepare(
            method,
            path,
            accept=accept,
            caller=self._caller,
            default_timeouts=self.timeouts,
            default_retries=self.retry.max_retries,
            stream_of=stream_of,
            **options,
        )

    def open(self) -> None:
        """Take calls again after `aclose`, as a service may be started again."""
        self._closed = False

    def check_open(self) -> None:
        """Refuse to go on after `aclose`.

        Raises:
            RuntimeError: The client is closed.
        """
        if self._closed:
            raise RuntimeError(f"The client of {self.name} is closed.")

    async def aclose(self) -> None:
        """Close the connections; calls that come later are refused."""
        self._closed = True
        for transport in self._own_transports:
            await transport.aclose()

    # --------------------------------------------------------------------- a call

    async def call(self, call: PreparedCall, finish: Callable[[Reply], _T]) -> _T:
        """Make *call*, and return what *finish* makes of the answer."""
        self.check_open()
        progress = _Progress(call)
        started = self._clock()
        token = _ensure_correlation_id()
        failure: str | None = None
        try:
            reply = await self._persistently(progress)
            return self._finished(finish, reply, progress)
        except BaseException as error:
            failure = type(error).__name__
            raise
        finally:
            if self._observe is not None:
                self._tell(progress, failure, self._clock() - started)
            if token is not None:
                correlation_id_var.reset(token)

    async def _persistently(self, progress: _Progress) -> Reply:
        retries = progress.call.retries
        retrying = self._retryings.get(retries)
        if retrying is None:
            retrying = self._retryings[retries] = self._new_retrying(retries)
        try:
            return await retrying.call_async(self._attempt, progress)
        except _TryAgainError as last:
            error = last.error
            for note in getattr(last, "__notes__", ()):
                error.add_note(note)
        # Out of the except block: what tells us to try again is in no log.
        raise error

    async def _attempt(self, progress: _Progress) -> Reply:
        started = self._clock()
        sent_before = progress.attempts
        progress.status = None
        try:
            deadline = current_deadline()
            if deadline is not None:
                deadline.check()
            bearer = await self._bearer(progress.call)
            if self._only is None:
                return await self._somewhere(progress, bearer)
            breaker = self._only.breaker
            return await breaker.call_async(
                self._exchange, progress, self._only, bearer
            )
        except Exception as error:
            self._log_failure(progress, error, self._clock() - started)
            # Not when nothing was sent: a breaker, or a provider of tokens, said no.
            if (
                progress.attempts > sent_before
                and isinstance(error, BaseAPIException)
                and may_try_again(
                    error,
                    idempotent=progress.call.idempotent,
                    replayable=progress.call.replayable,
                    status=progress.status,
                )
            ):
                failed = error
            else:
                raise
        raise _TryAgainError(failed)

    async def _somewhere(self, progress: _Progress, bearer: str | None) -> Reply:
        """Ask the URLs' breakers, the best URL first, and send to one that lets us."""
        refused: set[Upstream] = set()
        soonest: CircuitOpenError | None = None
        while True:
            upstream = self._balancer.pick(tried=progress.tried, refused=refused)
            if upstream is None:
                assert soonest is not None  # noqa: S101 - each refusal has set it
                raise soonest
            sent = progress.attempts
            try:
                return await upstream.breaker.call_async(
                    self._exchange, progress, upstream, bearer
                )
            except CircuitOpenError as error:
                if progress.attempts > sent:
                    raise
                refused.add(upstream)
                if soonest is None or _wait(error) < _wait(soonest):
                    soonest = error

    async def _exchange(
        self, progress: _Progress, upstream: Upstream, bearer: str | None
    ) -> Reply:
        """One request and its answer; an error for any that is no success."""
        call = progress.call
        progress.attempts += 1
        progress.tried.add(upstream)
        callers = current_deadline()
        upstream.in_flight += 1
        try:
            async with timeout(call.timeouts.total) as deadline:
                request = OutgoingRequest(
                    call.method,
                    join(upstream.base, call.path, call.query),
                    _headers(call, upstream, bearer, deadline),
                    call.content,
                    call.timeouts,
                    self._max_response_bytes,
                )
                try:
                    reply = await self._transports[upstream](request)
                except Fault as fault:
                    raise error_of_fault(fault, self.name) from fault
        finally:
            upstream.in_flight -= 1
        progress.status = reply.status_code
        if 200 <= reply.status_code < 300:
            return reply
        error = error_of_reply(
            reply,
            our_token=bearer is not None,
            deadline_of_caller=deadline is callers,
        )
        assert error is not None  # noqa: S101 - only successes have none
        raise error

    async def _bearer(self, call: PreparedCall) -> str | None:
        """What to send as the service's own credential.

        Raises:
            ServiceUnavailableException: There is none to be had.
        """
        if self._token_provider is None or "authorization" in call.headers:
            return None
        try:
            token = self._token_provider()
            while inspect.isawaitable(token):
                async with timeout(call.timeouts.total):
                    token = await token
        except (ServiceUnavailableException, DeadlineExceededError):
            raise
        except Exception as error:
            # Not as it is: another service's 401 would reach our caller as his.
            fault = Fault(FaultKind.NO_CREDENTIAL, type(error).__name__)
            fault.__cause__ = error
            raise ServiceUnavailableException from fault
        if not is_token(token):
            raise ServiceUnavailableException from Fault(
                FaultKind.NO_CREDENTIAL, "it returned no bearer token (value hidden)"
            )
        return token

    def _finished(
        self, finish: Callable[[Reply], _T], reply: Reply, progress: _Progress
    ) -> _T:
        try:
            return finish(reply)
        except BaseAPIException as error:
            self._log_failure(progress, error, None)
            raise

    # ----------------------------------------------------------------- what is told

    def _note(
        self, breaker: CircuitBreaker, old: BreakerState, new: BreakerState
    ) -> None:
        self._balancer.note(self._by_breaker[breaker], new)

    def _log_failure(
        self, progress: _Progress, error: Exception, seconds: float | None
    ) -> None:
        call = progress.call
        cause = error.__cause__
        # An answer of a target that works is the caller's to judge.
        heavy = progress.status is None or progress.status >= 500 or cause is not None
        if isinstance(error, CircuitOpenError):
            heavy = False  # the breaker has said so, once
        fields: dict[str, object] = {
            "target": self.name,
            "http_method": call.method,
            "http_route": call.route,
            "http_status": progress.status,
            "attempt": progress.attempts,
            "error": type(error).__name__,
        }
        if seconds is not None:
            fields["duration_ms"] = round(seconds * 1000, 3)
        if isinstance(cause, Fault):
            fields["cause"] = str(cause)
        _log.log(
            logging.WARNING if heavy else logging.INFO,
            "%s %s of %s failed with %s%s.",
            call.method,
            call.route,
            self.name,
            type(error).__name__,
            f" ({cause})" if isinstance(cause, Fault) else "",
            extra=fields,
        )

    def _tell(self, progress: _Progress, failure: str | None, seconds: float) -> None:
        assert self._observe is not None  # noqa: S101 - the caller has looked
        call = progress.call
        try:
            self._observe(
                CallRecord(
                    self.name,
                    call.method,
                    call.route,
                    progress.status,
                    failure,
                    seconds,
                    progress.attempts,
                )
            )
        except Exception:
            _log.exception("observe of the client of %s failed.", self.name)


def _upstreams(
    name: str,
    base_url: str | Sequence[str],
    policy: BreakerPolicy,
    clock: Callable[[], float],
    note: Callable[[CircuitBreaker, BreakerState, BreakerState], None],
) -> list[Upstream]:
    urls = [base_url] if isinstance(base_url, str) else list(base_url)
    bases = [parse_base_url(url) for url in urls]
    if not bases:
        raise ValueError(f"The client of {name} has no URL.")
    if len(set(bases)) < len(bases):
        raise ValueError(f"The client of {name} has a URL twice.")
    return [
        Upstream(
            base,
            CircuitBreaker(
                name if len(bases) == 1 else f"{name} {base.text}",
                failure_threshold=policy.failure_threshold,
                recovery_time=policy.recovery_time,
                on=counts_against_target,
                on_state_change=note,
                clock=clock,
            ),
        )
        for base in bases
    ]


def _headers(
    call: PreparedCall,
    upstream: Upstream,
    bearer: str | None,
    deadline: Deadline | None,
) -> list[tuple[str, str]]:
    headers = {"host": upstream.base.netloc}
    headers["x-correlation-id"] = correlation_id_var.get() or ""
    trace = trace_context_var.get()
    if trace is not None:
        headers["traceparent"] = trace.traceparent
    if bearer is not None:
        headers["authorization"] = f"Bearer {bearer}"
    headers.update(call.headers)
    if deadline is not None:
        left = deadline.to_header()
        if left == "0":
            # Less than a millisecond: the target would refuse it, or wait for ever.
            raise DeadlineExceededError(of_caller=True)
        headers[_DEADLINE_HEADER] = left
    return list(headers.items())


def _ensure_correlation_id() -> Token[str | None] | None:
    """Give a call without a correlation id one, on its log lines too."""
    held = correlation_id_var.get()
    if held is not None and _CORRELATION_ID.fullmatch(held):
        return None
    return correlation_id_var.set(uuid.uuid4().hex)


def _wait(error: CircuitOpenError) -> float:
    return error.retry_after or 0.0

"""The client of one service.

Private: import ``ServiceClient`` from ``shared.http_client``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack, overload

from shared.http_client._answers import check_model, json_of, model_of
from shared.http_client._engine import ClientOptions, Engine
from shared.http_client._options import BodyOptions, CallOptions
from shared.http_client._prepare import ANYTHING, JSON_ONLY, stream_inline
from shared.http_client._reply import Reply
from shared.resilience import CircuitBreaker

_T = TypeVar("_T")


def finisher(response_model: Any) -> Callable[[Reply], Any]:
    """What makes the value of a call from its answer."""
    if response_model is None:
        return json_of
    check_model(response_model)
    return partial(model_of, model=response_model)


class ServiceClient:
    """Calls one service, so that it fails well when that one does.

    ::

        async with ServiceClient("subject-service", "http://localhost:8002") as client:
            subject = await client.get("/api/v1/subjects/7", response_model=Subject)

    Without ``async with``, end it by `aclose`. One object serves all tasks, and all
    event loops: each loop gets connections of its own.

    Args:
        name: The target's, for logs, metrics and breakers. One client per target.
        base_url: Where it is. Of several URLs each attempt goes to the less busy of
            two, and not to one whose breaker is open.
        timeout: Seconds for each attempt, or `ClientTimeouts`; 10 by default.
        retry: See `RetryPolicy`.
        breaker: See `BreakerPolicy`; each URL has a breaker.
        limits: See `ClientLimits`.
        max_response_bytes: The most that is read of a body, decompressed or not.
        token_provider: Gives this service's own bearer token, for each attempt that
            has no ``Authorization`` of its own; may be async. It holds the token and
            renews it, since it is asked often.
        caller: This service's name, for ``User-Agent``.
        observe: Called with a `CallRecord` at the end of each call; what it raises is
            logged.
        tls: How servers are verified; certifi's certificates when left out.
        proxy: URL of an HTTP proxy. Those of the environment are not used.
        transport: Sends the requests instead of connections; for tests.
        clock: Seconds that never go back.
        sleep: Waits between attempts.
        rng: A random number from 0 to 1.
        now: The present moment, for a ``Retry-After`` that is a date.

    Raises:
        ValueError: A URL or a number is out of range, or a URL holds credentials.
    """

    def __init__(
        self,
        name: str,
        base_url: str | Sequence[str],
        **options: Unpack[ClientOptions],
    ) -> None:
        self._engine = Engine(name, base_url, **options)

    @property
    def name(self) -> str:
        """The target's."""
        return self._engine.name

    @property
    def breakers(self) -> tuple[CircuitBreaker, ...]:
        """One for each URL, for metrics: ``service.metrics.observe_breaker(b)``."""
        return self._engine.breakers

    async def __aenter__(self) -> Self:
        self._engine.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections; calls that come later raise ``RuntimeError``."""
        await self._engine.aclose()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"

    @overload
    async def get(
        self,
        path: str,
        *,
        response_model: type[_T],
        **options: Unpack[CallOptions],
    ) -> _T: ...

    @overload
    async def get(
        self,
        path: str,
        *,
        response_model: Any = None,
        **options: Unpack[CallOptions],
    ) -> Any: ...

    async def get(
        self,
        path: str,
        *,
        response_model: Any = None,
        **options: Unpack[CallOptions],
    ) -> Any:
        """The answer to a GET, decoded; see `request`."""
        return await self._value("GET", path, response_model, options)

    @overload
    async def post(
        self,
        path: str,
        *,
        response_model: type[_T],
        **options: Unpack[BodyOptions],
    ) -> _T: ...

    @overload
    async def post(
        self,
        path: str,
        *,
        response_model: Any = None,
        **options: Unpack[BodyOptions],
    ) -> Any: ...

    async def post(
        self,
        path: str,
        *,
        response_model: Any = None,
        **options: Unpack[BodyOptions],
    ) -> Any:
        """The answer to a POST, decoded; see `request`. Retried with a key only."""
        return await self._value("POST", path, response_model, options)

    @overload
    async def put(
        self,
        path: str,
        *,
        response_model: type[_T],
        **options: Unpack[BodyOptions],
    ) -> _T: ...

    @overload
    async def put(
        self,
        path: str,
        *,
        response_model: Any = None,
        **options: Unpack[BodyOptions],
    ) -> Any: ...

    async def put(
        self,
        path: str,
        *,
        response_model: Any = None,
        **options: Unpack[BodyOptions],
    ) -> Any:
        """The answer to a PUT, decoded; see `request`."""
        return await self._value("PUT", path, response_model, options)

    @overload
    async def patch(
        self,
        path: str,
        *,
        response_model: type[_T],
        **options: Unpack[BodyOptions],
    ) -> _T: ...

    @overload
    async def patch(
        self,
        path: str,
        *,
        response_model: Any = None,
        **options: Unpack[BodyOptions],
    ) -> Any: ...

    async def patch(
        self,
        path: str,
        *,
        response_model: Any = None,
        **options: Unpack[BodyOptions],
    ) -> Any:
        """The answer to a PATCH, decoded; see `request`. Retried with a key only."""
        return await self._value("PATCH", path, response_model, options)

    @overload
    async def delete(
        self,
        path: str,
        *,
        response_model: type[_T],
        **options: Unpack[BodyOptions],
    ) -> _T: ...

    @overload
    async def delete(
        self,
        path: str,
        *,
        response_model: Any = None,
        **options: Unpack[BodyOptions],
    ) -> Any: ...

    async def delete(
        self,
        path: str,
        *,
        response_model: Any = None,
        **options: Unpack[BodyOptions],
    ) -> Any:
        """The answer to a DELETE, decoded; see `request`."""
        return await self._value("DELETE", path, response_model, options)

    async def head(self, path: str, **options: Unpack[CallOptions]) -> Reply:
        """The answer to a HEAD, which is all in its headers."""
        return await self.send("HEAD", path, **options)

    @overload
    async def request(
        self,
        method: str,
        path: str,
        *,
        response_model: type[_T],
        **options: Unpack[BodyOptions],
    ) -> _T: ...

    @overload
    async def request(
        self,
        method: str,
        path: str,
        *,
        response_model: Any = None,
        **options: Unpack[BodyOptions],
    ) -> Any: ...

    async def request(
        self,
        method: str,
        path: str,
        *,
        response_model: Any = None,
        **options: Unpack[BodyOptions],
    ) -> Any:
        """The answer, decoded: JSON, and None where there is no body.

        Args:
            method: Of HTTP.
            path: Begins with a slash and is joined to the base URL. Quote what you put
                in, or let *path_params* do it.
            response_model: What the answer must be, anything that pydantic validates;
                what is returned is one.
            options: See `CallOptions` and `BodyOptions`.

        Raises:
            BaseAPIException: What the target raised, of the same class.
            ServiceUnavailableException: It can't be reached, or failed with something
                that is no problem of ours.
            UpstreamException: Its answer is no JSON, does not fit, is too large or is a
                redirect.
            DeadlineExceededError: It took too long.
            CircuitOpenError: It failed too often; it was not called.
            ValueError: The request makes no sense; it was not sent.
            TypeError: So does an argument.
        """
        return await self._value(method, path, response_model, options)

    async def send(
        self, method: str, path: str, **options: Unpack[BodyOptions]
    ) -> Reply:
        """The answer as it came, whatever its media type; raises as `request` does."""
        call = self._engine.prepare(method, path, ANYTHING, stream_inline, **options)
        return await self._engine.call(call, _as_it_is)

    async def _value(
        self,
        method: str,
        path: str,
        response_model: Any,
        options: CallOptions | BodyOptions,
    ) -> Any:
        finish = finisher(response_model)
        call = self._engine.prepare(method, path, JSON_ONLY, stream_inline, **options)
        return await self._engine.call(call, finish)


def _as_it_is(reply: Reply) -> Reply:
    return reply

"""The client of one service, for code that is not asynchronous.

Private: import ``SyncServiceClient`` from ``shared.http_client``.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack, overload

from shared.http_client._client import finisher
from shared.http_client._engine import ClientOptions, Engine
from shared.http_client._options import BodyOptions, CallOptions, TokenProvider
from shared.http_client._portal import in_thread, portal, stream_in_thread
from shared.http_client._prepare import ANYTHING, JSON_ONLY
from shared.http_client._reply import Reply
from shared.resilience import CircuitBreaker

_T = TypeVar("_T")


class SyncServiceClient:
    """`ServiceClient` for threads: the same arguments, methods, errors and time-outs.

    ::

        with SyncServiceClient("subject-service", "http://localhost:8002") as client:
            subject = client.get("/api/v1/subjects/7", response_model=Subject)

    The calls of all these clients run in the event loop of one background thread, which
    starts with the first and again in the child of a fork; so a deadline ends them
    however the answer drips. One object serves all threads. A ``token_provider`` that
    is not async, and the pieces of a body, are asked for in threads; ``observe`` and
    ``sleep`` run in the loop. In a coroutine use `ServiceClient`: this one would stop
    the coroutine's loop.

    Args:
        name: As in `ServiceClient`.
        base_url: As in `ServiceClient`.
        options: As in `ServiceClient`.
    """

    def __init__(
        self,
        name: str,
        base_url: str | Sequence[str],
        **options: Unpack[ClientOptions],
    ) -> None:
        provider = options.get("token_provider")
        if provider is not None and not _is_async(provider):
            options["token_provider"] = in_thread(provider)  # type: ignore[arg-type]
        self._engine = Engine(name, base_url, **options)

    @property
    def name(self) -> str:
        """The target's."""
        return self._engine.name

    @property
    def breakers(self) -> tuple[CircuitBreaker, ...]:
        """One for each URL, for metrics."""
        return self._engine.breakers

    def __enter__(self) -> Self:
        self._engine.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; calls that come later raise ``RuntimeError``."""
        portal().run(self._engine.aclose())

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"

    @overload
    def get(
        self,
        path: str,
        *,
        response_model: type[_T],
        **options: Unpack[CallOptions],
    ) -> _T: ...

    @overload
    def get(
        self,
        path: str,
        *,
        response_model: Any = None,
        **options: Unpack[CallOptions],
    ) -> Any: ...

    def get(
        self,
        path: str,
        *,
        response_model: Any = None,
        **options: Unpack[CallOptions],
    ) -> Any:
        """The answer to a GET, decoded; see `request`."""
        return self._value("GET", path, response_model, options)

    @overload
    def post(
        self,
        path: str,
        *,
        response_model: type[_T],
        **options: Unpack[BodyOptions],
    ) -> _T: ...

    @overload
    def post(
        self,
        path: str,
        *,
        response_model: Any = None,
        **options: Unpack[BodyOptions],
    ) -> Any: ...

    def post(
        self,
        path: str,
        *,
        response_model: Any = None,
        **options: Unpack[BodyOptions],
    ) -> Any:
        """The answer to a POST, decoded; see `request`. Retried with a key only."""
        return self._value("POST", path, response_model, options)

    @overload
    def put(
        self,
        path: str,
        *,
        response_model: type[_T],
        **options: Unpack[BodyOptions],
    ) -> _T: ...

    @overload
    def put(
        self,
        path: str,
        *,
        response_model: Any = None,
        **options: Unpack[BodyOptions],
    ) -> Any: ...

    def put(
        self,
        path: str,
        *,
        response_model: Any = None,
        **options: Unpack[BodyOptions],
    ) -> Any:
        """The answer to a PUT, decoded; see `request`."""
        return self._value("PUT", path, response_model, options)

    @overload
    def patch(
        self,
        path: str,
        *,
        response_model: type[_T],
        **options: Unpack[BodyOptions],
    ) -> _T: ...

    @overload
    def patch(
        self,
        path: str,
        *,
        response_model: Any = None,
        **options: Unpack[BodyOptions],
    ) -> Any: ...

    def patch(
        self,
        path: str,
        *,
        response_model: Any = None,
        **options: Unpack[BodyOptions],
    ) -> Any:
        """The answer to a PATCH, decoded; see `request`. Retried with a key only."""
        return self._value("PATCH", path, response_model, options)

    @overload
    def delete(
        self,
        path: str,
        *,
        response_model: type[_T],
        **options: Unpack[BodyOptions],
    ) -> _T: ...

    @overload
    def delete(
        self,
        path: str,
        *,
        response_model: Any = None,
        **options: Unpack[BodyOptions],
    ) -> Any: ...

    def delete(
        self,
        path: str,
        *,
        response_model: Any = None,
        **options: Unpack[BodyOptions],
    ) -> Any:
        """The answer to a DELETE, decoded; see `request`."""
        return self._value("DELETE", path, response_model, options)

    def head(self, path: str, **options: Unpack[CallOptions]) -> Reply:
        """The answer to a HEAD, which is all in its headers."""
        return self.send("HEAD", path, **options)

    @overload
    def request(
        self,
        method: str,
        path: str,
        *,
        response_model: type[_T],
        **options: Unpack[BodyOptions],
    ) -> _T: ...

    @overload
    def request(
        self,
        method: str,
        path: str,
        *,
        response_model: Any = None,
        **options: Unpack[BodyOptions],
    ) -> Any: ...

    def request(
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
        return self._value(method, path, response_model, options)

    def send(self, method: str, path: str, **options: Unpack[BodyOptions]) -> Reply:
        """The answer as it came, whatever its media type; raises as `request` does."""
        call = self._engine.prepare(method, path, ANYTHING, stream_in_thread, **options)
        return portal().run(self._engine.call(call, _as_it_is))

    def _value(
        self,
        method: str,
        path: str,
        response_model: Any,
        options: CallOptions | BodyOptions,
    ) -> Any:
        finish = finisher(response_model)
        call = self._engine.prepare(
            method, path, JSON_ONLY, stream_in_thread, **options
        )
        return portal().run(self._engine.call(call, finish))


def _as_it_is(reply: Reply) -> Reply:
    return reply


def _is_async(provider: TokenProvider) -> bool:
    call = getattr(provider, "__call__", None)  # noqa: B004 - an object may be async
    return any(map(inspect.iscoroutinefunction, (provider, call)))

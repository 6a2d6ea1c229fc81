"""From the reply of another service back to an exception.

Private: import these names from ``shared.errors``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

from shared.errors._by_status import from_status
from shared.errors._codes import is_code
from shared.errors._exceptions import (
    RESERVED,
    BaseAPIException,
    RateLimitExceededException,
    ServiceUnavailableException,
    UpstreamException,
    owners,
    revive,
)
from shared.errors._headers import merge_headers

_TRY_LATER: Final = (RateLimitExceededException, ServiceUnavailableException)


class _Response(Protocol):
    """What the replies of httpx, requests and their kin have in common."""

    @property
    def status_code(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    def json(self) -> Any: ...


def error_from_problem(response: Mapping[str, Any] | _Response, /) -> BaseAPIException:
    """The exception that another service answered with; never raises itself.

    Args:
        response: A decoded problem, or a reply with ``status_code``, ``headers`` and
            ``json()``, whose body has been read.

    Returns:
        An error of the class that declares the problem's ``code``, with its detail and
        extra facts. Else the status decides: 4xx give the class of that status and
        keep status, code, detail and facts of the problem; 503 gives
        `ServiceUnavailableException`, 504 and everything else an `UpstreamException`,
        both without a word of the peer's, since an answer of ours must not show how
        another service failed. A body that is no problem is not quoted at all.
        ``Retry-After`` is kept. The class's ``__init__`` is not called: a subclass
        finds what it needs in ``extra_info``. A note (`BaseException.add_note`) tells
        the logs what the peer said.
    """
    problem: dict[Any, Any]
    if isinstance(response, Mapping):
        problem, header = dict(response), None
        status = _status(problem.get("status"))
    else:
        status = _status(getattr(response, "status_code", None))
        problem = _problem_in(response)
        header = _header(response, "retry-after")
    code = problem.get("code")
    cls = owners().get(code) if isinstance(code, str) else None
    if cls is not None:
        error = _known(cls, problem, status)
    else:
        error = _unknown(problem, status)
    _keep_retry_after(error, header)
    error.add_note(_note(problem, status))
    return error


def _known(
    cls: type[BaseAPIException], problem: Mapping[Any, Any], status: int | None
) -> BaseAPIException:
    error = revive(cls, _detail(problem), extra=_extra(problem), headers={})
    if status is not None and status >= 400 and status != cls.status_code:
        error.status_code = status
    return error


def _unknown(problem: Mapping[Any, Any], status: int | None) -> BaseAPIException:
    if status is None or status < 400:
        return UpstreamException()
    if status == 503:
        return ServiceUnavailableException()
    if status >= 500:
        return UpstreamException(status_code=504 if status == 504 else 502)
    error = from_status(status, _detail(problem), extra=_extra(problem))
    if is_code(problem.get("code")):
        error.code = problem["code"]
    return error


def _status(value: object) -> int | None:
    return value if type(value) is int and 100 <= value <= 599 else None


def _detail(problem: Mapping[Any, Any]) -> str | None:
    detail = problem.get("detail")
    return detail if isinstance(detail, str) else None


def _extra(problem: Mapping[Any, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in problem.items()
        if isinstance(name, str) and name not in RESERVED
    }


def _header(response: _Response, name: str) -> str | None:
    try:
        for known, value in response.headers.items():
            if known.lower() == name:
                return str(value)
    except Exception:  # no headers at all, or not those of a reply
        return None
    return None


def _problem_in(response: _Response) -> dict[Any, Any]:
    """The problem in the body of *response*; empty when there is none."""
    try:
        body = response.json()
    except Exception:  # not JSON, not read, not text, nested too deeply ...
        return {}
    if not isinstance(body, dict):
        return {}
    media_type = (_header(response, "content-type") or "").partition(";")[0]
    if media_type.strip().lower() == "application/problem+json":
        return body
    # A proxy may have called ours plain JSON; these four members don't meet by chance.
    ours = (
        isinstance(body.get("type"), str)
        and isinstance(body.get("title"), str)
        and _status(body.get("status")) is not None
        and is_code(body.get("code"))
    )
    return body if ours else {}


def _keep_retry_after(error: BaseAPIException, header: str | None) -> None:
    """Give *error* the header, and a header to the seconds that a bare problem told."""
    later = isinstance(error, _TRY_LATER)
    if header is None and later:
        seconds = error.extra_info.get("retry_after")
        header = str(seconds) if _is_seconds(seconds) else None
    if header is None:
        return
    error.headers = merge_headers(error.headers, {"Retry-After": header})
    if later and header.isascii() and header.isdecimal() and len(header) < 10:
        error.extra_info = {"retry_after": int(header), **error.extra_info}


def _is_seconds(value: object) -> bool:
    return type(value) is int and 0 <= value < 10**9


def _note(problem: Mapping[Any, Any], status: int | None) -> str:
    facts = {"status": status}
    for name in ("code", "detail", "correlation_id"):
        if isinstance(problem.get(name), str):
            facts[name] = problem[name][:200]
    return f"The other service answered {facts}."

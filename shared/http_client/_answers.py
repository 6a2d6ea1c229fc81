"""What an answer or a fault means: a value, an error, another attempt. Without I/O.

Private: used by ``shared.http_client`` only.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from shared.errors import (
    BaseAPIException,
    ServiceUnavailableException,
    UpstreamException,
    error_from_problem,
)
from shared.http_client._faults import Fault, FaultKind
from shared.http_client._reply import Reply
from shared.resilience import BulkheadFullError, DeadlineExceededError, is_outage

# RFC 9110, section 9.2.2.
IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
_TRY_AGAIN: Final = frozenset({502, 503, 504})
# The target has the request or may have it; what it did is not known.
_IN_DOUBT: Final = frozenset({FaultKind.TIMED_OUT, FaultKind.BROKEN})
# Answers of a target that works, and troubles of our own.
_NO_OUTAGE: Final = frozenset(FaultKind) - _IN_DOUBT - {FaultKind.NO_CONNECTION}


# ---------------------------------------------------------------------- errors


def error_of_fault(fault: Fault, target: str) -> BaseAPIException:
    """What is raised when no usable answer came; the caller chains *fault* to it."""
    if fault.kind is FaultKind.TIMED_OUT:
        return DeadlineExceededError()
    if fault.kind is FaultKind.POOL_FULL:
        return BulkheadFullError(target, retry_after=1)
    if fault.kind in (FaultKind.TOO_LARGE, FaultKind.UNDECODABLE):
        return UpstreamException()
    return ServiceUnavailableException()


def error_of_reply(
    reply: Reply, *, our_token: bool, deadline_of_caller: bool
) -> BaseAPIException | None:
    """What is raised for this status; None for a success.

    Args:
        reply: The answer.
        our_token: The request carried what ``token_provider`` gave.
        deadline_of_caller: The deadline that was passed on was our caller's.
    """
    status = reply.status_code
    if 200 <= status < 300:
        return None
    if status < 400:
        return _chained(
            UpstreamException(), Fault(FaultKind.REDIRECT, f"status {status}")
        )
    error = error_from_problem(reply)
    if status == 401 and our_token:
        # Our caller may be logged in perfectly well: a 401 would send him to log in
        # again, and again.
        fault = Fault(FaultKind.CREDENTIAL_REFUSED, "status 401")
        fault.__cause__ = error
        return _chained(UpstreamException(), fault)
    if status >= 500 and not _is_known(error, reply):
        return _chained(_unavailable(error), error)
    if isinstance(error, DeadlineExceededError):
        error.of_caller = deadline_of_caller
    return error


def _is_known(error: BaseAPIException, reply: Reply) -> bool:
    """Whether *reply* is a problem with a code that a class of ours declares."""
    try:
        problem = reply.json()
    except ValueError:
        return False
    if not isinstance(problem, dict) or problem.get("code") != error.code:
        return False
    # As in shared.errors, which accepts a problem that a proxy called plain JSON.
    return reply.media_type == "application/problem+json" or "title" in problem


def _unavailable(error: BaseAPIException) -> ServiceUnavailableException:
    later = error.headers.get("Retry-After")
    if later is None:
        return ServiceUnavailableException()
    if later.isascii() and later.isdecimal() and len(later) < 10:
        return ServiceUnavailableException(retry_after=int(later))
    return ServiceUnavailableException(headers={"Retry-After": later})


def _chained(error: BaseAPIException, cause: BaseException) -> BaseAPIException:
    error.__cause__ = cause
    return error


# ------------------------------------------------------------------- decisions


def counts_against_target(error: Exception) -> bool:
    """Whether a breaker counts *error*: the target did not answer as one that works."""
    fault = error.__cause__
    if isinstance(fault, Fault) and fault.kind in _NO_OUTAGE:
        return False
    # What is no error of ours is a bug on this side, such as in a generator of a body.
    return isinstance(error, BaseAPIException) and is_outage(error)


def may_try_again(
    error: BaseAPIException,
    *,
    idempotent: bool,
    replayable: bool,
    status: int | None,
) -> bool:
    """Whether another attempt is safe and could help.

    Args:
        error: What the attempt ended with.
        idempotent: Twice has the effect of once, by method or by key.
        replayable: The body can be sent again.
        status: Of the answer; None if none came.
    """
    fault = error.__cause__
    kind = fault.kind if isinstance(fault, Fault) else None
    if isinstance(error, DeadlineExceededError):
        if error.of_caller:
            return False
        # Our own bound on the whole attempt comes without a fault.
        kind = kind or FaultKind.TIMED_OUT
    if not replayable:
        return False
    if kind is FaultKind.NO_CONNECTION:
        return True
    if not idempotent:
        # Not even a 429 is safe: it may come from a service behind the target, which
        # had done half of the work.
        return False
    if status is None:
        return kind in _IN_DOUBT
    return status in _TRY_AGAIN or (status == 429 and "Retry-After" in error.headers)


# ---------------------------------------------------------------------- values


def json_of(reply: Reply) -> Any:
    """The decoded body of a success; None where there is none.

    Raises:
        UpstreamException: It is not JSON.
    """
    if not reply.content:
        return None
    _check_json(reply)
    return _parsed(reply)


def model_of(reply: Reply, model: Any) -> Any:
    """The body of a success as *model*; an empty one is a None.

    Raises:
        UpstreamException: It is not JSON, or does not fit.
    """
    adapter = _adapter(model)
    content = reply.content
    if content:
        _check_json(reply)
    if b"NaN" in content or b"Infinity" in content:
        _parsed(reply)  # pydantic takes the number for one, where it is not in a text
    try:
        return adapter.validate_json(content or b"null")
    except ValidationError as error:
        fault = Fault(FaultKind.MISMATCH, _without_values(error))
    # Out of the except block: pydantic's error quotes what came, and must not be
    # anywhere in the chain that logs print.
    raise UpstreamException from fault


def _check_json(reply: Reply) -> None:
    media_type = reply.media_type
    if media_type == "application/json" or media_type.endswith("+json"):
        return
    # Not quoted in full: it is input.
    shown = repr(media_type[:60]) if media_type else "missing"
    raise UpstreamException from Fault(FaultKind.NOT_JSON, f"Content-Type {shown}")


def _parsed(reply: Reply) -> Any:
    try:
        return reply.json()
    except ValueError as error:
        fault = Fault(FaultKind.NOT_JSON, "it can't be parsed")
        fault.__cause__ = error  # names a line and a column
        raise UpstreamException from fault


def _without_values(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    problems = []
    for one in found[:5]:
        # A text in the place may be a key of a mapping, and so a value of the peer's.
        place = "/".join(
            str(part) if isinstance(part, int) or part.isidentifier() else "*"
            for part in one["loc"]
        )
        problems.append(f"{one['type']} at {place or 'the top'}")
    more = f" and {len(found) - 5} more" if len(found) > 5 else ""
    return ", ".join(problems) + more


def check_model(model: Any) -> None:
    """Refuse what is no type, before the call is made.

    Raises:
        TypeError: pydantic makes nothing of it.
    """
    _adapter(model)


def _adapter(model: Any) -> TypeAdapter[Any]:
    try:
        return _cached_adapter(model)
    except TypeError:  # such as Annotated[int, []], which has no hash
        return _make_adapter(model)


def _make_adapter(model: Any) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(model)
    except Exception as error:
        raise TypeError(
            f"response_model= is nothing that pydantic can validate: {error}"
        ) from error


# Models are written down in code, so there are few.
_cached_adapter = lru_cache(maxsize=512)(_make_adapter)

from __future__ import annotations

import json
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import (
    BaseAPIException,
    NotFoundException,
    ServiceUnavailableException,
    UpstreamException,
)
from shared.http_client._answers import (
    IDEMPOTENT,
    check_model,
    counts_against_target,
    error_of_fault,
    error_of_reply,
    json_of,
    may_try_again,
    model_of,
)
from shared.http_client._faults import Fault, FaultKind
from shared.http_client._reply import Reply
from shared.resilience import BulkheadFullError, DeadlineExceededError


def failed(kind: FaultKind) -> BaseAPIException:
    """Return what is raised for a fault."""
    error = error_of_fault(Fault(kind), "a")
    error.__cause__ = Fault(kind)
    return error


def refused(status: int, headers: dict[str, str] | None = None) -> BaseAPIException:
    """Return what is raised for a status."""
    reply = Reply(status, headers or {}, b"")
    error = error_of_reply(reply, our_token=False, deadline_of_caller=False)
    assert error is not None
    return error


# What went wrong: the class, whether a GET is sent again, whether a POST is, and
# whether the breaker counts it.
TABLE = [
    (FaultKind.NO_CONNECTION, ServiceUnavailableException, True, True, True),
    (FaultKind.POOL_FULL, BulkheadFullError, False, False, False),
    (FaultKind.TIMED_OUT, DeadlineExceededError, True, False, True),
    (FaultKind.BROKEN, ServiceUnavailableException, True, False, True),
    (FaultKind.TOO_LARGE, UpstreamException, False, False, False),
    (FaultKind.UNDECODABLE, UpstreamException, False, False, False),
    (FaultKind.INTERNAL, ServiceUnavailableException, False, False, False),
]


@pytest.mark.parametrize(("kind", "cls", "get", "post", "outage"), TABLE)
def test_faults(
    kind: FaultKind, cls: type[BaseAPIException], get: bool, post: bool, outage: bool
) -> None:
    """Each kind of fault means one thing everywhere."""
    error = failed(kind)
    again = [
        may_try_again(error, idempotent=safe, replayable=True, status=None)
        for safe in (True, False)
    ]

    assert type(error) is cls
    assert again == [get, post]
    assert counts_against_target(error) is outage


@pytest.mark.parametrize(
    ("status", "headers", "again", "outage"),
    [
        (302, {}, False, False),
        (400, {}, False, False),
        (404, {}, False, False),
        (408, {}, False, False),
        (429, {}, False, False),
        (429, {"retry-after": "1"}, True, False),
        (500, {}, False, True),
        (501, {}, False, True),
        (502, {}, True, True),
        (503, {}, True, True),
        (504, {}, True, True),
        (507, {}, False, True),
    ],
)
def test_statuses(
    status: int, headers: dict[str, str], again: bool, outage: bool
) -> None:
    """Only what a second request may heal is tried again, and only 5xx are outages."""
    error = refused(status, headers)

    assert (
        may_try_again(error, idempotent=True, replayable=True, status=status) is again
    )
    assert counts_against_target(error) is outage


@given(
    kind=st.none() | st.sampled_from(FaultKind),
    status=st.none() | st.integers(300, 599),
    later=st.booleans(),
    replayable=st.booleans(),
)
def test_what_may_not_be_repeated_is_not(
    kind: FaultKind | None, status: int | None, later: bool, replayable: bool
) -> None:
    """Without a safe method or key, only what never left is sent again."""
    headers = {"retry-after": "1"} if later else {}
    error = failed(kind) if kind else refused(status or 503, headers)
    unsafe = may_try_again(
        error, idempotent=False, replayable=replayable, status=status
    )

    assert unsafe is (kind is FaultKind.NO_CONNECTION and replayable)
    assert not may_try_again(error, idempotent=True, replayable=False, status=status)


def test_time_is_up() -> None:
    """The caller's deadline ends it; our own bound on an attempt allows another."""
    own, callers = DeadlineExceededError(), DeadlineExceededError(of_caller=True)
    again = [
        may_try_again(error, idempotent=True, replayable=True, status=None)
        for error in (own, callers)
    ]

    assert again == [True, False]
    assert [counts_against_target(error) for error in (own, callers)] == [True, False]


def test_mistakes_are_no_outages() -> None:
    """A bug on this side says nothing about the other."""
    assert not counts_against_target(ZeroDivisionError())


def test_idempotent_methods() -> None:
    """RFC 9110, section 9.2.2: the safe ones, PUT and DELETE."""
    assert {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"} == IDEMPOTENT


@given(
    status=st.integers(200, 599),
    content=st.binary(max_size=50) | st.sampled_from([b"[]", b"null", b'{"code": 7}']),
    media_type=st.sampled_from(["", "text/html", "application/problem+json", ";;"]),
    token=st.booleans(),
)
def test_any_answer_is_judged(
    status: int, content: bytes, media_type: str, token: bool
) -> None:
    """Rubbish gives an error of ours, with nothing of it in what the caller sees."""
    reply = Reply(status, {"content-type": media_type}, content)
    error = error_of_reply(reply, our_token=token, deadline_of_caller=False)

    assert (error is None) is (status < 300)
    for raised in filter(None, [error]):
        assert raised.detail == type(raised).detail or raised.status_code < 500
        assert raised.extra_info == {}


@pytest.mark.parametrize(
    "code", ["not_a_class_of_ours", "Bad Code", 7, None, ["a"], "x" * 100]
)
def test_codes_that_nobody_here_has(code: Any) -> None:
    """A 5xx with such a code is foreign; a 4xx keeps it, if it is one."""
    body = json.dumps({"title": "a", "status": 500, "code": code, "detail": "secret"})
    reply = Reply(500, {"content-type": "application/problem+json"}, body.encode())
    error = error_of_reply(reply, our_token=False, deadline_of_caller=False)

    assert type(error) is ServiceUnavailableException
    assert "secret" not in str(error)
    assert isinstance(error.__cause__, UpstreamException)


def test_a_problem_that_a_proxy_renamed() -> None:
    """It is known by its members."""
    body = json.dumps(ServiceUnavailableException("The ledger rests.").to_problem())
    reply = Reply(503, {"content-type": "application/json"}, body.encode())
    error = error_of_reply(reply, our_token=False, deadline_of_caller=False)

    assert str(error) == "The ledger rests."


@pytest.mark.parametrize("later", ["Wed, 21 Oct 2026 07:28:00 GMT", "7", "²"])
def test_retry_after_is_kept(later: str) -> None:
    """Of a foreign 503 in either form; it decides when there is another attempt."""
    error = refused(503, {"retry-after": later})

    assert error.headers["Retry-After"] == later.replace("²", "?")


JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    "content", [b"{", b"\xff", b"[1]]", b'"\\ud800"', b"[" * 10**5, b"NaN"]
)
def test_what_is_no_json(content: bytes) -> None:
    """It is the target's fault, and nothing of it is shown."""
    for read in (json_of, lambda reply: model_of(reply, Any)):
        with pytest.raises(UpstreamException, match="upstream") as raised:
            read(Reply(200, JSON, content))
        assert isinstance(raised.value.__cause__, Fault)


@pytest.mark.parametrize(
    "media_type", ["", "text/html", "text/json", "application/jsonx", "a" * 1000]
)
def test_wrong_media_types(media_type: str) -> None:
    """JSON by chance is not JSON by contract."""
    for read in (json_of, lambda reply: model_of(reply, int)):
        with pytest.raises(UpstreamException, match="upstream") as raised:
            read(Reply(200, {"content-type": media_type}, b"1"))
        assert isinstance(raised.value.__cause__, Fault)
        assert raised.value.__cause__.kind is FaultKind.NOT_JSON
        assert len(str(raised.value.__cause__)) < 120


def test_keys_of_mappings_are_values() -> None:
    """A key that is no plain name is not in the log; nor are more than five places."""
    content = json.dumps({f"{n}@example.com": "x" for n in range(7)}).encode()
    with pytest.raises(UpstreamException, match="upstream") as raised:
        model_of(Reply(200, JSON, content), dict[str, int])

    cause = str(raised.value.__cause__)
    assert "example" not in cause
    assert cause.count("int_parsing at *") == 5
    assert cause.endswith("and 2 more")


@pytest.mark.parametrize("model", [Annotated[int, []], int, "int", None])
def test_models(model: Any) -> None:
    """Types without a hash are types too."""
    check_model(model)


def test_not_found_stays() -> None:
    """Nothing is done to an error that is known."""
    body = json.dumps(NotFoundException("a", b="c").to_problem()).encode()
    reply = Reply(404, {"content-type": "application/problem+json"}, body)
    error = error_of_reply(reply, our_token=True, deadline_of_caller=True)

    assert error is not None
    assert error.to_dict() == {"detail": "a", "b": "c"}

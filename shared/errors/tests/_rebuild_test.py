from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors._exceptions import (
    AuthenticationException,
    BadRequestException,
    BaseAPIException,
    ConflictException,
    NotFoundError,
    NotFoundException,
    PayloadTooLargeException,
    PermissionDeniedException,
    RateLimitExceededException,
    ServiceUnavailableException,
    UpstreamException,
    ValidationError,
    ValidationException,
)
from shared.errors._rebuild import error_from_problem

PROBLEM = "application/problem+json"
ITEM = {"pointer": "/name", "code": "missing", "detail": "This is required."}


class StockException(ConflictException):
    """A subclass whose ``__init__`` wants other arguments."""

    code = "test_out_of_stock"

    def __init__(self, sku: str, wanted: int) -> None:
        super().__init__(f"Only few of {sku}.", sku=sku, wanted=wanted)


ERRORS: list[BaseAPIException] = [
    BaseAPIException(),
    BaseAPIException("Broken.", part="disk"),
    BadRequestException("No.", rule=[1, {"a": None}]),
    AuthenticationException("Expired."),
    PermissionDeniedException(role="admin"),
    NotFoundException("No row."),
    NotFoundError("Subject", "123", hint="x"),
    ConflictException(name="taken"),
    PayloadTooLargeException(limit=5),
    ValidationException([ITEM], "No."),
    ValidationError("Invalid input", details=[ITEM]),
    RateLimitExceededException(retry_after=30),
    UpstreamException(service="billing"),
    UpstreamException(status_code=504),
    ServiceUnavailableException(retry_after=5),
    StockException("x-1", 3),
]


def reply(
    status: int, content: bytes, media_type: str = PROBLEM, **headers: str
) -> httpx2.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx2.Response(
        status, content=content, headers={"content-type": media_type, **named}
    )


def reply_with(status: int, body: object, **options: str) -> httpx2.Response:
    return reply(status, json.dumps(body).encode(), **options)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_problem_comes_back_as_the_error_it_was(error: BaseAPIException) -> None:
    """Class, status, code, detail and facts survive the way over the wire."""
    problem = error.to_problem(instance="/x", correlation_id="abc")
    body = json.dumps(problem).encode()

    for twin in (
        error_from_problem(problem),
        error_from_problem(reply(error.status_code, body)),
        error_from_problem(reply(error.status_code, body, "application/json")),
    ):
        assert type(twin) is type(error)
        assert (twin.status_code, twin.code) == (error.status_code, error.code)
        assert twin.to_dict() == error.to_dict()
        assert twin.headers == error.headers
        assert str(twin) == str(error)


def test_every_public_class_is_among_those_tested() -> None:
    """A class added to the package is added to the round trip."""
    tested = {type(error).__name__ for error in ERRORS}

    assert {cls.__name__ for cls in _classes(BaseAPIException)} == tested


def _classes(cls: type[BaseAPIException]) -> set[type[BaseAPIException]]:
    public = {cls} if not cls.__name__.startswith("_") else set()
    for child in cls.__subclasses__():
        public |= _classes(child)
    return {each for each in public if each.__module__.endswith(("ons", __name__))}


def test_rebuilt_error_pickles() -> None:
    """It can go on through a process pool or a task queue."""
    error = error_from_problem(StockException("x-1", 3).to_problem())
    twin = pickle.loads(pickle.dumps(error))

    assert (type(twin), twin.to_dict()) == (StockException, error.to_dict())


@pytest.mark.parametrize(
    ("status", "cls"),
    [
        (400, BadRequestException),
        (401, AuthenticationException),
        (404, NotFoundException),
        (418, BadRequestException),
        (422, ValidationException),
    ],
)
def test_code_of_an_unknown_class_falls_back_by_status(
    status: int, cls: type[BaseAPIException]
) -> None:
    """A service need not know the classes of those it calls to handle their errors."""
    body = {"status": status, "code": "job_lost", "detail": "Lost.", "job": 7}
    error = error_from_problem(reply_with(status, body))

    assert type(error) is cls
    assert (error.status_code, error.code) == (status, "job_lost")
    assert error.to_dict() == {"detail": "Lost.", "job": 7}


def test_problem_of_another_house_needs_no_code() -> None:
    """RFC 9457 has no member ``code``: the class and status give one."""
    body = {"type": "https://example.com/out-of-credit", "detail": "Pay.", "balance": 3}
    known = error_from_problem(reply_with(403, body))
    other = error_from_problem(reply_with(402, body))

    assert (type(known), known.code) == (PermissionDeniedException, "permission_denied")
    assert (type(other), other.code) == (BadRequestException, "payment_required")
    assert other.to_dict() == {"detail": "Pay.", "balance": 3}


@pytest.mark.parametrize(
    ("status", "cls", "own"),
    [
        (500, UpstreamException, 502),
        (502, UpstreamException, 502),
        (503, ServiceUnavailableException, 503),
        (504, UpstreamException, 504),
        (599, UpstreamException, 502),
    ],
)
@pytest.mark.parametrize("media_type", [PROBLEM, "application/json"])
def test_foreign_failure_is_not_ours_to_show(
    status: int, cls: type[BaseAPIException], own: int, media_type: str
) -> None:
    """How another service failed is for the logs, not for our callers."""
    body = {"detail": "db1.internal: secret", "trace": "x", "code": "db_down"}
    error = error_from_problem(reply_with(status, body, media_type=media_type))

    assert type(error) is cls
    assert error.status_code == own
    assert error.to_problem() == cls(**_timeout(own)).to_problem()


def _timeout(status: int) -> dict[str, Any]:
    return {"status_code": 504} if status == 504 else {}


@pytest.mark.parametrize("status", [100, 200, 204, 302])
def test_reply_that_is_no_error_is_the_upstreams_failure(status: int) -> None:
    """Who asks for an error has not got what was agreed."""
    assert type(error_from_problem(reply(status, b""))) is UpstreamException


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b"", PROBLEM),
        (b"{", PROBLEM),
        (b"\xff\xfe\x00", PROBLEM),
        (b"[" * 100_000, PROBLEM),
        (b"[1, 2]", PROBLEM),
        (b'"secret"', PROBLEM),
        (b"null", PROBLEM),
        (b"<html>secret</html>", "text/html"),
        (b'{"detail": "secret"}', "application/json"),
        (b'{"detail": "secret", "code": "x"}', "application/json"),
        (b'{"detail": "secret", "code": "not_found"}', "text/plain"),
    ],
)
def test_body_that_is_no_problem_is_not_quoted(content: bytes, media_type: str) -> None:
    """Only the status counts, and the detail is ours."""
    error = error_from_problem(reply(404, content, media_type))

    assert type(error) is NotFoundException
    assert error.to_dict() == {"detail": "Resource not found."}


@pytest.mark.parametrize(
    "problem",
    [
        {},
        {"status": "404"},
        {"status": True},
        {"status": 10**9},
        {"status": None, "code": ["not_found"]},
    ],
)
def test_problem_without_a_usable_status(problem: dict[str, Any]) -> None:
    """With neither code nor status, all we know is that the other service failed."""
    assert type(error_from_problem(problem)) is UpstreamException


@pytest.mark.parametrize("code", ["Not Found", "a" * 65, 5, None, "<b>", ["x"]])
def test_code_that_is_none_is_dropped(code: object) -> None:
    """What we pass on as a code is one."""
    error = error_from_problem({"status": 404, "code": code})

    assert error.code == "not_found"


def test_detail_that_is_no_text_is_dropped() -> None:
    """RFC 9457, section 3.1: members of a wrong type are ignored."""
    error = error_from_problem({"status": 404, "code": "not_found", "detail": [1]})

    assert error.detail == "Resource not found."


def test_status_of_the_reply_wins_over_that_of_the_body() -> None:
    """RFC 9457, section 3.1.2: the member is advisory."""
    error = error_from_problem(reply_with(410, {"status": 404, "code": "not_found"}))

    assert (type(error), error.status_code) == (NotFoundException, 410)


@pytest.mark.parametrize(
    ("status", "cls"),
    [
        (429, RateLimitExceededException),
        (503, ServiceUnavailableException),
        (413, PayloadTooLargeException),
        (500, UpstreamException),
    ],
)
def test_retry_after_is_kept(status: int, cls: type[BaseAPIException]) -> None:
    """Whoever sent it, and whatever the body: the caller should wait as long."""
    error = error_from_problem(reply(status, b"", "text/html", retry_after="17"))

    assert type(error) is cls
    assert error.headers["Retry-After"] == "17"


@pytest.mark.parametrize(
    ("value", "facts"),
    [
        ("17", {"retry_after": 17}),
        ("Fri, 31 Dec 2027 23:59:59 GMT", {}),
        ("9" * 5_000, {}),
        ("\u00b2", {}),
    ],
)
def test_retry_after_in_seconds_is_a_fact(value: str, facts: dict[str, int]) -> None:
    """A date stays a header: turning it into seconds would need a clock."""
    response = Headless(429, {"RETRY-AFTER": value})

    assert error_from_problem(response).extra_info == facts


@pytest.mark.parametrize(
    "seconds", ["5", -1, 1.5, True, pytest.param(10**5000, id="huge"), None]
)
def test_strange_seconds_make_no_header(seconds: object) -> None:
    """A member that is no number of seconds is a fact like another."""
    body = {"code": "rate_limit_exceeded", "status": 429, "retry_after": seconds}

    assert error_from_problem(body).headers == {}


def test_header_of_the_peer_cannot_add_a_header() -> None:
    """Some clients hand out what came over the wire as it was."""
    response = Headless(429, {"Retry-After": "1\r\nSet-Cookie: a=b"})

    assert error_from_problem(response).headers == {"Retry-After": "1  Set-Cookie: a=b"}


def test_note_tells_the_logs_what_the_peer_said() -> None:
    """The traceback in our log leads to the log of the other service."""
    body = {"detail": "x" * 500, "code": "db_down", "correlation_id": "abc-1"}
    (note,) = error_from_problem(reply_with(500, body)).__notes__

    assert "'status': 500" in note
    assert "'correlation_id': 'abc-1'" in note
    assert len(note) < 400


class Headless:
    """A reply as other clients have it, and in as bad a state as one likes."""

    def __init__(self, status_code: Any, headers: Any, body: object = None) -> None:
        self.status_code = status_code
        self.headers = headers
        self._body = body

    def json(self) -> Any:
        if isinstance(self._body, Exception):
            raise self._body
        return self._body


@pytest.mark.parametrize(
    "response",
    [
        Headless(None, None),
        Headless("404", {}),
        Headless(404, None, {"detail": "secret"}),
        Headless(404, {1: 2}, {"detail": "secret"}),
        Headless(404, {}, RuntimeError("not read yet")),
        Headless(404, {"content-type": PROBLEM}, {1: 2, "detail": ""}),
        object(),
        None,
    ],
)
def test_anything_gives_an_error_and_raises_none(response: Any) -> None:
    """The caller is handling a failure already, and must not get another one."""
    error = error_from_problem(response)

    assert isinstance(error, UpstreamException | NotFoundException)
    assert "secret" not in str(error.to_problem())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
MEMBERS = st.fixed_dictionaries(
    {},
    optional={
        name: JSON | st.sampled_from(["not_found", "internal_error", "/x", "job_lost"])
        for name in ("type", "title", "status", "detail", "code", "errors", "x", "5")
    },
)


@given(
    status=st.integers(0, 700) | st.none(),
    body=MEMBERS | JSON,
    headers=st.dictionaries(
        st.sampled_from(["content-type", "retry-after"]),
        st.sampled_from([PROBLEM, "application/json", "5"]) | st.text(),
    ),
)
@settings(max_examples=200, deadline=None)
def test_garbage_gives_an_error_that_can_be_sent(
    status: int | None, body: object, headers: Mapping[str, str]
) -> None:
    """Whatever another service answers, we can answer with it."""
    error = error_from_problem(Headless(status, headers, body))

    assert 400 <= error.status_code <= 599
    assert json.dumps(error.to_problem(), allow_nan=False, ensure_ascii=False).encode()
    assert error.to_dict()["detail"]

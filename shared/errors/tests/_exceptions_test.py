from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import _exceptions as module
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

ITEM = {"pointer": "/name", "code": "missing", "detail": "This is required."}


class SeatTakenException(ConflictException):
    """A seat can be booked once."""

    code = "test_seat_taken"
    detail = "The seat is taken."

    def __init__(self, row: int, seat: str) -> None:
        super().__init__(headers={"X-Row": str(row)}, row=row)
        self.seat = seat


class ForgetfulException(BadRequestException):
    """Does not call ``super().__init__``."""

    def __init__(self) -> None:
        pass


# The spec's table: class, status, code, detail.
SPEC: list[tuple[type[BaseAPIException], int, str, str]] = [
    (
        BaseAPIException,
        500,
        "internal_error",
        "An internal server error occurred.",
    ),
    (BadRequestException, 400, "bad_request", "Bad request."),
    (AuthenticationException, 401, "authentication_failed", "Authentication failed."),
    (PermissionDeniedException, 403, "permission_denied", "Permission denied."),
    (NotFoundException, 404, "not_found", "Resource not found."),
    (ConflictException, 409, "conflict", "Conflict with existing resource."),
    (
        PayloadTooLargeException,
        413,
        "payload_too_large",
        "The request body is too large.",
    ),
    (RateLimitExceededException, 429, "rate_limit_exceeded", "Too many requests."),
    (UpstreamException, 502, "upstream_error", "An upstream service failed."),
    (
        ServiceUnavailableException,
        503,
        "service_unavailable",
        "A required downstream service is currently unavailable.",
    ),
]

ERRORS: list[BaseAPIException] = [
    *(cls() for cls, *_ in SPEC),
    NotFoundException("No such row.", table="users", count=3),
    NotFoundError("Subject", "123", hint="x"),
    ValidationException([ITEM], "No."),
    ValidationError("Invalid input", details=[ITEM]),
    ValidationError(),
    AuthenticationException(headers={"www-authenticate": "Basic"}),
    RateLimitExceededException(retry_after=30),
    ServiceUnavailableException(retry_after=1.2, queue="full"),
    UpstreamException(status_code=504, service="billing"),
    SeatTakenException(4, "b"),
]

FACTS = st.dictionaries(
    st.from_regex(r"[a-z_]{1,8}", fullmatch=True).filter(
        lambda name: name not in {"detail", "headers", "self"}
    ),
    st.one_of(
        st.integers(), st.text(st.characters()), st.lists(st.floats()), st.none()
    ),
    max_size=4,
)


@pytest.mark.parametrize(("cls", "status", "code", "detail"), SPEC)
def test_class_without_arguments(
    cls: type[BaseAPIException], status: int, code: str, detail: str
) -> None:
    """Each class has the status, code and sentence of the specification."""
    error = cls()

    assert (cls.status_code, cls.code, cls.detail) == (status, code, detail)
    assert (error.status_code, error.code, str(error)) == (status, code, detail)
    assert error.to_dict() == {"detail": detail}
    assert error.extra_info == {}


def test_validation_exception_takes_errors_first() -> None:
    """The errors are the first argument, and part of ``to_dict``."""
    error = ValidationException([ITEM])

    assert error.to_dict() == {"detail": "Validation error.", "errors": [ITEM]}
    assert (error.status_code, error.code) == (422, "validation_error")


def test_resource_flavour_names_the_resource() -> None:
    """``NotFoundError("Subject", "123")`` is a 404 that says which and what kind."""
    error = NotFoundError("Subject", "123")

    assert isinstance(error, NotFoundException)
    assert error.to_dict() == {
        "detail": "Subject '123' was not found.",
        "resource": "Subject",
        "resource_id": "123",
    }


def test_input_flavour_carries_details() -> None:
    """``ValidationError("Invalid input", details=[...])`` is a 422 with errors."""
    error = ValidationError("Invalid input", details=[ITEM])

    assert isinstance(error, ValidationException)
    assert error.to_dict() == {"detail": "Invalid input", "errors": [ITEM]}
    assert ValidationError().to_dict() == {"detail": "Invalid input.", "errors": []}


def test_challenge_goes_with_every_401() -> None:
    """RFC 9110, section 15.5.2: a 401 carries WWW-Authenticate."""
    assert AuthenticationException.headers == {"WWW-Authenticate": "Bearer"}
    assert AuthenticationException().headers == {"WWW-Authenticate": "Bearer"}


def test_header_of_an_instance_replaces_that_of_the_class() -> None:
    """Names of headers match whatever their case, so none is sent twice."""
    error = AuthenticationException(headers={"www-authenticate": "Basic", "X-A": "1"})

    assert error.headers == {"www-authenticate": "Basic", "X-A": "1"}


@pytest.mark.parametrize(
    ("seconds", "header"), [(30, "30"), (1.2, "2"), (0, "0"), (-5, "0")]
)
@pytest.mark.parametrize(
    "cls", [RateLimitExceededException, ServiceUnavailableException]
)
def test_retry_after_is_whole_seconds(
    cls: type[RateLimitExceededException], seconds: float, header: str
) -> None:
    """RFC 9110, section 10.2.3: delay-seconds is a non-negative integer."""
    error = cls(retry_after=seconds)

    assert error.headers == {"Retry-After": header}
    assert error.extra_info == {"retry_after": int(header)}


@pytest.mark.parametrize("seconds", [None, float("nan"), float("inf")])
def test_unknown_delay_sends_no_header(seconds: float | None) -> None:
    """Without a finite delay there is nothing to tell."""
    error = RateLimitExceededException(retry_after=seconds)

    assert (error.headers, error.extra_info) == ({}, {})


def test_upstream_timeout_is_a_504() -> None:
    """One class stands for both ways in which a called service can fail."""
    error = UpstreamException(status_code=504)

    assert (error.status_code, UpstreamException.status_code) == (504, 502)
    assert error.detail == "An upstream service did not answer in time."
    assert error.to_problem()["title"] == "Gateway Timeout"


def test_upstream_is_502_or_504_only() -> None:
    """Another status would be another class."""
    with pytest.raises(ValueError, match="a 502 or a 504"):
        UpstreamException(status_code=500)


def test_base_catches_all() -> None:
    """``except BaseAPIException`` misses no class of the module."""
    classes = {
        value
        for name, value in vars(module).items()
        if isinstance(value, type)
        and issubclass(value, Exception)
        and not name.startswith("_")
    }

    assert len(classes) == 13
    assert all(issubclass(cls, BaseAPIException) for cls in classes)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_survives_pickle(error: BaseAPIException, protocol: int) -> None:
    """Process pools and task queues hand back the error that was raised."""
    twin = pickle.loads(pickle.dumps(error, protocol))

    assert type(twin) is type(error)
    assert (twin.args, vars(twin)) == (error.args, vars(error))
    assert twin.to_problem() == error.to_problem()


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_survives_copy(error: BaseAPIException) -> None:
    """A copy is equal in everything, and a deep one shares no fact."""
    error.add_note("a note")
    shallow, deep = copy.copy(error), copy.deepcopy(error)

    assert (type(shallow), vars(shallow)) == (type(error), vars(error))
    assert (type(deep), vars(deep)) == (type(error), vars(error))
    assert deep.extra_info is not error.extra_info


@given(detail=st.text(st.characters()), facts=FACTS)
@settings(max_examples=50, deadline=None)
def test_survives_pickle_with_any_facts(detail: str, facts: dict[str, Any]) -> None:
    """No fact and no detail is lost or changed on the way."""
    error = NotFoundException(detail, **facts)
    twin = pickle.loads(pickle.dumps(error))

    assert (twin.detail, repr(twin.extra_info)) == (error.detail, repr(facts))


def test_class_is_not_changed_by_its_instances() -> None:
    """What one error was given shows up in no other."""
    before = {cls: dict(vars(cls)) for cls, *_ in SPEC}
    for cls in before:
        error = cls("Other.", headers={"X-A": "b"}, fact=1)
        error.status_code, error.code = 418, "test_teapot"

    assert {cls: dict(vars(cls)) for cls in before} == before


def test_headers_of_a_class_are_read_only() -> None:
    """A header added to one instance's class would go out with everyone's errors."""
    headers: Any = AuthenticationException.headers

    with pytest.raises(TypeError, match="does not support item assignment"):
        headers["X-A"] = "b"


@given(detail=st.text(st.characters()), facts=FACTS)
@settings(max_examples=100, deadline=None)
def test_problem_is_always_strict_json(detail: str, facts: dict[str, Any]) -> None:
    """Whatever an error carries, its problem can be encoded and sent."""
    problem = NotFoundException(detail, **facts).to_problem(instance=detail)
    encoded = json.dumps(problem, allow_nan=False, ensure_ascii=False).encode()

    assert json.loads(encoded)["status"] == 404


def test_members_of_a_problem_come_in_order() -> None:
    """RFC 9457's members first, then ours, then the facts."""
    error = ValidationException([ITEM])
    error.extra_info = {"zeta": 1, **error.extra_info, "alpha": 2}
    problem = error.to_problem(instance="/users", correlation_id="abc")

    assert list(problem.items()) == [
        ("type", "about:blank"),
        ("title", "Unprocessable Content"),
        ("status", 422),
        ("detail", "Validation error."),
        ("instance", "/users"),
        ("code", "validation_error"),
        ("correlation_id", "abc"),
        ("errors", [ITEM]),
        ("zeta", 1),
        ("alpha", 2),
    ]


def test_facts_do_not_replace_members() -> None:
    """An extra named like a member of the problem stays out, but is in to_dict."""
    reserved: dict[str, Any] = dict.fromkeys(
        ["type", "title", "status", "instance", "code", "correlation_id"], "evil"
    )
    error = NotFoundException(**reserved)

    assert error.to_problem() == NotFoundException().to_problem()
    assert error.to_dict() == {"detail": "Resource not found.", **reserved}


def test_type_leads_to_the_documentation() -> None:
    """With a base, the type is a URI of which the code is the last part."""
    problem = ConflictException().to_problem(type_base="https://docs.example/e/")

    assert problem["type"] == "https://docs.example/e/conflict"


def test_detail_that_is_no_text_is_shown_as_text() -> None:
    """RFC 9457, section 3.1.4: detail is a string, whatever was passed."""
    detail: Any = {"a": 1}

    assert BadRequestException(detail).to_problem()["detail"] == "{'a': 1}"


def test_value_of_a_header_is_one_line_of_ascii() -> None:
    """Input in the value of a header can't add another header or a body."""
    error = BadRequestException(headers={"X-Name": "a\r\nSet-Cookie: b=\u00fc\x7f\n"})

    assert error.headers == {"X-Name": "a  Set-Cookie: b=??"}


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a\nb", "\u00fc", 7])
def test_name_of_a_header_is_a_token(name: Any) -> None:
    """A name that HTTP does not allow is a mistake in the code, told at once."""
    with pytest.raises(ValueError, match="not the name of a header"):
        BadRequestException(headers={name: "x"})


def test_subclass_is_written_with_attributes_only() -> None:
    """A service's own error needs no method at all."""

    class PlanExpiredException(PermissionDeniedException):
        code = "test_plan_expired"
        detail = "The plan has expired."
        headers: Mapping[str, str] = {"Link": "</plans>"}

    error = PlanExpiredException(plan="pro")

    assert isinstance(error, PermissionDeniedException)
    assert error.headers == {"Link": "</plans>"}
    assert error.to_problem() == {
        "type": "about:blank",
        "title": "Forbidden",
        "status": 403,
        "detail": "The plan has expired.",
        "code": "test_plan_expired",
        "plan": "pro",
    }


def test_subclass_without_a_code_shares_its_parent() -> None:
    """To a client it is the same kind of error, in other words."""

    class NoSuchPageException(NotFoundException):
        detail = "No such page."

    assert NoSuchPageException().to_problem()["code"] == "not_found"


def test_subclass_that_forgets_its_parents_init_still_answers() -> None:
    """The attributes of the class make a whole problem."""
    assert ForgetfulException().to_problem()["detail"] == "Bad request."
    assert ForgetfulException().to_dict() == {"detail": "Bad request."}


def test_code_belongs_to_one_class() -> None:
    """A second class with a code is refused, and the message names the first."""
    with pytest.raises(TypeError, match=r"'conflict' already belongs to .*Conflict"):
        type("Other", (BaseAPIException,), {"code": "conflict"})

    assert module.owners()["conflict"] is ConflictException


@pytest.mark.parametrize("module_name", ["m", "__main__"])
def test_class_loaded_anew_keeps_its_code(module_name: str) -> None:
    """Reloading a module, or running it as a program, is no conflict with itself."""
    attributes = {"code": "test_reloaded", "__module__": "m"}
    type("Reloaded", (BaseAPIException,), attributes)
    again = type(
        "Reloaded", (BaseAPIException,), {**attributes, "__module__": module_name}
    )

    assert module.owners()["test_reloaded"] is again


@pytest.mark.parametrize("code", ["", "Not Found", "notFound", "_x", "1x", "a-b", 5])
def test_code_is_snake_case(code: object) -> None:
    """Clients of every language compare codes, so they have one spelling."""
    with pytest.raises(TypeError, match="code must be snake_case"):
        type("Bad", (BaseAPIException,), {"code": code})


@pytest.mark.parametrize("status", [200, 399, 600, True, "404", None])
def test_status_is_an_error(status: object) -> None:
    """An exception that answers 200 is a mistake."""
    with pytest.raises(TypeError, match="status_code must be from 400 to 599"):
        type("Bad", (BaseAPIException,), {"status_code": status})


def test_header_of_a_class_needs_a_valid_name() -> None:
    """The mistake is told where the class is written, not when the error is sent."""
    with pytest.raises(TypeError, match=r"Bad.headers: 'a b' is not the name"):
        type("Bad", (BaseAPIException,), {"headers": {"a b": "c"}})

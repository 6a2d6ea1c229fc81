from __future__ import annotations

import copy
import pickle

import pytest

from shared.errors import (
    BaseAPIException,
    ServiceUnavailableException,
    UpstreamException,
    error_from_problem,
)
from shared.resilience._errors import (
    BulkheadFullError,
    CircuitOpenError,
    DeadlineExceededError,
)

ERRORS = [
    CircuitOpenError("db", retry_after=2.5),
    BulkheadFullError("db", retry_after=2.5),
    DeadlineExceededError(),
    DeadlineExceededError(of_caller=True),
    DeadlineExceededError("Too slow.", headers={"X-A": "b"}, job="7"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_errors_survive_pickle_and_copy(error: BaseAPIException) -> None:
    """Process pools hand back the error that was raised."""
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(twin) is type(error)
        assert (str(twin), twin.args) == (error.detail, error.args)
        assert vars(twin) == vars(error)


@pytest.mark.parametrize("cls", [CircuitOpenError, BulkheadFullError])
def test_refusal_says_when_to_come_again_and_not_what_is_ill(
    cls: type[CircuitOpenError] | type[BulkheadFullError],
) -> None:
    """The name of a breaker is for the logs."""
    error = cls("internal-billing", retry_after=2.5)

    assert (error.retry_after, error.headers["Retry-After"]) == (2.5, "3")
    assert error.to_problem()["retry_after"] == 3
    assert "internal-billing" not in str(error.to_problem())


@pytest.mark.parametrize("cls", [CircuitOpenError, BulkheadFullError])
def test_refusal_is_a_plain_503_for_the_caller(
    cls: type[CircuitOpenError] | type[BulkheadFullError],
) -> None:
    """Nobody takes the breaker of another service for its own."""
    received = error_from_problem(cls("db", retry_after=1).to_problem())

    assert type(received) is ServiceUnavailableException


def test_names_are_optional() -> None:
    """A breaker may have no name, and a refusal no end."""
    assert (CircuitOpenError().breaker, BulkheadFullError().bulkhead) == ("", "")
    assert "Retry-After" not in CircuitOpenError().headers


def test_deadline_exceeded_is_a_time_out_of_python_and_of_the_kernel() -> None:
    """Code that catches ``TimeoutError`` need not know it; the client sees a 504."""
    error = DeadlineExceededError(job="7")

    assert isinstance(error, TimeoutError)
    assert isinstance(error, UpstreamException)
    assert (error.status_code, error.extra_info) == (504, {"job": "7"})
    assert not error.of_caller
    assert str(error) == error.detail == "The operation did not finish in time."
    assert type(error_from_problem(error.to_problem())) is DeadlineExceededError


def test_whose_deadline_it_was_stays_here() -> None:
    """The reply does not say, and a reply can't make it up."""
    problem = DeadlineExceededError(of_caller=True).to_problem()
    received = error_from_problem({**problem, "of_caller": True})

    assert "of_caller" not in problem
    assert isinstance(received, DeadlineExceededError)
    assert not received.of_caller

from __future__ import annotations

from shared.errors._catalogue import CatalogueEntry, catalogue, entry_of
from shared.errors._exceptions import (
    BaseAPIException,
    ConflictException,
    NotFoundException,
    UpstreamException,
)

OURS = [
    "bad_request",
    "authentication_failed",
    "permission_denied",
    "not_found",
    "resource_not_found",
    "conflict",
    "payload_too_large",
    "invalid_input",
    "validation_error",
    "rate_limit_exceeded",
    "internal_error",
    "upstream_error",
    "service_unavailable",
]


class JobLostException(NotFoundException):
    """The job is gone, and nobody knows where it went, nor is there any trace.

    More for the reader of the code.
    """

    code = "test_job_lost"
    title = "Job Lost"


class QuietException(ConflictException):
    code = "test_quiet"
    detail = "Quiet, please."


def test_every_code_is_listed_once_by_status() -> None:
    """The catalogue is what a client may switch over."""
    ours = [code for code in catalogue() if not code.startswith("test_")]

    assert ours == OURS


def test_entry_says_what_the_documentation_needs() -> None:
    """Class, status, title and description of one code."""
    assert catalogue()["upstream_error"] == CatalogueEntry(
        code="upstream_error",
        exception=UpstreamException,
        status=502,
        title="Bad Gateway",
        description=(
            "A service that this one called answered wrongly (502) or too late (504)."
        ),
    )


def test_errors_of_a_service_are_listed_too() -> None:
    """A class is in the catalogue from its definition on, with its first paragraph."""
    entry = catalogue()["test_job_lost"]

    assert entry.exception is JobLostException
    assert entry.title == "Job Lost"
    assert entry.description == (
        "The job is gone, and nobody knows where it went, nor is there any trace."
    )


def test_class_without_a_docstring_is_described_by_its_detail() -> None:
    """Its parent's docstring is about something else."""
    assert catalogue()["test_quiet"].description == "Quiet, please."


def test_subclass_without_a_code_has_the_entry_of_its_parents_code() -> None:
    """It can be documented, but the code stays its parent's."""

    class SilentException(QuietException):
        """Not a sound."""

    assert entry_of(SilentException).code == "test_quiet"
    assert catalogue()["test_quiet"].exception is QuietException


def test_catalogue_is_a_copy() -> None:
    """Changing what was returned does not change the next answer."""
    catalogue().clear()

    assert catalogue()["internal_error"].exception is BaseAPIException

"""The error catalogue: every code that a problem may carry, and what it means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypedDict

from shared import database, errors, idempotency, resilience
from shared.errors import PROBLEM_SCHEMA, BaseAPIException, CatalogueEntry, catalogue
from tools.contracts.models import DIALECT

# The packages of the kernel that declare codes: imported, so that they have.
_DECLARING: Final = (database, errors, idempotency, resilience)

KERNEL: Final = "shared"
BLANK: Final = "about:blank"


class ErrorEntry(TypedDict):
    """One code."""

    code: str
    status: int
    other_statuses: list[int]
    """Under which it comes, too; the title is then that of the status."""
    title: str
    type: str
    """As problems have it: ``about:blank``, or a URI that ends with the code."""
    when: str
    """One sentence."""
    package: str
    """That declares it: ``shared.database``, ``examples.accounts``."""


class ErrorDocument(TypedDict):
    """``errors.json``."""

    problem: Mapping[str, Any]
    """The JSON Schema of every error's body."""
    kernel: list[ErrorEntry]
    """What any service may answer with."""
    services: dict[str, list[ErrorEntry]]
    """What only one of them does."""


# An error of the framework, which has no class; its code is the phrase of its status.
_OF_THE_FRAMEWORK: Final[ErrorEntry] = {
    "code": "method_not_allowed",
    "status": 405,
    "other_statuses": [],
    "title": "Method Not Allowed",
    "type": BLANK,
    "when": "The path is there, but not for this method.",
    "package": "shared.errors",
}

# The class takes either status, and the catalogue knows only the first.
_OTHER_STATUSES: Final = {"upstream_error": [504]}


def kernel_errors() -> list[ErrorEntry]:
    """The codes that the kernel's packages declare, by status and code."""
    found = [entry_of(each) for each in catalogue().values() if _is_kernel(each)]
    return sorted([*found, _OF_THE_FRAMEWORK], key=_place)


def own_errors(*, type_base: str = "") -> list[ErrorEntry]:
    """The codes of this process that are not the kernel's: those of its service.

    Args:
        type_base: What the service puts before a code in ``type``.
    """
    return [
        entry_of(each, type_base=type_base)
        for each in catalogue().values()
        if not _is_kernel(each)
    ]


def entry_of(found: CatalogueEntry, *, type_base: str = "") -> ErrorEntry:
    """The entry of one class of errors."""
    return {
        "code": found.code,
        "status": found.status,
        "other_statuses": _OTHER_STATUSES.get(found.code, []),
        "title": found.title,
        "type": f"{type_base}{found.code}" if type_base else BLANK,
        "when": found.description.replace("``", "`"),
        "package": _package_of(found.exception),
    }


def error_document(services: Mapping[str, Sequence[ErrorEntry]]) -> ErrorDocument:
    """``errors.json`` of the kernel and of services, each with its own codes.

    Raises:
        ValueError: A service has a code of the kernel for something else.
    """
    kernel = kernel_errors()
    known = {entry["code"]: entry["package"] for entry in kernel}
    for service, entries in services.items():
        for entry in entries:
            if entry["code"] in known:
                raise ValueError(
                    f"{service} declares the code {entry['code']!r}, which is that of "
                    f"{known[entry['code']]}: give it another one."
                )
    return {
        "problem": {"$schema": DIALECT, **PROBLEM_SCHEMA},
        "kernel": kernel,
        "services": {name: list(services[name]) for name in sorted(services)},
    }


def codes_of(entries: Iterable[ErrorEntry]) -> set[str]:
    """The codes alone."""
    return {entry["code"] for entry in entries}


def _place(entry: ErrorEntry) -> tuple[int, str]:
    return entry["status"], entry["code"]


def _is_kernel(found: CatalogueEntry) -> bool:
    return found.exception.__module__.startswith(f"{KERNEL}.")


def _package_of(cls: type[BaseAPIException]) -> str:
    return cls.__module__.rpartition(".")[0]

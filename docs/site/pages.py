"""Which Markdown pages of the repository the site shows, and in what order.

A page keeps its path: ``docs/wheels.md`` becomes ``docs/wheels.html``. So a relative
link means the same on the site as where the repository is browsed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

# How folders are called in which no sources are.
_PASSED_OVER = ("bazel-", "external", "__pycache__", "_site", "node_modules", ".")


@dataclass(frozen=True)
class Section:
    """A heading of the navigation, and the pages below it as patterns, in order."""

    title: str
    about: str
    pages: tuple[str, ...]


SECTIONS = (
    Section(
        "Start",
        "What the kernel is, and two commands that show it.",
        ("docs/getting-started.md", "README.md", "docs/architecture.md"),
    ),
    Section(
        "Tasks",
        "One page for each thing to be done, with code that runs.",
        (
            "docs/guides/depend-on-a-target.md",
            "docs/guides/raise-and-map-errors.md",
            "docs/guides/add-a-dto.md",
            "docs/guides/add-an-event-version.md",
            "docs/guides/secure-an-endpoint.md",
            "docs/guides/publish-with-the-outbox.md",
            "docs/guides/write-a-migration.md",
            "docs/guides/generate-a-service.md",
            "docs/guides/export-wheels.md",
            "docs/guides/run-behind-mirrors.md",
            "docs/guides/*.md",
        ),
    ),
    Section(
        "In depth",
        "Each subject as a whole.",
        (
            "docs/configuration.md",
            "docs/keys.md",
            "docs/messaging.md",
            "docs/monitoring.md",
            "docs/security-events.md",
            "docs/testing.md",
            "docs/servers.md",
            "docs/wheels.md",
            "docs/bazel-modes.md",
            "docs/aurora-equivalents.md",
            "docs/*.md",
        ),
    ),
    Section(
        "Packages",
        "What each package is for, and what it does when something goes wrong.",
        ("shared/*/README.md",),
    ),
    Section(
        "Services",
        "What lives on the kernel, and how it is run.",
        ("services/**/*.md",),
    ),
    Section(
        "Contracts",
        "What other languages and other versions may rely on.",
        ("contracts/README.md", "docs/catalogue/README.md", "contracts/**/*.md"),
    ),
    Section(
        "Examples and tools",
        "Programs to run and to learn from.",
        (
            "examples/*/README.md",
            "tools/*/README.md",
            "benchmarks/README.md",
            "tests/**/README.md",
        ),
    ),
    Section(
        "Project",
        "How it is changed, and what has changed.",
        ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"),
    ),
)


def files(root: Path) -> Iterator[str]:
    """Every source of the repository at *root*, by its path in it, sorted."""
    for folder, below, names in os.walk(root):
        below[:] = sorted(n for n in below if not n.startswith(_PASSED_OVER))
        for name in sorted(names):
            yield (Path(folder) / name).relative_to(root).as_posix()


def navigation(root: Path) -> dict[Section, list[str]]:
    """The pages of each section. A page is in the first section that asks for it.

    Raises:
        LookupError: A page is in no section, or a section names one that is not there.
    """
    left = [path for path in files(root) if path.endswith(".md")]
    found: dict[Section, list[str]] = {}
    for section in SECTIONS:
        found[section] = []
        for pattern in section.pages:
            fits = [path for path in left if _fits(path, pattern)]
            if not fits and "*" not in pattern and not _taken(pattern, found):
                raise LookupError(f"docs/site/pages.py names {pattern}: no such file.")
            found[section] += fits
            left = [path for path in left if path not in fits]
    if left:
        raise LookupError(f"No section of docs/site/pages.py has {', '.join(left)}.")
    return {section: paths for section, paths in found.items() if paths}


def _taken(path: str, found: dict[Section, list[str]]) -> bool:
    return any(path in paths for paths in found.values())


def _fits(path: str, pattern: str) -> bool:
    before, deep, after = pattern.partition("**/")
    if deep:
        return path.startswith(before) and PurePosixPath(path).match(after)
    return path.count("/") == pattern.count("/") and PurePosixPath(path).match(pattern)

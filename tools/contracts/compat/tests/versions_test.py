from __future__ import annotations

import pytest

from tools.contracts.compat.finding import Finding, Impact
from tools.contracts.compat.versions import (
    Step,
    Version,
    step_asked_by,
    step_between,
)


def finding(impact: Impact) -> Finding:
    """A finding of this impact."""
    return Finding("rule", impact, "a.json", "", None, None, "It changed.")


def test_versions_are_ordered_by_number() -> None:
    """1.10.0 is newer than 1.9.3."""
    texts = ["10.0.0", "1.9.3", "1.10.0", "1.9.12"]

    assert [str(v) for v in sorted(map(Version.parse, texts))] == [
        "1.9.3",
        "1.9.12",
        "1.10.0",
        "10.0.0",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "1",
        "1.2",
        "v1.2.0",
        "1.2.0-rc1",
        "1.2.0+b",
        "01.2.0",
        "1.2.x",
        "",
        "1.2.0\n",
        "1.2.٣",
        "-1.2.0",
        "1.2.9999999",
    ],
)
def test_what_is_no_version(text: str) -> None:
    """Three numbers, and nothing else."""
    with pytest.raises(ValueError, match="a version is three numbers such as"):
        Version.parse(text)


@pytest.mark.parametrize(
    ("impacts", "step"),
    [
        ([], Step.NONE),
        ([Impact.WORDING], Step.PATCH),
        ([Impact.WORDING, Impact.ADDITION], Step.MINOR),
        ([Impact.ADDITION, Impact.BREAKING, Impact.WORDING], Step.MAJOR),
    ],
)
def test_the_gravest_finding_decides(impacts: list[Impact], step: Step) -> None:
    """Semantic Versioning 2.0.0, sections 6 to 8."""
    assert step_asked_by(map(finding, impacts)) is step


@pytest.mark.parametrize(
    ("before", "after", "step"),
    [
        ("1.2.3", "2.0.0", Step.MAJOR),
        ("1.2.3", "1.3.0", Step.MINOR),
        ("1.2.3", "1.2.4", Step.PATCH),
        ("1.2.3", "1.2.3", Step.NONE),
    ],
)
def test_a_step(before: str, after: str, step: Step) -> None:
    """The first number that grew names it."""
    assert step_between(Version.parse(before), Version.parse(after)) is step


@pytest.mark.parametrize(
    ("step", "after"),
    [
        (Step.MAJOR, "2.0.0"),
        (Step.MINOR, "1.3.0"),
        (Step.PATCH, "1.2.4"),
        (Step.NONE, "1.2.3"),
    ],
)
def test_the_next_version(step: Step, after: str) -> None:
    """What follows the number that grows is zero."""
    assert str(step.after(Version(1, 2, 3))) == after

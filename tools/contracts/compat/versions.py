"""Versions of the contracts: three numbers, as Semantic Versioning 2.0.0 has them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tools.contracts.compat.finding import Finding, Impact

_NUMBER: Final = "(0|[1-9][0-9]{0,5})"
_VERSION: Final = re.compile(rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}")


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """A released version. There are no pre-releases: what is frozen is promised."""

    major: int
    minor: int
    patch: int

    @classmethod
    def parse(cls, text: str) -> Version:
        """Read ``1.2.0``.

        Raises:
            ValueError: It is anything else. The message is one sentence.
        """
        match = _VERSION.fullmatch(text)
        if match is None:
            raise ValueError(
                f"a version is three numbers such as 1.2.0 (got {text!r})."
            )
        return cls(*map(int, match.groups()))

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


class Step(StrEnum):
    """How far one version is from the one before; compare by `size`."""

    NONE = "none"
    PATCH = "patch"
    MINOR = "minor"
    MAJOR = "major"

    @property
    def size(self) -> int:
        """Larger for what changes more."""
        return list(Step).index(self)

    def after(self, version: Version) -> Version:
        """The next version by this step."""
        major, minor, patch = version.major, version.minor, version.patch
        match self:
            case Step.MAJOR:
                return Version(major + 1, 0, 0)
            case Step.MINOR:
                return Version(major, minor + 1, 0)
            case Step.PATCH:
                return Version(major, minor, patch + 1)
            case Step.NONE:
                return version


_ASKED: Final = {
    Impact.BREAKING: Step.MAJOR,
    Impact.ADDITION: Step.MINOR,
    Impact.WORDING: Step.PATCH,
}


def step_asked_by(findings: Iterable[Finding]) -> Step:
    """The smallest step that tells the truth about these findings."""
    steps = [_ASKED[finding.impact] for finding in findings]
    return max(steps, key=lambda step: step.size, default=Step.NONE)


def step_between(before: Version, after: Version) -> Step:
    """The step that was made to a newer version."""
    if after.major > before.major:
        return Step.MAJOR
    if after.minor > before.minor:
        return Step.MINOR
    return Step.PATCH if after.patch > before.patch else Step.NONE

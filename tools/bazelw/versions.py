"""Bazel versions, and which of them fit."""

from __future__ import annotations

import re
from typing import NamedTuple

from tools.bazelw.console import Trouble

_NUMBERS = re.compile(r"(\d+)\.(\d+)\.(\d+)")
_REPORTED = re.compile(r"^bazel (\d+)\.(\d+)\.(\d+)(?!\d|rc|-pre)", re.MULTILINE)

# MODULE.bazel is written for the versions below this one.
_TOO_NEW = 10


class Version(NamedTuple):
    """A released version; versions compare by their numbers."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"

    def fits(self, wanted: Version) -> bool:
        """Whether an installed Bazel of this version may stand in for *wanted*."""
        return wanted <= self and self.major < _TOO_NEW

    def fits_workspace(self, wanted: Version) -> bool:
        """The same for WORKSPACE mode with packaged rules, which fit one major."""
        return wanted <= self and self.major == wanted.major


def fitting(wanted: Version) -> str:
    """What `Version.fits` asks for, in words."""
    return f"{wanted} or newer, below {_TOO_NEW}"


def reported(output: str) -> Version | None:
    """The version in what ``bazel --version`` printed, unless it is a pre-release."""
    match = _REPORTED.search(output)
    return Version(*map(int, match.groups())) if match else None


def packaged(text: str) -> Version | None:
    """The upstream part of a package's version such as ``7.7.1+ds-8+b1``."""
    match = _NUMBERS.match(text.rpartition(":")[2])
    return Version(*map(int, match.groups())) if match else None


def wanted(text: str) -> Version:
    """The content of ``.bazelversion``.

    Raises:
        Trouble: It is not one released version.
    """
    match = _NUMBERS.fullmatch(text.strip())
    if not match:
        raise Trouble(
            f".bazelversion must hold a version such as 7.7.1 (got {text.strip()!r})."
        )
    return Version(*map(int, match.groups()))

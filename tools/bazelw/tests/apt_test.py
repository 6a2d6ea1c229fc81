"""The machine's package sources, and where to look for Bazel."""

from __future__ import annotations

import pytest

from tools.bazelw.apt import Archive, archives, attempts
from tools.bazelw.versions import Version

DEBIAN = """\
# The main archive.
Types: deb deb-src
# a comment inside
URIs: http://mirror.invalid/debian https://second.invalid/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian.gpg

Types: deb
URIs: http://mirror.invalid/security
Suites: bookworm-security
Components: main

Types: deb
URIs: http://addons.invalid/apt
Suites: nodistro
Components: main

Types: deb
Enabled: no
URIs: http://off.invalid/debian
Suites: bookworm
Components: main

Types: deb-src
URIs: http://sources.invalid/debian
Suites: bookworm
Components: main
"""


def test_stanzas() -> None:
    """The distribution's own mirrors, without updates, add-ons and what is off."""
    key = (("signed-by", "/usr/share/keyrings/debian.gpg"),)
    components = ("main", "contrib")

    assert archives(DEBIAN, "", ["bookworm"]) == [
        Archive("http://mirror.invalid/debian", "bookworm", components, key),
        Archive("https://second.invalid/debian", "bookworm", components, key),
    ]


def test_key_inside_a_stanza() -> None:
    """It keeps its lines, or apt can't read it."""
    text = """\
Types: deb
URIs: http://mirror.invalid/debian
Suites: stable
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc
 -----END PGP PUBLIC KEY BLOCK-----
"""
    (archive,) = archives(text, "", [])

    assert archive.source("testing").splitlines() == [
        "Types: deb",
        "URIs: http://mirror.invalid/debian",
        "Suites: testing",
        "Components: main",
        "Targets: Packages",
        "signed-by: ",
        " -----BEGIN PGP PUBLIC KEY BLOCK-----",
        " .",
        " abc",
        " -----END PGP PUBLIC KEY BLOCK-----",
    ]


@pytest.mark.parametrize(
    ("line", "options"),
    [
        ("deb http://m.invalid/ubuntu noble universe", ()),
        ("  deb   http://m.invalid/ubuntu  noble main universe # why", ()),
        ("deb [arch=amd64] http://m.invalid/ubuntu noble main", ()),
        (
            "deb [ signed-by=/k arch=x trusted=1 ] http://m.invalid/ubuntu noble main",
            (("signed-by", "/k"), ("trusted", "1")),
        ),
    ],
)
def test_one_line_source(line: str, options: tuple[tuple[str, str], ...]) -> None:
    """Its options count; which files and machines to take is ours to say."""
    (archive,) = archives("", line, ["noble"])

    assert (archive.uri, archive.suite) == ("http://m.invalid/ubuntu", "noble")
    assert archive.options == options


@pytest.mark.parametrize(
    "line",
    [
        "# deb http://m.invalid/ubuntu noble main",
        "deb-src http://m.invalid/ubuntu noble main",
        "deb http://m.invalid/ubuntu noble-security main",
        "deb http://m.invalid/ubuntu noble restricted",
        "deb http://m.invalid/flat ./",
        "nonsense",
    ],
)
def test_line_that_is_no_mirror_of_the_distribution(line: str) -> None:
    """Sources alone, pockets, add-ons and comments."""
    assert archives("", line, ["noble"]) == []


def test_one_line_sources_may_split_a_suite() -> None:
    """Ubuntu's have a line for main and one for universe, which holds Bazel."""
    lines = [f"deb http://m.invalid/ubuntu noble {c}" for c in ("main a", "universe")]
    lines.append("deb http://m.invalid/ubuntu devel multiverse main")

    assert archives("", "\n".join(lines), ["noble"]) == [
        Archive("http://m.invalid/ubuntu", "noble", ("main", "a", "universe"))
    ]


def order(offered: list[tuple[str, str]]) -> list[tuple[str, ...]]:
    """The suites that are tried on a machine with one mirror."""
    mirror = Archive("http://m.invalid", "trixie", ("main",))
    return [names for _, names in attempts([mirror], offered, Version(7, 7, 1))]


LATER = [("testing", "forky"), ("unstable", "sid"), ("devel",)]


def test_order_of_suites() -> None:
    """The own suite first if it is known to do, last if nothing is known of it."""
    assert order([("7.7.1+ds-8", "trixie")]) == [("trixie",), *LATER]
    assert order([("4.2.3+ds-9", "trixie")]) == LATER
    assert order([("8.0.0", "trixie")]) == LATER
    assert order([]) == [*LATER, ("trixie",)]

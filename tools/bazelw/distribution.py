"""The third way, for Debian and its kin: the distribution's packages in a folder.

They are unpacked and never installed: it takes no root, changes nothing in the system,
and fetches from nowhere but the machine's own package mirror. The folder, the *prefix*,
holds Bazel, the Java it runs on and the rules that Bazel would download otherwise:

    <cache>/bazel/<version>-<machine>-<recipe>/
        bazelrc          for this Bazel: its server, its rules, WORKSPACE mode
        bzlmod.bazelrc   the same rules as modules, for MODULE.bazel without a registry
        ready            written last: a prefix without it is a torso, and made anew

`prepare` of tools.bazelw.unpacked makes it.
"""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from tools.bazelw import lock

if TYPE_CHECKING:
    from pathlib import Path

    from tools.bazelw.lock import Entry
    from tools.bazelw.settings import Settings

# One higher whenever a prefix made before would not do any more.
_RECIPE = 1

# Where rules_python lists the wheels it is made of: before 1.0, and since.
_LISTS = ("pip_install/repositories.bzl", "private/pypi/deps.bzl")


def prefix(settings: Settings) -> Path:
    """Where the prefix is; `is_ready` says whether there is one."""
    name = f"{settings.wanted}-{platform.machine()}-{_RECIPE}"
    return settings.cache / "bazel" / name


def is_ready(settings: Settings) -> bool:
    """Whether the prefix is whole, and where it was made: its path is baked in."""
    place = prefix(settings)
    try:
        return (place / "ready").read_text() == str(place)
    except OSError:
        return False


def program(place: Path) -> tuple[str, ...]:
    """Bazel of the prefix *place*, with the options it always needs."""
    # The system's rc is for the system's Bazel.
    return str(place / "usr/bin/bazel"), "--nosystem_rc", f"--bazelrc={place}/bazelrc"


def wheels(place: Path) -> list[Entry]:
    """The wheels that rules_python of the prefix *place* is made of."""
    rules = place / "usr/share/bazel/rules/python/python"
    sources = [rules / name for name in _LISTS if (rules / name).exists()]
    return [e for source in sources for e in lock.wheels_named_in(source.read_text())]

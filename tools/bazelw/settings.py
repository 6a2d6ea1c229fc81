"""What steers bazelw: the checkout, the interpreter, and a few variables."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from tools.bazelw import versions
from tools.bazelw.console import Trouble

Way = Literal["installed", "bazelisk", "distribution"]


class Settings(NamedTuple):
    """One run of bazelw.

    Attributes:
        root: The checkout that bazelw stands in.
        python: The interpreter, perhaps of a virtual environment. Its pip, with the
            user's settings, fetches wheels.
        interpreter: The installed interpreter behind *python*. Builds use this one, so
            they don't depend on which environment is active.
        cache: Where everything that bazelw keeps is.
        way: The only way to try, or None for all.
        verbose: Say at every run which Bazel is used.
        wanted: The version in ``.bazelversion``.
        environ: The environment of the run.
    """

    root: Path
    python: Path
    interpreter: Path
    cache: Path
    way: Way | None
    verbose: bool
    wanted: versions.Version
    environ: Mapping[str, str]

    @classmethod
    def load(cls, root: Path, environ: Mapping[str, str]) -> Settings:
        """The settings of a run under the running interpreter.

        Raises:
            Trouble: A variable or ``.bazelversion`` is wrong.
        """
        try:
            version = versions.wanted((root / ".bazelversion").read_text())
        except OSError as error:
            raise Trouble(f"{error.filename}: {error.strerror}.") from error
        return cls(
            root=root,
            python=Path(sys.executable),
            interpreter=_installed_interpreter(),
            cache=_cache(environ),
            way=_way(environ),
            verbose=environ.get("KERNEL_BAZELW_VERBOSE", "") not in ("", "0"),
            wanted=version,
            environ=environ,
        )


def _installed_interpreter() -> Path:
    # What venv itself builds on; absent from the language's documentation.
    base: str = getattr(sys, "_base_executable", sys.executable)
    return Path(base).resolve()


def _cache(environ: Mapping[str, str]) -> Path:
    if chosen := environ.get("KERNEL_CACHE"):
        return Path(chosen).expanduser().absolute()
    shared = environ.get("XDG_CACHE_HOME", "")
    try:
        # The XDG specification has relative paths ignored.
        base = Path(shared) if shared.startswith("/") else Path.home() / ".cache"
    except RuntimeError as error:
        raise Trouble(
            "no home folder is known; set KERNEL_CACHE to a folder."
        ) from error
    return base / "creativeflow-kernel"


def _way(environ: Mapping[str, str]) -> Way | None:
    chosen = environ.get("KERNEL_BAZEL_WAY", "")
    ways: tuple[Way, ...] = get_args(Way)
    for way in ways:
        if chosen == way:
            return way
    if chosen:
        names = ", ".join(ways)
        raise Trouble(f"KERNEL_BAZEL_WAY must be one of {names} (got {chosen!r}).")
    return None

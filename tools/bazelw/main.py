"""bazelw: gets a Bazel that fits this repository and hands every argument to it."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from tools.bazelw import (
    bazelisk,
    distribution,
    files,
    installed,
    lock,
    parts,
    rc,
    versions,
    wheels,
)
from tools.bazelw.console import Console, Trouble
from tools.bazelw.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tools.bazelw.lock import Entry

# Bazel's own code for a machine that lacks something: nobody takes it for a red test.
_MACHINE_LACKS_SOMETHING = 36

_LOCK = "requirements_lock.txt"

# Commands that load packages, and with them the third-party wheels.
_LOADING = {
    "aquery",
    "build",
    "coverage",
    "cquery",
    "fetch",
    "mobile-install",
    "mod",
    "print_action",
    "query",
    "run",
    "sync",
    "test",
    "vendor",
}
_OTHERS = {
    "analyze-profile",
    "canonicalize-flags",
    "clean",
    "config",
    "dump",
    "help",
    "info",
    "license",
    "shutdown",
    "version",
}

_HELP = """\
./bazelw ARGUMENTS hands every argument to Bazel, which it finds or fetches first:

  installed      a bazel or bazelisk on PATH: {fitting}
  bazelisk       the npm package of bazelisk, where it can download Bazel {wanted}
  distribution   on Debian and its kin, the distribution's packages, unpacked there:
                 {cache}

Variables:
  KERNEL_BAZEL_WAY        one of these three names: try no other way
  KERNEL_CACHE            another folder for everything that is kept
  KERNEL_PYTHON           the Python to use, 3.11 or newer; now {python}
  KERNEL_BAZELW_VERBOSE   1: say at every run which Bazel is used

Exit codes are Bazel's; {code} if there is no Bazel. More is in tools/bazelw/README.md.
"""


class Choice(NamedTuple):
    """A Bazel to run.

    Attributes:
        command: The program, and the options it always needs.
        description: Which it is.
        passed_over: What else is installed, and why it isn't used.
        prefix: The distribution's packages, when it is theirs.
    """

    command: tuple[str, ...]
    description: str
    passed_over: list[str]
    prefix: Path | None = None


def main(root: str, arguments: Sequence[str]) -> int:
    """Become Bazel.

    Args:
        root: The checkout.
        arguments: For Bazel.

    Returns:
        An exit code, when there is no Bazel to become.
    """
    _end_children_with_us()
    console = Console()
    try:
        settings = Settings.load(Path(root), os.environ)
        if list(arguments) == ["help", "bazelw"]:
            print(_help(settings), end="")
            return 0
        _become_bazel(settings, console, arguments)
    except (Trouble, OSError) as error:
        console.say(str(error))
        return _MACHINE_LACKS_SOMETHING
    except KeyboardInterrupt:
        console.say("interrupted.")
        return 128 + signal.SIGINT


def command_of(arguments: Sequence[str]) -> str | None:
    """Bazel's command among *arguments*: the first word that is one.

    Startup options come before it, and their values may stand by themselves.
    """
    return next((word for word in arguments if word in _LOADING | _OTHERS), None)


def choose(settings: Settings, console: Console) -> Choice:
    """Find a Bazel, or fetch one.

    What is here comes before what must be fetched, so a machine stays with the way that
    it went first.

    Raises:
        Trouble: No way works; it says what was tried.
    """
    tried: list[str] = []
    passed_over: list[str] = []
    if _may(settings, "installed"):
        found, passed_over = installed.find(settings, console)
        if found:
            text = f"Bazel {found.version} as installed: {found.path}"
            return Choice((str(found.path),), text, passed_over)
        tried += [f"installed: {reason}" for reason in passed_over]
        tried += [] if passed_over else ["installed: no bazel or bazelisk on PATH"]
    ready = _may(settings, "distribution") and distribution.is_ready(settings)
    if _may(settings, "bazelisk") and not ready:
        try:
            return _by_bazelisk(settings, console, passed_over)
        except Trouble as trouble:
            tried.append(f"bazelisk: {trouble}")
            if _may(settings, "distribution"):
                console.say(f"no Bazel by bazelisk: {trouble}")
    if _may(settings, "distribution"):
        try:
            return _by_distribution(settings, console, passed_over)
        except Trouble as trouble:
            tried.append(f"distribution: {trouble}")
    installed.forget(settings)
    told = [f"there is no Bazel {settings.wanted} to be had. Tried:", *tried]
    told += [f"Install bazelisk, or Bazel {versions.fitting(settings.wanted)}, or make"]
    told += ["one of these ways work: tools/bazelw/README.md says what each needs."]
    raise Trouble("\n".join(told))


def _may(settings: Settings, way: str) -> bool:
    return settings.way in (None, way)


def _by_bazelisk(
    settings: Settings, console: Console, passed_over: list[str]
) -> Choice:
    path = bazelisk.fetch(settings, console)
    found = installed.probe(path, settings, console)
    if not found.version:
        raise Trouble(f"its program {found.reason}")
    text = f"Bazel {found.version} by bazelisk from the npm registry"
    return Choice((str(path),), text, passed_over)


def _by_distribution(
    settings: Settings, console: Console, passed_over: list[str]
) -> Choice:
    from tools.bazelw import unpacked  # slow to load, and needed once

    place = unpacked.prepare(settings, console)
    text = f"Bazel {settings.wanted} from the distribution's packages, in {place}"
    return Choice(distribution.program(place), text, passed_over, place)


def _become_bazel(
    settings: Settings, console: Console, arguments: Sequence[str]
) -> NoReturn:
    command = command_of(arguments)
    # A broken lock is told before anything is fetched.
    locked = lock.read(settings.root / _LOCK) if command in _LOADING else []
    choice = choose(settings, console)
    _announce(choice, settings, console)
    if command in _LOADING:
        _provide_wheels(settings, console, locked, choice.prefix)
    line = [*choice.command]
    # Startup options stay the same from command to command, else the server restarts.
    if command or choice.prefix:
        line.append(f"--bazelrc={rc.machine(settings, prefix=choice.prefix)}")
    _restore_signals()
    environ = installed.environ(settings)
    os.execve(line[0], [*line, *arguments], environ)  # noqa: S606 - to become it


def _provide_wheels(
    settings: Settings, console: Console, locked: list[Entry], prefix: Path | None
) -> None:
    replaced = parts.entries(settings)
    locks = {_LOCK: locked, Path(parts.LOCK).name: replaced}
    if prefix:
        names = {entry.name for entry in replaced}
        packaged = distribution.wheels(prefix)
        locks["rules_python"] = [one for one in packaged if one.name not in names]
    wheels.provide(settings, console, locks, prefix=prefix)
    parts.unpack(settings, console)


def _announce(choice: Choice, settings: Settings, console: Console) -> None:
    """Say which Bazel this is, unless the last run in this checkout said the same."""
    reasons = [f"passed over: {reason}" for reason in choice.passed_over]
    text = "\n".join([choice.description, *reasons])
    said = settings.cache / "said" / files.digest(str(settings.root))
    try:
        new = said.read_text() != text
    except OSError:
        new = True
    if new or settings.verbose:
        console.say(text)
    if new:
        files.write(said, text)


def _help(settings: Settings) -> str:
    return _HELP.format(
        fitting=versions.fitting(settings.wanted),
        wanted=settings.wanted,
        cache=settings.cache,
        python=settings.interpreter,
        code=_MACHINE_LACKS_SOMETHING,
    )


def _end_children_with_us() -> None:
    """Leave by an exception when told to end, so that what we started ends too."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _leave)


def _leave(number: int, _: object) -> NoReturn:
    raise SystemExit(128 + number)


def _restore_signals() -> None:
    """Python ignores these two, and what it becomes would inherit that."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)

"""The wheelhouse: a third-party wheel is fetched once, then Bazel needs no network.

    <cache>/wheels/*.whl            what rules_python and Bazel take their files from
    <cache>/wheels/index/*.json     which pin is which file, by kind of interpreter

The user's own pip fetches. So what works for pip works here (mirrors, proxies,
certificates), and pip compares each file with its hash before it is kept.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import sysconfig
from typing import TYPE_CHECKING

from tools.bazelw import files, process
from tools.bazelw.console import Trouble

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tools.bazelw.console import Console
    from tools.bazelw.lock import Entry
    from tools.bazelw.settings import Settings

    # File name and size of each pin; None for one whose marker excludes this machine.
    Index = dict[str, tuple[str, int] | None]

# The pip that Python 3.11 came with. Older ones don't know its wheels.
_OLDEST_PIP = (22, 3)
_QUOTED_LINES = 8
_BEGUN = re.compile(r"^(?:Collecting|Processing) ", re.MULTILINE)


def folder(settings: Settings) -> Path:
    """Where the wheels are."""
    return settings.cache / "wheels"


def path_of(settings: Settings, entry: Entry) -> Path:
    """The wheel of an entry that `provide` has seen to.

    Raises:
        LookupError: It has not, or a marker excludes the entry here.
    """
    kept = _load(folder(settings))[entry.key]
    if kept is None:
        raise LookupError(entry.requirement)
    return folder(settings) / kept[0]


def provide(
    settings: Settings,
    console: Console,
    locks: Mapping[str, Sequence[Entry]],
    *,
    prefix: Path | None = None,
) -> None:
    """Have every wheel of *locks* in the wheelhouse. If they are, nothing is started.

    Args:
        settings: The run.
        console: Shows progress.
        locks: Entries by the name of their file. Two files may pin two versions of one
            distribution.
        prefix: The distribution's packages, which hold a pip.

    Raises:
        Trouble: Some are missing and can't be fetched.
    """
    house = folder(settings)
    if not _missing(house, locks):
        return
    with files.locked(house / ".lock", console, doing="fetching wheels"):
        missing = _missing(house, locks)
        if missing:
            with files.staging(house) as staging:
                _fetch(house, staging, missing, settings, console, prefix)


def _index_path(house: Path) -> Path:
    """The index for this kind of interpreter: nothing else decides what fits."""
    names = [f"{sys.implementation.cache_tag}{sys.abiflags}", sysconfig.get_platform()]
    if "CS_GNU_LIBC_VERSION" in os.confstr_names:
        names += (os.confstr("CS_GNU_LIBC_VERSION") or "").split()
    return house / "index" / f"{'-'.join(names)}.json"


def _load(house: Path) -> Index:
    try:
        index = json.loads(_index_path(house).read_text())
        return {
            key: (str(value[0]), int(value[1])) if value else None
            for key, value in index.items()
        }
    except (OSError, ValueError, TypeError, AttributeError, LookupError):
        return {}  # absent or spoilt: the wheels are fetched anew


def _missing(
    house: Path, locks: Mapping[str, Sequence[Entry]]
) -> dict[str, list[Entry]]:
    """The entries that are not in the house, without the locks that have none."""
    index = _load(house)
    missing = {
        name: [entry for entry in entries if not _is_there(house, index, entry)]
        for name, entries in locks.items()
    }
    return {name: entries for name, entries in missing.items() if entries}


def _is_there(house: Path, index: Index, entry: Entry) -> bool:
    if entry.key not in index:
        return False
    kept = index[entry.key]
    if kept is None:
        return True
    name, size = kept
    try:
        return os.stat(house / name).st_size == size
    except OSError:
        return False


def _fetch(
    house: Path,
    staging: Path,
    wanted: Mapping[str, Sequence[Entry]],
    settings: Settings,
    console: Console,
    prefix: Path | None,
) -> None:
    """Fetch with several pips side by side: they compute more than they wait."""
    names = ", ".join(wanted)
    total = sum(map(len, wanted.values()))
    hands = min(4, os.cpu_count() or 1)
    # A pip refuses two versions of one distribution, so each lock has pips of its own.
    shares = [every[n::hands] for every in wanted.values() for n in range(hands)]
    shares = [share for share in shares if share]
    with console.step(f"fetching {total} wheels of {names}, once") as step:

        def watch(outputs: list[str]) -> str:
            begun = sum(len(_BEGUN.findall(output)) for output in outputs)
            step.progress(f"{min(begun, total)} of {total}")
            return ""

        pip = _find_pip(settings, staging, prefix)
        ended = process.run_all(
            [_command(pip, staging, n, share) for n, share in enumerate(shares)],
            cwd=staging,  # else `-m pip` would import a logging.py of the user's folder
            environ={**settings.environ, "PIP_REQUIRE_VIRTUALENV": "0"},
            watch=watch,
        )
    # What did arrive is kept, whatever became of the rest.
    index = _load(house)
    for n, (share, pip_run) in enumerate(zip(shares, ended, strict=True)):
        if pip_run.code == 0:
            index |= _keep(house, staging / str(n), share)
    files.write(_index_path(house), json.dumps(index, indent=1, sort_keys=True))
    failed = [pip_run.output for pip_run in ended if pip_run.code]
    if failed:
        raise Trouble(_explanation(failed[0], names))
    for entry in (entry for share in shares for entry in share):
        if entry.key not in index:
            raise Trouble(f"pip fetched nothing for {entry.requirement!r} of {names}.")


def _command(
    pip: process.Command, staging: Path, n: int, share: Sequence[Entry]
) -> process.Command:
    requirements = staging / f"{n}.txt"
    requirements.write_text("".join(f"{entry.line}\n" for entry in share))
    return [
        *pip,
        "download",
        "--require-hashes",
        "--no-deps",
        "--only-binary=:all:",
        "--no-input",
        "--progress-bar=off",
        "--disable-pip-version-check",
        f"--dest={staging / str(n)}",
        f"--requirement={requirements}",
    ]


def _keep(house: Path, fetched: Path, share: Sequence[Entry]) -> Index:
    """Move what one pip fetched into the house, and say which entry is which file."""
    by_hash = {value: entry for entry in share for value in entry.hashes}
    kept: Index = {entry.key: None for entry in share if entry.conditional}
    for wheel in sorted(fetched.glob("*.whl")):
        entry = by_hash[hashlib.sha256(wheel.read_bytes()).hexdigest()]
        kept[entry.key] = (wheel.name, wheel.stat().st_size)
        wheel.replace(house / wheel.name)
    return kept


def _explanation(output: str, names: str) -> str:
    lines = [line.rstrip() for line in output.splitlines() if line.strip()]
    errors = [n for n, line in enumerate(lines) if line.startswith("ERROR")]
    first = errors[0] if errors else max(0, len(lines) - _QUOTED_LINES)
    quoted = [f"  {line}" for line in lines[first : first + _QUOTED_LINES]]
    told = [f"wheels of {names} are missing, and pip could not fetch them:", *quoted]
    told += ["They are fetched once; after that, builds need no network."]
    told += ["Behind a mirror, tell pip: pip config set global.index-url URL"]
    return "\n".join(told)


def _find_pip(
    settings: Settings, staging: Path, prefix: Path | None
) -> process.Command:
    """The interpreter's own pip, else the distribution's, else a new environment's."""
    python = settings.python
    candidates: list[list[str | Path]] = [[python, "-m", "pip"]]
    if prefix:
        # A wheel of pip runs as it is: it is how Python itself installs pip.
        packed = prefix.glob("usr/share/python-wheels/pip-*.whl")
        candidates += [[python, wheel / "pip"] for wheel in packed]
    told = [f"{python} has no pip to fetch wheels with:"]
    for candidate in candidates:
        problem = _problem_of(candidate, settings, staging)
        if not problem:
            return candidate
        told.append(f"  {problem}")
    environment = staging / "venv"
    make: process.Command = [python, "-m", "venv", environment]
    made = process.run(make, cwd=staging, environ=settings.environ)
    if made.code == 0:
        return [environment / "bin/python", "-m", "pip"]
    told += [f"  {made.reason}"]
    told += ["Install it (on Debian and its kin: apt-get install python3-pip), or set"]
    told += ["KERNEL_PYTHON to an interpreter that has it."]
    raise Trouble("\n".join(told))


def _problem_of(pip: process.Command, settings: Settings, cwd: Path) -> str:
    answer = process.run([*pip, "--version"], cwd=cwd, environ=settings.environ)
    match = re.search(r"^pip (\d+)\.(\d+)", answer.output, re.MULTILINE)
    if answer.code or not match:
        return answer.reason
    found = (int(match[1]), int(match[2]))
    return "" if found >= _OLDEST_PIP else f"pip {match[1]}.{match[2]} is too old"

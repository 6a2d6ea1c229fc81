"""The first way: a `bazel` or `bazelisk` that is on PATH already."""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tools.bazelw import files, process, versions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tools.bazelw.console import Console, Step
    from tools.bazelw.settings import Settings

# bazelisk retries for half a minute what can't work. Who asked for it may wait.
_STALL_SECONDS = 10
_PATIENT_STALL_SECONDS = 60
_CONNECT_SECONDS = 5

# A refusal that took longer is worth remembering.
_SLOW_SECONDS = 1
_REMEMBERED_SECONDS = 6 * 3600

_DOWNLOADING = re.compile(r"Downloading https?://([^/:\s]+)(?::(\d+))?/")


class Found(NamedTuple):
    """What a program on PATH is.

    Attributes:
        path: The program.
        version: Its version, if it fits.
        reason: Why it doesn't; empty if it does.
    """

    path: Path
    version: versions.Version | None
    reason: str = ""


def find(settings: Settings, console: Console) -> tuple[Found | None, list[str]]:
    """The best Bazel on PATH, and why others were passed over.

    Best is the wanted version itself, from a `bazel` or else from a `bazelisk`; then
    the first newer one that fits.
    """
    newer: Found | None = None
    passed_over: list[str] = []
    for path in _candidates(settings):
        found = probe(path, settings, console)
        if found.version == settings.wanted:
            return found, passed_over
        if found.version:
            newer = newer or found
        else:
            passed_over.append(f"{path} {found.reason}")
    return newer, passed_over


def probe(path: Path, settings: Settings, console: Console) -> Found:
    """Ask *path* for its version. A bazelisk downloads its Bazel first, if it can.

    A slow refusal is remembered for some hours, unless no other way is allowed.
    """
    real = path.resolve()
    memory = settings.cache / "refused" / files.digest(f"{real} {settings.wanted}")
    if settings.way is None and (remembered := _recall(memory)):
        return Found(path, None, remembered)
    started = time.monotonic()
    text = f"Bazel {settings.wanted} by {path.name}"
    with console.step(text, announce=False) as step:
        answer = process.run(
            [path, "--version"],
            cwd=settings.root,
            environ=environ(settings) | {"KERNEL_BAZELW_PROBE": "1"},
            watch=_DownloadWatch(settings, step),
        )
    if answer.code:
        reason = f"does not work: {answer.reason}"
        if time.monotonic() - started > _SLOW_SECONDS:
            files.write(memory, reason)
        return Found(path, None, reason)
    version = versions.reported(answer.output)
    if not version or not version.fits(settings.wanted):
        said = answer.output.strip() or "a program without a version"
        needed = versions.fitting(settings.wanted)
        return Found(path, None, f"is {said}; this repository needs {needed}")
    if (real.parents[1] / "share/bazel/install_base_key").exists():
        reason = "is the distribution's, which needs the rules packaged beside it"
        return Found(path, None, reason)
    return Found(path, version)


def environ(settings: Settings) -> dict[str, str]:
    """The environment in which bazelisk runs the wanted Bazel, wherever it starts."""
    return {"USE_BAZEL_VERSION": str(settings.wanted), **settings.environ}


def forget(settings: Settings) -> None:
    """Let programs that refused be asked again."""
    for memory in (settings.cache / "refused").glob("*"):
        memory.unlink(missing_ok=True)


def _candidates(settings: Settings) -> Iterator[Path]:
    seen = {settings.root / "bazelw"}
    folders = settings.environ.get("PATH", "").split(os.pathsep)
    for name in ("bazel", "bazelisk"):
        for folder in filter(os.path.isabs, folders):
            path = Path(folder, name)
            runs = path.is_file() and os.access(path, os.X_OK)
            if runs and path.resolve() not in seen:
                seen.add(path.resolve())
                yield path


def _recall(memory: Path) -> str:
    try:
        age = time.time() - memory.stat().st_mtime
        return memory.read_text() if age < _REMEMBERED_SECONDS else ""
    except OSError:
        return ""


class _DownloadWatch:
    """Stops a bazelisk whose download can't be reached or doesn't move."""

    def __init__(self, settings: Settings, step: Step) -> None:
        self._step = step
        self._folder = _bazelisk_folder(settings.environ)
        self._limit = _PATIENT_STALL_SECONDS if settings.way else _STALL_SECONDS
        self._reachable = False
        self._size = -1
        self._moved = time.monotonic()

    def __call__(self, output: str) -> str:
        downloading = _DOWNLOADING.search(output)
        if downloading and not self._reachable:
            if reason := _unreachable(downloading[1], int(downloading[2] or 443)):
                return reason
            self._reachable = True
        size = files.size_of(self._folder) if downloading else 0
        now = time.monotonic()
        if size != self._size:
            self._size, self._moved = size, now
        if downloading:
            self._step.progress(f"{size / 1e6:.0f} MB")
        stalled = now - self._moved > self._limit
        return f"nothing arrived for {self._limit} s" if stalled else ""


def _unreachable(host: str, port: int) -> str:
    """Why *host* can't be connected to; empty if it can, or if a proxy would do it."""
    import socket  # slow to load, and seldom needed
    from urllib.request import getproxies

    if getproxies():
        return ""
    try:
        socket.create_connection((host, port), _CONNECT_SECONDS).close()
    except OSError as error:
        return f"{host} can't be reached ({error.strerror or error})"
    return ""


def _bazelisk_folder(environ: Mapping[str, str]) -> Path:
    if chosen := environ.get("BAZELISK_HOME"):
        return Path(chosen)
    if sys.platform == "darwin":
        return Path.home() / "Library/Caches/bazelisk"
    return Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "bazelisk")

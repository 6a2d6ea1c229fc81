"""The second way: bazelisk out of the npm registry, which downloads Bazel itself.

npm/package-lock.json pins the package by its hash; npm, with the user's own settings,
fetches it and compares. The program for this machine is kept, the rest thrown away.
"""

from __future__ import annotations

import json
import platform
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tools.bazelw import files, process
from tools.bazelw.console import Trouble

if TYPE_CHECKING:
    from tools.bazelw.console import Console
    from tools.bazelw.settings import Settings

_PINS = Path("tools/bazelw/npm")
_PACKAGE = "node_modules/@bazel/bazelisk"
_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}

# npm by itself would try for minutes.
_SHORT = ("--fetch-retries=1", "--fetch-retry-mintimeout=500", "--fetch-timeout=15000")
_LIMIT_SECONDS = 90


def program(settings: Settings) -> Path:
    """Where the program is kept; there is one once `fetch` has succeeded."""
    lock = json.loads((settings.root / _PINS / "package-lock.json").read_text())
    pin = lock["packages"][_PACKAGE]
    name = f"{pin['version']}-{files.digest(pin['integrity'])}"
    return settings.cache / "bazelisk" / name / "bazelisk"


def fetch(settings: Settings, console: Console) -> Path:
    """Fetch the program.

    Raises:
        Trouble: npm is missing or can't fetch it, or there is none for this machine.
    """
    kept = program(settings)
    house = kept.parents[1]
    machine = _MACHINES.get(platform.machine().lower())
    if sys.platform not in ("linux", "darwin") or not machine:
        here = f"{sys.platform} on {platform.machine()}"
        raise Trouble(f"the npm package has no program for {here}")
    npm = shutil.which("npm", path=settings.environ.get("PATH"))
    if not npm:
        raise Trouble("npm is not on PATH")
    deadline = time.monotonic() + _LIMIT_SECONDS

    def watch(_: str) -> str:
        late = time.monotonic() > deadline
        return f"it took over {_LIMIT_SECONDS} s" if late else ""

    with files.locked(house / ".lock", console, doing="fetching bazelisk"):
        if kept.exists():
            return kept
        with (
            files.staging(house) as staging,
            console.step("fetching bazelisk with npm"),
        ):
            for name in ("package.json", "package-lock.json"):
                shutil.copyfile(settings.root / _PINS / name, staging / name)
            ended = process.run(
                [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", *_SHORT],
                cwd=staging,
                environ=settings.environ,
                watch=watch,
            )
            if ended.code:
                raise Trouble(f"npm could not fetch it: {ended.reason}")
            fetched = staging / _PACKAGE / f"bazelisk-{sys.platform}_{machine}"
            if not fetched.exists():
                raise Trouble(f"the npm package holds no {fetched.name}")
            files.make_folder(kept.parent)
            fetched.chmod(0o755)
            fetched.replace(kept)
    return kept

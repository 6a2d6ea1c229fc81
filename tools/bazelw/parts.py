"""Parts of rules_python that are replaced.

rules_python 0.22.1, which distributions package, is made of a pip and a setuptools of
2022 that do not run on Python 3.12, and of a packaging of then, which can't read
"1.0.0.beta2" in the metadata of a wheel. It looks for them in repositories @pypi__pip,
@pypi__setuptools and @pypi__packaging; rules_python_lock.txt pins what is put there.
"""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

from tools.bazelw import files, lock, wheels

if TYPE_CHECKING:
    from pathlib import Path

    from tools.bazelw.console import Console
    from tools.bazelw.lock import Entry
    from tools.bazelw.settings import Settings

LOCK = "tools/bazelw/rules_python_lock.txt"

_BUILD = """\
load("@rules_python//python:defs.bzl", "py_library")

py_library(
    name = "lib",
    srcs = glob(["**/*.py"]),
    data = glob(["**/*"], exclude = ["**/*.py", "**/* *"]),
    imports = ["."],
    visibility = ["//visibility:public"],
)
"""


def entries(settings: Settings) -> list[Entry]:
    """The pins of the parts."""
    return lock.read(settings.root / LOCK)


def repositories(settings: Settings) -> dict[str, Path]:
    """Where the parts are, by the names of the repositories they replace."""
    home = settings.cache / "rules_python"
    pins = entries(settings)
    return {f"pypi__{pin.name}": home / f"{pin.name}-{pin.key}" for pin in pins}


def unpack(settings: Settings, console: Console) -> None:
    """Make a repository of the wheel of each part, unless there is one."""
    places = dict(zip(repositories(settings).values(), entries(settings), strict=True))
    if all(place.exists() for place in places):
        return
    home = next(iter(places)).parent
    with files.locked(home / ".lock", console, doing="unpacking"):
        for place, entry in places.items():
            if not place.exists():
                with files.staging(home) as staging:
                    _unpack(wheels.path_of(settings, entry), staging / "new")
                    (staging / "new").rename(place)


def _unpack(wheel: Path, folder: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    (folder / "BUILD.bazel").write_text(_BUILD)
    (folder / "WORKSPACE").touch()

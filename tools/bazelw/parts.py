"""Parts of rules_python that are replaced.

rules_python 0.22.1, which distributions package, is made of a pip and a setuptools of
2022 that do not run on Python 3.12. It looks for them in the repositories @pypi__pip
and @pypi__setuptools; rules_python_lock.txt pins what is put there instead.
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from tools.bazelw import files, lock, wheels

if TYPE_CHECKING:
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


def unpack(settings: Settings) -> None:
    """Make a repository of each wheel, unless there is one."""
    places = repositories(settings).values()
    for pin, place in zip(entries(settings), places, strict=True):
        if not place.exists():
            files.make_folder(place.parent)
            _unpack(wheels.path_of(settings, pin), place)


def _unpack(wheel: Path, place: Path) -> None:
    new = Path(tempfile.mkdtemp(dir=place.parent, prefix=".new-"))
    try:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(new)
        (new / "BUILD.bazel").write_text(_BUILD)
        (new / "WORKSPACE").touch()
        new.chmod(0o755)
        new.rename(place)
    except OSError:
        if not place.exists():  # else another run was faster
            raise
    finally:
        shutil.rmtree(new, ignore_errors=True)

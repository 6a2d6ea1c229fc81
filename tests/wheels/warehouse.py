"""The built wheels, the locked ones, and empty environments to install them in."""

from __future__ import annotations

import json
import subprocess
import venv
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pip

from tools.vendor.wheels import Wheel
from tools.wheel.distributions import BASE, Distribution, Graph

INDEX = Path("shared/index.json")


@dataclass(frozen=True)
class Warehouse:
    """What //shared:index lists."""

    document: dict[str, Any]

    @classmethod
    def open(cls) -> Warehouse:
        """Read it from the runfiles."""
        return cls(json.loads(INDEX.read_text()))

    @cached_property
    def graph(self) -> Graph:
        """Distributions, the umbrella among them, and targets."""
        return Graph.from_json(self.document)

    @cached_property
    def ours(self) -> dict[str, Wheel]:
        """First-party wheels by distribution."""
        return {
            entry["distribution"]: Wheel(Path(entry["wheel"]))
            for entry in self.document["distributions"]
        }

    @cached_property
    def theirs(self) -> dict[str, Wheel]:
        """Locked third-party wheels by distribution."""
        wheels = (Wheel(Path(path)) for path in self.document["third_party"])
        return {wheel.name: wheel for wheel in wheels}

    @cached_property
    def umbrella(self) -> Distribution:
        """The one distribution that repeats the others."""
        names = [
            e["distribution"] for e in self.document["distributions"] if e["umbrella"]
        ]
        return next(d for d in self.graph.distributions if d.name in names)

    @cached_property
    def singles(self) -> list[Distribution]:
        """All distributions but the umbrella."""
        return [d for d in self.graph.distributions if d != self.umbrella]

    def modules(self, labels: Iterable[str]) -> list[str]:
        """Dotted names of the modules that the targets own."""
        wanted = set(labels)
        files = (
            file
            for target in self.document["targets"]
            if target["label"] in wanted
            for file in target["files"]
        )
        stems = (f.removesuffix(".py") for f in files if f.endswith(".py"))
        return sorted(s.replace("/", ".").removesuffix(".__init__") for s in stems)

    def stock(self, folder: Path) -> Path:
        """Fill *folder* with links to every wheel, for --find-links."""
        for wheel in [*self.ours.values(), *self.theirs.values()]:
            (folder / wheel.path.name).symlink_to(wheel.path.resolve())
        return folder


@dataclass(frozen=True)
class Environment:
    """A virtual environment that had nothing in it, not even pip."""

    folder: Path

    @classmethod
    def create(cls, folder: Path) -> Environment:
        """Make one."""
        venv.create(folder, symlinks=True)
        return cls(folder)

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run its interpreter, deaf to the variables and paths of this test."""
        return subprocess.run(
            [self.folder / "bin" / "python", "-I", *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
        )

    def pip(self, *arguments: str) -> str:
        """Run the locked pip on it, without a network, and return what it prints."""
        # By the path of its folder: on PYTHONPATH, this test's own dependencies
        # would come with it and count as installed.
        result = self.python(
            "-W",
            "ignore",
            str(Path(pip.__file__).parent.resolve()),
            "--disable-pip-version-check",
            "--no-input",
            *arguments,
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def install(self, *arguments: str) -> None:
        """`pip install`, from the given folders only."""
        self.pip("install", "--no-index", "--no-cache-dir", "--no-compile", *arguments)

    def installed(self) -> list[str]:
        """Names of what is installed, pip itself left out."""
        listed = json.loads(self.pip("list", "--format=json", "--exclude=pip"))
        return sorted(entry["name"].lower().replace("_", "-") for entry in listed)


@dataclass(frozen=True, kw_only=True)
class Installation:
    """A part of a distribution, installed alone."""

    distribution: Distribution
    extra: str
    environment: Environment

    @property
    def packages(self) -> list[str]:
        """Short names of the packages it holds."""
        return sorted(p.rpartition("/")[2] for p in self.distribution.packages)


def parts(warehouse: Warehouse) -> list[tuple[Distribution, str]]:
    """Everything that can be asked of pip: each distribution bare and per extra."""
    return [
        (distribution, extra)
        for distribution in warehouse.graph.distributions
        for extra in warehouse.graph.parts(distribution)
    ]


def spelled(distribution: Distribution, extra: str) -> str:
    """``name`` or ``name[extra]``."""
    return distribution.name if extra == BASE else f"{distribution.name}[{extra}]"

"""The packages of the kernel: their floors, their targets, and who needs whom."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.checks.floors import FLOORS, TESTING
from tools.checks.repository import Target, package_of

_SHARED = "//shared/"
_THIRD_PARTY = "//third_party:"


@dataclass(frozen=True)
class PublicTarget:
    """A target that a service may depend on."""

    label: str
    """As it is written in deps: ``//shared/errors``, ``//shared/errors:handlers``."""
    third_party: tuple[str, ...]
    """The aliases of third_party/ that it or its package's modules name."""
    needs: tuple[str, ...] = ()
    """Targets of other packages that it or its package's modules name."""


@dataclass(frozen=True)
class Package:
    """One package of the kernel."""

    name: str
    floor: int | None
    """None for the test doubles, which stand beside all floors."""
    needs: frozenset[str]
    """Packages that the facade needs."""
    glue_needs: frozenset[str]
    """Packages that only targets beside the facade need."""
    targets: tuple[PublicTarget, ...] = ()


def read(graphs: Iterable[Path]) -> tuple[Package, ...]:
    """The packages in the graph files of //shared:graphs, by floor and name."""
    by_package: dict[str, list[Target]] = {}
    for graph in graphs:
        for entry in json.loads(graph.read_text(encoding="utf-8")):
            target = Target.from_json(entry)
            if target.kind == "py_library" and _name(target.label):
                by_package.setdefault(_name(target.label), []).append(target)
    packages = [_package(name, targets) for name, targets in by_package.items()]
    return tuple(sorted(packages, key=_order))


def _order(package: Package) -> tuple[bool, int, str]:
    return package.floor is None, package.floor or 0, package.name


def _name(label: str) -> str:
    """Return errors for //shared/errors:handlers, "" outside shared/."""
    if not label.startswith(_SHARED):
        return ""
    return package_of(label).split("/")[1]


def _package(name: str, targets: list[Target]) -> Package:
    testing = name == TESTING
    shipped = [t for t in targets if testing or not t.testonly]
    facade = next((t for t in shipped if t.name == name), None)
    behind = facade.first_party if facade else frozenset()
    core = frozenset(_needed(t for t in shipped if t.label in behind)) - {name}
    every = frozenset(_needed(shipped)) - {name}
    return Package(
        name=name,
        floor=FLOORS[name].floor if name in FLOORS else None,
        needs=core,
        glue_needs=every - core,
        targets=tuple(_public(name, shipped)),
    )


def _needed(targets: Iterable[Target]) -> Iterator[str]:
    for target in targets:
        yield from filter(None, map(_name, target.deps))


def _public(name: str, targets: list[Target]) -> Iterator[PublicTarget]:
    """The facade first, then the others by name; `_` and tests/ are private."""
    known = {target.label: target for target in targets}
    public = [t for t in targets if not t.name.startswith(("_", "tests/"))]
    for target in sorted(public, key=lambda t: (t.name != name, t.name)):
        own = [known[each] for each in target.first_party if each in known]
        deps = {dep for each in own for dep in each.deps}
        aliases = {
            dep.removeprefix(_THIRD_PARTY)
            for dep in deps
            if dep.startswith(_THIRD_PARTY)
        }
        needs = {_short(dep) for dep in deps if _name(dep) not in ("", name)}
        label = _short(target.label)
        yield PublicTarget(label, tuple(sorted(aliases)), tuple(sorted(needs)))


def _short(label: str) -> str:
    """Return //shared/errors for //shared/errors:errors."""
    return label.removesuffix(f":{_name(label)}")

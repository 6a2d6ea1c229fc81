"""The graph that distribution.bzl collects, and who ships what in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

BASE = ""
"""The name of the part that is there without any extra."""


class GraphError(Exception):
    """The BUILD files say something that no wheel can express."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A first-party Python target, as its BUILD file declares it."""

    label: str
    package: str
    build_file: str
    needs: tuple[str, ...]  # labels of first-party direct deps
    requires: tuple[str, ...]  # names of third-party direct deps


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """A wheel, as its `kernel_wheel` declares it."""

    name: str
    version: str
    packages: frozenset[str]
    roots: Mapping[str, tuple[str, ...]] = field(hash=False)  # extra -> labels


@dataclass(frozen=True, kw_only=True)
class Part:
    """What one extra of a distribution adds; ``extra`` is BASE for the rest."""

    distribution: Distribution
    extra: str


@dataclass(frozen=True, kw_only=True)
class Graph:
    """Targets, and the distributions that hold them."""

    targets: Mapping[str, Target]
    distributions: tuple[Distribution, ...]

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Graph:
        """Read ``targets`` and ``distributions`` of distribution.bzl's file."""
        targets = [
            Target(
                label=target["label"],
                package=target["package"],
                build_file=target["build_file"],
                needs=tuple(target["needs"]),
                requires=tuple(target["requires"]),
            )
            for target in document["targets"]
        ]
        distributions = [
            Distribution(
                name=entry["distribution"],
                version=entry["version"],
                packages=frozenset(entry["packages"]),
                roots={extra: tuple(own) for extra, own in entry["roots"].items()},
            )
            for entry in document["distributions"]
        ]
        return cls(
            targets={target.label: target for target in targets},
            distributions=tuple(distributions),
        )

    @cached_property
    def _parts(self) -> dict[str, dict[str, frozenset[str]]]:
        return {d.name: self._parts_of(d) for d in self.distributions}

    def parts(self, distribution: Distribution) -> Mapping[str, frozenset[str]]:
        """Map each extra, BASE among them, to the labels it ships beyond the base."""
        return self._parts[distribution.name]

    def _parts_of(self, distribution: Distribution) -> dict[str, frozenset[str]]:
        def shipped(roots: Iterable[str]) -> frozenset[str]:
            return frozenset(
                label
                for label in self._reach(roots)
                if self.targets[label].package in distribution.packages
            )

        base = shipped(distribution.roots.get(BASE, ()))
        extras = {
            extra: shipped(roots) - base
            for extra, roots in sorted(distribution.roots.items())
            if extra != BASE
        }
        return {BASE: base, **extras}

    def _reach(self, roots: Iterable[str]) -> set[str]:
        reached: set[str] = set()
        waiting = list(roots)
        while waiting:
            label = waiting.pop()
            if label not in reached:
                reached.add(label)
                waiting += self.targets[label].needs
        return reached

    def owner(self, label: str) -> Part:
        """Find what must be installed so that the target can be imported.

        Raises:
            GraphError: It is in no wheel, or only behind several extras of one.
        """
        target = self.targets[label]
        holders = [d for d in self.distributions if target.package in d.packages]
        if not holders:
            raise GraphError(
                f"{label} is needed, and no kernel_wheel of {target.package} is in "
                "sight. Give that package one; if it has one, move this kernel_wheel "
                "below the kernel_library with that dep."
            )
        for distribution in holders:
            holding = [e for e, own in self.parts(distribution).items() if label in own]
            named = [e for e in holding if label in distribution.roots.get(e, ())]
            found = named or holding
            if len(found) == 1:
                return Part(distribution=distribution, extra=found[0])
            if found:
                raise GraphError(
                    f"{target.build_file}: {label} is shipped by the extras "
                    f"{', '.join(found)} of {distribution.name}. Name it in one of "
                    "them, or in deps of kernel_wheel."
                )
        raise GraphError(
            f"{target.build_file}: {label} is in no wheel. Add it to deps or extras "
            "of the kernel_wheel there."
        )

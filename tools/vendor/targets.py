"""Turns Bazel targets on the command line into distributions and extras."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tools.vendor.errors import VendorError
from tools.wheel.distributions import BASE, Distribution, Graph, GraphError


@dataclass(frozen=True, kw_only=True)
class Catalog:
    """What //shared:index knows of first-party wheels."""

    graph: Graph  # without umbrellas: they own nothing alone
    by_label: Mapping[str, Distribution]  # wheel target -> what it builds
    umbrellas: frozenset[str]  # names

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Catalog:
        """Read the file that kernel_wheel_index writes."""
        whole = Graph.from_json(document)
        entries = document["distributions"]
        by_label = {
            entry["label"]: distribution
            for entry, distribution in zip(entries, whole.distributions, strict=True)
        }
        umbrellas = {e["distribution"] for e in entries if e["umbrella"]}
        single = tuple(d for d in whole.distributions if d.name not in umbrellas)
        return cls(
            graph=Graph(targets=whole.targets, distributions=single),
            by_label=by_label,
            umbrellas=frozenset(umbrellas),
        )

    def resolve(self, targets: Iterable[str]) -> dict[str, frozenset[str]]:
        """Map the distributions that ship *targets* to the extras they take.

        A library is found wherever it is shipped; glue brings its extra. A wheel's own
        target means the wheel without extras, ``//folder/...`` all wheels below the
        folder with all their extras, and so does an umbrella.

        Raises:
            VendorError: A target is in no wheel, or an umbrella meets what it repeats.
        """
        found: dict[str, set[str]] = defaultdict(set)
        for target in targets:
            for name, extras in self._resolve(target):
                found[name] |= extras
        doubled = self.umbrellas & found.keys()
        if doubled and len(found) > 1:
            others = ", ".join(sorted(found.keys() - doubled))
            raise VendorError(
                f"{', '.join(doubled)} holds the files of {others} too, and one would "
                "overwrite the other. Ask for one of them."
            )
        return {name: frozenset(extras) for name, extras in found.items()}

    def _resolve(self, target: str) -> list[tuple[str, set[str]]]:
        label = canonical(target)
        if label.endswith("/..."):
            folder = label.removeprefix("//").removesuffix("...")
            below = [
                distribution
                for distribution in self.graph.distributions
                if all(f"{p}/".startswith(folder) for p in distribution.packages)
            ]
            if not below:
                raise VendorError(f"{target}: no wheel is built below that folder.")
            return [(d.name, self._all_extras(d)) for d in below]
        if distribution := self.by_label.get(label):
            whole = distribution.name in self.umbrellas
            extras = self._all_extras(distribution) if whole else set()
            return [(distribution.name, extras)]
        if label not in self.graph.targets:
            raise VendorError(f"{target}: no wheel ships it.{self._hint(label)}")
        try:
            part = self.graph.owner(label)
        except GraphError as error:
            raise VendorError(str(error)) from None
        return [(part.distribution.name, {part.extra} - {BASE})]

    @staticmethod
    def _all_extras(distribution: Distribution) -> set[str]:
        return set(distribution.roots) - {BASE}

    def _hint(self, label: str) -> str:
        known = [*self.graph.targets, *self.by_label]
        near = difflib.get_close_matches(label, known, n=1)
        return f" Did you mean {_short(near[0])}?" if near else ""


def canonical(target: str) -> str:
    """Spell a target as the index does: ``shared/dtos`` is ``//shared/dtos:dtos``."""
    repository, slashes, path = target.rpartition("//")
    if not slashes:
        path = path.removeprefix("/")
    elif repository and not repository.startswith("@"):
        return target
    package, colon, name = path.partition(":")
    if colon or package == "..." or package.endswith("/..."):
        return f"//{path}"
    return f"//{package}:{name or package.rpartition('/')[2]}"


def _short(label: str) -> str:
    package, _, name = label.partition(":")
    return package if package.endswith(f"/{name}") else label

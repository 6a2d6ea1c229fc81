"""Derives Requires-Dist of a distribution from the graph and from requirements.in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from packaging.markers import Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from tools.wheel.distributions import BASE, Distribution, Graph, GraphError

Ranges = Mapping[str, list[Requirement]]
"""Canonical name -> what requirements.in asks of it, usually one entry."""


def read_ranges(text: str, *, source: str = "requirements.in") -> Ranges:
    """Parse requirements.in; pip's option lines (``-c ...``) carry no range.

    Raises:
        GraphError: A line is no requirement by PEP 508.
    """
    ranges: dict[str, list[Requirement]] = defaultdict(list)
    for number, line in enumerate(text.splitlines(), 1):
        content = line.partition(" #")[0].strip()
        if not content or content.startswith(("#", "-")):
            continue
        try:
            requirement = Requirement(content)
        except InvalidRequirement as error:
            reason = str(error).splitlines()[0]
            raise GraphError(f"{source}:{number}: {content!r}: {reason}") from None
        ranges[canonicalize_name(requirement.name)].append(requirement)
    return ranges


def with_extra(requirement: Requirement, extra: str) -> Requirement:
    """The same requirement, asked for only where *extra* is installed."""
    result = Requirement(str(requirement))
    condition = f'extra == "{extra}"'
    if requirement.marker:
        condition = f"({requirement.marker}) and {condition}"
    result.marker = Marker(condition)
    return result


def derive(
    graph: Graph, distribution: Distribution, ranges: Ranges
) -> list[Requirement]:
    """Say what the distribution's own sources need, sorted, the extras last.

    A target's direct deps count, whether imported or named in runtime_deps. What they
    need in turn is in their own metadata. An extra lists only what the base does not.

    Raises:
        GraphError: A dep is in no wheel, or requirements.in has no range for it.
    """
    parts = graph.parts(distribution)
    base = _needs(graph, distribution, parts[BASE], ranges)
    result = sorted(base, key=str)
    for extra in parts:
        if extra == BASE:
            continue
        added = _needs(graph, distribution, parts[extra], ranges)
        result += sorted(
            (with_extra(r, extra) for r in added if not _covered(r, base)), key=str
        )
    return result


def _covered(requirement: Requirement, base: Iterable[Requirement]) -> bool:
    return any(
        requirement.name == other.name
        and requirement.extras <= other.extras
        and requirement.specifier == other.specifier
        and requirement.marker == other.marker
        for other in base
    )


def _needs(
    graph: Graph, distribution: Distribution, labels: Iterable[str], ranges: Ranges
) -> list[Requirement]:
    first_party: dict[str, set[str]] = defaultdict(set)
    versions: dict[str, str] = {}
    third_party: dict[str, list[Requirement]] = {}
    for label in sorted(labels):
        target = graph.targets[label]
        for name in target.requires:
            found = ranges.get(canonicalize_name(name))
            if not found:
                raise GraphError(
                    f"{target.build_file}: {label} depends on {name}, and "
                    "requirements.in has no range for it to put into the wheel's "
                    "Requires-Dist. Add a line with the versions that users may "
                    "install, then run ./bazelw run //:lock."
                )
            third_party[canonicalize_name(name)] = found
        for need in target.needs:
            if graph.targets[need].package in distribution.packages:
                continue
            part = graph.owner(need)
            first_party[part.distribution.name] |= {part.extra} - {BASE}
            versions[part.distribution.name] = part.distribution.version
    ours = []
    for name, extras in first_party.items():
        listed = f"[{','.join(sorted(extras))}]" if extras else ""
        ours.append(Requirement(f"{name}{listed}~={versions[name]}"))
    return ours + [entry for found in third_party.values() for entry in found]

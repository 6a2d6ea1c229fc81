"""The gate: whether a bundle keeps what every release promised."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.contracts.bundle import Bundle, BundleError
from tools.contracts.compat.accepted import (
    AcceptedError,
    Entry,
    entry_for,
    read_accepted,
)
from tools.contracts.compat.baselines import Baseline, enforced, load_baselines
from tools.contracts.compat.compare import RULES, compare_bundles, compare_stored
from tools.contracts.compat.finding import Finding, Impact
from tools.contracts.compat.place import PlaceError
from tools.contracts.compat.report import Group, render
from tools.contracts.compat.versions import Version

CURRENT: Final = "current"
RELEASED: Final = "released"
ACCEPTED: Final = "accepted.toml"
_NAME: Final = "worktree"


class GateError(ValueError):
    """Nothing can be judged. The message is one line: the file, what is wrong."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate found."""

    groups: list[Group]
    """Every finding once, and the baselines that it was made against."""
    accepted: list[tuple[Entry, Finding]]
    refused: list[Group]
    stale: list[Entry]
    """Entries that accept nothing any more."""
    baselines: list[Version]

    @property
    def passes(self) -> bool:
        """Whether the bundle may become the next release."""
        return bool(self.baselines) and not self.refused and not self.stale


def judge(
    current: Bundle, baselines: Sequence[Baseline], accepted: Sequence[Entry]
) -> Verdict:
    """Compare *current* with every baseline.

    Those of the newest major version hold in full, older ones for stored events; see
    `enforced`.
    """
    versions = [baseline.version for baseline in baselines]
    full, _ = enforced(versions)
    found: dict[str, Group] = {}
    refused: dict[str, Group] = {}
    used: set[Entry] = set()
    pairs: dict[str, tuple[Entry, Finding]] = {}
    for baseline in baselines:
        compare = compare_bundles if baseline.version in full else compare_stored
        for finding in compare(baseline.bundle, current):
            _enter(found, finding, baseline.version)
            if finding.impact is not Impact.BREAKING:
                continue
            entry = _accepting(finding, baseline.version, accepted)
            if entry is None:
                _enter(refused, finding, baseline.version)
            else:
                used.add(entry)
                pairs.setdefault(repr((entry, finding)), (entry, finding))
    return Verdict(
        groups=list(found.values()),
        accepted=list(pairs.values()),
        refused=list(refused.values()),
        stale=[entry for entry in accepted if entry not in used],
        baselines=versions,
    )


def _enter(groups: dict[str, Group], finding: Finding, version: Version) -> None:
    # Findings hold JSON, which has no hash.
    group = groups.setdefault(repr(finding), Group(finding, []))
    group.against.append(str(version))


def _accepting(
    finding: Finding, version: Version, accepted: Iterable[Entry]
) -> Entry | None:
    return next((e for e in accepted if e.accepts(finding, version)), None)


def run_gate(contracts: Path, tell: Callable[[str], None]) -> bool:
    """Judge ``contracts/current``, and tell all that was found.

    Returns:
        Whether it passes.

    Raises:
        GateError: The bundle, a baseline or ``accepted.toml`` is broken.
    """
    try:
        baselines = load_baselines(contracts / RELEASED)
        current = Bundle.load(contracts / CURRENT, _NAME)
        accepted = read_accepted(
            contracts / ACCEPTED,
            rules=RULES,
            versions=[baseline.version for baseline in baselines],
        )
        verdict = judge(current, baselines, accepted)
    except (AcceptedError, BundleError, PlaceError) as error:
        raise GateError(str(error)) from None
    names = ", ".join(map(str, verdict.baselines))
    for line in render(verdict.groups, f"{names or 'no release'} -> {_NAME}"):
        tell(line)
    for line in summary(verdict, contracts):
        tell(line)
    return verdict.passes


def summary(verdict: Verdict, contracts: Path) -> Iterable[str]:
    """What the gate decided, in lines for people."""
    for entry, _ in verdict.accepted:
        yield f"accepted: {entry}: {entry.reason}"
    for entry in verdict.stale:
        yield (
            f"STALE: {contracts / ACCEPTED} accepts {entry}, which is no finding any "
            "more. Remove the entry."
        )
    for group in verdict.refused:
        finding = group.finding
        yield (
            f"REFUSED: {finding.rule} at {finding.document}#{finding.pointer} "
            f"(against {', '.join(group.against)}). If it must be, say why in "
            f"{contracts / ACCEPTED}:"
        )
        yield from (f"    {line}" for line in entry_for(finding, group.against[0]))
    if not verdict.baselines:
        yield (
            f"NO BASELINE: {contracts / RELEASED} is empty, so nothing is promised. "
            "Release one: ./bazelw run //contracts:release -- 1.0.0"
        )
    judged = contracts / CURRENT
    yield f"Judged: {judged}. //contracts:goldens_test holds it to the code."

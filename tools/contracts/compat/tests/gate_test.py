from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.contracts.bundle import MANIFEST
from tools.contracts.compat.gate import GateError, run_gate
from tools.contracts.compat.tests.documents import (
    Change,
    Document,
    nothing,
    write_bundle,
    write_release,
)

DTO = "dtos/UserDTO.schema.json"
RULE, POINTER = "max-length-tightened", "/properties/name/maxLength"


def shorter_name(files: Document) -> None:
    """A break, for who writes names."""
    files[DTO]["properties"]["name"]["maxLength"] = 10


def reworded(files: Document) -> None:
    """Words only."""
    files[DTO]["description"] = "Somebody."


def no_event(files: Document) -> None:
    """A break, also for what is stored."""
    files[MANIFEST]["events"].clear()


ENTRY = f"""\
[[accepted]]
rule = "max-length-tightened"
document = "{DTO}"
pointer = "/properties/name/maxLength"
before = "20"
after = "10"
since = "1.0.0"
reason = "Nobody has such a name."
"""


def gate(folder: Path, change: Change, accepted: str = "") -> tuple[bool, str]:
    """Run the gate on a tree; what it decides, and what it tells."""
    write_bundle(folder / "current", change)
    (folder / "accepted.toml").write_text(accepted)
    told: list[str] = []
    passes = run_gate(folder, told.append)
    return passes, "\n".join(told)


@pytest.fixture
def contracts(tmp_path: Path) -> Path:
    """Two baselines of one major version."""
    write_release(tmp_path / "released", "1.0.0")
    write_release(tmp_path / "released", "1.1.0", previous="1.0.0")
    return tmp_path


@pytest.mark.parametrize("change", [nothing, reworded])
def test_what_breaks_nobody_passes(contracts: Path, change: Change) -> None:
    """No difference, and words."""
    assert gate(contracts, change)[0]


def test_words_are_told(contracts: Path) -> None:
    """All findings are told, also when it passes."""
    text = gate(contracts, reworded)[1]

    assert text.startswith("1.0.0, 1.1.0 -> worktree: 1 change of wording\n")
    assert "wording   description-changed  #/description" in text


def test_a_break_is_refused_once(contracts: Path) -> None:
    """A break of both baselines is one finding, that tells all one needs."""
    passes, text = gate(contracts, shorter_name)

    assert not passes
    assert text.count("BREAKING") == 1
    for line in (
        f"\n{DTO}\n",
        "  BREAKING  max-length-tightened  #/properties/name/maxLength",
        "before: 20",
        "after:  10",
        "breaks: ",
        "do:     ",
        "against 1.0.0, 1.1.0",
        f"REFUSED: {RULE} at {DTO}#{POINTER} (against 1.0.0, 1.1.0). If it must be",
        *(f"    {line}" for line in ENTRY.splitlines()[:-1]),
    ):
        assert line in text


def test_what_is_accepted_passes(contracts: Path) -> None:
    """And the reason is told."""
    passes, text = gate(contracts, shorter_name, ENTRY)

    assert passes
    assert text.count("Nobody has such a name.") == 1
    assert "//contracts:goldens_test holds it to the code." in text
    assert "REFUSED" not in text


def test_a_further_break_at_the_same_place_is_refused(contracts: Path) -> None:
    """Who accepted a maximum of 10 did not accept one of 5."""

    def shorter_still(files: Document) -> None:
        files[DTO]["properties"]["name"]["maxLength"] = 5

    passes, text = gate(contracts, shorter_still, ENTRY)
    assert not passes
    assert "REFUSED: " in text
    assert "STALE: " in text


def test_an_entry_does_not_reach_older_baselines(contracts: Path) -> None:
    """Accepted since 1.1.0 is not accepted since 1.0.0."""
    passes, text = gate(contracts, shorter_name, ENTRY.replace("1.0.0", "1.1.0"))

    assert not passes
    assert "(against 1.0.0). " in text


def test_an_entry_that_accepts_nothing_fails(contracts: Path) -> None:
    """It would accept the break when it comes, unseen."""
    passes, text = gate(contracts, nothing, ENTRY)

    assert not passes
    assert (
        f"STALE: {contracts}/accepted.toml accepts max-length-tightened at {DTO}"
        "#/properties/name/maxLength since 1.0.0, which is no finding any more. Remove "
        "the entry."
    ) in text


def test_every_baseline_of_the_major_version_counts(tmp_path: Path) -> None:
    """What 1.1.0 added is promised as much as what 1.0.0 had."""
    write_release(tmp_path / "released", "1.0.0", no_event)
    write_release(tmp_path / "released", "1.1.0", previous="1.0.0")

    passes, text = gate(tmp_path, no_event)
    assert not passes
    assert "REFUSED: event-removed at manifest.json#/events/user.registered" in text
    assert "(against 1.1.0). " in text


@pytest.mark.parametrize(
    ("change", "passes"), [(nothing, True), (shorter_name, True), (no_event, False)]
)
def test_of_an_old_major_version_events_must_be_read(
    tmp_path: Path, change: Change, passes: bool
) -> None:
    """Programs changed with the major version; what they stored is still there."""
    write_release(tmp_path / "released", "1.0.0")
    write_release(tmp_path / "released", "2.0.0", change, previous="1.0.0")

    assert gate(tmp_path, change)[0] is passes


def test_without_a_baseline_it_fails(tmp_path: Path) -> None:
    """A gate that compares with nothing would pass for ever."""
    passes, text = gate(tmp_path, nothing)

    assert not passes
    assert "NO BASELINE: " in text


def edit_baseline(contracts: Path) -> None:
    """By hand."""
    (contracts / "released/1.0.0" / DTO).write_text("{}")


def dangle(files: Document) -> None:
    """A reference that leads nowhere."""
    files[DTO]["properties"]["name"] = {"$ref": "Nowhere.schema.json"}


BROKEN: dict[str, tuple[Callable[[Path], object], Change, str, str]] = {
    "a baseline": (
        edit_baseline,
        nothing,
        "",
        f"released/1.0.0/{DTO} is not as it was released.",
    ),
    "the bundle": (
        lambda contracts: None,
        dangle,
        "",
        f"{DTO}#/properties/name: $ref 'Nowhere.schema.json' leads nowhere.",
    ),
    "accepted.toml": (
        lambda contracts: None,
        nothing,
        ENTRY.replace("1.0.0", "3.0.0"),
        "accepted.toml: entry 1: since: there is no release 3.0.0.",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_broken_is_told_in_one_line(contracts: Path, case: str) -> None:
    """It names the file."""
    prepare, change, accepted, message = BROKEN[case]
    prepare(contracts)

    with pytest.raises(GateError, match=re.escape(message)) as caught:
        gate(contracts, change, accepted)
    assert "\n" not in str(caught.value)

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tools.contracts.compat.accepted import (
    AcceptedError,
    Entry,
    entry_for,
    read_accepted,
)
from tools.contracts.compat.finding import Finding, Impact
from tools.contracts.compat.versions import Version

GOOD = {
    "rule": "property-removed",
    "document": "dtos/UserDTO.schema.json",
    "pointer": "/properties/fax",
    "before": "{}",
    "after": "null",
    "since": "1.0.0",
    "reason": "It was never filled.",
}
FINDING = Finding(
    rule="property-removed",
    impact=Impact.BREAKING,
    document="dtos/UserDTO.schema.json",
    pointer="/properties/fax",
    before={},
    after=None,
    says="fax is gone.",
)
VERSIONS = [Version(1, 0, 0), Version(1, 1, 0)]


def read(path: Path) -> list[Entry]:
    """Read the file, with a rule and two baselines."""
    return read_accepted(path, rules={"property-removed"}, versions=VERSIONS)


def write(folder: Path, *tables: dict[str, object]) -> Path:
    """Write entries."""
    lines = []
    for table in tables:
        lines.append("[[accepted]]")
        lines += [f"{key} = {value!r}" for key, value in table.items()]
    path = folder / "accepted.toml"
    path.write_text("\n".join(lines))
    return path


def test_an_entry(tmp_path: Path) -> None:
    """An entry accepts one rule at one place."""
    (entry,) = read(write(tmp_path, dict(GOOD)))

    assert entry.accepts(FINDING, Version(1, 0, 0))
    assert not entry.accepts(replace(FINDING, rule="type-changed"), Version(1, 0, 0))
    assert not entry.accepts(replace(FINDING, document="other"), Version(1, 0, 0))
    assert not entry.accepts(replace(FINDING, pointer="/properties"), Version(1, 0, 0))
    assert not entry.accepts(replace(FINDING, impact=Impact.WORDING), Version(1, 0, 0))
    assert not entry.accepts(replace(FINDING, after=5), Version(1, 0, 0))
    # At the same place of a list another thing may have stood.
    assert not entry.accepts(replace(FINDING, before={"a": 1}), Version(1, 0, 0))


def test_the_lines_that_accept_a_finding(tmp_path: Path) -> None:
    """With a reason, they are an entry that accepts it, whatever the value is."""
    for value in (None, 5, 'a "b" \\ é', {"b": [None], "a": "x" * 300}):
        finding = replace(FINDING, before=value, after=value)
        path = tmp_path / "accepted.toml"
        lines = "\n".join(entry_for(finding, "1.0.0"))
        path.write_text(lines.replace('reason = ""', 'reason = "It was never filled."'))

        (entry,) = read(path)
        assert entry.accepts(finding, Version(1, 0, 0))
        assert max(map(len, lines.splitlines())) < 150


def test_since_is_the_oldest_baseline(tmp_path: Path) -> None:
    """It holds against newer baselines, and not against older ones."""
    (entry,) = read(write(tmp_path, {**GOOD, "since": "1.1.0"}))

    assert [entry.accepts(FINDING, version) for version in VERSIONS] == [False, True]


def test_without_a_file_nothing_is_accepted(tmp_path: Path) -> None:
    """It need not be there; nor need it have an entry."""
    assert read(tmp_path / "accepted.toml") == []
    assert read(write(tmp_path)) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"owner": "me"},
            "entry 1: owner is unknown; it has rule, document, pointer, ",
        ),
        ({"rule": "no-such-rule"}, "entry 1: there is no rule 'no-such-rule'."),
        ({"rule": "*"}, "entry 1: rule must name one; there are no wildcards."),
        ({"document": "dtos/*"}, "entry 1: document must name one; there are no wild"),
        ({"since": "*"}, "entry 1: since must name one; there are no wildcards."),
        ({"pointer": "/properties/*"}, "entry 1: pointer must name one place; there"),
        ({"pointer": "/a/**"}, "entry 1: pointer must name one place; there are no"),
        (
            {"pointer": "properties"},
            "entry 1: pointer: 'properties' is no JSON Pointer",
        ),
        ({"since": "1"}, "entry 1: since: a version is three numbers such as 1.2.0"),
        ({"since": "3.0.0"}, "entry 1: since: there is no release 3.0.0."),
        ({"reason": "because"}, "entry 1: reason must say why in a few words."),
        ({"reason": "  "}, "entry 1: reason must say why in a few words."),
        ({"reason": 1}, "entry 1: reason must be text."),
    ],
)
def test_a_bad_entry(tmp_path: Path, change: dict[str, object], message: str) -> None:
    """One line names the entry and what is wrong with it."""
    path = write(tmp_path, {**GOOD, **change})

    with pytest.raises(AcceptedError, match=re.escape(f"{path}: {message}")) as caught:
        read(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", GOOD)
def test_every_key_must_be_there(tmp_path: Path, key: str) -> None:
    """Nothing is taken for granted."""
    table = {k: v for k, v in GOOD.items() if k != key}

    with pytest.raises(AcceptedError, match=f"entry 1: {key} is missing."):
        read(write(tmp_path, dict(table)))


def test_twice(tmp_path: Path) -> None:
    """The second one would never accept anything."""
    twin = {**GOOD, "reason": "Nobody reads it."}

    with pytest.raises(AcceptedError, match="entry 2: it stands there twice"):
        read(write(tmp_path, dict(GOOD), dict(twin)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[accepted]", "is no TOML"),
        ("[accepted]\nrule = 'x'", "write [[accepted]], with two brackets."),
        ("accepted = [1]", "entry 1: it must be a table."),
        ("[[accept]]", "accept is unknown; the file holds [[accepted]] only."),
        ("\xff", "is no TOML"),
    ],
)
def test_a_bad_file(tmp_path: Path, text: str, message: str) -> None:
    """One line names the file and what is wrong with it."""
    path = tmp_path / "accepted.toml"
    path.write_text(text, encoding="latin-1")

    with pytest.raises(AcceptedError, match=re.escape(message)) as caught:
        read(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    """What can't be read is said to be so."""
    with pytest.raises(AcceptedError, match="can't be read: Is a directory"):
        read(tmp_path)

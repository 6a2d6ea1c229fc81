"""The table of changes in contracts/README.md."""

from __future__ import annotations

from itertools import zip_longest

import pytest

from tools.contracts.compat.tests.all_changes import CHANGES
from tools.contracts.compat.tests.changes_table import (
    BEGIN,
    COMMAND,
    END,
    README,
    table,
    written,
)


def test_the_table_is_that_of_the_data() -> None:
    """The first line that differs is shown, with the command that writes it anew."""
    text = README.read_text("utf-8")
    pairs = zip_longest(text.splitlines(), written(text).splitlines())
    differing = [(has, should) for has, should in pairs if has != should]

    assert differing[:1] == [], f"Run {COMMAND}"
    assert text == written(text)


def test_each_change_has_a_row_of_eight_cells() -> None:
    """A bar in a cell would make another column of it."""
    rows = [line for line in table().splitlines() if line.startswith("| ")]
    cells = {line.count(" | ") for line in rows}

    assert cells == {7}
    for change in CHANGES:
        assert f"| {change.words} |" in table(), change.words


def test_every_cell_of_others_says_something() -> None:
    """Nobody has to guess what an empty one would mean."""
    for change in CHANGES:
        assert all((change.buf, change.confluent, change.asyncapi)), change.words


@pytest.mark.parametrize(
    "text", ["", BEGIN, END, f"{END} {BEGIN}", f"{BEGIN} {END} {BEGIN}"]
)
def test_a_readme_without_its_markers_is_refused(text: str) -> None:
    """Nothing is written over what people wrote."""
    with pytest.raises(ValueError, match=r"contracts/README\.md must have"):
        written(text)


def test_what_people_wrote_stays() -> None:
    """Before the table and behind it."""
    found = written(f"before {BEGIN} stale {END} behind")

    assert found.startswith(f"before {BEGIN}\n")
    assert found.endswith(f"\n{END} behind")
    assert " stale " not in found

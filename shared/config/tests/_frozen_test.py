from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.config._frozen import FrozenMap

MAPS = st.dictionaries(st.text(), st.integers())


@given(items=MAPS)
def test_is_the_mapping_it_was_made_of(items: dict[str, int]) -> None:
    """It compares with any mapping, and its copies are equal and hash alike."""
    frozen = FrozenMap(items)

    assert frozen == items
    assert len(frozen) == len(items)
    for twin in (copy.deepcopy(frozen), pickle.loads(pickle.dumps(frozen))):
        assert (twin, hash(twin)) == (frozen, hash(frozen))


def test_later_changes_of_the_original_do_not_show() -> None:
    """It is a copy."""
    items = {"a": 1}
    frozen = FrozenMap(items)
    items["a"] = 2

    assert frozen["a"] == 1


def test_does_not_change() -> None:
    """There is no way to set a key, for the type checker and at run time."""
    frozen = FrozenMap({"b": 1, "a": 2})

    with pytest.raises(TypeError, match="does not support item assignment"):
        frozen["a"] = 3  # type: ignore[index]
    assert repr(frozen) == "{'a': 2, 'b': 1}"

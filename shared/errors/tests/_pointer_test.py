from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors._pointer import json_pointer, split_json_pointer

# RFC 6901, section 5: the document and the pointers to its members.
RFC_DOCUMENT: dict[str, Any] = {
    "foo": ["bar", "baz"],
    "": 0,
    "a/b": 1,
    "c%d": 2,
    "e^f": 3,
    "g|h": 4,
    "i\\j": 5,
    'k"l': 6,
    " ": 7,
    "m~n": 8,
}
RFC_POINTERS = ["/", "/a~1b", "/c%d", "/e^f", "/g|h", "/i\\j", '/k"l', "/ ", "/m~0n"]


@pytest.mark.parametrize(
    ("pointer", "value"), list(zip(RFC_POINTERS, range(9), strict=True))
)
def test_pointers_of_the_rfc_lead_to_their_members(pointer: str, value: int) -> None:
    """Every example of RFC 6901 names the member that the RFC says it names."""
    (token,) = split_json_pointer(pointer)

    assert RFC_DOCUMENT[token] == value
    assert json_pointer(token) == pointer


def test_whole_document_is_the_empty_pointer() -> None:
    """No tokens mean the whole document, which the RFC writes as nothing at all."""
    assert json_pointer() == ""
    assert split_json_pointer("") == ()


def test_index_is_written_as_a_token() -> None:
    """An index into an array is a token like any other."""
    assert json_pointer("lines", 0, "sku") == "/lines/0/sku"


@given(tokens=st.lists(st.text(st.characters(), max_size=20)))
def test_split_undoes_join(tokens: list[str]) -> None:
    """Any names, also with slashes and tildes in them, come back as they were."""
    assert split_json_pointer(json_pointer(*tokens)) == tuple(tokens)


@pytest.mark.parametrize("pointer", ["foo", "#/foo", "/a~", "/a~2", "/~~0", "a/b"])
def test_malformed_pointer_is_refused(pointer: str) -> None:
    """What RFC 6901's grammar does not allow is an error, not a guess."""
    with pytest.raises(ValueError, match="JSON Pointer is empty or /token"):
        split_json_pointer(pointer)

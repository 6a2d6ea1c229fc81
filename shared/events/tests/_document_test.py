"""Strict reading of JSON text."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.events._document import member_texts, read_object
from shared.events._errors import EventFormatError, FormatIssue
from shared.events.tests.strategies import json_values, texts


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        ('{"a":1,"a":1}', "/a"),
        ('{"a":1,"b":2,"\\u0061":3}', "/a"),
        ('{"a":[{"b":1},{"c":1,"c":2}]}', "/a/1/c"),
        ('{"a":{"b":{"":1,"":2}}}', "/a/b/"),
        ('{"a/b":{"c~d":1,"c~d":2}}', "/a~1b/c~0d"),
        ('{"unused":[0,1.5],"a":{},"a":{}}', "/a"),
    ],
)
def test_a_member_that_occurs_twice_is_found(text: str, pointer: str) -> None:
    """Two readers may each believe another of the two."""
    with pytest.raises(EventFormatError, match="duplicate_member") as caught:
        read_object(text.encode())
    assert caught.value.issues == (FormatIssue(pointer, "duplicate_member"),)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"nonsense",
        b"{}{}",
        b"{'a':1}",
        b'{"a":1,}',
        b'{"a":01}',
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":"\xff"}',
        b'{"a":"\xed\xa0\x80"}',
        b'{"a":"\\ud800"}',
        b'{"\\udc00":1}',
        b'{"a":"\x01"}',
        b'\xef\xbb\xbf{"a":1}',
        '{"a":1}'.encode("utf-16"),
        b'{"a":' + b"[" * 300 + b"]" * 300 + b"}",
        b'{"a":' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_no_json_is_refused(data: bytes) -> None:
    """RFC 8259, in UTF-8, within the bounds of the parser."""
    with pytest.raises(EventFormatError, match="json_invalid"):
        read_object(data)


@pytest.mark.parametrize("data", [b"[]", b"1", b'"{}"', b"null", b"[{}]"])
def test_what_is_no_object_is_refused(data: bytes) -> None:
    """An envelope is an object."""
    with pytest.raises(EventFormatError, match="model_type"):
        read_object(data)


objects = st.dictionaries(texts, json_values, max_size=4)
styles: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"indent": st.none() | st.integers(0, 2), "ensure_ascii": st.booleans()}
)


@settings(max_examples=100, deadline=None)
@given(value=objects, style=styles)
def test_valid_objects_are_read_whole(value: dict[str, Any], style: Any) -> None:
    """However an object is written, it is read as the standard library does."""
    text = json.dumps(value, **style)

    assert read_object(text.encode()) == json.loads(text)


@settings(max_examples=100, deadline=None)
@given(value=objects, style=styles)
def test_member_texts_are_the_members(value: dict[str, Any], style: Any) -> None:
    """Each text is that member's value, in the very characters of the document."""
    text = json.dumps(value, **style)
    members = member_texts(f" {text}\n")

    assert {name: json.loads(part) for name, part in members.items()} == value
    assert all(part in text for part in members.values())


def test_member_texts_keep_what_python_would_change() -> None:
    """Numbers keep digits and form, which is why texts are taken at all."""
    text = '{ "a" : 1.10 , "b" : -0,"c":1e400,"d":"\\u0041" }'

    assert member_texts(text) == {
        "a": "1.10",
        "b": "-0",
        "c": "1e400",
        "d": '"\\u0041"',
    }

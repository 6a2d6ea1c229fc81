from __future__ import annotations

import json
from base64 import urlsafe_b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.auth._strict import (
    MalformedError,
    decode_base64url,
    encode_base64url,
    load_object,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=10,
)


@settings(deadline=None)
@given(st.binary(max_size=40))
def test_base64url_round_trip(raw: bytes) -> None:
    """What the encoder writes, as the standard library's does, the decoder reads."""
    text = encode_base64url(raw)

    assert text == urlsafe_b64encode(raw).rstrip(b"=")
    assert decode_base64url(text) == raw


@settings(deadline=None, max_examples=400)
@given(
    st.text(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/= \n!\x00",
        max_size=9,
    )
)
def test_only_one_text_decodes_to_given_bytes(text: str) -> None:
    """A text is read only if it is the very one that encoding gives back."""
    written = text.encode()
    try:
        raw = decode_base64url(written)
    except MalformedError:
        return

    assert encode_base64url(raw) == written


@pytest.mark.parametrize(
    "text",
    [
        b"A",  # six bits are no byte
        b"QQ==",
        b"QUI=",
        b"QR",  # the last four bits encode nothing
        b"QUJ",  # the last two
        b"QU I",
        b"QUI\n",
        b"Q+8A",  # the standard alphabet
        b"Q/8A",
        b"QUI!QUI",
        "QUé".encode(),
        "QUéI".encode(),
    ],
)
def test_base64url_that_no_encoder_writes(text: bytes) -> None:
    """Padding, white space, foreign characters and stray bits are refused."""
    with pytest.raises(MalformedError, match=r"^not canonical base64url$"):
        decode_base64url(text)


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=3), JSON, max_size=4), st.booleans())
def test_reads_json_as_the_standard_library_does(
    value: dict[str, object], ascii_only: bool
) -> None:
    """An object that a JSON writer made comes back unchanged."""
    raw = json.dumps(value, ensure_ascii=ascii_only).encode()

    assert load_object(raw) == value


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "not JSON"),
        (b"[]", "not a JSON object"),
        (b'"text"', "not a JSON object"),
        (b"{} {}", "text after the JSON value"),
        (b"{}x", "text after the JSON value"),
        (b"\xef\xbb\xbf{}", "not JSON"),  # a byte order mark
        ('{"a":1}'.encode("utf-16"), "not JSON"),
        (b'{"a":"\xff"}', "not JSON"),
        (b'{"a":1,}', "not JSON"),
        (b'{"a":"\n"}', "not JSON"),
        (b'{"a":1,"a":1}', "a JSON member is given twice"),
        (b'{"a":1,"\\u0061":2}', "a JSON member is given twice"),
        (b'{"a":{"b":[{"c":1,"c":2}]}}', "a JSON member is given twice"),
        (b'{"a":NaN}', "NaN is not JSON"),
        (b'{"a":-Infinity}', "-Infinity is not JSON"),
        (b'{"a":1e999}', "an infinite number"),
        (b'{"a":%s}' % (b"9" * 5000), "not JSON"),
        (b'{"a":"\\ud800"}', "a lone surrogate"),
        (b'{"\\udfff":1}', "a lone surrogate"),
        (b'{"a":%s%s}' % (b"[" * 16, b"]" * 16), "nested too deep"),
        (b'{"a":' * 17 + b"1" + b"}" * 17, "nested too deep"),
        (b'{"a":%s%s}' % (b"[" * 5000, b"]" * 5000), "not JSON|nested too deep"),
    ],
)
def test_json_that_two_readers_may_read_differently(raw: bytes, reason: str) -> None:
    """What JSON readers disagree about, or choke on, is refused."""
    with pytest.raises(MalformedError, match=reason):
        load_object(raw)


def test_depth_is_counted_not_brackets() -> None:
    """Sixteen levels and any number of brackets beside each other are fine."""
    assert load_object(b'{"a":%s%s}' % (b"[" * 15, b"]" * 15))["a"]
    assert load_object(b'{"a":[%s]}' % b",".join([b"{}"] * 50))["a"] == [{}] * 50


def test_json_white_space_and_escapes_are_fine() -> None:
    """White space around tokens and paired surrogates are ordinary JSON."""
    assert load_object(b' {\r\n\t"a" : "\\ud83d\\ude00" }\n') == {"a": "\U0001f600"}

"""Base64url and JSON, each read in one form only: no two texts mean the same bytes.

Private: used by the modules of ``shared.auth``.
"""

from __future__ import annotations

import json
from binascii import Error as BinasciiError
from binascii import a2b_base64, b2a_base64
from math import isfinite

# The standard alphabet's own characters become ones that no alphabet has.
_TO_STANDARD = bytes.maketrans(b"-_+/=", b"+/!!!")
_TO_URL = bytes.maketrans(b"+/", b"-_")
_PADDING = (b"", b"", b"==", b"=")
# The last character of a text of 2 or 3 over a multiple of 4 has 4 or 2 stray bits.
_CLEAN_ENDS = (b"", b"", b"AQgw", b"AEIMQUYcgkosw048")
_MAX_DEPTH = 16


class MalformedError(ValueError):
    """A text is not the base64url or JSON it should be. The message quotes no input."""


def encode_base64url(raw: bytes) -> bytes:
    """Return *raw* as base64url without padding (RFC 7515 section 2)."""
    return b2a_base64(raw, newline=False).translate(_TO_URL).rstrip(b"=")


def decode_base64url(text: bytes) -> bytes:
    """Return the bytes that *text* encodes; refuse what no encoder writes.

    Raises:
        MalformedError: It has padding, characters of no or another alphabet, or bits
            set that encode nothing.
    """
    over = len(text) & 3
    try:
        if over and text[-1] not in _CLEAN_ENDS[over]:
            raise BinasciiError
        return a2b_base64(
            text.translate(_TO_STANDARD) + _PADDING[over], strict_mode=True
        )
    except BinasciiError:
        raise MalformedError("not canonical base64url") from None


def load_object(raw: bytes) -> dict[str, object]:
    """Return the JSON object in *raw*, UTF-8.

    Raises:
        MalformedError: For anything else, a member given twice, ``NaN``, an infinite
            number, an integer of thousands of digits, a lone surrogate, nesting deeper
            than 16.
    """
    try:
        text = raw.decode().strip(" \t\r\n")
        value, end = _DECODER.raw_decode(text)
    except MalformedError:
        raise
    except (ValueError, RecursionError):
        # from None: a decode error carries the whole text.
        raise MalformedError("not JSON") from None
    if end != len(text):
        raise MalformedError("text after the JSON value")
    if type(value) is not dict:
        raise MalformedError("not a JSON object")
    if raw.count(b"{") + raw.count(b"[") > _MAX_DEPTH:
        _refuse_deep(value)
    if "\\u" in text:
        _refuse_lone_surrogates(value)
    return value


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise MalformedError("a JSON member is given twice")
    return members


def _real(digits: str) -> float:
    number = float(digits)
    if not isfinite(number):
        raise MalformedError("an infinite number")
    return number


def _constant(name: str) -> float:
    raise MalformedError(f"{name} is not JSON")


def _refuse_deep(value: object) -> None:
    level = [value]
    for _ in range(_MAX_DEPTH):
        level = [
            child
            for parent in level
            if isinstance(parent, dict | list)
            for child in (parent.values() if isinstance(parent, dict) else parent)
        ]
    if any(isinstance(child, dict | list) for child in level):
        raise MalformedError("nested too deep")


def _refuse_lone_surrogates(value: object) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise MalformedError("a lone surrogate") from None


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_float=_real, parse_constant=_constant
)

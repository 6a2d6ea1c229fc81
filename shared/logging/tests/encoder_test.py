"""The contract of encoders, for each of them."""

from __future__ import annotations

import datetime
import json
import logging
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.logging import Encoder, JsonFormatter, json_encoder
from shared.logging.orjson import orjson_encoder

TEXTS = st.text(st.characters(), max_size=20)
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda children: (
        st.lists(children, max_size=4)
        | st.dictionaries(st.text(max_size=5), children, max_size=4)
    ),
    max_leaves=10,
)
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | TEXTS
    | st.binary(max_size=20)
    | st.datetimes(timezones=st.just(datetime.UTC))
    | st.uuids()
    | st.decimals(),
    lambda children: (
        st.lists(children, max_size=4)
        | st.tuples(children, children)
        | st.dictionaries(TEXTS | st.integers() | st.none(), children, max_size=4)
    ),
    max_leaves=10,
)


RECORD = {*vars(logging.makeLogRecord({})), "message", "asctime"}
NAMES = TEXTS.filter(lambda name: name not in RECORD)
both = pytest.mark.parametrize("encoder", [json_encoder, orjson_encoder])


@both
@settings(deadline=None, max_examples=60)
@given(fields=st.dictionaries(st.text(max_size=5), PLAIN))
def test_plain_json_goes_through(encoder: Encoder, fields: dict[str, object]) -> None:
    """Plain values come back from one line of UTF-8 as they went in."""
    line = encoder(fields)

    assert json.loads(line.decode("utf-8")) == fields
    assert b"\n" not in line


@both
def test_a_lone_surrogate_is_refused(encoder: Encoder) -> None:
    """It has no UTF-8, and what stands in for it is for the formatter to say."""
    with pytest.raises((UnicodeEncodeError, TypeError), match="surrogates"):
        encoder({"a": "\ud800"})


@settings(deadline=None, max_examples=100)
@given(msg=TEXTS, extra=st.dictionaries(NAMES, ANYTHING, max_size=4))
def test_both_encoders_say_the_same(msg: str, extra: dict[str, Any]) -> None:
    """Any record is the same object, whichever encoder made the line."""
    record = logging.makeLogRecord({"msg": msg, "exc_text": msg} | extra)
    record.created = 1767225599.5

    line = JsonFormatter(encoder=orjson_encoder).render(record)
    standard = JsonFormatter(encoder=json_encoder).render(record)

    assert json.loads(line) == json.loads(standard)


def test_nan_is_refused() -> None:
    """It is not JSON, whatever Python's own default says."""
    with pytest.raises(ValueError, match="Out of range float"):
        json_encoder({"a": math.nan})


def test_text_is_not_escaped_to_ascii() -> None:
    """A line is UTF-8: half the size, and readable."""
    fields: dict[str, object] = {"a": "\u00e9\u2028\U0001f600"}

    assert json_encoder(fields) == orjson_encoder(fields)
    assert json_encoder(fields) == '{"a":"\u00e9\u2028\U0001f600"}'.encode()

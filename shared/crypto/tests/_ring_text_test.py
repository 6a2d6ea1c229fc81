from __future__ import annotations

import re
from base64 import b64encode, urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.crypto._errors import InvalidKeyError
from shared.crypto._ring_text import check_distinct, parse_ring

IDS = st.from_regex(r"[A-Za-z0-9._-]{1,32}", fullmatch=True)
OUR_WORDS = {
    "",
    "Ring, entry, must be base64 with its padding (value hidden).",
    "Ring, entry, has no id: in a ring of several, write id:base64.",
    "Ring, entry, has the id of an earlier entry.",
    (
        "Ring, entry, needs an id of 1 to 32 letters, digits, '.', '_' and '-' "
        "(value hidden)."
    ),
}
# Nothing is no key, so no base64 of it is read.
KEYS = st.binary(min_size=1, max_size=80)


@given(keys=st.dictionaries(IDS, KEYS, min_size=1, max_size=5), safe=st.booleans())
def test_round_trip(keys: dict[str, bytes], safe: bool) -> None:
    """A ring is read as it was written, in its order, in either alphabet."""
    encode = {True: urlsafe_b64encode, False: b64encode}[safe]
    text = ",".join(f"{key_id}:{encode(key).decode()}" for key_id, key in keys.items())

    assert list(parse_ring(text, what="Ring").items()) == list(keys.items())


@given(key=KEYS)
def test_one_bare_key_gets_the_first_id(key: bytes) -> None:
    """What stood in the setting before rings is a ring of one."""
    text = b64encode(key).decode()

    assert parse_ring(text, what="Ring") == {"k1": key}
    assert parse_ring(text, what="Ring", first_id="p1") == {"p1": key}


def test_spaces_and_a_line_end_are_no_part_of_a_key() -> None:
    """A secret file ends with a line end, and people put blanks behind commas."""
    assert parse_ring(" b:AQID, a:BAUG\n", what="Ring") == {
        "b": b"\1\2\3",
        "a": b"\4\5\6",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Ring, entry 1 of 1, must be base64 with its padding (value hidden)."),
        ("AQI", "Ring, entry 1 of 1, must be base64"),
        ("AQ I", "Ring, entry 1 of 1, must be base64"),
        ("A===", "Ring, entry 1 of 1, must be base64"),
        ("+_AA", "Ring, entry 1 of 1, must be base64"),
        ("AQIé", "Ring, entry 1 of 1, must be base64"),
        ("k1:AQID,AQID", "Ring, entry 2 of 2, has no id"),
        ("k1:AQID,", "Ring, entry 2 of 2, has no id"),
        ("k1:AQID,k1:BAUG", "Ring, entry 2 of 2, has the id of an earlier entry."),
        (":AQID", "Ring, entry 1 of 1, needs an id of 1 to 32 letters"),
        ("k 1:AQID", "Ring, entry 1 of 1, needs an id"),
        ("a:b:AQID", "Ring, entry 1 of 1, needs an id"),
        ("é:AQID", "Ring, entry 1 of 1, needs an id"),
        ("k" * 33 + ":AQID", "Ring, entry 1 of 1, needs an id"),
    ],
)
def test_a_malformed_ring_names_entry_and_rule(text: str, message: str) -> None:
    """The reader learns which entry breaks which rule."""
    with pytest.raises(InvalidKeyError, match=re.escape(message)):
        parse_ring(text, what="Ring")


@given(text=st.text(alphabet="ABCkey012+/_-=:, \né"))
def test_no_message_quotes_the_setting(text: str) -> None:
    """Whatever is wrong, the words are ours: an id may be a misplaced key."""
    message = ""
    try:
        parse_ring(text, what="Ring")
    except InvalidKeyError as error:
        message = re.sub(r"entry \d+ of \d+", "entry", str(error))

    assert message in OUR_WORDS


def test_one_key_under_two_ids() -> None:
    """A rotation to the same key is none."""
    check_distinct({"k2": b"b", "k1": b"a"}, what="Ring")
    with pytest.raises(InvalidKeyError, match=r"Ring: two ids have the same key\."):
        check_distinct({"k2": b"a", "k1": b"a"}, what="Ring")

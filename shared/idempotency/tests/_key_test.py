from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.idempotency import (
    MAX_KEY_LENGTH,
    IdempotencyKeyInvalidException,
    fingerprint,
    parse_idempotency_key,
)
from shared.idempotency._key import digest

PRINTABLE = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=255
)


@given(key=PRINTABLE)
def test_every_structured_string_comes_back(key: str) -> None:
    """RFC 8941, section 3.3.3: printable ASCII, with quote and backslash escaped."""
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')

    assert parse_idempotency_key([f'"{escaped}"']) == key


@pytest.mark.parametrize(
    ("field", "key"),
    [
        (
            '"8e03978e-40d5-43e8-bc93-6894a57f9324"',
            "8e03978e-40d5-43e8-bc93-6894a57f9324",
        ),
        (
            "8e03978e-40d5-43e8-bc93-6894a57f9324",
            "8e03978e-40d5-43e8-bc93-6894a57f9324",
        ),
        ("clkyoesmbgybucifusbbtdsbohtyuuwz", "clkyoesmbgybucifusbbtdsbohtyuuwz"),
        (' \t"a b" ', "a b"),
        ('"a";v=1', "a"),
        ('"a" ; v ; w="x;\\"y" ;z=?1', "a"),
        ("order:2026/17+x==", "order:2026/17+x=="),
    ],
)
def test_what_clients_send_is_read(field: str, key: str) -> None:
    """The examples of the draft, Stripe's plain form, parameters to be ignored."""
    assert parse_idempotency_key([field]) == key


@pytest.mark.parametrize(
    "field",
    [
        '"',
        '"a',
        'a"',
        '"a" "b"',
        '"a", "b"',
        "a, b",
        "a b",
        "a;b",
        '"a\\b"',
        '"\u00e9"',
        "\u00e9",
        '"a\tb"',
        "\x00",
        '"a";V=1',
        '"a";',
    ],
)
def test_what_is_no_string_is_refused(field: str) -> None:
    """With a sentence that does not repeat it."""
    with pytest.raises(
        IdempotencyKeyInvalidException, match='must be a string of ASCII, as in "8e0'
    ):
        parse_idempotency_key([field])


@pytest.mark.parametrize("field", ['""', '"' + 256 * "a" + '"', 256 * "a"])
def test_length_is_bounded(field: str) -> None:
    """A key is at least one and at most 255 characters."""
    with pytest.raises(IdempotencyKeyInvalidException, match="1 to 255 characters"):
        parse_idempotency_key([field])


def test_an_empty_header_is_refused() -> None:
    """It is no structured field at all."""
    with pytest.raises(IdempotencyKeyInvalidException, match="must be a string"):
        parse_idempotency_key([""])


def test_the_longest_key_is_read() -> None:
    """The bound itself is inside, whatever escapes it takes to write it."""
    field = '"' + MAX_KEY_LENGTH * '\\"' + '"'

    assert parse_idempotency_key([field]) == MAX_KEY_LENGTH * '"'


@pytest.mark.parametrize("fields", [[], ["a", "a"]])
def test_one_header_it_is(fields: list[str]) -> None:
    """Two might be read by two servers in two ways."""
    with pytest.raises(IdempotencyKeyInvalidException, match="not several"):
        parse_idempotency_key(fields)


PARTS = st.tuples(st.text(), st.text(), st.binary(), st.binary())


@given(one=PARTS, other=PARTS)
def test_requests_differ_in_their_fingerprint(
    one: tuple[str, str, bytes, bytes], other: tuple[str, str, bytes, bytes]
) -> None:
    """Exactly the same parts give the same one, also moved over their border."""
    same = (one[0].upper(), *one[1:]) == (other[0].upper(), *other[1:])

    assert (fingerprint(*one) == fingerprint(*other)) is same


def test_a_part_can_not_run_over_into_the_next() -> None:
    """Each is hashed with its length."""
    assert digest("a", "bc") != digest("ab", "c")
    assert digest("a") != digest("a", "")


def test_a_path_of_anything_has_a_fingerprint() -> None:
    """A lone surrogate does not make a 500."""
    assert fingerprint("POST", "/\ud800", "", b"") != fingerprint("POST", "/", "", b"")

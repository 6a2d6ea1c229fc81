from __future__ import annotations

import base64
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from pydantic_core import PydanticCustomError

from shared.config._keys import (
    check_aes_keys,
    check_log_level,
    check_peppers,
    check_service_name,
    check_signing_key,
    is_guessable,
)

KEYS = st.binary(min_size=32, max_size=32)
IDS = st.text("abcXYZ019._-", min_size=1, max_size=32)


def b64(key: bytes) -> str:
    return base64.b64encode(key).decode()


@given(keys=st.dictionaries(IDS, KEYS, min_size=1, max_size=4), url_safe=st.booleans())
def test_rings(keys: dict[str, bytes], url_safe: bool) -> None:
    """Any number of named keys is a ring, in both alphabets, if they all differ."""
    names = {key: name for name, key in keys.items()}
    altchars = {True: b"-_", False: b"+/"}[url_safe]
    ring = SecretStr(
        ", ".join(
            f"{name}:{base64.b64encode(key, altchars).decode()}"
            for key, name in names.items()
        )
    )

    assert check_aes_keys(ring) is ring
    assert check_peppers(ring) is ring


def test_one_bare_aes_key() -> None:
    """AES_KEY as the spec has it: 32 bytes in base64."""
    key = SecretStr(b64(bytes(range(32))))

    assert check_aes_keys(key) is key
    assert check_peppers(key) is key


ONE, TWO = b64(bytes(range(32))), b64(bytes(range(1, 33)))


@pytest.mark.parametrize(
    ("ring", "rule"),
    [
        (b64(bytes(16)), "Key 1 is not 32 bytes"),
        (f"k2:{ONE},k1:{b64(bytes(31))}", "Key 2 is not 32 bytes"),
        (f"{ONE},{TWO}", "Entry 1 has no id"),
        (f"k1:{ONE},k1:{TWO}", "Entry 2 needs an id of its own"),
        (f"a b:{ONE}", "Entry 1 needs an id of its own"),
        (f":{ONE}", "Entry 1 needs an id of its own"),
        (f"{'i' * 33}:{ONE}", "Entry 1 needs an id of its own"),
        (f"k2:{ONE},k1:{ONE}", "Two ids have the same key"),
        (f"k1:{ONE[:-1]}", "Entry 1 is not base64"),
        ("k1:not base64!", "Entry 1 is not base64"),
        (f"k1:{ONE},", "Entry 2 has no id"),
        ("k1:", "Entry 1 is not base64"),
    ],
)
def test_broken_ring(ring: str, rule: str) -> None:
    """The entry is named by its number, as its id may be a misplaced key."""
    with pytest.raises(PydanticCustomError, match=rule) as caught:
        check_aes_keys(SecretStr(ring))

    assert ONE not in str(caught.value)


@pytest.mark.parametrize(
    ("ring", "rule"),
    [
        (f"{ONE},p1:{TWO}", "Entry 1 has no id"),
        (f"p1:{b64(bytes(31))}", "Pepper 1 has fewer than 32"),
    ],
)
def test_broken_peppers(ring: str, rule: str) -> None:
    """Of several each has an id; none has fewer bits than SHA-256."""
    with pytest.raises(PydanticCustomError, match=rule):
        check_peppers(SecretStr(ring))


def test_signing_key_is_measured_in_bytes() -> None:
    """32 bytes are enough, 31 are not, and letters may have several."""
    for key in (SecretStr("k" * 32), SecretStr("é" * 16)):
        assert check_signing_key(key) is key
    with pytest.raises(PydanticCustomError, match="Must have 32 or more bytes"):
        check_signing_key(SecretStr("k" * 31))


@pytest.mark.parametrize(
    "key", ["please-change-me-" * 3, "0123456789" + "1" * 30 + "example", "ab" * 20]
)
def test_guessable(key: str) -> None:
    """Placeholders and patterns are what attackers try first."""
    assert is_guessable(SecretStr(key))


def test_random_keys_are_not_guessable() -> None:
    """What the advice of the message makes passes."""
    assert not any(is_guessable(SecretStr(secrets.token_hex(32))) for _ in range(100))
    assert not is_guessable(SecretStr(b64(secrets.token_bytes(48))))


@pytest.mark.parametrize("name", ["a", "subject-service", "s3", "a" * 63, "a-1-b"])
def test_service_names(name: str) -> None:
    """DNS labels are names of services."""
    assert check_service_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "Subject", "a_b", "-a", "a-", "a--b", "1a", "a" * 64, "a\n", "ä", "a.b"],
)
def test_no_service_names(name: str) -> None:
    """Anything else is none, as a container or a host can't be called so."""
    with pytest.raises(PydanticCustomError, match="begins with a letter"):
        check_service_name(name)


def test_log_levels() -> None:
    """Any case, and only the five of the standard library."""
    assert check_log_level("debug") == "DEBUG"
    with pytest.raises(PydanticCustomError, match="Must be one of DEBUG, INFO"):
        check_log_level("TRACE")

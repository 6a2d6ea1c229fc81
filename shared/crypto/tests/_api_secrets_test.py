from __future__ import annotations

import hashlib
import hmac
import pickle
import re
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.crypto._api_secrets import (
    PepperRing,
    api_secret_needs_rehash,
    hash_api_secret,
    verify_api_secret,
)
from shared.crypto._errors import InvalidKeyError, StoredHashError

P1, P2 = bytes(range(32)), bytes(range(32, 64))
BEFORE = PepperRing({"p1": P1})
DURING = PepperRing({"p2": P2, "p1": P1})
AFTER = PepperRing({"p2": P2})
SECRET = "cfk_live_0123456789ABCDEF_" + "x" * 49

secrets = st.text(
    alphabet=st.characters(min_codepoint=33, max_codepoint=126), min_size=43
)


@given(secret=secrets, other=st.text())
def test_round_trip(secret: str, other: str) -> None:
    """A secret fits its hash, and no other text does."""
    stored = hash_api_secret(secret, peppers=BEFORE)

    assert verify_api_secret(secret, stored, peppers=BEFORE) is True
    assert verify_api_secret(secret, stored, peppers=DURING) is True
    assert verify_api_secret(other, stored, peppers=BEFORE) is (other == secret)


def test_the_layout() -> None:
    """Any language can make the hash: HMAC-SHA256 with the pepper as its key."""
    digest = hmac.new(P2, SECRET.encode(), hashlib.sha256).hexdigest()

    assert hash_api_secret(SECRET, peppers=DURING) == f"hmac-sha256$p2${digest}"


def test_every_character_of_a_hash_counts() -> None:
    """A changed hash fits nothing, or is none."""
    stored = hash_api_secret(SECRET, peppers=DURING)
    start = stored.rindex("$") + 1

    for place in range(start, len(stored)):
        other = "0123456789abcdef".replace(stored[place], "")[0]
        changed = stored[:place] + other + stored[place + 1 :]
        assert verify_api_secret(SECRET, changed, peppers=DURING) is False
    for place in range(start):
        changed = stored[:place] + "\n" + stored[place + 1 :]
        with pytest.raises(StoredHashError, match="must be hmac-sha256"):
            verify_api_secret(SECRET, changed, peppers=DURING)


def test_rotation() -> None:
    """Old hashes fit until their pepper is dropped, and can be told from new ones."""
    old = hash_api_secret(SECRET, peppers=BEFORE)
    new = hash_api_secret(SECRET, peppers=DURING)

    assert verify_api_secret(SECRET, old, peppers=DURING) is True
    assert api_secret_needs_rehash(old, peppers=DURING) is True
    assert api_secret_needs_rehash(new, peppers=DURING) is False
    assert verify_api_secret(SECRET, new, peppers=AFTER) is True


def test_a_pepper_that_was_dropped_too_early() -> None:
    """Nobody's key fits any more: an error, so that somebody hears of it."""
    old = hash_api_secret(SECRET, peppers=BEFORE)

    with pytest.raises(
        StoredHashError, match=r"made with pepper 'p1', which is not in the ring\."
    ):
        verify_api_secret(SECRET, old, peppers=AFTER)


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "hunter2",
        "hmac-sha256$p1$" + "0" * 63,
        "hmac-sha256$p1$" + "0" * 65,
        "hmac-sha256$p1$" + "A" * 64,
        "hmac-sha256$p1$" + "0" * 64 + "\n",
        "hmac-sha256$$" + "0" * 64,
        "sha256$p1$" + "0" * 64,
        "$2b$12$" + "a" * 53,
    ],
)
def test_a_stored_hash_that_is_none(stored: str) -> None:
    """A column that was cut off is an error, not a wrong secret."""
    with pytest.raises(StoredHashError, match=r"must be hmac-sha256\$<pepper id>"):
        verify_api_secret(SECRET, stored, peppers=BEFORE)
    with pytest.raises(StoredHashError, match=r"digits> \(value hidden\)\."):
        api_secret_needs_rehash(stored, peppers=BEFORE)


@pytest.mark.parametrize("secret", ["", "hunter2", "x" * 42, "é" * 43])
def test_a_secret_that_can_be_guessed(secret: str) -> None:
    """A fast hash is for random secrets only; a password goes to hash_password."""
    with pytest.raises(ValueError, match="must be at least 43 random ASCII") as caught:
        hash_api_secret(secret, peppers=BEFORE)

    assert "hunter2" not in str(caught.value)


def test_a_secret_from_outside_may_be_anything() -> None:
    """What no key can be does not fit, and raises nothing."""
    stored = hash_api_secret(SECRET, peppers=BEFORE)

    for sent in ("", "é", "\ud800", "\0", SECRET[:-1], SECRET + "x", "x" * 100_000):
        assert verify_api_secret(sent, stored, peppers=BEFORE) is False


def test_a_setting() -> None:
    """Peppers are written as keys are, and a bare one is p1."""
    p1, p2 = b64encode(P1).decode(), b64encode(P2).decode()
    stored = hash_api_secret(SECRET, peppers=BEFORE)

    assert PepperRing.parse(f"p2:{p2},p1:{p1}").ids == ("p2", "p1")
    assert PepperRing.parse(p1).ids == ("p1",)
    assert verify_api_secret(SECRET, stored, peppers=PepperRing.parse(p1)) is True


@pytest.mark.parametrize(
    ("peppers", "message"),
    [
        ({}, "Pepper ring needs at least one pepper."),
        ({"p2": P1, "p1": P1}, "Pepper ring: two ids have the same key."),
        ({"p$": P1}, "Pepper ring, entry 1 of 1, needs an id of 1 to 32 letters"),
        (
            {"p2": P2, "p1": P1[:31]},
            "entry 2 of 2, must be a pepper of at least 32 bytes (value hidden). `op",
        ),
    ],
)
def test_a_pepper_that_can_not_be_used(peppers: dict[str, bytes], message: str) -> None:
    """The error names the entry and the rule."""
    with pytest.raises(InvalidKeyError, match=re.escape(message)):
        PepperRing(peppers)


def test_a_ring_shows_ids_only_and_does_not_pickle() -> None:
    """Peppers leave the process by no accident."""
    assert repr(DURING) == "PepperRing(ids=['p2', 'p1'])"
    assert PepperRing.generate("x").ids == ("x",)
    with pytest.raises(TypeError, match="A PepperRing does not pickle"):
        pickle.dumps(DURING)

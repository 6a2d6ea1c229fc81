from __future__ import annotations

import pickle
import re
from base64 import b64encode

import pytest

from shared.crypto._aes_ring import AesKeyRing
from shared.crypto._errors import InvalidKeyError

OLD, NEW = bytes(range(32)), bytes(range(32, 64))


def test_the_first_key_is_the_current_one() -> None:
    """The order of the setting decides."""
    text = f"k2:{b64encode(NEW).decode()},k1:{b64encode(OLD).decode()}"

    assert AesKeyRing.parse(text).ids == ("k2", "k1")
    assert AesKeyRing({"k2": NEW, "k1": OLD}).ids == ("k2", "k1")


def test_a_bare_key_is_k1() -> None:
    """``AES_KEY=base64`` becomes ``AES_KEY=k2:new,k1:base64`` and decrypts on."""
    assert AesKeyRing.parse(b64encode(OLD).decode()).ids == ("k1",)


def test_generate() -> None:
    """A test needs a key that it need not write down."""
    assert AesKeyRing.generate("x").ids == ("x",)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({}, "AES key ring needs at least one key."),
        ({"k2": OLD, "k1": OLD}, "AES key ring: two ids have the same key."),
        ({"": OLD}, "AES key ring, entry 1 of 1, needs an id"),
        *(
            (
                {"k2": OLD, "k1": bytes(length)},
                "entry 2 of 2, must be a key of 32 bytes (value hidden). `openssl rand",
            )
            for length in (0, 16, 24, 31, 33, 64)
        ),
    ],
)
def test_a_key_that_can_not_be_used(keys: dict[str, bytes], message: str) -> None:
    """AES-256 and nothing less; the error names the entry and the rule."""
    with pytest.raises(InvalidKeyError, match=re.escape(message)):
        AesKeyRing(keys)


def test_a_setting_of_the_wrong_length() -> None:
    """A password is no key, even where it happens to be base64."""
    with pytest.raises(InvalidKeyError, match="must be a key of 32 bytes") as caught:
        AesKeyRing.parse("hunter22")

    assert "hunter22" not in str(caught.value)


def test_a_ring_shows_ids_only() -> None:
    """A ring may end up in a log line."""
    assert repr(AesKeyRing({"k2": NEW, "k1": OLD})) == "AesKeyRing(ids=['k2', 'k1'])"


def test_a_ring_does_not_pickle() -> None:
    """Keys do not leave the process by accident."""
    with pytest.raises(TypeError, match="An AesKeyRing does not pickle"):
        pickle.dumps(AesKeyRing.generate())

from __future__ import annotations

import traceback
from base64 import b64encode

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from shared.crypto._aes_ring import AesKeyRing
from shared.crypto._errors import DecryptionError, RefusedTokenError
from shared.crypto._token_cipher import TokenCipher, reencrypt_rows

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
BEFORE = TokenCipher(AesKeyRing({"k1": OLD}))
DURING = TokenCipher(AesKeyRing({"k2": NEW, "k1": OLD}))
AFTER = TokenCipher(AesKeyRing({"k2": NEW}))
AAD = b"social_connection.access_token:7"


def refusal(cipher: TokenCipher, token: bytes, associated_data: bytes = AAD) -> str:
    """Return why *token* does not decrypt; to the caller it is always the same."""
    with pytest.raises(DecryptionError, match=r"^The value could not be dec") as caught:
        cipher.decrypt(token, associated_data=associated_data)
    assert type(caught.value.__cause__) is RefusedTokenError
    return str(caught.value.__cause__)


@given(data=st.binary(), associated_data=st.binary())
def test_bytes_round_trip(data: bytes, associated_data: bytes) -> None:
    """What went in comes out."""
    token = BEFORE.encrypt(data, associated_data=associated_data)

    assert BEFORE.decrypt(token, associated_data=associated_data) == data
    assert DURING.decrypt(token, associated_data=associated_data) == data


@given(text=st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_text_round_trip(text: str) -> None:
    """Text goes in and comes out as text; in between it is UTF-8."""
    token = BEFORE.encrypt(text, associated_data=AAD)

    assert BEFORE.decrypt_text(token, associated_data=AAD) == text
    assert BEFORE.decrypt(token, associated_data=AAD) == text.encode()


def test_the_layout() -> None:
    """Any AES-GCM reads a token by the four lines of the module's docstring."""
    token = BEFORE.encrypt(b"data", associated_data=AAD)
    head, nonce, sealed = token[:4], token[4:16], token[16:]

    assert head == b"\x01\x02k1"
    assert len(sealed) == 4 + 16
    assert AESGCM(OLD).decrypt(nonce, sealed, head + AAD) == b"data"


def test_a_token_of_last_year() -> None:
    """What is stored today decrypts in every later version."""
    token = bytes.fromhex(
        "01026b31000102030405060708090a0b2363a27a18507ecc092c5fcdb6b2b15a24110472"
    )

    assert BEFORE.decrypt(token, associated_data=AAD) == b"data"


def test_each_token_is_another() -> None:
    """Equal values do not look equal at rest, as each has a nonce of its own."""
    tokens = {BEFORE.encrypt(b"same", associated_data=AAD) for _ in range(100)}

    assert len({token[4:16] for token in tokens}) == 100


@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
def test_every_byte_counts(mask: int) -> None:
    """A token with any one byte changed does not decrypt: head, nonce, text or tag."""
    token = DURING.encrypt("secret", associated_data=AAD)

    for place, byte in enumerate(token):
        changed = token[:place] + bytes([byte ^ mask]) + token[place + 1 :]
        refusal(DURING, changed)


def test_every_length_counts() -> None:
    """A token that was cut off anywhere, or is followed by more, does not decrypt."""
    token = DURING.encrypt("secret", associated_data=AAD)

    for length in range(len(token)):
        refusal(DURING, token[:length])
    assert refusal(DURING, token + b"\0").startswith("it was changed, moved, or")


@given(token=st.binary())
def test_garbage(token: bytes) -> None:
    """No bytes at all raise anything but our error."""
    with pytest.raises(DecryptionError, match="could not be decrypted"):
        DURING.decrypt(token, associated_data=AAD)
    with pytest.raises(DecryptionError, match="could not be decrypted"):
        DURING.decrypt_text(b"\x01\x02k1" + token, associated_data=AAD)


@given(other=st.binary().filter(lambda data: data != AAD))
def test_a_token_stays_in_its_place(other: bytes) -> None:
    """A token copied to another row or column does not decrypt there."""
    token = BEFORE.encrypt("secret", associated_data=AAD)

    assert refusal(BEFORE, token, other).startswith("it was changed, moved, or")


def test_the_head_does_not_run_into_the_associated_data() -> None:
    """A key id that lends letters to the associated data does not make up for it."""
    ring = AesKeyRing({"ab": OLD, "a": NEW})
    token = TokenCipher(ring).encrypt("secret", associated_data=b"c")

    assert refusal(TokenCipher(ring), token, b"bc").startswith("it was changed")
    moved = b"\x01\x01a" + token[4:]
    assert refusal(TokenCipher(AesKeyRing({"a": OLD})), moved, b"bc").startswith(
        "it was changed"
    )


def test_a_key_id_is_authenticated() -> None:
    """A token can't be given to another key, even one with the same bytes."""
    token = BEFORE.encrypt("secret", associated_data=AAD)
    renamed = TokenCipher(AesKeyRing({"k9": OLD}))

    assert refusal(renamed, b"\x01\x02k9" + token[4:]).startswith("it was changed")


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (b"", "it is too short"),
        (b"\x01", "it is too short"),
        (b"\x02\x02k1" + bytes(40), "its version is 2, not 1"),
        (b"\x01\x00" + bytes(40), "it is too short, or the length of its key id"),
        (b"\x01\x21" + b"k" * 80, "it is too short, or the length of its key id"),
        (b"\x01\x02k1" + bytes(27), "it is too short, or the length of its key id"),
        (b"\x01\x02k9" + bytes(40), "its key 'k9' is not in the ring"),
        (b"\x01\x02\xc3\xa9" + bytes(40), "its key id is not ASCII"),
        (b"\x01\x02k1" + bytes(28), "it was changed, moved, or encrypted by another"),
    ],
)
def test_the_cause_tells_why(token: bytes, reason: str) -> None:
    """Outside one opaque error, inside the reason, so that an operator can act."""
    assert refusal(BEFORE, token).startswith(reason)


def test_a_dropped_key() -> None:
    """After a rotation the old key's tokens are gone, and the cause names the key."""
    token = BEFORE.encrypt("secret", associated_data=AAD)

    assert refusal(AFTER, token) == "its key 'k1' is not in the ring"


def test_another_key_under_the_same_id() -> None:
    """``AES_KEY`` was exchanged instead of rotated."""
    token = BEFORE.encrypt("secret", associated_data=AAD)

    assert refusal(TokenCipher(AesKeyRing({"k1": NEW})), token).endswith(
        "encrypted by another key of that id"
    )


def test_what_is_no_text() -> None:
    """Bytes that are no UTF-8 are refused as text, and no error carries them along."""
    token = BEFORE.encrypt(b"plain\xff", associated_data=AAD)

    with pytest.raises(DecryptionError, match="could not be decrypted") as caught:
        BEFORE.decrypt_text(token, associated_data=AAD)
    assert str(caught.value.__cause__) == "what it holds is no UTF-8"
    assert "plain" not in "".join(traceback.format_exception(caught.value))


def test_text_that_utf_8_can_not_hold() -> None:
    """A lone surrogate is refused, and no error carries the text along."""
    with pytest.raises(ValueError, match="to encrypt has a lone surrogate") as caught:
        BEFORE.encrypt("plain\ud800", associated_data=AAD)

    assert caught.value.__context__ is None


def test_a_token_that_is_text() -> None:
    """A column of the wrong type is a mistake in the program, not a bad token."""
    text: bytes = b64encode(b"x").decode()  # type: ignore[assignment]

    with pytest.raises(TypeError, match=r"A token must be bytes \(got str\)\."):
        BEFORE.decrypt(text, associated_data=AAD)


def test_rotation() -> None:
    """New key first, re-encrypt, drop the old key: nothing is lost on the way."""
    old = BEFORE.encrypt("secret", associated_data=AAD)
    new = DURING.reencrypt(old, associated_data=AAD)

    assert [DURING.needs_reencryption(token) for token in (old, new)] == [True, False]
    assert DURING.decrypt_text(old, associated_data=AAD) == "secret"
    assert AFTER.decrypt_text(new, associated_data=AAD) == "secret"


def test_a_current_token_is_not_encrypted_again() -> None:
    """It would cost one of the key's encryptions and a write for nothing."""
    token = DURING.encrypt("secret", associated_data=AAD)

    assert DURING.reencrypt(token, associated_data=AAD) is token


def test_moving_a_token() -> None:
    """A renamed column needs other associated data, whichever the key."""
    token = DURING.encrypt("secret", associated_data=AAD)
    moved = DURING.reencrypt(token, associated_data=AAD, new_associated_data=b"new")

    assert DURING.decrypt_text(moved, associated_data=b"new") == "secret"
    refusal(DURING, moved)


@pytest.mark.parametrize("token", [b"", b"\x02", b"\x01\x02k1", b"\x01\x02k1" * 20])
def test_reencrypt_checks(token: bytes) -> None:
    """A damaged token never becomes a good one."""
    with pytest.raises(DecryptionError, match="could not be decrypted"):
        DURING.reencrypt(token, associated_data=AAD)


def test_needs_reencryption_reads_the_head_only() -> None:
    """It tells what is no token at all, and leaves the rest to decryption."""
    assert DURING.needs_reencryption(b"\x01\x02k9" + bytes(28)) is True
    with pytest.raises(DecryptionError, match="could not be decrypted"):
        DURING.needs_reencryption(b"\x01\x02k1")


def rows() -> list[tuple[int, bytes | None, bytes]]:
    """Return an old row, an empty one, a damaged one, a current one, an old one."""
    return [
        (1, BEFORE.encrypt("one", associated_data=b"1"), b"1"),
        (2, None, b"2"),
        (3, BEFORE.encrypt("three", associated_data=b"3"), b"moved"),
        (4, DURING.encrypt("four", associated_data=b"4"), b"4"),
        (5, BEFORE.encrypt("five", associated_data=b"5"), b"5"),
    ]


def test_reencrypting_rows() -> None:
    """Only rows that need it come out, and a damaged one stops nobody else's."""
    damaged: list[int] = []
    new = dict(
        reencrypt_rows(DURING, rows(), on_error=lambda key, _: damaged.append(key))
    )

    assert {
        key: AFTER.decrypt_text(token, associated_data=str(key).encode())
        for key, token in new.items()
    } == {1: "one", 5: "five"}
    assert damaged == [3]


def test_reencrypting_rows_stops_at_a_damaged_one() -> None:
    """Without somebody to tell, a row that is lost is not passed over."""
    run = reencrypt_rows(DURING, rows())

    assert next(run)[0] == 1
    with pytest.raises(DecryptionError, match="could not be decrypted"):
        next(run)


def test_reencrypting_again_has_nothing_to_do() -> None:
    """So a run that broke off is resumed by running it again."""
    done = [
        (key, token, b"%d" % key) for key, token in reencrypt_rows(DURING, rows()[:2])
    ]

    assert len(done) == 1
    assert list(reencrypt_rows(DURING, done)) == []


def test_rows_are_read_as_they_are_asked_for() -> None:
    """A table need not fit into memory."""
    table = iter(rows())
    run = reencrypt_rows(DURING, table)

    assert next(run)[0] == 1
    assert [key for key, _, _ in table] == [2, 3, 4, 5]

from __future__ import annotations

import pickle
import traceback
from base64 import b64decode, b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.crypto._errors import InvalidKeyError
from shared.crypto._webhook_keys import (
    WebhookKeyPair,
    checking_key,
    generate_webhook_key_pair,
    generate_webhook_secret,
    signing_key,
)

# RFC 8032, section 7.1, test 2: seed, public key, message, signature.
SEED = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
PUBLIC = bytes.fromhex(
    "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
)
SIGNATURE = bytes.fromhex(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)


def code(data: bytes) -> str:
    """Return *data* in base64."""
    return b64encode(data).decode()


@pytest.mark.parametrize("secret", [SEED, SEED + PUBLIC])
def test_ed25519(secret: bytes) -> None:
    """A private key is the seed, with or without the public key behind it."""
    signature = f"v1a,{code(SIGNATURE)}"

    assert signing_key(f"whsk_{code(secret)}", place="Key").sign(b"\x72") == signature
    public = checking_key(f"whpk_{code(PUBLIC)}", place="Key")
    assert public.fits(["v1,x", signature], b"\x72") is True
    assert public.fits([signature], b"\x73") is False


def test_hmac() -> None:
    """A secret signs and checks; the digest is that of RFC 4231, test case 6's like."""
    key = f"whsec_{code(bytes(range(24)))}"
    signature = signing_key(key, place="Key").sign(b"content")

    assert signature.startswith("v1,")
    assert len(b64decode(signature.removeprefix("v1,"))) == 32
    assert checking_key(key, place="Key").fits([signature], b"content") is True
    assert checking_key(key, place="Key").fits([signature], b"other") is False


def test_a_new_secret() -> None:
    """256 bits, another each time."""
    secrets = {generate_webhook_secret() for _ in range(50)}

    assert len(secrets) == 50
    assert {len(b64decode(secret.removeprefix("whsec_"))) for secret in secrets} == {32}


def test_a_new_pair() -> None:
    """The public half checks what the secret half signed."""
    pair = generate_webhook_key_pair()
    signature = signing_key(pair.secret, place="Key").sign(b"content")

    assert pair.secret.startswith("whsk_")
    assert checking_key(pair.public, place="Key").fits([signature], b"content") is True
    assert pair != generate_webhook_key_pair()


def test_a_pair_shows_its_public_half_only() -> None:
    """A pair may end up in a log line."""
    pair = WebhookKeyPair("whsk_secret", "whpk_public")

    assert repr(pair) == "WebhookKeyPair(secret=[hidden], public='whpk_public')"
    assert "whsk_" not in f"{pair} {[pair]}"


@pytest.mark.parametrize(
    ("key", "name"),
    [
        (signing_key(generate_webhook_secret(), place="Key"), "An HmacKey"),
        (checking_key(generate_webhook_secret(), place="Key"), "An HmacKey"),
        (signing_key(f"whsk_{code(SEED)}", place="Key"), "A PrivateKey"),
        (generate_webhook_key_pair(), "A WebhookKeyPair"),
    ],
)
def test_what_holds_a_secret_does_not_pickle(key: object, name: str) -> None:
    """A pickle would take the secret along, into a cache or a queue."""
    with pytest.raises(TypeError, match=f"^{name} does not pickle: its secret would"):
        pickle.dumps(key)


def test_a_secret_without_padding() -> None:
    """Some senders leave the padding away."""
    bare = code(bytes(25)).rstrip("=")

    assert checking_key(f"whsec_{bare}", place="Key").fits(["v1,"], b"") is False


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Key, must begin with whsec_ or whsk_"),
        ("hunter2", "Key, must begin with whsec_ or whsk_"),
        (f"whpk_{code(PUBLIC)}", "Key, must begin with whsec_ or whsk_"),
        ("whsec_", "Key, must hold 24 to 64 bytes"),
        (f"whsec_{code(bytes(23))}", "Key, must hold 24 to 64 bytes"),
        (f"whsec_{code(bytes(65))}", "Key, must hold 24 to 64 bytes"),
        ("whsec_hunter2!", "Key, must be base64 after its prefix"),
        ("whsec_hunté", "Key, must be base64 after its prefix"),
        (f"whsec_{code(bytes(24))}\n", "Key, must be base64 after its prefix"),
        (f"whsk_{code(SEED[:31])}", "Key, must hold an Ed25519 key of 32 or 64 bytes"),
        (
            f"whsk_{code(SEED + PUBLIC[:31])}",
            "Key, must hold an Ed25519 key of 32 or 64 bytes",
        ),
        (f"whsk_{code(SEED + SEED)}", "Key, holds two halves of different key pairs"),
    ],
)
def test_a_key_that_signs_nothing(text: str, message: str) -> None:
    """The error names the place and the rule, never the key."""
    with pytest.raises(
        InvalidKeyError, match=rf"^{message}.*\(value hidden\)"
    ) as caught:
        signing_key(text, place="Key")

    assert "hunt" not in "".join(traceback.format_exception_only(caught.value))
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"^Key, must begin with whsec_ or whpk_ \(value hidden\)"),
        (f"whsk_{code(SEED)}", "whoever only checks needs no whsk_"),
        ("whsec_AAAA", "^Key, must hold 24 to 64 bytes"),
        ("whpk_!", "^Key, must be base64 after its prefix"),
        (f"whpk_{code(PUBLIC[:31])}", "^Key, must hold an Ed25519 public key of 32"),
    ],
)
def test_a_key_that_checks_nothing(text: str, message: str) -> None:
    """The error names the place and the rule."""
    with pytest.raises(InvalidKeyError, match=message):
        checking_key(text, place="Key")


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "v1a",
        "v1a,",
        "v1a,!",
        "v1a,é",
        "v1a,\ud800",
        "v1a,AAAA",
        "v1,AAAA",
        "v2,AAAA",
    ],
)
def test_signatures_that_are_none(signature: str) -> None:
    """What is no signature fits no key, and raises nothing."""
    public = code(Ed25519PrivateKey.generate().public_key().public_bytes_raw())

    for key in (f"whpk_{public}", generate_webhook_secret()):
        assert checking_key(key, place="Key").fits([signature], b"content") is False

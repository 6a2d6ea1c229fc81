"""The keys of Standard Webhooks 1.0: ``whsec_`` secrets, ``whsk_``/``whpk_`` pairs.

A ``whsk_`` holds the 64 bytes that most libraries call an Ed25519 secret key: the seed
of RFC 8032 and the public key. The seed alone is read as well.

Private: import these names from ``shared.crypto``.
"""

from __future__ import annotations

import hmac
import os
from base64 import b64decode, b64encode
from collections.abc import Iterable
from typing import NamedTuple, NoReturn, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from shared.crypto._errors import InvalidKeyError

_SECRET, _PRIVATE, _PUBLIC = "whsec_", "whsk_", "whpk_"
_MIN_SECRET_BYTES, _MAX_SECRET_BYTES = 24, 64  # the standard's own bounds
_NEW_SECRET_BYTES = 32
_SEED_BYTES = 32


class WebhookKeyPair(NamedTuple):
    """An Ed25519 key pair: the sender keeps one half and publishes the other."""

    secret: str
    """``whsk_...``"""
    public: str
    """``whpk_...``"""

    def __repr__(self) -> str:
        return f"WebhookKeyPair(secret=[hidden], public={self.public!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "A WebhookKeyPair does not pickle: its secret would leave with it."
        )


def generate_webhook_secret() -> str:
    """Return a new ``whsec_`` secret of 256 bits, for one endpoint only."""
    return _SECRET + b64encode(os.urandom(_NEW_SECRET_BYTES)).decode()


def generate_webhook_key_pair() -> WebhookKeyPair:
    """Return a new Ed25519 key pair."""
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    return WebhookKeyPair(
        _PRIVATE + b64encode(private.private_bytes_raw() + public).decode(),
        _PUBLIC + b64encode(public).decode(),
    )


class SigningKey(Protocol):
    """What a signer holds."""

    def sign(self, content: bytes) -> str:
        """Return a signature with its version."""


class CheckingKey(Protocol):
    """What a verifier holds."""

    def fits(self, signatures: Iterable[str], content: bytes) -> bool:
        """Say whether one of *signatures* is this key's for *content*."""


class HmacKey:
    """``v1``: whoever can check can sign as well."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = key

    def sign(self, content: bytes) -> str:
        """Return ``v1,...``."""
        return f"v1,{b64encode(hmac.digest(self._key, content, 'sha256')).decode()}"

    def fits(self, signatures: Iterable[str], content: bytes) -> bool:
        """Compare in constant time."""
        ours = self.sign(content).encode()
        return any(
            hmac.compare_digest(signature.encode(errors="surrogatepass"), ours)
            for signature in signatures
        )

    def __reduce__(self) -> NoReturn:
        raise TypeError("An HmacKey does not pickle: its secret would leave with it.")


class PrivateKey:
    """``v1a``: the half that signs."""

    __slots__ = ("_key",)

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    def sign(self, content: bytes) -> str:
        """Return ``v1a,...``."""
        return f"v1a,{b64encode(self._key.sign(content)).decode()}"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A PrivateKey does not pickle: its secret would leave with it.")


class PublicKey:
    """``v1a``: the half that everybody may have."""

    __slots__ = ("_key",)

    def __init__(self, key: Ed25519PublicKey) -> None:
        self._key = key

    def fits(self, signatures: Iterable[str], content: bytes) -> bool:
        """Check by the curve; there is nothing secret to compare."""
        return any(self._fits(signature, content) for signature in signatures)

    def _fits(self, signature: str, content: bytes) -> bool:
        version, _, code = signature.partition(",")
        if version != "v1a":
            return False
        try:
            self._key.verify(b64decode(code, validate=True), content)
        except (ValueError, InvalidSignature):  # no base64, or not of this key
            return False
        return True


def signing_key(text: str, *, place: str) -> SigningKey:
    """Read ``whsec_...`` or ``whsk_...``.

    Raises:
        InvalidKeyError: It names *place* and the rule.
    """
    if text.startswith(_SECRET):
        return HmacKey(_secret(text, place))
    if text.startswith(_PRIVATE):
        raw = _decode(text.removeprefix(_PRIVATE), place)
        if len(raw) not in (_SEED_BYTES, 2 * _SEED_BYTES):
            raise InvalidKeyError(
                f"{place}, must hold an Ed25519 key of 32 or 64 bytes (value hidden)."
            )
        key = Ed25519PrivateKey.from_private_bytes(raw[:_SEED_BYTES])
        if raw[_SEED_BYTES:] not in (b"", key.public_key().public_bytes_raw()):
            raise InvalidKeyError(
                f"{place}, holds two halves of different key pairs (value hidden)."
            )
        return PrivateKey(key)
    raise InvalidKeyError(f"{place}, must begin with whsec_ or whsk_ (value hidden).")


def checking_key(text: str, *, place: str) -> CheckingKey:
    """Read ``whsec_...`` or ``whpk_...``.

    Raises:
        InvalidKeyError: It names *place* and the rule.
    """
    if text.startswith(_SECRET):
        return HmacKey(_secret(text, place))
    if text.startswith(_PUBLIC):
        raw = _decode(text.removeprefix(_PUBLIC), place)
        if len(raw) != _SEED_BYTES:
            raise InvalidKeyError(
                f"{place}, must hold an Ed25519 public key of 32 bytes."
            )
        return PublicKey(Ed25519PublicKey.from_public_bytes(raw))
    raise InvalidKeyError(
        f"{place}, must begin with whsec_ or whpk_ (value hidden); whoever only checks "
        "needs no whsk_."
    )


def _secret(text: str, place: str) -> bytes:
    raw = _decode(text.removeprefix(_SECRET), place)
    if not _MIN_SECRET_BYTES <= len(raw) <= _MAX_SECRET_BYTES:
        raise InvalidKeyError(
            f"{place}, must hold {_MIN_SECRET_BYTES} to {_MAX_SECRET_BYTES} bytes "
            "(value hidden)."
        )
    return raw


def _decode(code: str, place: str) -> bytes:
    # Some senders hand out secrets without their padding.
    padded = code + "=" * (-len(code) % 4)
    try:
        return b64decode(padded, validate=True)
    except ValueError:
        pass  # raised below: this error may hold the key
    raise InvalidKeyError(f"{place}, must be base64 after its prefix (value hidden).")

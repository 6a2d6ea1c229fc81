"""The one module that imports python-jose: key material in, sign and verify out.

python-jose decides nothing here. Which algorithm a key has, and whether the key is
good, is settled in ``_jwk`` before; the compact form is taken apart in ``_keyring``.
Its classes over OpenSSL are named one by one, because its own choice falls back on
pure Python where a signature's timing gives the key away (CVE-2024-23342).

Private: used by ``shared.auth._jwk``.
"""

from __future__ import annotations

from collections.abc import Callable
from hmac import compare_digest, digest
from typing import TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from jose.backends.cryptography_backend import (
    CryptographyECKey,
    CryptographyHMACKey,
    CryptographyRSAKey,
)
from jose.exceptions import JOSEError

# message, signature -> does it fit? Never raises on a wrong signature.
Verify = Callable[[bytes, bytes], bool]
# message -> signature, in the form of RFC 7518 section 3
Sign = Callable[[bytes], bytes]

_K = TypeVar("_K", CryptographyECKey, CryptographyRSAKey)


class BadKeyMaterialError(ValueError):
    """The backend cannot make a key of these numbers. The message quotes none."""


def secret_key(secret: bytes, alg: str) -> tuple[Verify, Sign]:
    """Return what an HMAC *secret* does."""
    try:
        key = CryptographyHMACKey(secret, alg)
    except JOSEError:
        raise BadKeyMaterialError("it looks like an asymmetric key") from None
    hash_name = f"sha{alg[2:]}"

    def verify(message: bytes, signature: bytes) -> bool:
        return compare_digest(digest(secret, message, hash_name), signature)

    return verify, key.sign


def verifier(public: dict[str, str], alg: str) -> Verify:
    """Return what the public key of a JWK's members *public* does.

    It does what the key's own ``verify`` does, but makes once what is the same for
    every token. For ES256 that is 4 of 66 µs.
    """
    if public["kty"] == "EC":
        return _ec_verifier(_construct(CryptographyECKey, public, alg))
    return _rsa_verifier(_construct(CryptographyRSAKey, public, alg))


def signer(private: dict[str, str], alg: str) -> Sign:
    """Return what the private key of a JWK's members *private* does."""
    if private["kty"] == "EC":
        return _construct(CryptographyECKey, private, alg).sign
    return _construct(CryptographyRSAKey, private, alg).sign


def _construct(family: type[_K], members: dict[str, str], alg: str) -> _K:
    try:
        return family(members, alg)
    except (JOSEError, ValueError) as error:
        # from None: python-jose quotes key material in some of its messages.
        raise BadKeyMaterialError(f"not a key ({type(error).__name__})") from None


def _rsa_verifier(key: CryptographyRSAKey) -> Verify:
    public: rsa.RSAPublicKey = key.prepared_key
    check, scheme, hash_algorithm = public.verify, padding.PKCS1v15(), key.hash_alg()

    def verify(message: bytes, signature: bytes) -> bool:
        try:
            check(signature, message, scheme, hash_algorithm)
        except InvalidSignature:
            return False
        return True

    return verify


def _ec_verifier(key: CryptographyECKey) -> Verify:
    public: ec.EllipticCurvePublicKey = key.prepared_key
    check, scheme = public.verify, ec.ECDSA(key.hash_alg())
    size = (public.key_size + 7) // 8

    def verify(message: bytes, signature: bytes) -> bool:
        if len(signature) != 2 * size:
            return False
        r = int.from_bytes(signature[:size], "big")
        s = int.from_bytes(signature[size:], "big")
        try:
            check(encode_dss_signature(r, s), message, scheme)
        except InvalidSignature:
            return False
        return True

    return verify

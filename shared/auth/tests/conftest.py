"""Keys made by the cryptography package, which knows nothing of our readers."""

from __future__ import annotations

import functools
from base64 import urlsafe_b64encode
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

Jwk = dict[str, object]
MakeJwk = Callable[..., Jwk]

_CURVES: dict[str, tuple[str, ec.EllipticCurve]] = {
    "ES256": ("P-256", ec.SECP256R1()),
    "ES384": ("P-384", ec.SECP384R1()),
    "ES512": ("P-521", ec.SECP521R1()),
}


def _text(number: int, size: int | None = None) -> str:
    size = size or (number.bit_length() + 7) // 8
    return urlsafe_b64encode(number.to_bytes(size, "big")).rstrip(b"=").decode()


@functools.cache
def _rsa(bits: int, serial: int) -> rsa.RSAPrivateNumbers:
    return rsa.generate_private_key(65537, bits).private_numbers()


@functools.cache
def _ec(alg: str, serial: int) -> ec.EllipticCurvePrivateNumbers:
    return ec.generate_private_key(_CURVES[alg][1]).private_numbers()


@pytest.fixture(scope="session")
def private_jwk() -> MakeJwk:
    """Make a private JWK, the same one for the same arguments."""

    def make(
        alg: str, *, kid: str | None = "a", serial: int = 0, bits: int = 2048
    ) -> Jwk:
        jwk: Jwk = {"alg": alg, "kid": kid} if kid else {"alg": alg}
        if alg.startswith("HS"):
            return jwk | {"kty": "oct", "k": _text(serial + 2**511, 64)}
        if alg in _CURVES:
            curve, group = _CURVES[alg]
            size = (group.key_size + 7) // 8
            numbers = _ec(alg, serial)
            return jwk | {
                "kty": "EC",
                "crv": curve,
                "x": _text(numbers.public_numbers.x, size),
                "y": _text(numbers.public_numbers.y, size),
                "d": _text(numbers.private_value, size),
            }
        parts = _rsa(bits, serial)
        return jwk | {
            "kty": "RSA",
            "n": _text(parts.public_numbers.n),
            "e": _text(parts.public_numbers.e),
            "d": _text(parts.d),
            "p": _text(parts.p),
            "q": _text(parts.q),
            "dp": _text(parts.dmp1),
            "dq": _text(parts.dmq1),
            "qi": _text(parts.iqmp),
        }

    return make


@pytest.fixture(scope="session")
def public_jwk(private_jwk: MakeJwk) -> MakeJwk:
    """Make the public half of what ``private_jwk`` makes for the same arguments."""

    def make(alg: str, **options: object) -> Jwk:
        secret = {"d", "p", "q", "dp", "dq", "qi"}
        jwk = private_jwk(alg, **options)
        return {name: value for name, value in jwk.items() if name not in secret}

    return make

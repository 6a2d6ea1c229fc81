"""Cost of verifying one access token: signature, exp, nbf, iss and aud.

HS256, RS256 (2048 bits) and ES256. The baseline is PyJWT with its key prepared. Each
row must take the good token, and refuse a tampered, an expired and a foreign one,
before it is timed.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from typing import Any

import jwt as pyjwt
from authlib.jose import JsonWebToken
from cryptography.hazmat.primitives import hashes, hmac, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from jose import jwk as jose_jwk
from jose import jwt as jose_jwt
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from benchmarks import _harness as harness
from shared.auth import KeyRing, TokenPolicy, decode_access_token

ISSUER, AUDIENCE = "https://auth.example.test", "orders-api"
ALGORITHMS = {"HS256": 0.20, "RS256": 0.45, "ES256": 0.70}  # and the goal of each
BASE = "PyJWT, prepared key"

Verify = Callable[[str], Any]


def private_key(algorithm: str) -> Any:
    """What the issuer has."""
    if algorithm == "HS256":
        return hashlib.sha256(b"benchmark").hexdigest()
    if algorithm == "RS256":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key(ec.SECP256R1())


def public_text(key: Any) -> str:
    """What the verifier has: the secret, or the key as PEM."""
    if isinstance(key, str):
        return key
    pem = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return str(key.public_key().public_bytes(*pem).decode())


def token(algorithm: str, key: Any, **claims: object) -> str:
    """A token as an issuer writes it, with *claims* over the usual ones."""
    now = int(time.time())
    payload = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "7c9e6679-7425-40de-944b-e07fc1f90ae7",
        "iat": now,
        "nbf": now,
        "exp": now + 86400,
        "jti": "8c1d2a5be0",
        "scope": "orders:read orders:write",
        "roles": ["admin", "ops"],
    }
    return pyjwt.encode(payload | claims, key, algorithm, headers={"kid": "k1"})


def kernel(algorithm: str, key: str) -> Verify:
    """Ours: key ring, policy and typed payload."""
    if algorithm == "HS256":
        ring = KeyRing.from_secret(key, kid="k1")
    else:
        algorithms = pyjwt.get_algorithm_by_name(algorithm)
        public = algorithms.to_jwk(algorithms.prepare_key(key), as_dict=True)
        member = {**public, "kid": "k1", "alg": algorithm, "use": "sig"}
        member.pop("key_ops", None)
        ring = KeyRing.from_jwks({"keys": [member]})
    policy = TokenPolicy(issuer=ISSUER, audience=AUDIENCE)
    return lambda text: decode_access_token(text, keys=ring, policy=policy)


def crypto_only(algorithm: str, key: str) -> Verify:
    """The floor: the signature in OpenSSL, of bytes that lie ready."""
    ready: dict[str, tuple[bytes, bytes]] = {}
    public = (
        None
        if algorithm == "HS256"
        else serialization.load_pem_public_key(key.encode())
    )

    def verify(text: str) -> None:
        if text not in ready:
            signed, _, encoded = text.rpartition(".")
            signature = pyjwt.utils.base64url_decode(encoded)
            if algorithm == "ES256":
                r, s = signature[:32], signature[32:]
                signature = encode_dss_signature(int.from_bytes(r), int.from_bytes(s))
            ready[text] = signed.encode(), signature
        signed_bytes, signature = ready[text]
        if isinstance(public, rsa.RSAPublicKey):
            public.verify(signature, signed_bytes, padding.PKCS1v15(), hashes.SHA256())
        elif isinstance(public, ec.EllipticCurvePublicKey):
            public.verify(signature, signed_bytes, ec.ECDSA(hashes.SHA256()))
        else:
            code = hmac.HMAC(key.encode(), hashes.SHA256())
            code.update(signed_bytes)
            code.verify(signature)

    return verify


def pyjwt_prepared(algorithm: str, key: str) -> Verify:
    """PyJWT with the key read once."""
    ready: Any = key
    if algorithm != "HS256":
        ready = serialization.load_pem_public_key(key.encode())
    return lambda text: pyjwt.decode(
        text,
        ready,
        algorithms=[algorithm],
        issuer=ISSUER,
        audience=AUDIENCE,
        options={"require": ["exp", "iss", "aud"]},
    )


def python_jose_prepared(algorithm: str, key: str) -> Verify:
    """The library under ours, called directly, with the key read once."""
    ready = jose_jwk.construct(key, algorithm)
    return lambda text: jose_jwt.decode(
        text, ready, algorithms=[algorithm], issuer=ISSUER, audience=AUDIENCE
    )


def python_jose(algorithm: str, key: str) -> Verify:
    """As its documentation shows it: the PEM each time."""
    return lambda text: jose_jwt.decode(
        text, key, algorithms=[algorithm], issuer=ISSUER, audience=AUDIENCE
    )


def joserfc_prepared(algorithm: str, key: str) -> Verify:
    """Joserfc; its registry reads the clock when it is made, so is made anew."""
    kind: Any = {"HS256": OctKey, "RS256": RSAKey, "ES256": ECKey}[algorithm]
    ready = kind.import_key(key)

    def verify(text: str) -> Any:
        decoded = joserfc_jwt.decode(text, ready, algorithms=[algorithm])
        joserfc_jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": ISSUER},
            aud={"essential": True, "value": AUDIENCE},
            exp={"essential": True},
        ).validate(decoded.claims)
        return decoded.claims

    return verify


def authlib_prepared(algorithm: str, key: str) -> Verify:
    """Authlib, which has moved this code to joserfc."""
    tokens = JsonWebToken([algorithm])
    options = {
        "iss": {"essential": True, "value": ISSUER},
        "aud": {"essential": True, "value": AUDIENCE},
        "exp": {"essential": True},
    }

    def verify(text: str) -> Any:
        claims = tokens.decode(text, key, claims_options=options)
        claims.validate()
        return claims

    return verify


ROWS: dict[str, Callable[[str, str], Verify]] = {
    "kernel": kernel,
    "floor: the signature alone": crypto_only,
    BASE: pyjwt_prepared,
    "python-jose, prepared key": python_jose_prepared,
    "python-jose, PEM each time": python_jose,
    "joserfc, prepared key": joserfc_prepared,
    "authlib, PEM each time": authlib_prepared,
}


def check(name: str, verify: Verify, good: str, bad: dict[str, str]) -> None:
    """Exit unless the row takes the good token and refuses each bad one."""
    verify(good)
    for what, text in bad.items():
        try:
            verify(text)
        except Exception:  # noqa: S112 - each library has its own class
            continue
        raise SystemExit(f"{name} accepts a token that is {what}.")


def loop_of(verify: Verify, text: str) -> harness.Loop:
    """Verify the same token again and again."""

    def loop(count: int) -> None:
        for _ in range(count):
            verify(text)

    return loop


def main() -> None:
    """Check, measure and print each algorithm."""
    options = harness.parse(__doc__ or "", rounds=7)
    everything = {}
    for algorithm, goal in ALGORITHMS.items():
        key = private_key(algorithm)
        good = token(algorithm, key)
        head, _, signature = good.split(".")
        claims = json.dumps({"sub": "x", "iss": ISSUER, "aud": AUDIENCE, "exp": 2**33})
        forged = pyjwt.utils.base64url_encode(claims.encode()).decode()
        bad = {
            "tampered with": f"{head}.{forged}.{signature}",
            "expired": token(algorithm, key, exp=int(time.time()) - 10),
            "for another audience": token(algorithm, key, aud="other"),
            "of another issuer": token(algorithm, key, iss="other"),
        }
        loops = {}
        for name, make in ROWS.items():
            verify = make(algorithm, public_text(key))
            if not name.startswith("floor"):
                check(name, verify, good, bad)
            loops[name] = loop_of(verify, good)
        samples = harness.measure(loops, options.rounds, slice_ms=40, warm=50)
        body = harness.table(
            samples, BASE, unit="µs a token", goals=[harness.Goal("kernel", goal)]
        )
        harness.report(
            f"Token verification, {algorithm}",
            body,
            "pyjwt",
            "python-jose",
            "joserfc",
            "authlib",
            "cryptography",
        )
        everything[algorithm] = samples
    harness.save(options.json, everything)


if __name__ == "__main__":
    main()

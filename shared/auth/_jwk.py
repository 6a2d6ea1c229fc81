"""JSON Web Keys (RFC 7517, 7518 section 6), read strictly.

Private: import ``KeySetError`` from ``shared.auth``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from shared.auth import _jose
from shared.auth._strict import MalformedError, decode_base64url

_MIN_RSA_BITS = 2048
_MAX_RSA_BITS = 8192  # a verification of 16384 bits costs a thousand of 2048
_MIN_RSA_EXPONENT = 65537  # FIPS 186-5 section A.1.1
_MAX_RSA_EXPONENT = 2**32
_RSA_PRIVATE = ("d", "p", "q", "dp", "dq", "qi")


class KeySetError(ValueError):
    """A key or key set is refused. The message names the key by kid or place only."""


class ForeignKeyError(KeySetError):
    """A sound key that is not for checking signatures of an algorithm known here."""


class NoUsableKeyError(KeySetError):
    """A key set in good order, but there is no key in it for checking tokens."""


class Algorithm(NamedTuple):
    """What an algorithm of RFC 7518 section 3.1 asks of its key."""

    kty: str
    min_secret: int = 0  # bytes; section 3.2: at least the hash
    curve: str = ""
    coordinate: int = 0  # bytes of x, y and d; section 6.2.1.2


ALGORITHMS: Mapping[str, Algorithm] = {
    "HS256": Algorithm("oct", min_secret=32),
    "HS384": Algorithm("oct", min_secret=48),
    "HS512": Algorithm("oct", min_secret=64),
    "RS256": Algorithm("RSA"),
    "RS384": Algorithm("RSA"),
    "RS512": Algorithm("RSA"),
    "ES256": Algorithm("EC", curve="P-256", coordinate=32),
    "ES384": Algorithm("EC", curve="P-384", coordinate=48),
    "ES512": Algorithm("EC", curve="P-521", coordinate=66),
}
_OF_CURVE = {a.curve: name for name, a in ALGORITHMS.items() if a.curve}


@dataclass(frozen=True, slots=True, repr=False)
class Key:
    """One key with its one algorithm. Holds no text of the private part."""

    kid: str | None
    alg: str
    verify: _jose.Verify | None
    sign: _jose.Sign | None
    public: Mapping[str, str] | None  # a JWK's members; None for a secret


def secret_key(secret: bytes, *, alg: str, kid: str | None, place: str) -> Key:
    """Return the HMAC key *secret*; *place* names it in an error."""
    algorithm = ALGORITHMS.get(alg)
    if algorithm is None or algorithm.kty != "oct":
        raise KeySetError(f"{place}: a secret signs with HS256, HS384 or HS512.")
    if len(secret) < algorithm.min_secret:
        raise KeySetError(
            f"{place}: a secret for {alg} must be at least {algorithm.min_secret} "
            f"bytes (got {len(secret)})."
        )
    try:
        verify, sign = _jose.secret_key(secret, alg)
    except _jose.BadKeyMaterialError:
        raise KeySetError(
            f"{place}: looks like an asymmetric key; it can't be a secret."
        ) from None
    return Key(kid, alg, verify, sign, None)


def read_key(jwk: object, *, place: str, assume_rsa_alg: str | None) -> Key:
    """Return the key that *jwk* describes.

    Args:
        jwk: A parsed JWK. Members that mean nothing to a signature are ignored.
        place: Names the key in errors that come before its ``kid`` is known.
        assume_rsa_alg: The algorithm of RSA keys that name none.

    Raises:
        ForeignKeyError: It is for another purpose or of an unsupported algorithm.
        KeySetError: It is malformed, weak, or contradicts itself.
    """
    if not isinstance(jwk, Mapping):
        raise KeySetError(f"{place}: a JWK must be an object.")
    kid = jwk.get("kid")
    if kid is not None:
        if not isinstance(kid, str) or not kid:
            raise KeySetError(f"{place}: kid must be a non-empty string.")
        place = f"key {kid!r}"
    entry = _Entry(jwk, place)
    may_verify, may_sign = entry.operations()
    alg = entry.algorithm(assume_rsa_alg)
    if ALGORITHMS[alg].kty == "oct":
        key = secret_key(entry.octets("k"), alg=alg, kid=kid, place=place)
        verify, sign, public = key.verify, key.sign, None
    else:
        public = entry.public_members(alg)
        private = entry.private_members(alg)
        try:
            verify = _jose.verifier(public, alg)
            sign = _jose.signer(public | private, alg) if private else None
        except _jose.BadKeyMaterialError as error:
            raise KeySetError(f"{place}: it is {error}.") from error
        public |= {"alg": alg, "use": "sig"} | ({"kid": kid} if kid else {})
    return Key(
        kid, alg, verify if may_verify else None, sign if may_sign else None, public
    )


@dataclass(frozen=True, slots=True, repr=False)
class _Entry:
    """A JWK and how errors call it."""

    jwk: Mapping[str, object]
    place: str

    def operations(self) -> tuple[bool, bool]:
        """Return whether it may verify and may sign (RFC 7517 sections 4.2, 4.3)."""
        if self.jwk.get("use", "sig") != "sig":
            raise ForeignKeyError(f"{self.place}: its use is not sig.")
        operations = self.jwk.get("key_ops", ["verify", "sign"])
        if not isinstance(operations, list) or not all(
            isinstance(operation, str) for operation in operations
        ):
            raise KeySetError(f"{self.place}: key_ops must be a list of strings.")
        if len(set(operations)) != len(operations):
            raise KeySetError(f"{self.place}: key_ops says something twice.")
        may_verify, may_sign = "verify" in operations, "sign" in operations
        if not may_verify and not may_sign:
            raise ForeignKeyError(f"{self.place}: its key_ops are not for signatures.")
        return may_verify, may_sign

    def algorithm(self, assume_rsa_alg: str | None) -> str:
        """Return its one algorithm, which nothing a token says can change."""
        kty, curve, alg = (self.jwk.get(name) for name in ("kty", "crv", "alg"))
        if not isinstance(kty, str):
            raise KeySetError(f"{self.place}: kty is missing.")
        if kty not in ("oct", "RSA", "EC"):
            raise ForeignKeyError(f"{self.place}: a key type that is not supported.")
        if kty == "EC":
            if not isinstance(curve, str) or curve not in _OF_CURVE:
                raise ForeignKeyError(
                    f"{self.place}: its curve is not P-256, P-384 or P-521."
                )
            alg = _OF_CURVE[curve] if alg is None else alg
        elif kty == "RSA" and alg is None:
            alg = assume_rsa_alg
        if alg is None:
            raise KeySetError(
                f"{self.place}: alg is missing, so the token would choose it."
            )
        if not isinstance(alg, str) or alg not in ALGORITHMS:
            known = ", ".join(ALGORITHMS)
            raise ForeignKeyError(f"{self.place}: its alg is not one of {known}.")
        if ALGORITHMS[alg].kty != kty:
            raise KeySetError(f"{self.place}: {alg} is not an algorithm of its kty.")
        if kty == "EC" and ALGORITHMS[alg].curve != curve:
            raise KeySetError(f"{self.place}: {alg} is not the algorithm of its curve.")
        return alg

    def public_members(self, alg: str) -> dict[str, str]:
        """Return the members of its public half, checked."""
        algorithm = ALGORITHMS[alg]
        if algorithm.curve:
            kind = {"kty": "EC", "crv": algorithm.curve}
            return kind | {name: self.coordinate(name, alg) for name in ("x", "y")}
        _check_rsa(self.unsigned("n"), self.unsigned("e"), place=self.place)
        return {"kty": "RSA"} | {name: str(self.jwk[name]) for name in ("n", "e")}

    def private_members(self, alg: str) -> dict[str, str]:
        """Return what its private half adds; nothing if it has none."""
        if "d" not in self.jwk:
            return {}
        if ALGORITHMS[alg].curve:
            return {"d": self.coordinate("d", alg)}
        if "oth" in self.jwk:
            raise KeySetError(f"{self.place}: it has more than two primes.")
        present = [name for name in _RSA_PRIVATE if name in self.jwk]
        for name in present:
            self.unsigned(name)
        return {name: str(self.jwk[name]) for name in present}

    def octets(self, name: str) -> bytes:
        """Return the bytes of the member *name*."""
        value = self.jwk.get(name)
        if not isinstance(value, str) or not value.isascii():
            raise KeySetError(f"{self.place}: {name} must be a base64url string.")
        try:
            return decode_base64url(value.encode())
        except MalformedError as error:
            raise KeySetError(f"{self.place}: {name} is {error}.") from error

    def unsigned(self, name: str) -> int:
        """Return a Base64urlUInt: no leading zero byte (RFC 7518 section 2)."""
        raw = self.octets(name)
        if not raw or (raw[0] == 0 and len(raw) > 1):
            raise KeySetError(f"{self.place}: {name} is not in the shortest form.")
        return int.from_bytes(raw, "big")

    def coordinate(self, name: str, alg: str) -> str:
        """Return the member *name*, of full length (RFC 7518 section 6.2.1.2)."""
        wanted = ALGORITHMS[alg].coordinate
        if len(self.octets(name)) != wanted:
            raise KeySetError(f"{self.place}: {name} must be {wanted} bytes for {alg}.")
        return str(self.jwk[name])


def _check_rsa(modulus: int, exponent: int, *, place: str) -> None:
    bits = modulus.bit_length()
    if not _MIN_RSA_BITS <= bits <= _MAX_RSA_BITS:
        raise KeySetError(
            f"{place}: RSA must have {_MIN_RSA_BITS} to {_MAX_RSA_BITS} bits "
            f"(got {bits})."
        )
    if not _MIN_RSA_EXPONENT <= exponent < _MAX_RSA_EXPONENT or exponent % 2 == 0:
        raise KeySetError(
            f"{place}: the RSA exponent must be odd, from 65537 to 2**32."
        )
    if _can_be_factored(modulus):
        raise KeySetError(f"{place}: an RSA key that anybody can factor.")


def _can_be_factored(modulus: int) -> bool:
    """Tell whether *modulus* has a small factor or the mark of CVE-2017-15361.

    A faulty generator made primes, and so products, that are powers of 65537 modulo
    every small prime. A sound modulus fails that at one of the first few.
    """
    return any(modulus % prime == 0 for prime in (2, *_ODD_PRIMES_TO_167)) or all(
        modulus % prime in {pow(65537, power, prime) for power in range(prime)}
        for prime in _ODD_PRIMES_TO_167
    )


_ODD_PRIMES_TO_167 = (
    *(3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71),
    *(73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151),
    *(157, 163, 167),
)

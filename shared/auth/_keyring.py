"""The key ring: keys with one algorithm each, and the compact JWS they sign and check.

Private: import these names from ``shared.auth``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import NoReturn, final

from shared.auth._jwk import (
    ALGORITHMS,
    ForeignKeyError,
    Key,
    KeySetError,
    NoUsableKeyError,
    read_key,
    secret_key,
)
from shared.auth._rejections import TokenRejected, UnknownKey, invalid_token
from shared.auth._strict import (
    MalformedError,
    decode_base64url,
    encode_base64url,
    load_object,
)

MAX_TOKEN_LENGTH = 16_384  # characters; servers cap a whole header near 8 to 16 KiB
_MAX_REMEMBERED_HEADERS = 64

# Members of the header that would let the token bring its own key (RFC 8725 section
# 3.10), or change what is signed (RFC 7797), or demand what is not understood here.
_REFUSED_MEMBERS = frozenset({"b64", "crit", "jku", "jwk", "x5c", "x5u"})


@final
class KeyRing:
    """Keys that check tokens, and at most one that signs them. It never changes.

    A key has exactly one algorithm, fixed when the ring is made; a token's ``alg``
    must repeat it. A token's ``kid`` picks the key; without one the ring must hold a
    single key.

    Raises:
        KeySetError: There is no key, a ``kid`` is missing from or used twice in a ring
            of several, or secrets and public keys are mixed (which is how a public
            key becomes an HMAC secret).
    """

    __slots__ = ("_by_kid", "_keys", "_remembered", "_signer")

    def __init__(self, keys: Iterable[Key]) -> None:
        self._keys = tuple(keys)
        kids = [key.kid for key in self._keys]
        if not kids:
            raise NoUsableKeyError("A key ring needs at least one key.")
        if len(kids) > 1 and None in kids:
            raise KeySetError("In a ring of several, every key needs a kid.")
        if len(set(kids)) != len(kids):
            raise KeySetError("Two keys of the ring have the same kid.")
        if len({key.public is None for key in self._keys}) > 1:
            raise KeySetError("A key ring must not mix secrets with public keys.")
        self._by_kid = {key.kid: key for key in self._keys}
        self._signer = next((key for key in self._keys if key.sign), None)
        # Header text -> what it means. Only headers of tokens that were signed by a
        # key of this ring get in, so a stranger can neither fill nor poison it.
        self._remembered: dict[bytes, tuple[Key, str | None]] = {}

    @classmethod
    def from_jwks(
        cls,
        jwks: Mapping[str, object] | str | bytes,
        *,
        assume_rsa_alg: str | None = None,
        skip_foreign_keys: bool = False,
    ) -> KeyRing:
        """Return the ring of a JWK Set (RFC 7517 section 5), parsed or as JSON.

        The first private key or secret of the set signs.

        Args:
            jwks: The set. As JSON, a member given twice is refused too.
            assume_rsa_alg: ``RS256``, ``RS384`` or ``RS512`` for RSA keys that name no
                algorithm. Without it they are refused. (The curve of an EC key says
                its algorithm.)
            skip_foreign_keys: Leave out keys for other purposes or of unsupported
                algorithms, as other people's key sets contain them, instead of
                refusing the set. Weak and malformed keys are refused all the same.
        """
        document: object = jwks
        if isinstance(document, str | bytes):
            try:
                raw = document.encode() if isinstance(document, str) else document
                document = load_object(raw)
            except ValueError:
                # from None: an encoding error quotes the set.
                raise KeySetError("The key set is not one JSON object.") from None
        if assume_rsa_alg is not None and (
            assume_rsa_alg not in ALGORITHMS or ALGORITHMS[assume_rsa_alg].kty != "RSA"
        ):
            raise KeySetError("assume_rsa_alg must be RS256, RS384 or RS512.")
        entries = document.get("keys") if isinstance(document, Mapping) else None
        if not isinstance(entries, list):
            raise KeySetError('A key set must have a list under "keys".')
        keys = []
        for number, entry in enumerate(entries, start=1):
            try:
                key = read_key(
                    entry, place=f"key number {number}", assume_rsa_alg=assume_rsa_alg
                )
            except ForeignKeyError:
                if skip_foreign_keys:
                    continue
                raise
            keys.append(key)
        return cls(keys)

    @classmethod
    def from_secret(
        cls, secret: str | bytes, *, kid: str | None = None, alg: str = "HS256"
    ) -> KeyRing:
        """Return a ring of one HMAC secret.

        Args:
            secret: At least as many bytes as the hash has: 32, 48 or 64. Text counts
                in UTF-8 bytes. It should be random, not a password.
            kid: Its name; needed to rotate it.
            alg: ``HS256``, ``HS384`` or ``HS512``.
        """
        if not isinstance(secret, str | bytes):
            raise KeySetError("A secret must be text or bytes.")
        if kid == "":
            raise KeySetError("A kid must not be empty.")
        try:
            raw = secret.encode() if isinstance(secret, str) else secret
        except UnicodeEncodeError:
            raise KeySetError("A secret must be text that UTF-8 can hold.") from None
        return cls([secret_key(raw, alg=alg, kid=kid, place="the secret")])

    def also_verifying(self, *others: KeyRing) -> KeyRing:
        """Return a ring that signs as this one does and checks with *others* too.

        Rotation: ``new.also_verifying(old)`` until the last old token has expired.
        """
        readers = [
            Key(key.kid, key.alg, key.verify, None, key.public)
            for other in others
            for key in other._keys
        ]
        return KeyRing([*self._keys, *readers])

    @property
    def kids(self) -> tuple[str | None, ...]:
        """The names of the keys, in order."""
        return tuple(key.kid for key in self._keys)

    def verify(self, token: str) -> bytes:
        """Return the payload of *token*, a compact JWS that a key of the ring signed.

        Nothing is known of the payload but who signed it: for an access token use
        ``decode_access_token``.

        Raises:
            AuthenticationException: It is refused; the ``TokenRejected`` that says why
                is its ``__cause__``.
        """
        try:
            payload, _ = open_token(self, token)
        except TokenRejected as cause:
            raise invalid_token() from cause
        return payload

    def sign(self, payload: bytes, *, typ: str | None = None) -> str:
        """Return *payload* as a compact JWS, signed with the ring's first signing key.

        Raises:
            KeySetError: The ring only checks.
            ValueError: It would be too long for any ring to accept.
        """
        key = self._signer
        if key is None or key.sign is None:
            raise KeySetError("This key ring only verifies: it holds no private key.")
        header = {"alg": key.alg, "kid": key.kid, "typ": typ}
        text = json.dumps(
            {name: value for name, value in header.items() if value is not None},
            separators=(",", ":"),
        )
        signed = encode_base64url(text.encode()) + b"." + encode_base64url(payload)
        token = (signed + b"." + encode_base64url(key.sign(signed))).decode()
        if len(token) > MAX_TOKEN_LENGTH:
            raise ValueError(
                f"A token must not exceed {MAX_TOKEN_LENGTH} characters "
                f"(got {len(token)})."
            )
        return token

    def public_jwks(self) -> dict[str, list[dict[str, str]]]:
        """Return the JWK Set to publish for those who check this ring's tokens.

        Raises:
            KeySetError: The ring holds a secret, which nobody may publish.
        """
        public = [dict(key.public) for key in self._keys if key.public is not None]
        if not public:
            raise KeySetError("A secret must not be published.")
        return {"keys": public}

    def __repr__(self) -> str:
        keys = ", ".join(f"{key.kid!r}: {key.alg}" for key in self._keys)
        return f"<KeyRing {keys}>"

    def __copy__(self) -> KeyRing:
        return self

    def __deepcopy__(self, memo: object) -> KeyRing:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("A KeyRing holds key material and does not pickle.")


def open_token(ring: KeyRing, token: str) -> tuple[bytes, str | None]:
    """Return the payload and ``typ`` of *token*, or raise ``TokenRejected``."""
    if not isinstance(token, str):
        raise TokenRejected("it is not text")
    if len(token) > MAX_TOKEN_LENGTH:
        raise TokenRejected("it is too long")
    try:
        raw = token.encode("ascii")
    except UnicodeEncodeError:
        raise TokenRejected("it is not ASCII") from None  # the error quotes the token
    signed, _, signature = raw.rpartition(b".")
    header, dot, payload = signed.partition(b".")
    if not dot:
        raise TokenRejected("it has fewer than three segments")
    try:
        known = ring._remembered.get(header)
        key, typ = known or _read_header(ring, header)
        if key.verify is None:
            raise TokenRejected("its key is not for verifying")
        if not key.verify(signed, decode_base64url(signature)):
            raise TokenRejected("its signature does not fit")
        if known is None and len(ring._remembered) < _MAX_REMEMBERED_HEADERS:
            ring._remembered[header] = key, typ
        return decode_base64url(payload), typ
    except MalformedError as error:
        raise TokenRejected(str(error)) from error


def _read_header(ring: KeyRing, segment: bytes) -> tuple[Key, str | None]:
    header = load_object(decode_base64url(segment))
    if refused := _REFUSED_MEMBERS & header.keys():
        raise TokenRejected(f"its header has {', '.join(sorted(refused))}")
    kid, typ = header.get("kid"), header.get("typ")
    if kid is None and "kid" not in header:
        if len(ring._keys) > 1:
            raise TokenRejected("it names no key")
        key = ring._keys[0]
    elif not isinstance(kid, str):
        raise TokenRejected("its kid is not a string")
    elif kid not in ring._by_kid:
        raise UnknownKey(kid)
    else:
        key = ring._by_kid[kid]
    if header.get("alg") != key.alg:
        raise TokenRejected("its alg is not the one of the key")
    if typ is not None and not isinstance(typ, str):
        raise TokenRejected("its typ is not a string")
    return key, typ

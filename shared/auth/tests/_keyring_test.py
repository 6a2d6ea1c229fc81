"""Tokens that a ring must refuse, those it must accept, and rings that must not be."""

from __future__ import annotations

import copy
import hashlib
import hmac
import json
import pickle
from collections.abc import Callable

import pytest

from shared.auth import (
    MAX_TOKEN_LENGTH,
    KeyRing,
    KeySetError,
    TokenRejected,
    UnknownKey,
)
from shared.auth._strict import encode_base64url
from shared.errors import AuthenticationException

MakeJwk = Callable[..., dict[str, object]]

ALL = [f"{family}{size}" for family in ("HS", "RS", "ES") for size in (256, 384, 512)]
SECRET = b"0123456789abcdef0123456789abcdef"


@pytest.fixture
def ring() -> KeyRing:
    return KeyRing.from_secret(SECRET, kid="a")


def forge(header: object, payload: bytes = b"{}", *, secret: bytes = SECRET) -> str:
    """Return a token with any header at all, signed by HS256."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    signed = encode_base64url(raw) + b"." + encode_base64url(payload)
    mac = hmac.digest(secret, signed, hashlib.sha256)
    return (signed + b"." + encode_base64url(mac)).decode()


def refusal(ring: KeyRing, token: str) -> str:
    """Return why *ring* refuses *token*, having checked what the caller sees of it."""
    with pytest.raises(AuthenticationException, match=r"^Invalid token\.$") as caught:
        ring.verify(token)
    assert caught.value.headers == {"WWW-Authenticate": 'Bearer error="invalid_token"'}
    assert isinstance(caught.value.__cause__, TokenRejected)
    return str(caught.value.__cause__)


@pytest.mark.parametrize("alg", ALL)
@pytest.mark.parametrize("payload", [b"", b"{}", bytes(range(256))])
def test_verifies_what_it_signed(
    alg: str, payload: bytes, private_jwk: MakeJwk
) -> None:
    """Any payload comes back from a token of any algorithm."""
    ring = KeyRing.from_jwks({"keys": [private_jwk(alg)]})

    assert ring.verify(ring.sign(payload)) == payload


def test_header_of_a_signed_token(ring: KeyRing) -> None:
    """The header holds alg, kid and, when given, typ, and nothing else."""
    header, _, _ = ring.sign(b"{}", typ="at+jwt").partition(".")

    expected = b'{"alg":"HS256","kid":"a","typ":"at+jwt"}'
    assert header == encode_base64url(expected).decode()


def test_ring_without_private_key_does_not_sign(public_jwk: MakeJwk) -> None:
    """A ring of public keys says so when asked to sign."""
    with pytest.raises(KeySetError, match="holds no private key"):
        KeyRing.from_jwks({"keys": [public_jwk("ES256")]}).sign(b"{}")


def test_first_private_key_signs(public_jwk: MakeJwk, private_jwk: MakeJwk) -> None:
    """A key that is announced before it signs stands in the set as public."""
    ring = KeyRing.from_jwks(
        {"keys": [public_jwk("ES256", kid="next"), private_jwk("RS256", kid="now")]}
    )

    header, _, _ = ring.sign(b"{}").partition(".")
    assert header == encode_base64url(b'{"alg":"RS256","kid":"now"}').decode()


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"alg": "none", "kid": "a"}, "its alg is not the one of the key"),
        ({"alg": "None", "kid": "a"}, "its alg is not the one of the key"),
        ({"alg": "HS512", "kid": "a"}, "its alg is not the one of the key"),
        ({"alg": "hs256", "kid": "a"}, "its alg is not the one of the key"),
        ({"alg": ["HS256"], "kid": "a"}, "its alg is not the one of the key"),
        ({"alg": None, "kid": "a"}, "its alg is not the one of the key"),
        ({"kid": "a"}, "its alg is not the one of the key"),
        ({"alg": "HS256", "kid": "b"}, "its kid is not in the key ring"),
        ({"alg": "HS256", "kid": ""}, "its kid is not in the key ring"),
        ({"alg": "HS256", "kid": 7}, "its kid is not a string"),
        ({"alg": "HS256", "kid": None}, "its kid is not a string"),
        ({"alg": "HS256", "kid": ["a"]}, "its kid is not a string"),
        ({"alg": "HS256", "typ": 7}, "its typ is not a string"),
        ({"alg": "HS256", "typ": ["JWT"]}, "its typ is not a string"),
        ({"alg": "HS256", "crit": ["exp"]}, "its header has crit"),
        ({"alg": "HS256", "crit": []}, "its header has crit"),
        ({"alg": "HS256", "crit": ["b64"], "b64": False}, "its header has b64, crit"),
        ({"alg": "HS256", "b64": False}, "its header has b64"),
        ({"alg": "HS256", "b64": True}, "its header has b64"),
        ({"alg": "HS256", "jku": "https://x.test/"}, "its header has jku"),
        ({"alg": "HS256", "jwk": {"kty": "oct"}}, "its header has jwk"),
        ({"alg": "HS256", "x5u": "https://x.test/"}, "its header has x5u"),
        ({"alg": "HS256", "x5c": []}, "its header has x5c"),
        (b'{"alg":"none","alg":"HS256"}', "a JSON member is given twice"),
        (b'{"alg":"HS256","kid":"b","kid":"a"}', "a JSON member is given twice"),
        (b'{"alg":"HS256","\\u0061lg":"HS256"}', "a JSON member is given twice"),
        (b'{"alg":"HS256","x":{"y":1,"y":1}}', "a JSON member is given twice"),
        (b'{"alg":"HS256","x":NaN}', "NaN is not JSON"),
        (b'{"alg":"HS256"}{}', "text after the JSON value"),
        (b'["HS256"]', "not a JSON object"),
        (b"null", "not a JSON object"),
        (b'{"alg":"HS256","x":%s1%s}' % (b"[" * 20, b"]" * 20), "nested too deep"),
        (b'{"alg":"HS256","x":%s}' % (b"9" * 5000), "not JSON"),
        (b'{"alg":"HS256"', "not JSON"),
        (b"\xff", "not JSON"),
        (b"", "not JSON"),
    ],
)
def test_header_refused_although_the_signature_fits(
    header: object, reason: str, ring: KeyRing
) -> None:
    """What a header must not say is refused even from who holds the key."""
    assert refusal(ring, forge(header)) == reason


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "HS256"},
        {"alg": "HS256", "kid": "a", "typ": "JWT", "cty": "x", "x5t": "abc"},
        b'{"typ":"JWT",\r\n "alg":"HS256"}',  # as RFC 7515 appendix A.1 writes it
    ],
)
def test_harmless_headers_are_fine(header: object, ring: KeyRing) -> None:
    """White space, an absent kid and members without power are accepted."""
    assert ring.verify(forge(header)) == b"{}"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda t: "", "it has fewer than three segments"),
        (lambda t: ".", "it has fewer than three segments"),
        (lambda t: "..", "not JSON"),
        (lambda t: t.rpartition(".")[0], "it has fewer than three segments"),
        (lambda t: t.replace(".", ""), "it has fewer than three segments"),
        (lambda t: t.rpartition(".")[0] + ".", "its signature does not fit"),
        (lambda t: f"{t}.", "its signature does not fit"),
        (lambda t: f"{t}.AAAA", "its signature does not fit"),
        (lambda t: f".{t}", "not JSON"),
        (lambda t: t.replace(".", "..", 1), "its signature does not fit"),
        (lambda t: f"{t}=", "not canonical base64url"),
        (lambda t: f"{t}==", "not canonical base64url"),
        (lambda t: f" {t}", "not canonical base64url"),
        (lambda t: f"{t} ", "not canonical base64url"),
        (lambda t: f"{t}\n", "not canonical base64url"),
        (lambda t: f"{t[:9]}\t{t[9:]}", "not canonical base64url"),
        (lambda t: f"{t}!!!!", "not canonical base64url"),
        (lambda t: f"{t}\x00", "not canonical base64url"),
        (lambda t: f"Bearer {t}", "not canonical base64url"),
        (lambda t: json.dumps({"protected": t}), "not canonical base64url"),
        (lambda t: f"{t[:-1]}é", "it is not ASCII"),
        (lambda t: f"{t}\ud800", "it is not ASCII"),
        (lambda t: "A" * (MAX_TOKEN_LENGTH + 1), "it is too long"),
        (lambda t: None, "it is not text"),
        (lambda t: t.encode(), "it is not text"),
    ],
)
def test_not_the_compact_form(
    change: Callable[[str], str], reason: str, ring: KeyRing
) -> None:
    """Only three segments of canonical base64url and two dots are a token."""
    token = forge({"alg": "HS256"})
    ring.verify(token)

    assert refusal(ring, change(token)) == reason


def test_length_is_checked_before_anything_is_decoded(
    ring: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A huge token costs a comparison: it is neither encoded nor split nor decoded."""
    monkeypatch.delattr("shared.auth._keyring.decode_base64url")
    monkeypatch.delattr("shared.auth._keyring.load_object")

    assert refusal(ring, "é" * 50_000_000) == "it is too long"


def test_longest_token_is_accepted(ring: KeyRing) -> None:
    """The limit itself is within the limit."""
    frame = len(ring.sign(b""))
    payload = b"x" * ((MAX_TOKEN_LENGTH - frame) * 3 // 4)

    assert ring.verify(ring.sign(payload)) == payload
    assert refusal(ring, forge({"alg": "HS256"}, payload * 2)) == "it is too long"
    with pytest.raises(ValueError, match=r"must not exceed 16384 characters .got 163"):
        ring.sign(payload + b"xxx")


def test_stray_bits_of_the_signature(ring: KeyRing) -> None:
    """A last character that only differs in bits that encode nothing is refused."""
    token = forge({"alg": "HS256"})
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twin = token[:-1] + last[last.index(token[-1]) + 1]

    assert refusal(ring, twin) == "not canonical base64url"


def test_public_key_is_no_secret_for_an_attacker(public_jwk: MakeJwk) -> None:
    """A token signed by HMAC with the bytes of a public key is refused."""
    jwk = public_jwk("RS256")
    ring = KeyRing.from_jwks({"keys": [jwk]})
    guesses = [json.dumps(jwk).encode(), str(jwk["n"]).encode()]
    for guess in guesses:
        token = forge({"alg": "HS256", "kid": "a"}, secret=guess)

        assert refusal(ring, token) == "its alg is not the one of the key"


@pytest.mark.parametrize("alg", ["RS384", "ES256"])
def test_algorithm_is_the_keys_even_if_the_signature_fits(
    alg: str, private_jwk: MakeJwk
) -> None:
    """A key of RS256 does not check RS384, although the same numbers could."""
    signing = private_jwk("RS256") | {"alg": "RS384"}
    token = KeyRing.from_jwks({"keys": [signing]}).sign(b"{}")
    ring = KeyRing.from_jwks({"keys": [private_jwk("RS256")]})

    assert refusal(ring, token) == "its alg is not the one of the key"


@pytest.mark.parametrize("alg", ["HS256", "RS256", "ES256"])
def test_signature_of_another_key(alg: str, private_jwk: MakeJwk) -> None:
    """A token by a stranger that borrows our kid is refused."""
    ring = KeyRing.from_jwks({"keys": [private_jwk(alg)]})
    stranger = KeyRing.from_jwks({"keys": [private_jwk(alg, serial=1)]})

    assert refusal(ring, stranger.sign(b"{}")) == "its signature does not fit"


@pytest.mark.parametrize("r", [0, 1, 2**256 - 1])
@pytest.mark.parametrize("s", [0, 1, 2**256 - 1])
def test_ecdsa_signature_of_special_numbers(
    r: int, s: int, private_jwk: MakeJwk
) -> None:
    """Numbers that fool a careless verifier (CVE-2022-21449) fit nothing."""
    ring = KeyRing.from_jwks({"keys": [private_jwk("ES256")]})
    signed, _, _ = ring.sign(b"{}").rpartition(".")
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")

    token = f"{signed}.{encode_base64url(signature).decode()}"
    assert refusal(ring, token) == "its signature does not fit"


def test_ecdsa_signature_in_der_or_padded(private_jwk: MakeJwk) -> None:
    """Only the two numbers at full length are a signature (RFC 7518 section 3.4)."""
    ring = KeyRing.from_jwks({"keys": [private_jwk("ES256")]})
    token = ring.sign(b"{}")

    assert refusal(ring, f"{token}AA") != ""
    signed, _, signature = token.rpartition(".")
    padded = f"{signed}.AA{signature}AA"
    assert refusal(ring, padded).startswith(("its signature", "not canonical"))


def test_key_that_may_only_sign_checks_nothing(private_jwk: MakeJwk) -> None:
    """A key whose key_ops leave out verify refuses even its own tokens."""
    ring = KeyRing.from_jwks({"keys": [private_jwk("ES256") | {"key_ops": ["sign"]}]})

    assert refusal(ring, ring.sign(b"{}")) == "its key is not for verifying"


def test_kid_picks_the_key(private_jwk: MakeJwk) -> None:
    """In a ring of several a token must name its key."""
    keys = [private_jwk("ES256", kid="a"), private_jwk("ES256", kid="b", serial=1)]
    ring = KeyRing.from_jwks({"keys": keys})
    nameless = {name: keys[0][name] for name in keys[0] if name != "kid"}

    assert ring.kids == ("a", "b")
    assert ring.verify(KeyRing.from_jwks({"keys": keys[1:]}).sign(b"b")) == b"b"
    token = KeyRing.from_jwks({"keys": [nameless]}).sign(b"a")
    assert refusal(ring, token) == "it names no key"
    assert KeyRing.from_jwks({"keys": keys[:1]}).verify(token) == b"a"


def test_unknown_kid_can_be_told_apart(ring: KeyRing) -> None:
    """A reader that can fetch newer keys learns which one is missing."""
    with pytest.raises(AuthenticationException, match="Invalid token") as caught:
        ring.verify(forge({"alg": "HS256", "kid": "new"}))

    cause = caught.value.__cause__
    assert isinstance(cause, UnknownKey)
    assert cause.kid == "new"
    assert "new" not in str(cause)  # it is the caller's text, and goes to the log
    assert pickle.loads(pickle.dumps(cause)).kid == "new"


def test_rotation() -> None:
    """The new ring signs; tokens of both are good until the old one is dropped."""
    old = KeyRing.from_secret(b"o" * 32, kid="2026-05")
    new = KeyRing.from_secret(b"n" * 32, kid="2026-11")
    both = new.also_verifying(old)

    assert both.kids == ("2026-11", "2026-05")
    assert both.verify(old.sign(b"1")) == b"1"
    assert new.verify(both.sign(b"2")) == b"2"
    assert refusal(new, old.sign(b"1")) == "its kid is not in the key ring"


def test_rotation_never_signs_with_the_old_key(
    public_jwk: MakeJwk, private_jwk: MakeJwk
) -> None:
    """A ring that only checks can't be made to sign by another's private key."""
    reader = KeyRing.from_jwks({"keys": [public_jwk("ES256", kid="new")]})
    old = KeyRing.from_jwks({"keys": [private_jwk("ES256", kid="old", serial=1)]})

    with pytest.raises(KeySetError, match="holds no private key"):
        reader.also_verifying(old).sign(b"{}")


@pytest.mark.parametrize(
    ("kids", "reason"),
    [
        (("a", "a"), "Two keys of the ring have the same kid"),
        (("a", None), "every key needs a kid"),
        ((None, None), "every key needs a kid"),
    ],
)
def test_kids_of_a_ring(
    kids: tuple[str | None, ...], reason: str, public_jwk: MakeJwk
) -> None:
    """Each key of several has a name of its own."""
    keys = [public_jwk("ES256", kid=kid, serial=i) for i, kid in enumerate(kids)]

    with pytest.raises(KeySetError, match=reason):
        KeyRing.from_jwks({"keys": keys})


def test_rings_do_not_mix_secrets_and_public_keys(
    public_jwk: MakeJwk, private_jwk: MakeJwk
) -> None:
    """HMAC secrets and public keys don't share a ring, however it is made."""
    keys = [private_jwk("HS256", kid="a"), public_jwk("ES256", kid="b")]
    with pytest.raises(KeySetError, match="must not mix secrets with public keys"):
        KeyRing.from_jwks({"keys": keys})
    with pytest.raises(KeySetError, match="must not mix secrets with public keys"):
        KeyRing.from_jwks({"keys": keys[:1]}).also_verifying(
            KeyRing.from_jwks({"keys": keys[1:]})
        )


@pytest.mark.parametrize(
    ("jwks", "reason"),
    [
        ({}, 'must have a list under "keys"'),
        ({"keys": {}}, 'must have a list under "keys"'),
        ([], 'must have a list under "keys"'),
        (None, 'must have a list under "keys"'),
        ({"keys": []}, "at least one key"),
        ({"keys": [{}]}, "key number 1: kty is missing"),
        ("", "not one JSON object"),
        ("{", "not one JSON object"),
        (b"\xff", "not one JSON object"),
        ("\ud800", "not one JSON object"),
        ('{"keys":[],"keys":[]}', "not one JSON object"),
    ],
)
def test_not_a_key_set(jwks: str, reason: str) -> None:
    """What is no JWK Set is refused, as text already for a member given twice."""
    with pytest.raises(KeySetError, match=reason) as caught:
        KeyRing.from_jwks(jwks)

    assert caught.value.__cause__ is None


def test_key_set_as_text(public_jwk: MakeJwk) -> None:
    """A set can be given as the JSON that a setting or a file holds."""
    text = json.dumps({"keys": [public_jwk("ES256")]})

    assert KeyRing.from_jwks(text).kids == KeyRing.from_jwks(text.encode()).kids


def test_foreign_keys_are_refused_or_skipped(public_jwk: MakeJwk) -> None:
    """Keys for other purposes end a set of our own and are skipped in others'."""
    foreign = public_jwk("RS256", kid="enc") | {"use": "enc", "alg": "RSA-OAEP"}
    jwks = {"keys": [foreign, public_jwk("ES256", kid="sig")]}

    with pytest.raises(KeySetError, match="key 'enc': its use is not sig"):
        KeyRing.from_jwks(jwks)
    assert KeyRing.from_jwks(jwks, skip_foreign_keys=True).kids == ("sig",)
    with pytest.raises(KeySetError, match="at least one key"):
        KeyRing.from_jwks({"keys": [foreign]}, skip_foreign_keys=True)


def test_bad_keys_are_not_skipped(public_jwk: MakeJwk) -> None:
    """Skipping what is foreign does not overlook what is weak."""
    weak = public_jwk("RS256", kid="weak", bits=1024)

    with pytest.raises(KeySetError, match="key 'weak': RSA must have 2048"):
        KeyRing.from_jwks({"keys": [weak, public_jwk("ES256")]}, skip_foreign_keys=True)


@pytest.mark.parametrize("alg", ["HS256", "ES256", "PS256", ""])
def test_assumed_algorithm_is_one_of_rsa(alg: str, public_jwk: MakeJwk) -> None:
    """Only an RSA algorithm can be assumed for RSA keys."""
    with pytest.raises(KeySetError, match="must be RS256, RS384 or RS512"):
        KeyRing.from_jwks({"keys": [public_jwk("RS256")]}, assume_rsa_alg=alg)


def test_assumed_algorithm(public_jwk: MakeJwk, private_jwk: MakeJwk) -> None:
    """RSA keys without alg, as Azure publishes them, get the one the caller names."""
    jwk = public_jwk("RS256")
    del jwk["alg"]
    token = KeyRing.from_jwks({"keys": [private_jwk("RS256")]}).sign(b"{}")

    assert KeyRing.from_jwks({"keys": [jwk]}, assume_rsa_alg="RS256").verify(token)
    with pytest.raises(KeySetError, match="alg is missing"):
        KeyRing.from_jwks({"keys": [jwk]})


@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        ("x" * 31, "at least 32 bytes .got 31"),
        (b"", "at least 32 bytes .got 0"),
        (None, "must be text or bytes"),
        (bytearray(32), "must be text or bytes"),
        ("hunter2\udcff" * 32, "that UTF-8 can hold"),
    ],
)
def test_secret_that_is_none(secret: str, reason: str) -> None:
    """A short secret is refused, as is a setting that is not there, unquoted."""
    with pytest.raises(KeySetError, match=reason) as caught:
        KeyRing.from_secret(secret)

    assert caught.value.__cause__ is None
    assert "hunter2" not in str(caught.value)


def test_secret_counts_in_bytes() -> None:
    """Text is taken as UTF-8, the same secret as those bytes."""
    token = KeyRing.from_secret("ü" * 16).sign(b"{}")

    assert KeyRing.from_secret(("ü" * 16).encode()).verify(token) == b"{}"


def test_empty_kid_of_a_secret() -> None:
    """An empty name is a setting that got lost."""
    with pytest.raises(KeySetError, match="kid must not be empty"):
        KeyRing.from_secret(SECRET, kid="")


def test_public_jwks_verify(private_jwk: MakeJwk, public_jwk: MakeJwk) -> None:
    """What a ring publishes checks what it signs, and holds no private part."""
    keys = [private_jwk("RS256", kid="a"), private_jwk("ES512", kid="b")]
    ring = KeyRing.from_jwks({"keys": keys})
    published = ring.public_jwks()

    assert KeyRing.from_jwks(json.dumps(published)).verify(ring.sign(b"{}")) == b"{}"
    assert published["keys"] == [
        public_jwk("RS256", kid="a") | {"use": "sig"},
        public_jwk("ES512", kid="b") | {"use": "sig"},
    ]


def test_secret_is_not_published(ring: KeyRing) -> None:
    """There is no public half of a secret."""
    with pytest.raises(KeySetError, match="must not be published"):
        ring.public_jwks()


def test_repr_shows_names_only(private_jwk: MakeJwk) -> None:
    """A ring in a log or a traceback shows kids and algorithms, no key material."""
    ring = KeyRing.from_jwks({"keys": [private_jwk("ES256")]})

    assert repr(ring) == "<KeyRing 'a': ES256>"
    assert str(private_jwk("ES256")["d"]) not in repr(ring._keys)


def test_ring_is_not_pickled(ring: KeyRing) -> None:
    """Key material does not leave the process by accident; a copy is the ring."""
    with pytest.raises(TypeError, match="holds key material and does not pickle"):
        pickle.dumps(ring)
    assert copy.copy(ring) is ring
    assert copy.deepcopy(ring) is ring


def test_strangers_fill_no_memory(ring: KeyRing) -> None:
    """Headers are remembered only from signed tokens, and only so many."""
    for number in range(100):
        refusal(ring, forge({"alg": "HS256", "x": number}, secret=b"x" * 32))
    assert ring._remembered == {}
    for number in range(100):
        ring.verify(forge({"alg": "HS256", "x": number}))
    assert len(ring._remembered) == 64
    assert ring.verify(forge({"alg": "HS256", "x": 99})) == b"{}"


def test_remembered_header_still_needs_a_signature(ring: KeyRing) -> None:
    """A header that was seen before opens nothing."""
    token = forge({"alg": "HS256"})
    ring.verify(token)
    stranger = forge({"alg": "HS256"}, secret=b"x" * 32)

    assert refusal(ring, stranger) == "its signature does not fit"

"""Nothing but the token itself is accepted, whatever is tried instead."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.auth import (
    KeyRing,
    TokenPolicy,
    TokenRejected,
    create_access_token,
    decode_access_token,
)
from shared.auth._strict import encode_base64url
from shared.errors import AuthenticationException

MakeJwk = Callable[..., dict[str, object]]
Forge = Callable[[str], str]

POLICY = TokenPolicy(issuer="https://issuer.test", audience="orders")
SECRET = KeyRing.from_secret("0123456789abcdef0123456789abcdef", kid="a")
TOKEN = create_access_token("u1", keys=SECRET, policy=POLICY)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."


def assert_refused(token: str, ring: KeyRing = SECRET) -> None:
    """Check that a refusal, and nothing else, is what comes of *token*."""
    with pytest.raises(AuthenticationException, match=r"^Invalid token\.$") as caught:
        decode_access_token(token, keys=ring, policy=POLICY)
    assert isinstance(caught.value.__cause__, TokenRejected)


@pytest.mark.parametrize("alg", ["HS256", "RS256", "ES256"])
def test_every_character_counts(alg: str, private_jwk: MakeJwk) -> None:
    """No character of a token can be changed, left out or doubled."""
    ring = KeyRing.from_jwks({"keys": [private_jwk(alg)]})
    token = create_access_token("u1", keys=ring, policy=POLICY)
    for i in range(len(token)):
        other = ALPHABET[(ALPHABET.index(token[i]) + 1) % len(ALPHABET)]

        assert_refused(token[:i] + other + token[i + 1 :], ring)
        assert_refused(token[:i] + token[i + 1 :], ring)
        assert_refused(token[:i] + token[i] + token[i:], ring)


@settings(deadline=None, max_examples=300)
@given(st.integers(0, len(TOKEN) - 1), st.integers(0, 7))
def test_every_bit_counts(position: int, bit: int) -> None:
    """No single bit of a token can be turned over."""
    changed = chr(ord(TOKEN[position]) ^ (1 << bit))

    assert_refused(TOKEN[:position] + changed + TOKEN[position + 1 :])


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=80))
def test_any_text(text: str) -> None:
    """Whatever text comes in, a refusal comes out."""
    assert_refused(text)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.text(ALPHABET, max_size=30), max_size=5))
def test_any_segments(segments: list[str]) -> None:
    """Whatever segments are joined, a refusal comes out."""
    assert_refused(".".join(segments))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)
NAMES = st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jwk", "jku", "x5c", "x"])
VALUES = JSON | st.sampled_from(["HS256", "none", "RS256", "a", "JWT"])


@settings(deadline=None, max_examples=300)
@given(st.dictionaries(NAMES, VALUES, max_size=5), st.binary(max_size=64))
def test_any_header_with_any_signature(
    header: dict[str, object], signature: bytes
) -> None:
    """Whatever a stranger's header says, a refusal comes out."""
    segments = [json.dumps(header).encode(), b'{"sub":"u1"}', signature]

    assert_refused(b".".join(map(encode_base64url, segments)).decode())


@settings(deadline=None, max_examples=300)
@given(st.dictionaries(st.text(max_size=4), JSON, max_size=4) | JSON)
def test_any_signed_json(payload: object) -> None:
    """Whatever JSON is signed, it is no access token without the claims of one."""
    raw = json.dumps(payload).encode()

    assert_refused(SECRET.sign(raw, typ="JWT"))


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=60))
def test_any_signed_bytes(payload: bytes) -> None:
    """Whatever bytes are signed, a refusal comes out."""
    assert_refused(SECRET.sign(payload, typ="JWT"))


CLAIMS = st.sampled_from(["sub", "roles", "scope", "iss", "aud", "exp", "iat", "nbf"])


@settings(deadline=None, max_examples=300)
@given(CLAIMS, JSON.filter(lambda value: not isinstance(value, str | list)))
def test_any_type_of_claim(name: str, value: object) -> None:
    """A claim of the wrong type is a refusal, not an error."""
    claims = json.loads(SECRET.verify(TOKEN))
    token = SECRET.sign(json.dumps(claims | {name: value}).encode(), typ="JWT")
    try:
        payload = decode_access_token(token, keys=SECRET, policy=POLICY)
    except AuthenticationException:
        return

    # What is left over: times that fit, and claims that need not be there.
    assert getattr(payload, name) == value
    assert name in {"exp", "iat", "nbf", "scope"}

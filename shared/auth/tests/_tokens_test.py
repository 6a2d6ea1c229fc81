"""Tokens as their writers and readers meet them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.auth import (
    KeyRing,
    KeySetError,
    TokenPayload,
    TokenPolicy,
    TokenRejected,
    authenticate,
    create_access_token,
    decode_access_token,
)
from shared.errors import AuthenticationException, ServiceUnavailableException

NOON = datetime(2027, 1, 15, 12, tzinfo=UTC)
RING = KeyRing.from_secret("0123456789abcdef0123456789abcdef", kid="a")
POLICY = TokenPolicy(issuer="https://issuer.test", audience="orders", now=lambda: NOON)


def reason(token: str, *, now: datetime | None = None) -> str:
    with pytest.raises(AuthenticationException, match=r"^Invalid token\.$") as caught:
        decode_access_token(token, keys=RING, policy=POLICY, now=now)
    assert caught.value.status_code == 401
    assert caught.value.extra_info == {}
    assert isinstance(caught.value.__cause__, TokenRejected)
    return str(caught.value.__cause__)


def test_round_trip() -> None:
    """What was put into a token comes out of it, with what the policy adds."""
    token = create_access_token(
        "u1",
        keys=RING,
        policy=POLICY,
        roles=["admin"],
        scopes=["orders:read", "orders:write"],
        expires_in=timedelta(minutes=5),
        claims={"tenant": {"id": 7}},
    )
    payload = decode_access_token(token, keys=RING, policy=POLICY)

    issued = int(NOON.timestamp())
    assert type(payload) is TokenPayload
    assert (payload.sub, payload.roles) == ("u1", ["admin"])
    assert payload.scopes == ("orders:read", "orders:write")
    assert (payload.iss, payload.aud) == ("https://issuer.test", "orders")
    assert (payload.iat, payload.exp) == (issued, issued + 300)
    assert payload.model_extra == {"tenant": {"id": 7}}


def test_two_tokens_differ() -> None:
    """Each token has a jti of its own, by which it could be revoked."""
    tokens = {create_access_token("u1", keys=RING, policy=POLICY) for _ in range(9)}

    assert len(tokens) == 9


def test_only_what_is_there_is_written() -> None:
    """A token without roles and scopes does not mention them."""
    token = create_access_token("u1", keys=RING, policy=POLICY)

    assert set(json.loads(RING.verify(token))) == {
        *("iss", "aud", "sub", "iat", "exp", "jti"),
    }


SETTINGS = st.fixed_dictionaries(
    {
        "issuer": st.none() | st.text(min_size=1, max_size=9),
        "audience": st.none() | st.text(min_size=1, max_size=9),
        "typ": st.none() | st.sampled_from(["JWT", "at+jwt"]),
        "leeway": st.timedeltas(timedelta(), timedelta(minutes=10)),
    }
)
CLAIMS: st.SearchStrategy[dict[str, object]] = st.dictionaries(
    st.text(max_size=5).filter(lambda name: name not in TokenPayload.model_fields),
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just([{}]),
    max_size=3,
)


@settings(deadline=None)
@given(
    sub=st.text(min_size=1, max_size=9),
    options=SETTINGS,
    roles=st.lists(st.text(max_size=5), max_size=3),
    claims=CLAIMS,
    seconds=st.integers(1, 10**6),
    day=st.integers(1, 100_000),
)
def test_policy_accepts_what_it_writes(
    sub: str,
    options: Mapping[str, object],
    roles: list[str],
    claims: dict[str, object],
    seconds: int,
    day: int,
) -> None:
    """A token that is written can be read at once, and until it expires, only then."""
    policy = TokenPolicy(**options)  # type: ignore[arg-type]  # drawn
    now = datetime.fromtimestamp(86_400 * day, UTC)
    token = create_access_token(
        sub,
        keys=RING,
        policy=policy,
        roles=roles,
        claims=claims,
        expires_in=timedelta(seconds=seconds),
        now=now,
    )
    payload = decode_access_token(token, keys=RING, policy=policy, now=now)

    assert (payload.sub, payload.roles) == (sub, roles)
    assert payload.model_extra == claims
    with pytest.raises(AuthenticationException, match="Invalid token"):
        decode_access_token(
            token,
            keys=RING,
            policy=policy,
            now=now + timedelta(seconds=seconds + 1) + policy.leeway,
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sub": ""}, "its sub"),
        ({"sub": 7}, "its sub"),
        ({"expires_in": None}, "it has no expiry"),
        ({"expires_in": timedelta()}, "it has expired"),
        ({"expires_in": timedelta(milliseconds=999)}, "it has expired"),
        ({"expires_in": timedelta(-1)}, "it has expired"),
        ({"expires_in": timedelta(days=9_999_999)}, "its exp"),
        ({"roles": "admin"}, "roles must be several strings"),
        ({"roles": [7]}, "its roles"),
        ({"scopes": "orders"}, "scopes must be several strings"),
        ({"scopes": ["a b"]}, "neither spaces, quotes"),
        ({"scopes": [""]}, "neither spaces, quotes"),
        ({"scopes": ['a"']}, "neither spaces, quotes"),
        ({"scopes": ["a\\"]}, "neither spaces, quotes"),
        ({"claims": {"sub": "admin"}}, "must not set sub"),
        ({"claims": {"exp": 1, "aud": "x"}}, "must not set aud, exp"),
        ({"claims": {"x": object()}}, "not a JSON value"),
        ({"claims": {"x": float("nan")}}, "NaN is not JSON"),
        ({"claims": {"x": "\ud800"}}, "a lone surrogate"),
        ({"claims": {1: "a", "1": "b"}}, "given twice"),
        ({"now": datetime(2027, 1, 15)}, "aware datetime"),  # noqa: DTZ001
    ],
)
def test_token_that_nobody_would_accept(
    options: dict[str, object], message: str
) -> None:
    """A mistake shows where the token is written, not where it is read."""
    arguments: dict[str, object] = {"sub": "u1", "keys": RING, "policy": POLICY}
    with pytest.raises(ValueError, match=message):
        create_access_token(**(arguments | options))  # type: ignore[arg-type]


def test_nested_claims_that_never_end() -> None:
    """A claim too deep for JSON is a mistake of the caller, too."""
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ValueError, match="not a JSON value"):
        create_access_token("u1", keys=RING, policy=POLICY, claims={"x": deep})


def test_lifetime_is_held_against_the_policy() -> None:
    """The writer of a token is held to the reader's longest lifetime."""
    policy = TokenPolicy(max_lifetime=timedelta(minutes=5))
    with pytest.raises(ValueError, match="it lives too long"):
        create_access_token("u1", keys=RING, policy=policy)


def test_token_that_never_dies() -> None:
    """Only a policy that says so by name writes and reads a token without exp."""
    endless = TokenPolicy(
        issuer="https://issuer.test",
        audience="orders",
        allow_missing_expiry=True,
        now=lambda: NOON,
    )
    token = create_access_token("u1", keys=RING, policy=endless, expires_in=None)

    assert decode_access_token(token, keys=RING, policy=endless).exp is None
    assert reason(token) == "it has no expiry"


def test_writer_needs_a_private_key() -> None:
    """A service that only checks tokens can't be made to write one."""
    published = {
        "kty": "EC",
        "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    }
    ring = KeyRing.from_jwks({"keys": [published]})
    with pytest.raises(KeySetError, match="holds no private key"):
        create_access_token("u1", keys=ring, policy=POLICY)


def test_time_can_be_given() -> None:
    """The time of one call beats the policy's clock."""
    later = NOON + timedelta(days=1)
    token = create_access_token("u1", keys=RING, policy=POLICY, now=later)

    assert decode_access_token(token, keys=RING, policy=POLICY, now=later).sub == "u1"
    assert reason(token) == "it was issued in the future"
    assert reason(token, now=later + timedelta(minutes=15)) == "it has expired"


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"", "its payload: not JSON"),
        (b"hello", "its payload: not JSON"),
        (b"[]", "its payload: not a JSON object"),
        (b'{"sub":"a","sub":"b"}', "its payload: a JSON member is given twice"),
        (b'{"sub":"a","x":{"y":1,"y":1}}', "its payload: a JSON member is given"),
        (b'{"sub":"u1","exp":NaN}', "its payload: NaN is not JSON"),
        (b'{"sub":"u1","exp":"1"}', "its exp: Input should be a valid"),
        (b'{"sub":"u1","exp":1e30}', "its exp: Input should be"),
        (b'{"sub":"u1","exp":1' + b"0" * 400 + b"}", "its exp: Input should be"),
        (b'{"sub":"u1","aud":[["orders"]]}', "its aud: Input should be a valid"),
        (b'{"iss":"https://issuer.test"}', "its sub: Field required"),
        (b'{"sub":"u1","iss":"x"}', "its issuer is not the expected one"),
    ],
)
def test_signed_but_not_an_access_token(payload: bytes, expected: str) -> None:
    """A proper signature over the wrong payload opens nothing."""
    assert reason(RING.sign(payload, typ="JWT")).startswith(expected)


def test_reasons_quote_nothing_of_the_token() -> None:
    """Neither a reason nor anything it was raised from holds claims or token."""
    secretive = RING.sign(b'{"sub":"u1","exp":"hunter2"}', typ="JWT")
    with pytest.raises(AuthenticationException, match="Invalid token") as caught:
        decode_access_token(secretive, keys=RING, policy=POLICY)

    chain = [caught.value, caught.value.__cause__]
    assert caught.value.__cause__ is not None
    assert caught.value.__cause__.__cause__ is None
    assert not any("hunter2" in repr(error) for error in chain)


class Source:
    """A source that has one ring now and another when a kid is missing."""

    def __init__(self, now: KeyRing | None, later: KeyRing | None) -> None:
        self.now, self.later = now, later
        self.asked: list[str | None] = []

    async def ring(self, *, unknown_kid: str | None = None) -> KeyRing:
        self.asked.append(unknown_kid)
        ring = self.now if unknown_kid is None else self.later
        if ring is None:
            raise ServiceUnavailableException
        return ring


OTHER = KeyRing.from_secret("another secret of thirty-two byte", kid="b")


async def test_authenticate_with_a_ring() -> None:
    """A ring is as good a source as any."""
    token = create_access_token("u1", keys=RING, policy=POLICY)

    assert (await authenticate(token, keys=RING, policy=POLICY)).sub == "u1"


async def test_authenticate_with_keys_at_hand() -> None:
    """A source is asked once for a token whose key it holds."""
    source = Source(RING, None)
    token = create_access_token("u1", keys=RING, policy=POLICY)

    assert (await authenticate(token, keys=source, policy=POLICY)).sub == "u1"
    assert source.asked == [None]


async def test_authenticate_with_a_newer_key() -> None:
    """A token that names an unknown key is tried again with a newer set."""
    source = Source(OTHER, RING)
    token = create_access_token("u1", keys=RING, policy=POLICY)

    assert (await authenticate(token, keys=source, policy=POLICY)).sub == "u1"
    assert source.asked == [None, "a"]


async def test_authenticate_with_no_newer_key() -> None:
    """If the set has not changed the refusal stands."""
    source = Source(OTHER, OTHER)
    token = create_access_token("u1", keys=RING, policy=POLICY)
    with pytest.raises(AuthenticationException, match="Invalid token"):
        await authenticate(token, keys=source, policy=POLICY)


async def test_authenticate_does_not_ask_about_bad_tokens() -> None:
    """Only an unknown kid sends the source looking, not any bad token."""
    source = Source(RING, None)
    with pytest.raises(AuthenticationException, match="Invalid token"):
        await authenticate("a.b.c", keys=source, policy=POLICY)
    assert source.asked == [None]


async def test_authenticate_without_keys() -> None:
    """No keys is a fault of ours, not of the token: 503, not 401."""
    with pytest.raises(ServiceUnavailableException, match="unavailable"):
        await authenticate("a.b.c", keys=Source(None, None), policy=POLICY)

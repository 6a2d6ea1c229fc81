"""Keys and policy from the settings."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

import pytest
from fastapi import Depends
from pydantic import SecretStr
from starlette.testclient import TestClient

from shared.app import Service
from shared.app._auth import keys_from, policy_from
from shared.auth import (
    KeyRing,
    TokenPayload,
    TokenPolicy,
    create_access_token,
    decode_access_token,
)
from shared.auth.dependencies import get_current_user
from shared.auth.jwks import JWKSClient
from shared.config import SecurityConfig, ServiceConfig
from shared.errors import AuthenticationException
from shared.testing import is_problem, mint_token
from shared.testing.fake_service import FakeService, Route

Make = Callable[..., Service]
NEW, OLD = "n" * 16 + "ew" * 16, "o" * 16 + "ld" * 16
POLICY = TokenPolicy()
KEY = SecretStr(NEW)

KEYS = "/.well-known/jwks.json"
# Appendix A.3 of RFC 7515.
ISSUER_KEYS = KeyRing.from_jwks(
    {
        "keys": [
            {
                "kty": "EC",
                "kid": "a",
                "alg": "ES256",
                "crv": "P-256",
                "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
                "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI",
            }
        ]
    }
)
TOKEN = mint_token(
    keys=ISSUER_KEYS, policy=policy_from(ServiceConfig(service_name="x"))
)
FAULTS: dict[str, Callable[[Route], Route]] = {
    "reset": Route.reset,
    "half a body": Route.half_body,
    "no end": Route.endless_body,
    "redirects": Route.redirect_loop,
    "garbage": Route.garbage,
    "a server error": lambda route: route.reply(500),
    "a page": lambda route: route.reply(body="<html>"),
    "no keys": lambda route: route.reply(json={"keys": []}),
    "a secret": lambda route: route.reply(
        json={"keys": [{"kty": "oct", "kid": "a", "alg": "HS256", "k": "c2VjcmV0"}]}
    ),
}


def config(**security: Any) -> ServiceConfig:
    """Settings of a service."""
    return ServiceConfig(service_name="my-service", security=SecurityConfig(**security))


def ring(**security: Any) -> KeyRing:
    """The key ring that the settings make."""
    keys = keys_from(config(**security), None)
    assert isinstance(keys, KeyRing)
    return keys


def test_without_a_key_there_is_no_ring() -> None:
    """A service without protected routes needs none."""
    assert keys_from(config(), None) is None


def test_a_rotation() -> None:
    """Tokens of the old key are good as long as it is listed; the new one signs."""
    before = ring(secret_key=SecretStr(OLD))
    during = ring(secret_key=SecretStr(NEW), previous_secret_keys=(SecretStr(OLD),))
    after = ring(secret_key=SecretStr(NEW))
    old_token = create_access_token("user-1", keys=before, policy=POLICY)
    new_token = create_access_token("user-1", keys=during, policy=POLICY)

    assert decode_access_token(old_token, keys=during, policy=POLICY).sub == "user-1"
    assert decode_access_token(new_token, keys=after, policy=POLICY).sub == "user-1"
    with pytest.raises(AuthenticationException, match="Invalid token"):
        decode_access_token(old_token, keys=after, policy=POLICY)


def test_the_current_key_among_the_previous_ones() -> None:
    """Listed twice by mistake, it counts once."""
    keys = ring(
        secret_key=SecretStr(NEW),
        previous_secret_keys=(SecretStr(NEW), SecretStr(OLD)),
    )

    assert len(keys.kids) == 2


def test_a_token_without_a_kid() -> None:
    """Who signs with the bare secret is understood, while there is one key."""
    bare = KeyRing.from_secret(NEW)
    token = create_access_token("user-1", keys=bare, policy=POLICY)
    keys = ring(secret_key=SecretStr(NEW))

    assert decode_access_token(token, keys=keys, policy=POLICY).sub == "user-1"


def test_the_kid_is_not_the_secret() -> None:
    """It names the key; the ring shows it."""
    keys = ring(secret_key=SecretStr(NEW))

    (kid,) = keys.kids
    assert kid is not None
    assert len(kid) == 16
    assert NEW not in repr(keys)
    assert keys.kids == ring(secret_key=SecretStr(NEW)).kids


async def fetch(url: str) -> Any:
    """Get nothing."""


def test_an_issuer_elsewhere() -> None:
    """Its keys are fetched, and its URL wins over a secret."""
    security = {
        "secret_key": SecretStr(NEW),
        "jwks_url": "https://issuer.example/jwks.json",
    }

    assert isinstance(keys_from(config(**security), fetch), JWKSClient)


@pytest.fixture
def issuer() -> Iterator[FakeService]:
    """An issuer that publishes its key."""
    with FakeService() as fake:
        fake.on("GET", KEYS).reply(json=ISSUER_KEYS.public_jwks())
        yield fake


def protected(make: Make, issuer: FakeService) -> Service:
    """A service whose one route asks for a token of the issuer."""
    security = SecurityConfig(jwks_url=f"{issuer.url}{KEYS}")
    service = make(config={"security": security})

    @service.app.get("/me")
    async def me(user: Annotated[TokenPayload, Depends(get_current_user)]) -> str:
        return user.sub

    return service


def test_the_keys_of_an_issuer_are_fetched(make: Make, issuer: FakeService) -> None:
    """Once, by the kernel's own client, and in our name."""
    service = protected(make, issuer)
    with TestClient(service.app) as client:
        replies = [client.get("/me", headers=TOKEN.headers) for _ in range(3)]
        stranger = client.get(
            "/me", headers=mint_token(keys=ring(secret_key=KEY)).headers
        )

    assert [reply.json() for reply in replies] == ["user-1"] * 3
    assert stranger.status_code == 401
    (request,) = issuer.requests
    assert "my-service" in request.headers["user-agent"]


def test_an_issuer_that_is_away(make: Make, issuer: FakeService) -> None:
    """Is no reason not to start: what needs no token is served."""
    issuer.go_down()
    with TestClient(protected(make, issuer).app) as client:
        assert client.get("/health/ready").status_code == 200
        reply = client.get("/me", headers=TOKEN.headers)

    assert reply == is_problem(status=503, code="service_unavailable")
    assert issuer.url not in reply.text


@pytest.mark.parametrize("fault", FAULTS)
def test_an_issuer_that_fails(make: Make, issuer: FakeService, fault: str) -> None:
    """However it does: 503, without a storm of further requests."""
    FAULTS[fault](issuer.on("GET", KEYS))
    with TestClient(protected(make, issuer).app) as client:
        replies = [client.get("/me", headers=TOKEN.headers) for _ in range(5)]

    assert replies == [is_problem(status=503, code="service_unavailable")] * 5
    assert len(issuer.requests) == 1
    issuer.wait_until_idle()


def test_a_caller_in_a_hurry(make: Make, issuer: FakeService) -> None:
    """Goes without his answer. Those who come next do not pay for him."""
    issuer.on("GET", KEYS).delay(0.3, times=1).reply(json=ISSUER_KEYS.public_jwks())
    hurry = {"X-Request-Timeout-Ms": "50"}
    with TestClient(protected(make, issuer).app) as client:
        early = client.get("/me", headers={**TOKEN.headers, **hurry})
        later = client.get("/me", headers=TOKEN.headers)

    assert early == is_problem(status=504, code="deadline_exceeded")
    assert later.json() == "user-1"
    assert len(issuer.requests) == 1


def test_a_fetch_ends_with_the_service(make: Make, issuer: FakeService) -> None:
    """One that hangs does not go on without it."""
    issuer.on("GET", KEYS).hang()
    hurry = {"X-Request-Timeout-Ms": "50"}
    with TestClient(protected(make, issuer).app) as client:
        client.get("/me", headers={**TOKEN.headers, **hurry})
        assert issuer.open_connections == 1

    issuer.wait_until_idle()


def test_one_s_own_way_to_fetch(make: Make, issuer: FakeService) -> None:
    """Counts instead of the kernel's."""
    asked: list[str] = []

    @dataclass
    class Document:
        content: bytes
        status_code: int = 200
        headers: Mapping[str, str] = field(default_factory=dict)

    async def fetch(url: str) -> Document:
        asked.append(url)
        return Document(json.dumps(ISSUER_KEYS.public_jwks()).encode())

    security = SecurityConfig(jwks_url="https://issuer.example/keys")
    service = make(config={"security": security}, jwks_fetch=fetch)

    @service.app.get("/me", dependencies=[Depends(get_current_user)])
    async def me() -> str:
        return "me"

    with TestClient(service.app) as client:
        assert client.get("/me", headers=TOKEN.headers).json() == "me"

    assert asked == ["https://issuer.example/keys"]


def test_the_policy() -> None:
    """Issuer and audience of the settings, and everything else strict."""
    policy = policy_from(config(jwt_issuer="https://i.example", jwt_audience="me"))

    assert policy == TokenPolicy(issuer="https://i.example", audience="me")

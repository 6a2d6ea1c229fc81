"""Keys and policy from the settings."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr

from shared.app._auth import keys_from, policy_from
from shared.auth import (
    KeyRing,
    TokenPolicy,
    create_access_token,
    decode_access_token,
)
from shared.auth.jwks import JWKSClient
from shared.config import SecurityConfig, ServiceConfig
from shared.errors import AuthenticationException

NEW, OLD = "n" * 16 + "ew" * 16, "o" * 16 + "ld" * 16
POLICY = TokenPolicy()


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


def test_an_issuer_elsewhere_and_nothing_that_fetches() -> None:
    """One line says what is missing, and where it goes."""
    security = {"jwks_url": "https://issuer.example/jwks.json"}

    with pytest.raises(ValueError, match=r"JWKS_URL is set, .* needs jwks_fetch="):
        keys_from(config(**security), None)


def test_the_policy() -> None:
    """Issuer and audience of the settings, and everything else strict."""
    policy = policy_from(config(jwt_issuer="https://i.example", jwt_audience="me"))

    assert policy == TokenPolicy(issuer="https://i.example", audience="me")

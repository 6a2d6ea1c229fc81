"""How the service knows the ones behind it, and how they know it."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from secrets import token_bytes

import pytest

from services.api_platform._settings import NAME, Settings
from services.api_platform.app import bootstrap
from services.api_platform.downstreams import ServiceToken
from services.api_platform.tests.behind import behind
from shared.auth import KeyRing, TokenPolicy, decode_access_token
from shared.config import ConfigurationError, load_config
from shared.testing import FakeClock
from shared.testing.messaging import RecordingBus


@pytest.fixture
def url(tmp_path: Path) -> str:
    """An empty database in a file."""
    return f"sqlite:///{tmp_path}/test.db"


def random_key() -> str:
    """A key as openssl makes it."""
    return b64encode(token_bytes(32)).decode()


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_every_missing_setting_is_named_at_once(url: str, environment: str) -> None:
    """Where it counts there are no stand-ins."""
    settings = load_config(
        NAME,
        Settings,
        environ={
            "ENVIRONMENT": environment,
            "DATABASE_URL": url,
            "JWKS_URL": "https://issuer.example/jwks.json",
            "AES_KEY": random_key(),
            "API_KEY_PEPPERS": random_key(),
        },
        env_file=None,
        secrets_dir=None,
    )

    with pytest.raises(ConfigurationError, match="3 settings to correct") as refused:
        bootstrap(settings, bus=RecordingBus(NAME), webhooks_bus=RecordingBus(NAME))
    assert [problem.name for problem in refused.value.problems] == [
        "AIGEN_ORCH_SERVICE_URL",
        "ODOO_BUSINESS_SERVICE_URL",
        "SERVICE_TOKEN",
    ]


def test_a_fixed_token_is_sent_as_it_is(url: str) -> None:
    """To both, instead of one that is signed here."""
    with behind(url, {"SERVICE_TOKEN": "of-api-platform"}) as between:
        between.post(between.key())

        for fake in (between.generations, between.billing):
            [request] = fake.requests
            assert request.headers["authorization"] == "Bearer of-api-platform"


def test_a_service_token_is_renewed_in_time() -> None:
    """Never one that is about to expire, and not a new one for each call."""
    clock = FakeClock()
    keys = KeyRing.from_secret(random_key())
    token = ServiceToken(keys, "billing", clock=clock.monotonic)
    first = token()
    clock.advance(539)
    later = token()
    clock.advance(2)
    renewed = token()

    policy = TokenPolicy(issuer=NAME, audience="billing")
    assert decode_access_token(first, keys=keys, policy=policy).sub == NAME
    assert first == later != renewed

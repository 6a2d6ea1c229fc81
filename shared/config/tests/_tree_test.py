from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import Field, SecretStr

from shared.config import ConfigSection, Env, SecretUrl, ServiceConfig
from shared.config._tree import settings_of


class Limits(ConfigSection):
    """A section in a section."""

    burst: int = 5


class Insights(ConfigSection):
    """A section."""

    cache_ttl: int = 60
    limits: Limits = Limits(burst=6)
    source: SecretUrl
    keys: tuple[SecretStr, ...] = ()
    timeout: Annotated[float, Env("INSIGHTS_SECONDS", "SECONDS")] = 1.0


class Settings(ServiceConfig):
    """A service's own."""

    instagram_app_id: str
    MAX_API_RETRIES: int = 3
    insights: Insights


OWN = {
    ".".join(setting.path): setting
    for setting in settings_of(Settings)
    if setting.path[0] not in ServiceConfig.model_fields
}


def test_names() -> None:
    """A variable is called as its path, or as Env says."""
    assert {path: setting.names for path, setting in OWN.items()} == {
        "instagram_app_id": ("INSTAGRAM_APP_ID",),
        "MAX_API_RETRIES": ("MAX_API_RETRIES",),
        "insights.cache_ttl": ("INSIGHTS_CACHE_TTL",),
        "insights.limits.burst": ("INSIGHTS_LIMITS_BURST",),
        "insights.source": ("INSIGHTS_SOURCE",),
        "insights.keys": ("INSIGHTS_KEYS",),
        "insights.timeout": ("INSIGHTS_SECONDS", "SECONDS"),
    }


def test_what_is_secret_and_required() -> None:
    """Secrets by type, inside lists too; required is what has no default."""
    assert {path for path, each in OWN.items() if each.is_secret} == {
        "insights.source",
        "insights.keys",
    }
    assert {path for path, each in OWN.items() if each.is_required} == {
        "instagram_app_id",
        "insights.source",
    }
    assert OWN["insights.limits.burst"].default == 6


def test_the_specs_names_are_there() -> None:
    """Names that the specs fix."""
    names = {setting.name for setting in settings_of(ServiceConfig)}

    assert names >= {
        "DATABASE_URL",
        "DB_POOL_SIZE",
        "DB_POOL_TIMEOUT",
        "REDIS_URL",
        "RABBITMQ_URL",
        "SECRET_KEY",
        "AES_KEY",
        "LOG_LEVEL",
    }


class Twice(ServiceConfig):
    """As the spec's flat class would have it."""

    DATABASE_URL: str


class TwiceByOtherName(ServiceConfig):
    """A name that platforms set."""

    port: int = 1


class Aliased(ServiceConfig):
    """As in plain pydantic-settings."""

    retries: int = Field(default=3, validation_alias="RETRIES")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Twice, "reads DATABASE_URL twice: as database.url and as DATABASE_URL."),
        (TwiceByOtherName, "reads PORT twice: as server.port and as port."),
        (Aliased, "Aliased.retries has an alias. Name the variable"),
    ],
)
def test_models_that_cannot_be_read(model: type[ServiceConfig], message: str) -> None:
    """A mistake in the code is a TypeError, whatever is set."""
    with pytest.raises(TypeError, match=message):
        settings_of(model)

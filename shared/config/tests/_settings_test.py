from __future__ import annotations

import copy
import pickle

import pytest
from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings

from shared.config import (
    ConfigurationError,
    CorsConfig,
    DatabaseConfig,
    RabbitMQConfig,
    RedisConfig,
    SecurityConfig,
    ServiceConfig,
)

RANDOM = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
FULL = ServiceConfig(
    service_name="subject-service",
    database=DatabaseConfig(url="postgres://app:hunter2@db/subjects", pool_size=7),
    redis=RedisConfig(url="redis://:hunter2@cache/0"),
    rabbitmq=RabbitMQConfig(url="amqp://app:hunter2@bus/"),
    security=SecurityConfig(secret_key=SecretStr(RANDOM)),
    service_urls={"auth-service": "http://auth:8001/"},
    features={"new-editor": True},
)


def test_defaults() -> None:
    """A service starts without a setting, for development, on SQLite."""
    config = ServiceConfig(service_name="my-service")

    assert config.environment == "development"
    assert config.database.connection_string == "sqlite:///./my-service.db"
    assert config.redis.connection_string is None
    assert config.rabbitmq.connection_string is None
    assert config.server.host == "127.0.0.1"
    assert (config.service_urls, config.features) == ({}, {})


def test_a_full_pool_is_told_before_the_time_is_up() -> None:
    """Else its 503 would never be seen: a request's deadline begins first."""
    config = ServiceConfig(service_name="my-service")

    assert config.database.pool_timeout <= config.server.request_timeout / 2


def test_the_class_reads_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A configuration made in code is what the code says, wherever it runs."""
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    monkeypatch.setenv("DATABASE_URL", "postgresql://h/db")
    monkeypatch.setenv("SERVICE_VERSION", "9")
    config = ServiceConfig(service_name="my-service")

    assert isinstance(config, BaseSettings)
    assert (config.log_level, config.service_version) == ("INFO", "0.0.0")
    assert config.database.connection_string == "sqlite:///./my-service.db"


def test_a_part_of_a_section_is_enough() -> None:
    """The rest are its defaults, the embedded database too."""
    config = ServiceConfig.model_validate(
        {"service_name": "my-service", "database": {"pool_size": 3}}
    )

    assert config.database.pool_size == 3
    assert config.database.connection_string == "sqlite:///./my-service.db"


def test_connection_strings() -> None:
    """With their passwords, for those who connect."""
    database = FULL.database.connection_string

    assert database == "postgresql://app:hunter2@db/subjects"
    assert FULL.redis.connection_string == "redis://:hunter2@cache/0"
    assert FULL.rabbitmq.connection_string == "amqp://app:hunter2@bus/"


def test_frozen() -> None:
    """Nothing in the tree changes, the mappings neither; it hashes."""
    with pytest.raises(ValidationError, match="frozen"):
        FULL.log_level = "DEBUG"  # type: ignore[misc]
    with pytest.raises(ValidationError, match="frozen"):
        FULL.database.pool_size = 9  # type: ignore[misc]
    with pytest.raises(TypeError, match="does not support item assignment"):
        FULL.features["x"] = True  # type: ignore[index]

    assert len({FULL, copy.deepcopy(FULL), pickle.loads(pickle.dumps(FULL))}) == 1


def test_nothing_secret_is_shown() -> None:
    """In repr, str and dumps, in Python and JSON."""
    shown = [repr(FULL), str(FULL), str(FULL.model_dump()), FULL.model_dump_json()]

    assert [text for text in shown if "hunter2" in text or RANDOM in text] == []
    assert all("app:***@db/subjects" in text for text in shown)
    assert FULL.model_dump()["service_urls"] == {"auth-service": "http://auth:8001"}
    assert FULL.model_dump()["features"] == {"new-editor": True}


def test_service_url() -> None:
    """A URL that is not set is told with the variable to set."""
    assert FULL.service_url("auth-service") == "http://auth:8001"
    with pytest.raises(ConfigurationError, match="GRADE_SERVICE_URL: is not set"):
        FULL.service_url("grade-service")
    with pytest.raises(ConfigurationError, match="its name must end in -service"):
        FULL.service_url("grades")


def test_feature() -> None:
    """What nobody has set is off, or what the caller says."""
    assert FULL.feature("new-editor")
    assert not FULL.feature("unheard-of")
    assert FULL.feature("unheard-of", default=True)


def test_every_origin_may_not_come_with_credentials() -> None:
    """In any environment; each of the two alone is fine."""
    assert CorsConfig(allow_origins=("*",)).allow_origins == ("*",)
    assert CorsConfig(allow_origins=("https://a",), allow_credentials=True).max_age
    with pytest.raises(ValidationError, match="every web page act as the user"):
        CorsConfig(allow_origins=("*",), allow_credentials=True)


WEAK: dict[str, dict[str, object]] = {
    "echo": {"database": {"url": "sqlite://", "echo": True}},
    "placeholder": {"security": {"secret_key": "change-me-" * 5}},
    "placeholder before": {"security": {"previous_secret_keys": ["ab" * 20]}},
    "plain key set": {"security": {"jwks_url": "HTTP://issuer.example/jwks.json"}},
    "plain origin": {
        "cors": {"allow_origins": ["http://a.example"], "allow_credentials": True}
    },
}


@pytest.mark.parametrize("name", WEAK)
def test_weak_settings(name: str) -> None:
    """They are fine for development and refused in production."""
    settings: dict[str, object] = {"service_name": "my-service", **WEAK[name]}

    assert ServiceConfig.model_validate(settings).environment == "development"
    with pytest.raises(ValidationError, match="In production") as caught:
        ServiceConfig.model_validate({"environment": "production", **settings})
    assert "change-me" not in str(caught.value)


def test_strong_settings() -> None:
    """Production takes what is right."""
    config = ServiceConfig.model_validate(
        {
            "service_name": "my-service",
            "environment": "production",
            "security": {
                "secret_key": RANDOM,
                "jwks_url": "http://127.0.0.1:8/jwks.json",
            },
            "cors": {"allow_origins": ["https://a.example"], "allow_credentials": True},
        }
    )

    assert config.environment == "production"
    secret = config.security.secret_key
    assert secret is not None
    assert secret.get_secret_value() == RANDOM


def test_errors_of_the_class_hide_the_input() -> None:
    """Who makes a configuration in code gets pydantic's error, without the value."""
    with pytest.raises(ValidationError, match="begin with postgresql") as caught:
        DatabaseConfig(url="mysql://u:hunter2@h/db")

    assert "hunter2" not in str(caught.value)

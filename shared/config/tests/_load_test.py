from __future__ import annotations

import logging
import os
import pickle
import threading
import traceback
from collections.abc import Callable, Iterator
from functools import reduce
from pathlib import Path
from typing import Annotated, Any, Literal, Self, assert_type
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import (
    AfterValidator,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from shared.config import (
    ConfigSection,
    ConfigurationError,
    Env,
    ServerConfig,
    ServiceConfig,
    clear_config_cache,
    get_config,
    load_config,
)
from shared.config._render import value_text
from shared.config._sources import DEFAULT_SECRETS_DIR
from shared.config._tree import settings_of

SERVICE = "api-platform"
KEY = "Kx3" + "0a1b2c3d4e5f6g7h" * 3


class Settings(ServiceConfig):
    """The settings of the social-publishing spec, and some kinds beside them."""

    aigen_orch_service_url: str = "http://localhost:8010"
    INSTAGRAM_APP_ID: str
    INSTAGRAM_APP_SECRET: SecretStr
    twitter_bearer_token: str | None = None
    insights_cache_ttl_seconds: Annotated[int, Field(ge=1)] = 3600
    api_retry_backoff_factor: float = 2.0
    networks: tuple[str, ...] = ()
    labels: dict[str, int] = Field(default_factory=dict)
    broker: Literal["memory", "rabbitmq"] = "memory"
    server: ServerConfig = ServerConfig(port=8005)


WHERE = "Set it in the environment, in .env, or as a file in the directory of secrets."
BOTH = "Is set, and so is AUTH_SERVICE_URL."
GONE = "Can't be read: No such file or directory."
PATH = "Correct the path, or the rights of the file."
OWN = {"INSTAGRAM_APP_ID": "1", "INSTAGRAM_APP_SECRET": "x"}


def load(environ: dict[str, str], **places: Any) -> Settings:
    """Load from these variables and, unless told, nothing else."""
    return load_config(
        SERVICE,
        Settings,
        environ=OWN | environ,
        **{"env_file": None, "secrets_dir": None} | places,
    )


def problems_of(environ: dict[str, str], **places: Any) -> list[str]:
    """What is told about these variables."""
    with pytest.raises(ConfigurationError, match="to correct") as caught:
        load(environ, **places)
    return [str(problem) for problem in caught.value.problems]


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """No test sees another's cache."""
    clear_config_cache()
    yield
    clear_config_cache()


def test_values_become_types() -> None:
    """Text of variables becomes what the field declares."""
    config = load(
        {
            "DB_POOL_SIZE": " 7 ",
            "DB_ECHO": "yes",
            "NETWORKS": "instagram, tiktok",
            "LABELS": '{"a": 1}',
            "API_RETRY_BACKOFF_FACTOR": "1.5",
            "LOG_LEVEL": "debug",
            "DB_STATEMENT_TIMEOUT": "2",
            "AIGEN_ORCH_SERVICE_URL": "http://orch:1",
            "CORS_ALLOW_ORIGINS": "https://A.example,https://b.example",
        }
    )

    assert config.database.pool_size == 7
    assert config.database.echo is True
    assert config.database.statement_timeout == 2.0
    assert config.networks == ("instagram", "tiktok")
    assert config.labels == {"a": 1}
    assert config.api_retry_backoff_factor == 1.5
    assert config.log_level == "DEBUG"
    assert config.aigen_orch_service_url == "http://orch:1"
    assert config.service_url("aigen-orch-service") == "http://orch:1"
    assert config.cors.allow_origins == ("https://a.example", "https://b.example")
    assert config.INSTAGRAM_APP_SECRET.get_secret_value() == "x"


def test_precedence(tmp_path: Path) -> None:
    """Environment, .env, secrets, default; in each of them the prefixed name first."""
    dotenv = tmp_path / ".env"
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    names = ["API_PLATFORM_DB_POOL_SIZE", "DB_POOL_SIZE"]
    environ = dict(zip(names, ["1", "2"], strict=True))
    dotenv.write_text("API_PLATFORM_DB_POOL_SIZE=3\nDB_POOL_SIZE=4\n")
    (secrets / "api_platform_db_pool_size").write_text("5")
    (secrets / "DB_POOL_SIZE").write_text("6")
    seen = []
    steps: list[Callable[[], object]] = [
        lambda: environ.pop("API_PLATFORM_DB_POOL_SIZE"),
        lambda: environ.pop("DB_POOL_SIZE"),
        lambda: dotenv.write_text("DB_POOL_SIZE=4\n"),
        lambda: dotenv.write_text(""),
        lambda: (secrets / "api_platform_db_pool_size").unlink(),
        lambda: (secrets / "DB_POOL_SIZE").unlink(),
        lambda: None,
    ]
    for step in steps:
        config = load(environ, env_file=dotenv, secrets_dir=secrets)
        seen.append(config.database.pool_size)
        step()

    assert seen == [1, 2, 3, 4, 5, 6, 5]


def test_empty_is_not_set(tmp_path: Path) -> None:
    """As compose passes what it does not know; the next source is asked."""
    dotenv = tmp_path / ".env"
    dotenv.write_text("DB_POOL_SIZE=9\nREDIS_URL=\n")

    config = load({"DB_POOL_SIZE": "", "LOG_LEVEL": " "}, env_file=dotenv)
    assert (config.database.pool_size, config.log_level) == (9, "INFO")
    assert config.redis.connection_string is None


def test_defaults_of_a_section_survive() -> None:
    """Server = ServerConfig(port=8005) is 8005 also where only the host is set."""
    config = load({"SERVER_HOST": "0.0.0.0"})  # noqa: S104 - a value, not a socket

    assert (config.server.host, config.server.port) == ("0.0.0.0", 8005)  # noqa: S104
    assert load({"PORT": "9000"}).server.port == 9000
    assert load({"PORT": "9000", "SERVER_PORT": "9001"}).server.port == 9001


class Inner(ConfigSection):
    """A section in a section."""

    one: int = 1
    two: int = 2


class Outer(ConfigSection):
    """A section with one."""

    inner: Inner = Inner(one=10)
    three: int = 3


class Login(ConfigSection):
    """A required section in one."""

    name: str


class Social(ConfigSection):
    """A section without a default."""

    app_id: str
    login: Login
    retries: int = 3


class Nested(ServiceConfig):
    """Defaults of several floors."""

    outer: Outer = Outer(three=30, inner=Inner(two=20))
    plain: Outer = Outer()


def test_defaults_of_nested_sections_survive() -> None:
    """The nearest default that says something wins."""
    config = load_config(
        SERVICE,
        Nested,
        environ={"OUTER_INNER_ONE": "5", "PLAIN_INNER_TWO": "6"},
        env_file=None,
        secrets_dir=None,
    )

    assert config.outer == Outer(three=30, inner=Inner(one=5, two=20))
    assert config.plain == Outer(inner=Inner(one=10, two=6))


class Demanding(ServiceConfig):
    """A section that must be set."""

    social: Social


def test_a_section_that_is_missing() -> None:
    """Its settings are told by their variables, not the section by its field."""
    with pytest.raises(ConfigurationError, match="2 settings to correct") as caught:
        load_config(SERVICE, Demanding, environ={}, env_file=None, secrets_dir=None)

    assert [problem.name for problem in caught.value.problems] == [
        "SOCIAL_APP_ID",
        "SOCIAL_LOGIN_NAME",
    ]


def test_other_services_and_features() -> None:
    """Their variables say which; the prefix says for whom."""
    config = load(
        {
            "AUTH_SERVICE_URL": "http://auth:8001/",
            "API_PLATFORM_AUTH_SERVICE_URL": "http://other:8001",
            "ODOO_BUSINESS_SERVICE_URL": "http://odoo/base",
            "FEATURE_NEW_EDITOR": "true",
            "FEATURE_OLD_EDITOR": "off",
            "API_PLATFORM_FEATURE_BETA": "1",
        }
    )

    assert config.service_urls == {
        "auth-service": "http://other:8001",
        "odoo-business-service": "http://odoo/base",
    }
    assert config.features == {"beta": True, "new-editor": True, "old-editor": False}
    assert config.feature("new-editor")
    assert not config.feature("unheard-of")


def test_a_setting_that_begins_like_a_feature_is_one() -> None:
    """A field of the service's own is not read as a switch besides."""

    class Flagged(ServiceConfig):
        feature_mode: str = "slow"

    config = load_config(
        SERVICE,
        Flagged,
        environ={"FEATURE_MODE": "fast"},
        env_file=None,
        secrets_dir=None,
    )
    assert (config.feature_mode, dict(config.features)) == ("fast", {})


def test_other_services_and_features_from_files(tmp_path: Path) -> None:
    """_FILE is for every variable, also for those that no field declares."""
    (tmp_path / "url").write_text("http://auth:8001\n")
    (tmp_path / "on").write_text("true\n")
    dotenv = tmp_path / ".env"
    dotenv.write_text(f"FEATURE_OLD_EDITOR_FILE={tmp_path / 'on'}\nFEATURE_FILE=on\n")
    config = load(
        {
            "AUTH_SERVICE_URL_FILE": str(tmp_path / "url"),
            "API_PLATFORM_ODOO_SERVICE_URL_FILE": str(tmp_path / "url"),
            "FEATURE_NEW_EDITOR_FILE": str(tmp_path / "on"),
            "API_PLATFORM_FEATURE_BETA_FILE": str(tmp_path / "on"),
        },
        env_file=dotenv,
    )

    assert config.service_urls == dict.fromkeys(
        ["auth-service", "odoo-service"], "http://auth:8001"
    )
    assert config.features == dict.fromkeys(
        ["beta", "file", "new-editor", "old-editor"], True
    )


def test_a_file_of_a_service_or_feature_that_is_wrong(tmp_path: Path) -> None:
    """Both forms at once, and a file that is not there, are told as for any setting."""
    told = problems_of(
        {
            "AUTH_SERVICE_URL": "http://a",
            "AUTH_SERVICE_URL_FILE": str(tmp_path),
            "FEATURE_X_FILE": str(tmp_path / "gone"),
        }
    )

    assert told == [
        f"FEATURE_X_FILE (file named in the environment): {GONE} {PATH}",
        f"AUTH_SERVICE_URL_FILE (environment): {BOTH} Remove one of the two.",
    ]


def test_a_declared_name_that_ends_in_file_is_a_setting(tmp_path: Path) -> None:
    """What a field is called after is no pointer to another variable's value."""

    class Filed(ServiceConfig):
        feature_upload_file: str = ""
        mail_service_url_file: str = ""
        feature_mode: str = ""

    (tmp_path / "mode").write_text("fast")
    config = load_config(
        SERVICE,
        Filed,
        environ={
            "FEATURE_UPLOAD_FILE": "a",
            "MAIL_SERVICE_URL_FILE": "b",
            "FEATURE_MODE_FILE": str(tmp_path / "mode"),
        },
        env_file=None,
        secrets_dir=None,
    )
    assert (config.feature_upload_file, config.mail_service_url_file) == ("a", "b")
    assert config.feature_mode == "fast"
    assert (dict(config.features), dict(config.service_urls)) == ({}, {})


@pytest.mark.parametrize("service", ["feature-flags", "feature"])
def test_a_service_whose_prefix_begins_like_a_feature(
    tmp_path: Path, service: str
) -> None:
    """Its own settings are no switches, nor is what Kubernetes says about it."""
    prefix = service.upper().replace("-", "_")
    (tmp_path / "size").write_text("7")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "redis_url").write_text("redis://h")
    config = load_config(
        service,
        environ={
            f"{prefix}_LOG_LEVEL": "DEBUG",
            f"{prefix}_DB_POOL_SIZE_FILE": str(tmp_path / "size"),
            f"{prefix}_SECRETS_DIR": str(tmp_path / "secrets"),
            f"{prefix}_AUTH_SERVICE_URL": "http://auth",
            f"{prefix}_FEATURE_BETA": "on",
            f"{prefix}_SERVICE_HOST": "10.0.0.7",
            f"{prefix}_SERVICE_PORT": "8000",
            f"{prefix}_PORT": "tcp://10.0.0.7:8000",
            "FEATURE_NEW_EDITOR": "on",
        },
        env_file=None,
    )

    assert (config.log_level, config.database.pool_size) == ("DEBUG", 7)
    assert config.redis.connection_string == "redis://h"
    assert config.service_urls == {"auth-service": "http://auth"}
    assert config.features == {"beta": True, "new-editor": True}


def test_all_problems_at_once(tmp_path: Path) -> None:
    """One start tells everything, also what only counts together."""
    dotenv = tmp_path / ".env"
    dotenv.write_text("DATABSE_URL=x\nhunter2\nDB_POOL_TIMEOUT=soon\n")
    told = problems_of(
        {
            "INSTAGRAM_APP_ID": "",
            "DATABASE_URL": "mysql://u:hunter2@h/x",
            "SECRET_KEY": "hunter2",
            "PREVIOUS_SECRET_KEYS": f"{KEY},hunter2",
            "LABELS": "hunter2",
            "API_PLATFORM_SERVER_PORT": "70000",
            "CORS_ALLOW_ORIGINS": "*",
            "CORS_ALLOW_CREDENTIALS": "true",
            "AUTH_SERVICE_URL": "hunter2",
            "FEATURE_X": "hunter2",
            "ENVIRONMENT": "production",
            "DB_ECHO": "true",
            "JWKS_URL": "http://issuer.example/jwks.json",
        },
        env_file=dotenv,
    )

    assert [line.partition(":")[0] for line in told] == [
        f"{dotenv} line 2",
        "LABELS (environment)",
        f"DATABSE_URL ({dotenv} line 1)",
        "DATABASE_URL (environment)",
        f"DB_POOL_TIMEOUT ({dotenv} line 3)",
        "SECRET_KEY (environment)",
        "PREVIOUS_SECRET_KEYS (environment)",
        "CORS_ALLOW_ORIGINS (environment)",
        "API_PLATFORM_SERVER_PORT (environment)",
        "AUTH_SERVICE_URL (environment)",
        "FEATURE_X (environment)",
        "INSTAGRAM_APP_ID",
        "DB_ECHO (environment)",
        "JWKS_URL (environment)",
    ]
    assert "hunter2" not in "".join(told)


@pytest.mark.parametrize(
    ("environ", "rule", "advice"),
    [
        (
            {"INSTAGRAM_APP_ID": ""},
            "INSTAGRAM_APP_ID: Is required and not set.",
            WHERE,
        ),
        (
            {"DB_POOL_SIZE": "five"},
            "DB_POOL_SIZE (environment): Must be an integer.",
            "Correct it, or remove it for the default.",
        ),
        (
            {"INSIGHTS_CACHE_TTL_SECONDS": "0"},
            "INSIGHTS_CACHE_TTL_SECONDS (environment): Must be at least 1.",
            "Correct it, or remove it for the default.",
        ),
        (
            {"BROKER": "kafka"},
            "BROKER (environment): Must be 'memory' or 'rabbitmq'.",
            "Correct it, or remove it for the default.",
        ),
        (
            {"INSTAGRAM_APP_SECRET_FILE": "gone", "INSTAGRAM_APP_SECRET": ""},
            f"INSTAGRAM_APP_SECRET_FILE (file named in the environment): {GONE}",
            "Correct the path, or the rights of the file.",
        ),
        (
            {"LABELS": '{"a": "hunter2"}'},
            "LABELS (environment): Must be an integer.",
            "Correct it, or remove it for the default.",
        ),
        (
            {"PREVIOUS_SECRET_KEYS": f"{KEY},short"},
            "PREVIOUS_SECRET_KEYS (environment): Entry 2: Must have 32 or more bytes.",
            "`openssl rand -base64 48` makes one.",
        ),
        (
            {"DB_POOL_TIMEOUT": "nan"},
            "DB_POOL_TIMEOUT (environment): Must be a finite number.",
            "Correct it, or remove it for the default.",
        ),
    ],
)
def test_a_line_says_name_place_rule_and_advice(
    environ: dict[str, str], rule: str, advice: str
) -> None:
    """What a person needs to correct it, and no value."""
    assert problems_of(environ) == [f"{rule} {advice}"]


class OtherServer(ServerConfig):
    """A section of the kernel with a setting more."""

    workers: int = 1


class Relaxed(ServiceConfig):
    """Sections and fields of the kernel, overridden."""

    server: OtherServer = OtherServer()
    log_level: str = "TRACE"


@pytest.mark.parametrize(
    ("environ", "names"),
    [
        ({"SERVER_WORKERS": "2"}, ["DB_POOL_SIZE", "DB_ECHO"]),
        # Only the model knows this level, so only the whole could be checked.
        ({"LOG_LEVEL": "TRACE"}, ["DB_POOL_SIZE"]),
    ],
)
def test_weak_settings_are_told_beside_wrong_ones(
    environ: dict[str, str], names: list[str]
) -> None:
    """As far as the right ones can be looked at without the wrong ones."""
    weak = {"ENVIRONMENT": "production", "DB_ECHO": "1", "DB_POOL_SIZE": "x"}

    with pytest.raises(ConfigurationError, match="to correct") as caught:
        load_config(
            SERVICE, Relaxed, environ=weak | environ, env_file=None, secrets_dir=None
        )
    assert [problem.name for problem in caught.value.problems] == names


@pytest.mark.parametrize(
    "name", ["Subject", "subject_service", "", "subject service", "a" * 64]
)
def test_a_wrong_service_name(name: str) -> None:
    """It would make a wrong prefix; nothing is read."""
    with pytest.raises(ConfigurationError, match="Write it like subject-service"):
        load_config(name, environ={})


class Talkative(ServiceConfig):
    """Validators as people write them."""

    app_secret: Annotated[str, AfterValidator(lambda value: _complain(value))] = ""
    colour: Annotated[str, AfterValidator(lambda value: _complain(value))] = ""
    broker: Annotated[str, AfterValidator(lambda value: _complain(value[:24]))] = ""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.colour == "" and self.app_secret == "" and self.broker == "":
            raise ValueError("one of the three must be set")
        return self


def _complain(value: str) -> str:
    if value:
        raise ValueError(f"{value[:8]} is not nice")
    return value


@pytest.mark.parametrize(
    ("environ", "rule"),
    [
        ({"APP_SECRET": "hunter2-and-more"}, "APP_SECRET (environment): The value is"),
        ({"COLOUR": "hunter2"}, "COLOUR (environment): The value is not valid."),
        ({"BROKER": "x://u:hunter2@h"}, "BROKER (environment): The value is not"),
        ({}, "Talkative: one of the three must be set. Correct it."),
    ],
)
def test_a_validator_that_quotes_the_value(environ: dict[str, str], rule: str) -> None:
    """Its message is replaced; one that quotes nothing is shown."""
    with pytest.raises(ConfigurationError, match="1 setting to correct") as caught:
        load_config(
            SERVICE, Talkative, environ=environ, env_file=None, secrets_dir=None
        )

    assert str(caught.value.problems[0]).startswith(rule)
    assert "hunter2" not in str(caught.value)


class Prying(ServiceConfig):
    """A check of one field that quotes another."""

    a: SecretStr = SecretStr("")
    apikey: str = ""
    broker: str = ""
    b: int

    @field_validator("b")
    @classmethod
    def _check(cls, _: int, info: ValidationInfo) -> int:
        secret = info.data["a"].get_secret_value() + info.data["apikey"]
        broker = unquote(info.data["broker"].partition("://u:")[2].partition("@")[0])
        raise ValueError(f"not on a host with {secret[:9]}{broker}")


@pytest.mark.parametrize(
    ("environ", "rule"),
    [
        ({"A": "hunter2hunter2"}, "The value is not valid."),
        ({"APIKEY": "hunter2hunter2"}, "The value is not valid."),
        ({"BROKER": "amqp://u:hunter2@h"}, "The value is not valid."),
        ({"BROKER": "amqp://u:hunter%32@h"}, "The value is not valid."),
        # The password counts, and not the words around it.
        ({"BROKER": "amqp://v:hunter2@host"}, "not on a host with ."),
    ],
)
def test_a_validator_that_quotes_another_setting(
    environ: dict[str, str], rule: str
) -> None:
    """A message is compared with every secret that was read, not the field's alone."""
    with pytest.raises(ConfigurationError, match="1 setting to correct") as caught:
        load_config(
            SERVICE,
            Prying,
            environ={"B": "1"} | environ,
            env_file=None,
            secrets_dir=None,
        )

    assert str(caught.value.problems[0]) == f"B (environment): {rule} Correct it."


class Whole(ServiceConfig):
    """A check over all, that quotes a piece of a secret."""

    api_token: SecretStr = SecretStr("")

    @model_validator(mode="after")
    def _check(self) -> Self:
        raise ValueError(f"begins with {self.api_token.get_secret_value()[:6]}")


class Broken(ServiceConfig):
    """A check that has a mistake of its own."""

    limits: str = ""

    @model_validator(mode="after")
    def _check(self) -> Self:
        raise KeyError(self.limits)


@pytest.mark.parametrize(
    ("model", "environ", "rule"),
    [
        (Whole, {"API_TOKEN": "hunter2hunter2"}, "Whole: The value is not valid."),
        (
            Broken,
            {"LIMITS": "hunter2"},
            "Its own check stopped with KeyError",
        ),
    ],
)
def test_checks_of_the_whole_are_silent_about_values(
    model: type[ServiceConfig], environ: dict[str, str], rule: str
) -> None:
    """Whatever a model's own check raises."""
    with pytest.raises(ConfigurationError, match=rule) as caught:
        load_config(SERVICE, model, environ=environ, env_file=None, secrets_dir=None)

    shown = "".join(traceback.format_exception(caught.value))
    assert "hunter2" not in shown.replace('"hunter2', "").replace("'hunter2", "")
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


VARIABLES = sorted(
    {setting.name for setting in settings_of(Settings)}
    | {"AUTH_SERVICE_URL", "FEATURE_X", "API_PLATFORM_SECRET_KEY", "DATABSE_URL"}
)
SHAPES = [
    "{}",
    "mysql://u:{}@h/db",
    "postgresql://u:{}@h:port/db",
    "https://{}@h",
    "k1:{},k1:{}",
    "[{}",
    '{{"{}": 1}}',
]
MARK = "hunter2zq"


def shown_of(environ: dict[str, str]) -> str:
    """All that a start with these variables shows to anybody."""
    logging.disable()
    try:
        config = load(environ)
    except ConfigurationError as error:
        twin = pickle.loads(pickle.dumps(error))
        parts = [*traceback.format_exception(error), repr(error), str(twin)]
        return "".join(parts) + str(error.__context__)
    finally:
        logging.disable(logging.NOTSET)
    secret = [each for each in settings_of(Settings) if each.is_secret]
    return "".join(
        value_text(each, reduce(getattr, each.path, config)) for each in secret
    )


@given(
    environ=st.dictionaries(
        st.sampled_from(VARIABLES), st.sampled_from(SHAPES), min_size=1, max_size=8
    ),
)
def test_no_value_is_ever_shown(environ: dict[str, str]) -> None:
    """Not in the message, the traceback, the pickle, the causes; nor in a config."""
    values = {name: shape.format(MARK, MARK) for name, shape in environ.items()}

    assert MARK not in shown_of(values)


def test_where_things_are_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """.env of the working directory, and SECRETS_DIR from the environment or .env."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("shared.config._reading.DEFAULT_SECRETS_DIR", tmp_path / "none")
    monkeypatch.setenv("SERVICE_VERSION", "1.2.3")
    assert load_config(SERVICE).service_version == "1.2.3"

    (tmp_path / "mounted").mkdir()
    (tmp_path / "mounted" / "redis_url").write_text("redis://h")
    (tmp_path / ".env").write_text("SECRETS_DIR=mounted\nDB_POOL_SIZE=8\n")
    config = load_config(SERVICE)
    assert config.redis.connection_string == "redis://h"
    assert config.database.pool_size == 8
    assert load_config(SERVICE, env_file=None).database.pool_size == 5
    assert load_config(SERVICE, secrets_dir=None).redis.url is None

    monkeypatch.setattr(
        "shared.config._reading.DEFAULT_SECRETS_DIR", tmp_path / "mounted"
    )
    config = load_config(SERVICE, environ={}, env_file=None)
    assert config.redis.connection_string == "redis://h"


def test_docker_and_kubernetes_mount_secrets_there() -> None:
    """The directory that is looked at without being told."""
    assert str(DEFAULT_SECRETS_DIR) == f"{os.sep}run{os.sep}secrets"


def test_places_that_were_named_must_be_there(tmp_path: Path) -> None:
    """Only what is looked for by default may be missing."""
    gone = tmp_path / "gone"

    advice = "Correct the path, or the rights of the file."
    of_file = problems_of({}, env_file=gone)
    of_directory = problems_of({"SECRETS_DIR": str(gone)}, secrets_dir=...)
    assert of_file == [f"{gone}: {GONE} {advice}"]
    assert of_directory == [f"SECRETS_DIR ({gone}): {GONE} {advice}"]


def test_a_directory_of_secrets_that_is_no_path(tmp_path: Path) -> None:
    """.env can hold a NUL; it is one more problem, not a crash."""
    dotenv = tmp_path / ".env"
    dotenv.write_text("SECRETS_DIR='/x\0y'\n")

    assert problems_of({}, env_file=dotenv, secrets_dir=...) == [
        f"SECRETS_DIR ('/x\\x00y'): Can't be read: it is no path. {PATH}"
    ]


def test_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One object a service and model, until the cache is cleared."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INSTAGRAM_APP_ID", "1")
    monkeypatch.setenv("INSTAGRAM_APP_SECRET", "x")
    first = get_config(SERVICE)
    own = get_config(SERVICE, Settings)

    assert get_config(SERVICE) is first
    assert get_config(SERVICE, Settings) is own
    assert type(own) is Settings
    assert get_config("other-service") is not first
    clear_config_cache()
    assert get_config(SERVICE) is not first
    assert get_config(SERVICE) == first


def test_failures_are_not_cached(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Who corrects the setting and calls again gets the configuration."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DB_POOL_SIZE", "five")
    with pytest.raises(ConfigurationError, match="DB_POOL_SIZE"):
        get_config(SERVICE)
    monkeypatch.setenv("DB_POOL_SIZE", "5")

    assert get_config(SERVICE).database.pool_size == 5


class Asking(ServiceConfig):
    """A check that needs another service's configuration."""

    @model_validator(mode="after")
    def _same_level(self) -> Self:
        if self.log_level != get_config("other-service").log_level:
            raise ValueError("must log as other-service does")
        return self


def test_a_check_may_ask_for_a_configuration(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One inside the other, in one thread."""
    monkeypatch.chdir(tmp_path)

    assert get_config(SERVICE, Asking).log_level == "INFO"


def test_threads_get_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Even when they all come first."""
    monkeypatch.chdir(tmp_path)
    barrier = threading.Barrier(8)
    seen: list[ServiceConfig] = []

    def ask() -> None:
        barrier.wait()
        seen.append(get_config(SERVICE))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(seen) == 8
    assert len({id(config) for config in seen}) == 1


def test_types(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The type checker knows which class comes back."""
    monkeypatch.chdir(tmp_path)
    plain = assert_type(get_config(SERVICE), ServiceConfig)
    loaded = assert_type(load_config(SERVICE, environ={}), ServiceConfig)
    own = assert_type(load(dict(OWN)), Settings)

    assert [type(plain), type(loaded), type(own)] == [
        ServiceConfig,
        ServiceConfig,
        Settings,
    ]
    assert Env("A").unset is None

"""Each row of the table in the README, in its order, shown on the public names."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import (
    AfterValidator,
    PostgresDsn,
    SecretStr,
    ValidationInfo,
    field_validator,
)

from shared.config import ConfigurationError, ServiceConfig, load_config

README = Path("shared/config/README.md")


def problems(
    environ: dict[str, str],
    model: type[ServiceConfig] = ServiceConfig,
    *,
    env_file: Path | None = None,
    secrets_dir: Path | None = None,
) -> str:
    """What a service that starts so tells; no value is in it."""
    with pytest.raises(ConfigurationError, match="values hidden") as caught:
        load_config(
            "my-service",
            model,
            environ=environ,
            env_file=env_file,
            secrets_dir=secrets_dir,
        )
    assert "hunter2" not in str(caught.value)
    return str(caught.value)


class Required(ServiceConfig):
    """A setting without a default."""

    app_id: str


def missing_or_wrong(_: Path) -> None:
    """All at once."""
    told = problems({"DB_POOL_SIZE": "hunter2"}, Required)

    assert told == (
        "my-service: 2 settings to correct (values hidden):\n"
        "  DB_POOL_SIZE (environment): Must be an integer. Correct it, or remove it "
        "for the default.\n"
        "  APP_ID: Is required and not set. Set it in the environment, in .env, or as "
        "a file in the directory of secrets."
    )


def bad_url(_: Path) -> None:
    """Scheme, host, raw characters."""
    assert "begin with postgresql://" in problems({"DATABASE_URL": "mysql://h/db"})
    assert "Has no host." in problems({"REDIS_URL": "redis://:hunter2@/0"})
    told = problems({"DATABASE_URL": "postgresql://u:hun#ter2@h/db"})
    assert "percent-encoded (@ is %40)" in told


def credentials_in_a_service_url(_: Path) -> None:
    """A user name, a password, a query."""
    assert "URLs are logged" in problems({"AUTH_SERVICE_URL": "http://u:hunter2@h"})
    assert "no query" in problems({"AUTH_SERVICE_URL": "http://h?key=hunter2"})


def mistyped(folder: Path) -> None:
    """In places of our own."""
    line = "unknown; did you mean"
    (folder / ".env").write_text("DATABSE_URL=hunter2")
    (folder / "secrets").mkdir()
    (folder / "secrets" / "secret_kye").write_text("hunter2")

    assert line in problems({}, env_file=folder / ".env")
    assert line in problems({}, secrets_dir=folder / "secrets")
    assert line in problems({"MY_SERVICE_DATABSE_URL": "hunter2"})


def weak_secrets(_: Path) -> None:
    """Lengths."""
    assert "`openssl rand -base64 48`" in problems({"SECRET_KEY": "hunter2"})
    assert "`openssl rand -base64 32`" in problems({"AES_KEY": "aHVudGVyMg=="})


def cors(_: Path) -> None:
    """Everyone with credentials."""
    environ = {"CORS_ALLOW_ORIGINS": "*", "CORS_ALLOW_CREDENTIALS": "true"}

    assert "every web page act as the user" in problems(environ)


def production(_: Path) -> None:
    """Each with its reason."""
    told = problems(
        {
            "ENVIRONMENT": "production",
            "SECRET_KEY": "please-change-me-please-change-me",
            "DB_ECHO": "true",
            "JWKS_URL": "http://issuer.example/jwks.json",
            "CORS_ALLOW_ORIGINS": "http://a.example",
            "CORS_ALLOW_CREDENTIALS": "true",
        }
    )

    assert told.count("In production") == 4


def dotenv(folder: Path) -> None:
    """Lines with their numbers."""
    (folder / ".env").write_text(
        "hunter2\nDB_POOL_SIZE=1\nDB_POOL_SIZE=2\nREDIS_URL=redis://${hunter2}\n"
        "LOG_LEVEL=$hunter2\n"
    )
    told = problems({}, env_file=folder / ".env")

    assert re.findall(r"line (\d)", told) == ["1", "3", "2", "5", "4"]


def secret_files(folder: Path) -> None:
    """What is no text."""
    (folder / "secret_key").write_bytes(b"\xff hunter2")
    (folder / "aes_key").write_bytes(b"hunter2" * 200_000)
    told = problems({"REDIS_URL_FILE": str(folder / "gone")}, secrets_dir=folder)

    assert "SECRET_KEY" in told
    assert "not UTF-8 text" in told
    assert "larger than 1,048,576 bytes" in told
    assert "REDIS_URL_FILE" in told
    assert "SECRETS_DIR" in problems({}, secrets_dir=folder / "gone")


def quote(value: str) -> str:
    """Refuse *value*, and say so."""
    raise ValueError(f"{value} is not nice")


def stumble(value: str) -> str:
    """Fail in another way."""
    raise KeyError(value)


class Quoting(ServiceConfig):
    """A validator that tells too much."""

    colour: Annotated[str, AfterValidator(quote)] = ""


class Prying(ServiceConfig):
    """A validator that tells of another setting."""

    api_token: str = ""
    colour: str = ""

    @field_validator("colour")
    @classmethod
    def _check(cls, _: str, info: ValidationInfo) -> str:
        return quote(info.data["api_token"])


class Stumbling(ServiceConfig):
    """A validator with a mistake."""

    colour: Annotated[str, AfterValidator(stumble)] = ""


def validators(_: Path) -> None:
    """Of the service's own."""
    environ = {"COLOUR": "hunter2"}

    assert "COLOUR (environment): The value is not valid." in problems(environ, Quoting)
    told = problems({"COLOUR": "red", "API_TOKEN": "hunter2"}, Prying)
    assert "COLOUR (environment): The value is not valid." in told
    assert "stopped with KeyError in readme_test.py, line" in problems(
        environ, Stumbling
    )


class Twice(ServiceConfig):
    """A variable that is taken."""

    secret_key: SecretStr


def two_of_one(_: Path) -> None:
    """A mistake in the code."""
    with pytest.raises(
        TypeError, match=r"SECRET_KEY twice: as security\.secret_key and"
    ):
        load_config("my-service", Twice, environ={})


def in_the_environment(_: Path) -> None:
    """It starts; the warning is shown in _unknown_test."""
    config = load_config(
        "my-service",
        environ={"DATABSE_URL": "hunter2"},
        env_file=None,
        secrets_dir=None,
    )

    assert config.database.connection_string == "sqlite:///./my-service.db"


def unset_service(_: Path) -> None:
    """At the call."""
    with pytest.raises(ConfigurationError, match="AUTH_SERVICE_URL: is not set"):
        ServiceConfig(service_name="my-service").service_url("auth-service")


class Linked(ServiceConfig):
    """A URL of pydantic's own type."""

    legacy: PostgresDsn


def printed(_: Path) -> None:
    """In every form."""
    config = load_config(
        "my-service",
        Linked,
        environ={
            "LEGACY": "postgresql://u:hunter2@h/db",
            "DATABASE_URL": "postgresql://u:hunter2@h/db",
            "SECRET_KEY": "hunter2" * 5,
        },
        env_file=None,
        secrets_dir=None,
    )

    forms = [repr(config), str(config.model_dump()), config.model_dump_json()]
    assert [form for form in forms if "hunter2" in form] == []


ROWS: dict[str, Callable[[Path], None]] = {
    "settings are missing or wrong": missing_or_wrong,
    "a URL has a wrong scheme": bad_url,
    "a URL of another service": credentials_in_a_service_url,
    "a mistyped name in `.env`": mistyped,
    "a mistyped name in the environment": in_the_environment,
    "`SECRET_KEY` under 32 bytes": weak_secrets,
    "`CORS_ALLOW_ORIGINS=*`": cors,
    "production with": production,
    "a line of `.env`": dotenv,
    "a secret file": secret_files,
    "a validator of yours": validators,
    "two settings of a model": two_of_one,
    "the URL of a service": unset_service,
    "the configuration is printed": printed,
}


@pytest.mark.parametrize("row", ROWS)
def test_row(row: str, tmp_path: Path) -> None:
    """What the table promises for this row holds."""
    ROWS[row](tmp_path)


def test_every_row_is_shown() -> None:
    """The table has these rows and no others."""
    table = README.read_text().partition("| what goes wrong |")[2]
    rows = re.findall(r"^\| (?!-)(.*?) \|", table, re.MULTILINE)

    assert len(rows) == len(ROWS)
    assert [row for row, name in zip(rows, ROWS, strict=True) if name not in row] == []

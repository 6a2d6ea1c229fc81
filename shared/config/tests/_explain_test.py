from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from shared.config import (
    ConfigurationError,
    ExplainedSetting,
    ServiceConfig,
    explain_config,
)
from shared.config._tree import settings_of


class Settings(ServiceConfig):
    """A service's own."""

    app_secret: SecretStr
    api_token: str = ""


def test_each_setting_with_its_origin(tmp_path: Path) -> None:
    """Every source, the name it was found under, and no secret."""
    dotenv = tmp_path / ".env"
    dotenv.write_text("\nDB_POOL_SIZE=8\n")
    (tmp_path / "app_secret").write_text("hunter2")
    explanation = explain_config(
        "my-service",
        Settings,
        environ={
            "MY_SERVICE_DATABASE_URL": "postgresql://u:hunter2@h/db",
            "API_TOKEN": "hunter2",
            "AUTH_SERVICE_URL": "http://auth",
            "MY_SERVICE_FEATURE_NEW_EDITOR": "1",
            "PORT": "9000",
        },
        env_file=dotenv,
        secrets_dir=tmp_path,
    )
    by_name = {setting.name: setting for setting in explanation.settings}

    names = [setting.name for setting in settings_of(Settings)]
    assert [*by_name] == [*names, "AUTH_SERVICE_URL", "FEATURE_NEW_EDITOR"]
    assert "hunter2" not in str(explanation)
    assert by_name["DATABASE_URL"] == ExplainedSetting(
        name="DATABASE_URL",
        path="database.url",
        value="postgresql://u:***@h/db",
        type="URL",
        origin="environment",
        variable="MY_SERVICE_DATABASE_URL",
    )
    seen = {
        name: (by_name[name].value, by_name[name].origin, by_name[name].variable)
        for name in by_name
    }
    assert seen["DB_POOL_SIZE"] == ("8", f"{dotenv} line 2", "DB_POOL_SIZE")
    assert seen["APP_SECRET"] == (
        "**********",
        f"file {tmp_path}/app_secret",
        "APP_SECRET",
    )
    assert seen["API_TOKEN"] == ("**********", "environment", "API_TOKEN")
    assert seen["LOG_LEVEL"] == ("INFO", "default", None)
    assert seen["SERVER_PORT"] == ("9000", "environment", "PORT")
    assert seen["AUTH_SERVICE_URL"] == (
        "http://auth",
        "environment",
        "AUTH_SERVICE_URL",
    )
    assert seen["FEATURE_NEW_EDITOR"] == (
        "true",
        "environment",
        "MY_SERVICE_FEATURE_NEW_EDITOR",
    )


def test_what_is_wrong_is_raised() -> None:
    """As at the start of the service."""
    with pytest.raises(ConfigurationError, match="APP_SECRET: Is required"):
        explain_config(
            "my-service", Settings, environ={}, env_file=None, secrets_dir=None
        )

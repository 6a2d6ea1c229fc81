from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import BaseModel, Field, SecretStr, ValidationError

from shared.config._section import ConfigSection, Env, is_secret_name, masked


class Mail(ConfigSection):
    """A section as a service writes it."""

    smtp_password: str = ""
    api_key: bytes = b""
    relay: str = "smtp://host"
    token: SecretStr | None = None
    labels: Mapping[str, str] = Field(default_factory=dict)
    hosts: tuple[str, ...] = ()
    tokens: list[str] | None = None
    retries: int = 3


class Account(BaseModel):
    """A plain model of pydantic."""

    user: str
    password: str


class WithModel(ConfigSection):
    """One variable with an object in it."""

    account: Account


def test_plain_models_are_masked_too() -> None:
    """A model that knows nothing of masking is shown as the mapping it is."""
    section = WithModel(account=Account(user="u", password="hunter2"))

    assert repr(section) == (
        "WithModel(account={'user': 'u', 'password': '**********'})"
    )
    assert "hunter2" not in section.model_dump_json()


FULL = Mail(
    smtp_password="hunter2",
    api_key=b"hunter2",
    relay="smtp://user:hunter2@host",
    token=SecretStr("hunter2"),
    labels={"team": "mail", "access_token": "hunter2"},
    hosts=("smtp://u:hunter2@a", "b"),
    tokens=["hunter2"],
)


def test_nothing_secret_is_shown() -> None:
    """Also where a service declared a secret as plain text."""
    shown = [repr(FULL), str(FULL), str(FULL.model_dump()), FULL.model_dump_json()]

    assert [text for text in shown if "hunter2" in text] == []
    assert "'team': 'mail'" in repr(FULL)
    assert FULL.model_dump(include={"hosts", "retries"}) == {
        "hosts": ("smtp://u:***@a", "b"),
        "retries": 3,
    }


def test_the_values_are_there() -> None:
    """Masking is for showing; the attributes have what was set."""
    assert FULL.smtp_password == "hunter2"
    assert FULL.relay == "smtp://user:hunter2@host"


def test_frozen_and_strict() -> None:
    """It does not change, and knows no other names."""
    with pytest.raises(ValidationError, match="frozen"):
        FULL.retries = 4  # type: ignore[misc]
    with pytest.raises(
        ValidationError, match="Extra inputs are not permitted"
    ) as caught:
        Mail.model_validate({"password": "hunter2"})

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("secret_key", True),
        ("TWITTER_API_KEY", True),
        ("db-password", True),
        ("access_token", True),
        ("token_url", True),
        ("key_size", False),
        ("keyboard", False),
        ("monkey", False),
        ("jwt_issuer", False),
    ],
)
def test_secret_names(name: str, secret: bool) -> None:
    """A name tells by its words, and a key by its end."""
    assert is_secret_name(name) is secret


@pytest.mark.parametrize("value", [None, 5, True, "", b"", (), "plain"])
def test_what_hides_nothing_is_as_it_was(value: Any) -> None:
    """Only what has something to hide is touched."""
    assert masked("name", value) == value


@pytest.mark.parametrize("name", ["db_pool", "DB-POOL", "", "1DB", "DB POOL"])
def test_a_variable_is_written_in_capitals(name: str) -> None:
    """A name that no shell can set is a mistake in the model."""
    with pytest.raises(ValueError, match="is no variable like DB_POOL_SIZE"):
        Env(name)
    with pytest.raises(ValueError, match="is no variable like DB_POOL_SIZE"):
        Env("DB_POOL", name)

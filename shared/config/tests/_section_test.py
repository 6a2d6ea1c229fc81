from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import (
    AnyUrl,
    BaseModel,
    Field,
    MongoDsn,
    PostgresDsn,
    SecretStr,
    ValidationError,
    networks,
)
from pydantic_core import MultiHostUrl, Url

from shared.config._section import _URLS, ConfigSection, Env, is_secret_name, masked


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


class Links(ConfigSection):
    """URLs in the types that pydantic has for them."""

    database: PostgresDsn = PostgresDsn("postgres://u:hunter2@h/d")
    replicas: MongoDsn | None = MongoDsn("mongodb://u:hunter2@a,v:hunter2@b/d")
    callback: AnyUrl = AnyUrl("https://u:hunter2@h/?token=hunter2")
    hooks: tuple[AnyUrl, ...] = (AnyUrl("https://hunter2@h/"),)
    token_url: AnyUrl = AnyUrl("https://hunter2/")
    names: dict[AnyUrl, str] = Field(
        default_factory=lambda: {AnyUrl("https://u:hunter2@h/"): "one"}
    )


def test_urls_of_pydantics_own_types_are_masked() -> None:
    """Whatever holds the URL, its password is not shown."""
    links = Links()
    shown = [repr(links), str(links), str(links.model_dump()), links.model_dump_json()]

    assert [text for text in shown if "hunter2" in text] == []
    assert links.model_dump(include={"database", "callback"}) == {
        "database": "postgres://u:***@h/d",
        "callback": "https://u:***@h/?token=***",
    }
    assert str(links.database) == "postgres://u:hunter2@h/d"


@pytest.mark.parametrize("kind", [Url, MultiHostUrl, AnyUrl, PostgresDsn])
def test_each_kind_of_url_is_text(kind: Any) -> None:
    """Of pydantic and of its core, with one host or several."""
    assert masked("link", kind("postgres://u:hunter2@h/d")) == "postgres://u:***@h/d"


def test_pydantic_has_no_other_kind_of_url() -> None:
    """A new one has to be added to those that are masked."""
    kinds = [
        kind
        for name, kind in vars(networks).items()
        if isinstance(kind, type)
        and hasattr(kind, "unicode_string")
        and not name.startswith("_")
    ]

    assert AnyUrl in kinds
    assert [kind for kind in kinds if not issubclass(kind, _URLS)] == []


def test_keys_of_mappings() -> None:
    """They are text or URLs; anything else stays the key that it is."""
    keys = {"https://u:hunter2@h/": 1, AnyUrl("https://v:hunter2@h/"): 2, (1, 2): 3}

    assert masked("sites", keys) == {
        "https://u:***@h/": 1,
        "https://v:***@h/": 2,
        (1, 2): 3,
    }


def test_pairs_are_masked_by_their_first_half() -> None:
    """A list of names with values is a mapping in another form; a list of words not."""
    pairs = (("password", "hunter2"), ["user", "u"], ("token", ["hunter2"]))

    assert masked("options", pairs) == (
        ("password", "**********"),
        ["user", "u"],
        ("token", ["**********"]),
    )
    assert masked("headers", ("x-api-key", "accept")) == ("x-api-key", "accept")


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
        ("apikey", True),
        ("apikeys", True),
        ("stripe_secretkey", True),
        ("PRIVATEKEY", True),
        ("authtoken", True),
        ("clientsecret", True),
        ("accessToken", True),
        ("twitterAPIKey", True),
        ("apikey_size", False),
        ("tokenizer", False),
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

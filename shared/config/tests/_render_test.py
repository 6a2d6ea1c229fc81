from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AnyUrl, BaseModel, Field, SecretBytes, SecretStr

from shared.config import (
    ConfigSection,
    ConfigurationError,
    DatabaseConfig,
    SecretUrl,
    ServiceConfig,
    load_config,
    render_env_example,
    render_markdown,
)
from shared.config._dotenv import Assignment, read_dotenv
from shared.config._render import _quoted, default_text, plain_text, type_text
from shared.config._tree import settings_of


class Colour(Enum):
    """A few words."""

    RED = "red"
    BLUE = "blue"


class Point(BaseModel):
    """A model in one variable."""

    x: int = 1


class Bare(ConfigSection):
    one: Annotated[int, Field(description="A | B")] = 1
    lines: str = "one\ntwo"


class Settings(ServiceConfig):
    """Every kind of setting."""

    app_id: str
    app_secret: SecretStr = SecretStr("hunter2")
    app_password: str = "hunter2"
    signing: SecretBytes = SecretBytes(b"hunter2")
    mongo: SecretUrl = SecretUrl("mongodb://u:hunter2@h")
    page: AnyUrl = AnyUrl("https://h/")
    base_url: str = "https://h"
    colour: Colour = Colour.RED
    mode: Literal["slow", "fast"] | None = None
    point: Point | None = None
    labels: Mapping[str, int] = Field(default_factory=dict)
    ports: tuple[int, ...] = (1, 2)
    words: frozenset[str] = frozenset({"b", "a", "c"})
    anything: Any = None
    bag: list = []  # type: ignore[type-arg]  # noqa: RUF012 - as people write it
    rate: Annotated[Decimal, Field(gt=0, lt=1, multiple_of=Decimal("0.5"))] = Decimal(
        "0.5"
    )
    ttl: timedelta = timedelta(seconds=1)
    motto: Annotated[str, Field(max_length=40)] = "it's a # sign"
    either: int | str = 1
    bare: Bare = Bare()


BY_NAME = {setting.name: setting for setting in settings_of(Settings)}


@pytest.mark.parametrize(
    ("name", "kind", "default"),
    [
        ("APP_ID", "text", ""),
        ("APP_SECRET", "secret", "**********"),
        ("APP_PASSWORD", "text", "**********"),
        ("SIGNING", "secret", "**********"),
        ("MONGO", "URL", "mongodb://u:***@h"),
        ("PAGE", "URL", "https://h/"),
        ("BASE_URL", "URL", "https://h"),
        ("COLOUR", "one of red, blue", "red"),
        ("MODE", "one of slow, fast", ""),
        ("POINT", "JSON object", ""),
        ("LABELS", "JSON object", ""),
        ("PORTS", "list of integer", "1,2"),
        ("WORDS", "list of text", "a,b,c"),
        ("ANYTHING", "text", ""),
        ("BAG", "list", ""),
        ("RATE", "decimal, more than 0, less than 1, a multiple of 0.5", "0.5"),
        ("TTL", "timedelta", "0:00:01"),
        ("MOTTO", "text, 40 or less long", "it's a # sign"),
        ("EITHER", "text", "1"),
        ("BARE_ONE", "integer", "1"),
        ("BARE_LINES", "text", "one\ntwo"),
        ("DATABASE_URL", "URL", "sqlite:///./<service>.db"),
        ("DB_ECHO", "true or false", "false"),
        ("DB_POOL_TIMEOUT", "number, more than 0", "5.0"),
    ],
)
def test_type_and_default(name: str, kind: str, default: str) -> None:
    """What to write, and what it is otherwise."""
    assert type_text(BY_NAME[name]) == kind
    assert default_text(BY_NAME[name]) == default


class InMemory(ServiceConfig):
    """A service with a default of its own in a section of the kernel."""

    database: DatabaseConfig = DatabaseConfig(url="sqlite://")


def test_the_default_is_the_models() -> None:
    """What the service's class says, not what the kernel's does."""
    (setting,) = (s for s in settings_of(InMemory) if s.name == "DATABASE_URL")

    assert default_text(setting) == "sqlite://"
    assert not setting.is_required


def test_plain_text_of_objects() -> None:
    """Objects are shown as the JSON one would write."""
    assert plain_text(Point()) == '{"x":1}'
    assert plain_text({"a": True}) == '{"a": "true"}'


def test_rendering_is_deterministic_and_hides_secrets() -> None:
    """Twice the same; a default that is a secret is not in it."""
    for render in (render_env_example, render_markdown):
        assert render(Settings) == render(Settings)
        assert "hunter2" not in render(Settings)
        assert render() == render(ServiceConfig)


def test_every_setting_is_there_once() -> None:
    """In both forms."""
    names = sorted(BY_NAME)
    lines = re.findall(
        r"^#?([A-Z][A-Z0-9_]*)=", render_env_example(Settings), re.MULTILINE
    )
    rows = re.findall(r"^\| `([A-Z0-9_]+)`", render_markdown(Settings), re.MULTILINE)
    open_ended = {"OTHER_SERVICE_URL", "FEATURE_NEW_EDITOR", "SECRETS_DIR"}

    assert sorted(set(lines) - open_ended) == names
    assert sorted(set(rows) - open_ended) == names
    assert len(lines) == len(rows) == len(names) + 3


def test_env_example_as_it_is_asks_for_what_is_required(tmp_path: Path) -> None:
    """A copy of it says exactly which settings are missing."""
    file = tmp_path / ".env"
    file.write_text(render_env_example(Settings))

    with pytest.raises(ConfigurationError, match="1 setting to correct") as caught:
        load_config("my-service", Settings, environ={}, env_file=file, secrets_dir=None)
    assert [problem.name for problem in caught.value.problems] == ["APP_ID"]


def test_env_example_with_everything_uncommented_loads(tmp_path: Path) -> None:
    """Every example and default in it is a value that is accepted."""
    file = tmp_path / ".env"
    text = render_env_example().replace("SECRETS_DIR=", "OTHER=")
    file.write_text(re.sub(r"^#(?=[A-Z][A-Z0-9_]*=)", "", text, flags=re.MULTILINE))
    config = load_config("my-service", environ={}, env_file=file, secrets_dir=None)

    assert config.redis.connection_string == "redis://:password@localhost:6379/0"
    assert config.cors.allow_origins == ("https://app.example", "https://admin.example")
    assert config.service_url("other-service") == "http://localhost:8001"
    assert config.feature("new-editor")


def test_quotes(tmp_path: Path) -> None:
    """A default with blanks and quotes is written so that it is read back."""
    file = tmp_path / ".env"
    (line,) = re.findall(r"^#(MOTTO=.*)$", render_env_example(Settings), re.MULTILINE)
    file.write_text(f"{line}\nAPP_ID=1\n")
    config = load_config(
        "my-service", Settings, environ={}, env_file=file, secrets_dir=None
    )

    assert line == "MOTTO='it\\'s a # sign'"
    assert config.motto == "it's a # sign"


@given(text=st.text(st.sampled_from("ab#'\"\\ \n$=|é")))
def test_any_default_is_read_back(text: str) -> None:
    """It is one line, and means what it meant."""
    line = f"A={_quoted(text)}"

    assert "\n" not in line
    assert [*read_dotenv(line)] == [Assignment(1, "A", text)]


def test_text_of_env_example() -> None:
    """Sections by their docstrings, the service's own together, lines of 88 columns."""
    text = render_env_example(Settings)
    titles = re.findall(r"^# --- (.*)$", text, re.MULTILINE)

    assert titles[:3] == [
        "The service",
        "Settings of its own",
        "The database. SQLite is the embedded default.",
    ]
    assert titles[-2:] == ["bare", "Other services, features, secrets"]
    assert max(map(len, text.splitlines())) <= 88
    assert "\nAPP_ID=\n" in text
    assert "# app_id (text; required)\n" in text
    assert "# Where Redis is. (URL)\n#REDIS_URL=redis://" in text


def test_text_of_markdown() -> None:
    """A bar in a text does not end its cell."""
    rows = render_markdown(Settings).splitlines()

    assert rows[:2] == ["| variable | what | type | default |", "|---|---|---|---|"]
    assert "| `BARE_ONE` | A \\| B | integer | `1` |" in rows
    assert "| `APP_ID` | app_id | text | required |" in rows
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {5}

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from pydantic_core import PydanticCustomError

from shared.config._urls import (
    SecretUrl,
    amqp_url,
    connection_string,
    database_url,
    is_loopback,
    mask_url,
    passwords_of,
    redis_url,
    web_document_url,
    web_origin,
    web_url,
)

SECRET = "hunter2"


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("postgresql://u:p@h/db", "postgresql://u:p@h/db"),
        ("postgres://u:p@h/db", "postgresql://u:p@h/db"),
        ("postgresql+asyncpg://u:p@h/db", "postgresql://u:p@h/db"),
        (
            "postgresql+psycopg2://h/db?sslmode=require",
            "postgresql://h/db?sslmode=require",
        ),
        ("POSTGRES+psycopg://h/db", "postgresql://h/db"),
        ("postgresql:///db?host=%2Frun%2Fpg", "postgresql:///db?host=%2Frun%2Fpg"),
        ("postgresql://u@[::1]:5432/db", "postgresql://u@[::1]:5432/db"),
        ("sqlite:///./a.db", "sqlite:///./a.db"),
        ("sqlite+aiosqlite:////srv/a.db", "sqlite:////srv/a.db"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("sqlite://", "sqlite://"),
    ],
)
def test_connection_string_has_no_driver(url: str, wanted: str) -> None:
    """Every usual spelling of a database URL becomes the one of its dialect."""
    assert database_url(url) == url
    assert connection_string(url) == wanted
    assert connection_string(wanted) == wanted


@given(password=st.text(min_size=1))
def test_an_encoded_password_is_kept(password: str) -> None:
    """Any password works when it is percent-encoded, and is not touched."""
    encoded = quote(password.encode("utf-8", "surrogatepass"), safe="")
    url = f"postgresql://user:{encoded}@host:5432/name"

    assert connection_string(str(database_url(url))) == url


@pytest.mark.parametrize(
    ("check", "url", "rule"),
    [
        (database_url, "mysql://u:hunter2@h/db", "begin with postgresql:// or sqlite"),
        (database_url, "hunter2", "begin with postgresql:// or sqlite"),
        (database_url, "postgresql:///db", "Has no host"),
        (database_url, "postgresql://", "Has no host"),
        (database_url, "postgresql://u:hunter2@:5432/db", "Has no host"),
        (database_url, "postgresql://u:hunter2@h:0/db", "from 1 to 65535"),
        (database_url, "postgresql://u:x@h:hunter2/db", "host or port is none"),
        (database_url, "postgresql://u:x@h:99999/db", "host or port is none"),
        (database_url, "postgresql://u:hunter2@[::1/db", "host or port is none"),
        (database_url, "postgresql://u:hun@ter2@h/db", "percent-encoded"),
        (database_url, "postgresql://u:hun/ter2@h/db", "percent-encoded"),
        (database_url, "postgresql://u:77/ter2@h/db", "percent-encoded"),
        (database_url, "postgresql://u:hun?ter2@h/db", "percent-encoded"),
        (database_url, "postgresql://u:77?ter2@h/db", "percent-encoded"),
        (database_url, "postgresql://u:hun#ter2@h/db", "percent-encoded"),
        (database_url, "postgresql://u:77#ter2", "percent-encoded"),
        (database_url, "postgresql://u:100%hunter2@h/db", "begins no escape"),
        (database_url, "postgresql://u:hun ter2@h/db", "no space and no line break"),
        (database_url, "postgresql://u:hun\nter2@h/db", "no space and no line break"),
        (database_url, "sqlite://hunter2.db", "three slashes"),
        (redis_url, "http://h", "begin with redis://, rediss:// or unix://"),
        (redis_url, "redis://:hunter2@", "Has no host"),
        (redis_url, "redis://:hunter2@h/zero", "number of a database"),
        (redis_url, "unix://", "Has no path of a socket"),
        (amqp_url, "redis://:hunter2@h", "begin with amqp:// or amqps://"),
        (amqp_url, "amqps://u:hunter2@/v", "Has no host"),
        (web_url, "ftp://h", "begin with https:// or http://"),
        (web_url, "//h", "begin with https:// or http://"),
        (web_url, "https:///path", "Has no host"),
        (web_url, "https://u:hunter2@h", "no user name and no password"),
        (web_url, "https://hunter2@h", "no user name and no password"),
        (web_url, "https://h/?token=hunter2", "no query and no fragment"),
        (web_url, "https://h/#top", "no query and no fragment"),
        (web_document_url, "https://u:hunter2@h/jwks.json", "no user name"),
        (web_origin, "https://a.example/", "nothing behind"),
        (web_origin, "https://a.example?x", "nothing behind"),
        (web_origin, "a.example", "begin with https:// or http://"),
        (web_origin, "null", "begin with https:// or http://"),
    ],
)
def test_refused(check: Callable[[object], object], url: str, rule: str) -> None:
    """A wrong URL is refused by its rule, with an example and without itself."""
    with pytest.raises(PydanticCustomError, match=rule) as caught:
        check(url)

    assert SECRET not in str(caught.value)
    assert "ter2" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("check", "url", "wanted"),
    [
        (redis_url, "redis://h", "redis://h"),
        (redis_url, "rediss://:p@h:6380/15?db=1", "rediss://:p@h:6380/15?db=1"),
        (redis_url, "unix:///run/redis.sock?db=1", "unix:///run/redis.sock?db=1"),
        (amqp_url, "amqp://u:p@h:5672/%2F", "amqp://u:p@h:5672/%2F"),
        (web_url, "https://h/", "https://h"),
        (web_url, "http://localhost:8001/base/", "http://localhost:8001/base"),
        (web_url, "https://h/@scope", "https://h/@scope"),
        (web_document_url, "https://h/jwks.json?v=1", "https://h/jwks.json?v=1"),
        (web_origin, "*", "*"),
        (web_origin, "https://App.example:8443", "https://app.example:8443"),
    ],
)
def test_accepted(check: Callable[[object], object], url: str, wanted: str) -> None:
    """What is right goes through; a base URL loses its slash, an origin its case."""
    assert check(url) == wanted


@pytest.mark.parametrize(
    "check", [database_url, redis_url, amqp_url, web_url, web_document_url, web_origin]
)
def test_what_is_no_text_is_left_to_the_type(
    check: Callable[[object], object],
) -> None:
    """None and numbers get the sentence of the field's own type."""
    assert check(None) is None
    assert check(7) == 7


def test_secret_texts_are_read() -> None:
    """A URL may come as a secret of pydantic, from code that has one."""
    with pytest.raises(PydanticCustomError, match="begin with redis"):
        redis_url(SecretUrl("http://h"))
    with pytest.raises(PydanticCustomError, match="begin with postgresql"):
        database_url(SecretStr("http://h"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://u:hunter2@h/db", "postgresql://u:***@h/db"),
        ("redis://:hunter2@h/0", "redis://:***@h/0"),
        ("postgresql://u@h/db", "postgresql://u@h/db"),
        ("https://hunter2@h/1", "https://***@h/1"),
        ("postgresql://u:hun@ter2/hunter2@h/db", "postgresql://u:***@h/db"),
        (
            "postgresql://h/db?password=hunter2&x=1",
            "postgresql://h/db?password=***&x=1",
        ),
        ("https://h/?x=1&api_key=hunter2#a", "https://h/?x=1&api_key=***#a"),
        ("see amqp://u:hunter2@h and more", "see amqp://u:***@h and more"),
        ("https://h/path", "https://h/path"),
        ("no URL at all", "no URL at all"),
    ],
)
def test_masked(text: str, shown: str) -> None:
    """A URL is shown without its password, well-formed or not."""
    assert mask_url(text) == shown


@given(password=st.text("abc:/?#@%&=", min_size=1).map(lambda text: text + SECRET))
def test_no_password_escapes_the_mask(password: str) -> None:
    """Whatever stands between the user and the last @ is hidden."""
    assert SECRET not in mask_url(f"postgresql://user:{password}@host:5432/name")


def test_secret_url_shows_itself_masked() -> None:
    """In str and repr; the value is asked for by name."""
    url = SecretUrl("redis://:hunter2@h")

    assert str(url) == "redis://:***@h"
    assert repr(url) == "SecretUrl('redis://:***@h')"
    assert url.get_secret_value() == "redis://:hunter2@h"


@pytest.mark.parametrize(
    ("url", "answer"),
    [
        ("http://localhost:1", True),
        ("http://127.8.9.1/x", True),
        ("http://[::1]:8", True),
        ("http://localhost.example", False),
        ("http://10.0.0.1", False),
    ],
)
def test_loopback(url: str, answer: bool) -> None:
    """Only names of this machine are this machine."""
    assert is_loopback(url) is answer


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("amqp://u:a%40b@h", {"a%40b", "a@b"}),
        ("mongodb://u:one@a,v:two@b/d", {"one@a,v:two"}),
        ("https://key@h/?token=t1&page=2", {"key", "t1"}),
        ("redis://user@h/?x=1", set()),
        ("plain", set()),
    ],
)
def test_passwords_are_what_is_masked(text: str, hidden: set[str]) -> None:
    """As they stand there and decoded; nothing else of the URL."""
    assert set(passwords_of(text)) == hidden
    assert (mask_url(text) != text) is bool(hidden)

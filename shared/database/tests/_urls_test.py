from __future__ import annotations

import pytest

from shared.database._errors import DatabaseConfigurationError
from shared.database._urls import Target


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://u:p@h:5432/d",
        "postgres://u:p@h:5432/d",
        "postgresql+psycopg2://u:p@h:5432/d",
    ],
)
def test_drivers_are_ours(text: str) -> None:
    """Whatever driver the setting names."""
    target = Target.parse(text)

    assert target.dialect == "postgresql"
    assert target.sync().drivername == "postgresql+psycopg"
    assert target.asynchronous().drivername == "postgresql+asyncpg"
    assert target.dsn() == "postgresql://u:p@h:5432/d"


def test_parameters_of_libpq() -> None:
    """Asyncpg gets them by the DSN, without those that we set."""
    target = Target.parse(
        "postgresql://h/d?sslmode=require&connect_timeout=1&options=-c"
    )

    assert target.asynchronous().query == {}
    assert target.dsn() == "postgresql://h/d?sslmode=require"
    assert target.sync().query["sslmode"] == "require"


def test_files() -> None:
    """A path stays what it is."""
    target = Target.parse("sqlite:////var/lib/x.db")

    assert target.memory is None
    assert str(target.sync()) == "sqlite+pysqlite:////var/lib/x.db"
    assert str(target.asynchronous()) == "sqlite+aiosqlite:////var/lib/x.db"


@pytest.mark.parametrize("text", ["sqlite://", "sqlite:///:memory:"])
def test_memory(text: str) -> None:
    """Each has a name of its own, which both drivers are told."""
    one, other = Target.parse(text), Target.parse(text)

    assert one.memory != other.memory
    for url in (one.sync(), one.asynchronous()):
        assert url.query == {"vfs": "memdb", "uri": "true"}
        assert f"{url.database}?vfs=memdb" == one.memory


@pytest.mark.parametrize(
    "text",
    ["", "hush", "mysql://u:hush@h/d", "postgresql://u:hush@h:port/d", "://hush"],
)
def test_what_is_no_url_of_ours(text: str) -> None:
    """One clear error that shows nothing of it, not in its cause either."""
    with pytest.raises(
        DatabaseConfigurationError, match="must be postgresql://"
    ) as caught:
        Target.parse(text)

    assert "hush" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_repr_shows_no_password() -> None:
    """A target in a log line is harmless."""
    assert "hush" not in repr(Target.parse("postgresql://u:hush@h/d"))


def test_passwords_among_the_parameters_reach_both_drivers() -> None:
    """They leave the URL that is shown, and only that."""
    target = Target.parse("postgresql://h/n?password=hush&sslmode=x&sslpassword=quiet")

    assert target.secrets() == {"password": "hush", "sslpassword": "quiet"}
    assert dict(target.sync().query) == {"sslmode": "x"}
    assert target.dsn().endswith("?password=hush&sslmode=x&sslpassword=quiet")

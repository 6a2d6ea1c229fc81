from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shared.testing import servers

SKIPPED = pytest.skip.Exception
FAILED = pytest.fail.Exception

EACH = [
    (servers.postgresql_url, "DATABASE_URL", "postgresql", "PostgreSQL"),
    (servers.redis_url, "REDIS_URL", "redis", "Redis"),
    (servers.rabbitmq_url, "RABBITMQ_URL", "amqp", "RabbitMQ"),
]
each = pytest.mark.parametrize(("url_of", "variable", "scheme", "name"), EACH)
UrlOf = Callable[[], str]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start with nothing set and nothing remembered."""
    for _, variable, _, _ in EACH:
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(f"TEST_{variable}", raising=False)
    monkeypatch.delenv("CI", raising=False)
    servers._unreachable.cache_clear()


@pytest.fixture
def port() -> Iterator[int]:
    """Give a port at which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def dead_port() -> int:
    """Give a port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        free: int = server.getsockname()[1]
    return free


@each
def test_the_address_for_tests_comes_first(
    url_of: UrlOf,
    variable: str,
    scheme: str,
    name: str,
    port: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A developer's own database is not the one that tests use."""
    url = f"{scheme}://user:word@127.0.0.1:{port}/x"
    monkeypatch.setenv(f"TEST_{variable}", url)
    monkeypatch.setenv(variable, f"{scheme}://elsewhere.invalid/y")

    assert url_of() == url


@each
def test_the_address_of_the_application_is_next(
    url_of: UrlOf,
    variable: str,
    scheme: str,
    name: str,
    port: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One variable is enough where tests and application share a server."""
    url = f"{scheme}://127.0.0.1:{port}/x"
    monkeypatch.setenv(variable, url)

    assert url_of() == url


@each
def test_a_missing_server_skips(
    url_of: UrlOf,
    variable: str,
    scheme: str,
    name: str,
    dead_port: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The reason says which server, which variable, what happened and what to do."""
    monkeypatch.setenv(f"TEST_{variable}", f"{scheme}://u:word@127.0.0.1:{dead_port}/x")

    with pytest.raises(
        SKIPPED,
        match=rf"No {name} \(TEST_{variable}\): no connection .*docs/servers\.md",
    ) as caught:
        url_of()

    assert "word" not in str(caught.value)


@each
@pytest.mark.parametrize("ci", ["true", "1", "yes"])
def test_a_missing_server_fails_in_ci(
    url_of: UrlOf,
    variable: str,
    scheme: str,
    name: str,
    ci: str,
    dead_port: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A green run in CI has run everything."""
    monkeypatch.setenv(f"TEST_{variable}", f"{scheme}://127.0.0.1:{dead_port}/x")
    monkeypatch.setenv("CI", ci)

    with pytest.raises(
        FAILED, match=rf"No {name} .* CI is set, so this is not skipped"
    ):
        url_of()


@pytest.mark.parametrize("ci", ["", "0", "false", "False"])
def test_ci_may_be_switched_off(
    ci: str, dead_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As people write it who run a CI script on their desk."""
    monkeypatch.setenv("TEST_REDIS_URL", f"redis://127.0.0.1:{dead_port}")
    monkeypatch.setenv("CI", ci)

    with pytest.raises(SKIPPED, match="No Redis"):
        servers.redis_url()


def test_a_wrong_address_for_tests_fails_everywhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It was meant for this test; a skip would hide the slip. No value is shown."""
    monkeypatch.setenv("TEST_DATABASE_URL", "mysql://root:word@127.0.0.1/x")

    with pytest.raises(
        FAILED,
        match=r"TEST_DATABASE_URL must begin with postgresql:// \(value hidden\)",
    ) as caught:
        servers.postgresql_url()

    assert "word" not in str(caught.value)


def test_an_application_on_sqlite_has_no_postgresql(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Then the usual address is tried, whatever comes of it."""
    monkeypatch.setenv("DATABASE_URL", "sqlite:///./orders.db")

    origin, url = servers._configured(servers._POSTGRESQL)

    assert origin == "TEST_DATABASE_URL is not set, tried the usual address"
    assert url == "postgresql://postgres@127.0.0.1:5432/test"


@pytest.mark.parametrize("scheme", ["postgres", "postgresql+asyncpg", "postgresql"])
def test_a_driver_is_taken_out(
    scheme: str, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes back is what every driver reads."""
    monkeypatch.setenv("TEST_DATABASE_URL", f"{scheme}://u@127.0.0.1:{port}/x")

    assert servers.postgresql_url() == f"postgresql://u@127.0.0.1:{port}/x"


@pytest.mark.parametrize("port", ["70000", "x"])
def test_a_port_that_is_none_is_said_to_be(
    port: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the address, which may hold a password."""
    monkeypatch.setenv("TEST_REDIS_URL", f"redis://:word@127.0.0.1:{port}/0")

    with pytest.raises(
        SKIPPED, match="its address has no valid host and port"
    ) as caught:
        servers.redis_url()

    assert "word" not in str(caught.value)


def test_sockets_in_the_file_system(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As PostgreSQL and Redis offer them on Unix."""
    folder = Path("sockets")
    monkeypatch.chdir(tmp_path_factory.mktemp("s"))  # a socket's path is short
    folder.mkdir()
    url = "postgresql:///x?host=/nowhere"

    assert servers._address(servers._POSTGRESQL, url)[0] == "/nowhere/.s.PGSQL.5432"
    assert servers._address(servers._REDIS, "unix:///a%20b")[0] == "/a b"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("sockets/redis")
        server.listen()
        monkeypatch.setattr(servers, "_address", lambda *_: ("sockets/redis", "", 0))
        monkeypatch.setenv("TEST_REDIS_URL", "unix:///sockets/redis")

        assert servers.redis_url() == "unix:///sockets/redis"


@pytest.mark.parametrize(
    ("kind", "url", "expected"),
    [
        (servers._POSTGRESQL, "postgresql:///x", ("127.0.0.1", 5432)),
        (servers._POSTGRESQL, "postgresql://h/x", ("h", 5432)),
        (servers._POSTGRESQL, "postgresql:///x?host=h", ("h", 5432)),
        (servers._REDIS, "rediss://h", ("h", 6379)),
        (servers._RABBITMQ, "amqp://h", ("h", 5672)),
        (servers._RABBITMQ, "amqps://h", ("h", 5671)),
    ],
)
def test_usual_ports(kind: servers._Kind, url: str, expected: tuple[str, int]) -> None:
    """An address need not name its port."""
    assert servers._address(kind, url)[1:] == expected

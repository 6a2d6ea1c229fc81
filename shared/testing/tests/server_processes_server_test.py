from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import aio_pika
import psycopg
import pytest
from aio_pika.abc import DeliveryMode
from aio_pika.exceptions import AMQPError

from shared.testing import _process_tree, server_processes
from shared.testing.server_processes import (
    PrivatePostgreSQL,
    PrivateRabbitMQ,
    ServerProcessError,
)

Server = PrivatePostgreSQL | PrivateRabbitMQ
each = pytest.mark.parametrize("kind", [PrivatePostgreSQL, PrivateRabbitMQ])
QUEUES = {"kept-quorum": "quorum", "kept-classic": "classic"}

# Starts what its argument names, tells of all its processes, and waits to be killed.
PARENT = """
import os, sys, time
from shared.testing import _process_tree, server_processes

with getattr(server_processes, sys.argv[1])():
    print(*_process_tree.tree(os.getpid())[1:], flush=True)
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def database() -> Iterator[PrivatePostgreSQL]:
    """Give one for all tests here; each leaves it running."""
    with PrivatePostgreSQL() as server:
        yield server


@pytest.fixture(scope="module")
def broker() -> Iterator[PrivateRabbitMQ]:
    """Give one for all tests here; each leaves it running."""
    with PrivateRabbitMQ() as server:
        yield server


@pytest.fixture
def scratch() -> Iterator[Path]:
    """Give a folder that another user may enter, unlike ``tmp_path``."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def wait_until(condition: Callable[[], object], seconds: float = 60) -> None:
    """Wait; a generous limit, for a busy machine."""
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.01)


def environment(folder: Path) -> dict[str, str]:
    """Return that of a Python that imports what this one does."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "TMPDIR": str(folder),
    }


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_a_committed_row_is_there_after_the_next_start(
    database: PrivatePostgreSQL, how: str
) -> None:
    """The data are those of before, and so is the address."""
    with psycopg.connect(database.url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (how text)")
        connection.execute("INSERT INTO kept VALUES (%s)", [how])
    url = database.url

    getattr(database, how)()
    gone = not database.running
    database.start()

    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT 1 FROM kept WHERE how = %s", [how]).fetchall()
    assert gone
    assert rows == [(1,)]


@pytest.mark.parametrize("how", ["kill", "stop"])
async def test_a_confirmed_message_is_there_after_the_next_start(
    broker: PrivateRabbitMQ, how: str
) -> None:
    """Quorum queues and classic ones keep what was confirmed to the publisher."""
    async with await aio_pika.connect(broker.url) as connection:
        channel = await connection.channel()
        for name, kind in QUEUES.items():
            await channel.declare_queue(
                name, durable=True, arguments={"x-queue-type": kind}
            )
    # The names of new queues are on disk after this.
    await asyncio.to_thread(broker.stop)
    await asyncio.to_thread(broker.start)
    connection = await aio_pika.connect(broker.url)
    channel = await connection.channel()
    for name in QUEUES:
        message = aio_pika.Message(how.encode(), delivery_mode=DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, name)

    await asyncio.to_thread(getattr(broker, how))
    gone = not broker.running
    with suppress(AMQPError, ConnectionError):
        await connection.close()
    await asyncio.to_thread(broker.start)

    kept = {}
    async with await aio_pika.connect(broker.url) as connection:
        channel = await connection.channel()
        for name in QUEUES:
            queue = await channel.get_queue(name)
            kept[name] = (await queue.get(timeout=30, no_ack=True)).body.decode()
    assert gone
    assert kept == dict.fromkeys(QUEUES, how)


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_open_connections_do_not_hold_up_the_end(
    database: PrivatePostgreSQL, how: str
) -> None:
    """PostgreSQL's backends are in sessions of their own; one here is busy."""
    with (
        closing(psycopg.connect(database.url, autocommit=True)) as idle,
        closing(psycopg.connect(database.url, autocommit=True)) as busy,
    ):
        busy.pgconn.send_query(b"SELECT sum(i) FROM generate_series(1, 1e12) AS s(i)")
        main = database._main
        assert main is not None
        pids = _process_tree.tree(main.pid)
        backend = idle.info.backend_pid

        getattr(database, how)()

        alive = [pid for pid in pids if _process_tree.alive(pid)]
    database.start()
    assert backend in pids
    assert alive == []


def test_a_paused_server_is_silent_and_goes_on(database: PrivatePostgreSQL) -> None:
    """Its port still takes connections, which nobody answers."""
    with psycopg.connect(database.url) as connection:
        database.pause()
        with pytest.raises(psycopg.errors.ConnectionTimeout, match="timeout"):
            psycopg.connect(database.url, connect_timeout=2)
        database.resume()

        assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_a_paused_server_can_be_ended(database: PrivatePostgreSQL, how: str) -> None:
    """A test that fails in between leaves it paused."""
    database.pause()

    getattr(database, how)()
    gone = not database.running
    database.start()

    assert gone


def test_two_at_once(broker: PrivateRabbitMQ) -> None:
    """Each has ports, a node name and data of its own; the end of one is its own."""
    with PrivateRabbitMQ() as other:
        other_url = other.url
        folder = other._folder

    assert other_url != broker.url
    assert broker.running
    assert server_processes._listens(broker._port)
    assert not folder.exists()


def test_start_twice(database: PrivatePostgreSQL) -> None:
    """Two servers on the same data would destroy them."""
    with pytest.raises(ServerProcessError, match=r"PostgreSQL is running already\."):
        database.start()


def test_kill_and_stop_twice(database: PrivatePostgreSQL) -> None:
    """Nothing is left to end."""
    database.kill()
    database.kill()
    database.stop()
    database.start()

    assert database.running


def test_one_that_died_by_itself_starts_again(broker: PrivateRabbitMQ) -> None:
    """Whoever kills it by hand, its epmd is not in the way."""
    main = broker._main
    assert main is not None
    _process_tree.signal_tree(main.pid, signal.SIGKILL)
    wait_until(lambda: not broker.running)
    broker.start()

    assert broker.running


@pytest.mark.parametrize("fixture", ["database", "broker"])
def test_a_failed_start_shows_the_log(
    fixture: str, request: pytest.FixtureRequest
) -> None:
    """Here the port is taken; later it is free again."""
    server: Server = request.getfixturevalue(fixture)
    server.stop()
    with (
        socket.create_server(("127.0.0.1", server._port)),
        pytest.raises(
            ServerProcessError,
            match=r"(?s)did not start: exit code \d.*--- the end of .*"
            r"([Aa]ddress already in use|eaddrinuse)",
        ),
    ):
        server.start()
    gone = not server.running
    server.start()

    assert gone


def test_a_failed_test_leaves_nothing() -> None:
    """Neither a process nor a file."""
    pids = []
    folders = []

    def failing() -> None:
        with PrivatePostgreSQL() as server:
            assert server._main is not None
            pids.extend([*_process_tree.tree(server._main.pid), server._keeper.pid])
            folders.append(server._folder)
            assert not server.running

    with pytest.raises(AssertionError, match="running"):
        failing()

    assert len(pids) > 2
    assert [pid for pid in pids if _process_tree.alive(pid)] == []
    assert [folder for folder in folders if folder.exists()] == []


@each
def test_a_killed_test_leaves_nothing(kind: type[Server], scratch: Path) -> None:
    """SIGKILL for the whole process group of the test, as from a test runner."""
    parent = subprocess.Popen(
        [sys.executable, "-P", "-c", PARENT, kind.__name__],
        env=environment(scratch),
        stdout=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    with parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        os.killpg(parent.pid, signal.SIGKILL)

    assert len(pids) > 3
    wait_until(lambda: not any(map(_process_tree.alive, pids)))
    wait_until(lambda: not any(scratch.iterdir()))


@pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="asks Linux' /proc")
@pytest.mark.parametrize("delay", [0.0, 0.02, 0.1, 0.4])
@each
def test_a_test_killed_amid_a_start_leaves_nothing(
    kind: type[Server], delay: float, scratch: Path
) -> None:
    """Before the keeper could be told, while data are made, while a server starts."""
    with subprocess.Popen(
        [sys.executable, "-P", "-c", PARENT, kind.__name__],
        env=environment(scratch),
        stdout=subprocess.DEVNULL,
    ) as parent:
        wait_until(lambda: any(scratch.glob("*/output.log")))
        time.sleep(delay)  # chooses the moment; whatever it meets must hold
        parent.kill()

    def working_here() -> list[int]:
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if (entry / "cwd").readlink().is_relative_to(scratch):
                    found.append(int(entry.name))
        return found

    wait_until(lambda: not working_here() and not any(scratch.iterdir()))


def test_the_next_run_removes_what_a_killed_keeper_left(
    scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And leaves alone what another run is using."""
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    with PrivatePostgreSQL() as server:
        used = server._folder
        left = scratch / f"{server_processes._PREFIX}left"
        (left / "data").mkdir(parents=True)
        with PrivatePostgreSQL() as other:
            found = set(scratch.iterdir())
            assert found == {used, other._folder}


@each
@pytest.mark.parametrize(
    ("ci", "outcome", "more"),
    [
        ("", pytest.skip.Exception, r"$"),
        ("true", pytest.fail.Exception, r" CI is set, so this is not skipped\.$"),
    ],
)
def test_missing_programs(
    kind: type[Server],
    ci: str,
    outcome: type[BaseException],
    more: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A skip that says what to install; a failure in CI."""
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(server_processes, "_programs", lambda names, folder: None)

    with pytest.raises(
        outcome,
        match=rf"No programs of {kind._name} \(.*\) in PATH .*"
        rf"apt-get install .*, or brew install \w+\.{more}",
    ):
        kind().__enter__()


def test_what_needs_no_preparation() -> None:
    """One that was never entered is not running, and its end is no error."""
    server = PrivateRabbitMQ()

    server.pause()
    server.resume()
    server.stop()
    server.kill()

    assert not server.running

"""Private, throw-away servers that a test may kill. Needs pytest, psycopg, and a Unix.

::

    with PrivateRabbitMQ() as broker:       # or PrivatePostgreSQL()
        broker.url                          # the same until the end
        broker.kill()                       # SIGKILL for the server and its children
        broker.start()                      # again: same data, same port

They write to disk as in production (fsync is on), listen on 127.0.0.1 only, and keep
their data in a temporary folder. However the test ends, by SIGKILL too, its servers are
killed and the folder is removed, at the latest by the next run.

Where the programs are not installed the test is skipped, and where ``CI`` is set it
fails, as in ``shared.testing.servers``. Methods block, for seconds in the case of
``start`` and ``stop``: in a coroutine write ``await asyncio.to_thread(broker.start)``.

In Bazel such a test is tagged ``external``, ``local``, ``no-sandbox`` and
``requires-network``. PostgreSQL refuses to be root, and a sandbox entered as root knows
no other user; RabbitMQ reads ``/proc``, which the hermetic sandbox hides.

RabbitMQ writes the name of a new quorum queue to disk a moment after the declaration.
A ``kill`` before that leaves a queue that never answers, not even with an error (3.10).
To kill sooner, stop in order and start once after declaring.
"""

from __future__ import annotations

import fcntl
import glob
import os
import pwd
import secrets
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

import psycopg
import pytest

from shared.testing import _process_tree
from shared.testing.servers import _in_ci

__all__ = ["PrivatePostgreSQL", "PrivateRabbitMQ", "ServerProcessError"]

_HOST: Final = "127.0.0.1"
_PREFIX: Final = "creativeflow-server-"
# Below the ports that Linux and macOS give to clients: one that keeps trying to reach a
# killed server from the server's own port would connect to itself, and keep it.
_PORTS: Final = range(20_000, 30_000)
_START_SECONDS: Final = 90.0
_STOP_SECONDS: Final = 60.0
_GONE_SECONDS: Final = 20.0
_LOOK_SECONDS: Final = 0.05
_ANSWER_SECONDS: Final = 10.0
_TAIL_BYTES: Final = 3_000
# While a shell that has not told its number holds the pipe, the keeper waits for it.
_BECOME: Final = 'echo "$$" >&0 && exec "$@" </dev/null'
_USUAL_FOLDERS: Final = (
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
    "/opt/homebrew/sbin",
    "/opt/homebrew/bin",
)


class ServerProcessError(Exception):
    """A server does not start or stop; the message ends with its log."""


class _PrivateServer(ABC):
    """A server with its data, a port and a keeper that outlives this process."""

    _name: str

    def __init__(self) -> None:
        self._main: subprocess.Popen[bytes] | None = None
        self._paused = False

    @property
    @abstractmethod
    def url(self) -> str:
        """Where it is, or will be once it runs."""

    def __enter__(self) -> Self:
        """Prepare the data and start. Skips the test where the programs are missing."""
        programs = self._find()
        self._folder, self._lock = _owned_folder()
        self._log = self._folder / "output.log"
        # -I and -S: it is to run whatever is installed, and quickly.
        self._keeper = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-IS", _process_tree.__file__, str(self._folder)],
            stdin=subprocess.PIPE,
            start_new_session=True,  # ^C and killpg are for the test
        )
        try:
            self._prepare(programs)
            self.start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Kill the server and remove its data."""
        self._end()

    @property
    def running(self) -> bool:
        """Whether its process is there, be it paused."""
        return self._main is not None and self._main.poll() is None

    def start(self) -> None:
        """Start, with the same data on the same port, and wait until it answers.

        Raises:
            ServerProcessError: It ends or gives no answer in time, or is running.
        """
        if self.running:
            msg = f"{self._name} is running already."
            raise ServerProcessError(msg)
        self.kill()  # what is left of one that ended by itself
        self._main = self._launch()
        self._wait("start", self._answers, _START_SECONDS)

    def stop(self) -> None:
        """Stop in order, as an operator would; clients are disconnected.

        Raises:
            ServerProcessError: It does not end in time.
        """
        if self._main is None:
            return
        self.resume()
        main, self._main = self._main, None
        pids = _process_tree.tree(main.pid)
        main.send_signal(self._stop_signal())
        try:
            main.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            _kill(main)
            raise self._failure(f"did not stop in {_STOP_SECONDS:.0f} s") from None
        _wait_until_gone(pids)
        self._tell_keeper(-main.pid)

    def kill(self) -> None:
        """SIGKILL the server and all its children, and wait until they are gone."""
        if self._main is None:
            return
        main, self._main = self._main, None
        self._paused = False
        _kill(main)
        self._tell_keeper(-main.pid)

    def pause(self) -> None:
        """SIGSTOP: connections stay open and nothing answers."""
        if self._main is not None:
            self._paused = True
            _process_tree.signal_tree(self._main.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Go on after ``pause``."""
        if self._main is not None and self._paused:
            self._paused = False
            _process_tree.signal_tree(self._main.pid, signal.SIGCONT)

    @abstractmethod
    def _find(self) -> Mapping[str, str]:
        """Return the paths of the programs, or skip."""

    @abstractmethod
    def _prepare(self, programs: Mapping[str, str]) -> None:
        """Choose ports, and write data and settings into the folder."""

    @abstractmethod
    def _launch(self) -> subprocess.Popen[bytes]: ...

    @abstractmethod
    def _answers(self) -> bool:
        """Log in, once."""

    def _stop_signal(self) -> signal.Signals:
        return signal.SIGTERM

    def _logs(self) -> Sequence[Path]:
        return [self._log]

    def _run(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        user: int | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a program about which the keeper knows before it runs."""
        keeper = self._keeper.stdin
        assert keeper is not None  # noqa: S101 - Popen was asked for a pipe
        with self._log.open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - no argument comes from outside
                ["/bin/sh", "-c", _BECOME, "sh", *command],
                stdin=keeper,
                stdout=log,
                stderr=log,
                env={"PATH": _path(), "LC_ALL": "C.UTF-8", **environment},
                cwd=self._folder,
                start_new_session=True,
                user=user,
                group=None if user is None else pwd.getpwuid(user).pw_gid,
                extra_groups=None if user is None else [],
            )

    def _tell_keeper(self, pid: int) -> None:
        keeper = self._keeper.stdin
        assert keeper is not None  # noqa: S101 - Popen was asked for a pipe
        with suppress(BrokenPipeError):
            keeper.write(f"{pid}\n".encode())
            keeper.flush()

    def _wait(self, what: str, done: Callable[[], bool], seconds: float) -> None:
        main = self._main
        assert main is not None  # noqa: S101 - just launched
        limit = time.monotonic() + seconds
        while True:
            if main.poll() is not None:
                self._main = None
                raise self._failure(f"did not {what}: exit code {main.returncode}")
            if done():
                return
            if time.monotonic() > limit:
                self.kill()
                raise self._failure(f"did not {what} in {seconds:.0f} s")
            time.sleep(_LOOK_SECONDS)

    def _failure(self, problem: str) -> ServerProcessError:
        return ServerProcessError(
            "\n".join([f"{self._name} {problem}.", *map(_tail, self._logs())])
        )

    def _end(self) -> None:
        try:
            self.kill()
        finally:
            keeper = self._keeper.stdin
            assert keeper is not None  # noqa: S101 - Popen was asked for a pipe
            keeper.close()
            self._keeper.wait()  # for the folder to be gone
            shutil.rmtree(self._folder, ignore_errors=True)  # it may be killed itself
            os.close(self._lock)


class PrivatePostgreSQL(_PrivateServer):
    """PostgreSQL with an empty database; no password, and role ``postgres``."""

    _name = "PostgreSQL"

    @property
    def url(self) -> str:
        """Where it is, without a driver: ``postgresql://...``."""
        return f"postgresql://postgres@{_HOST}:{self._port}/postgres"

    def _find(self) -> Mapping[str, str]:
        # The newest version; distributions keep these out of PATH.
        folders = sorted(
            [
                *glob.glob("/usr/lib/postgresql/*/bin"),
                *glob.glob("/usr/pgsql-*/bin"),
                *glob.glob("/opt/homebrew/opt/postgresql*/bin"),
                *glob.glob("/usr/local/opt/postgresql*/bin"),
            ],
            key=lambda path: [int(part) for part in _numbers(path)],
            reverse=True,
        )
        for folder in [*folders, None]:
            found = _programs(["initdb", "postgres"], folder)
            if found:
                return found
        return _missing("PostgreSQL", "initdb and postgres", "postgresql")

    def _prepare(self, programs: Mapping[str, str]) -> None:
        [self._port] = _free_ports(1)
        self._postgres = programs["postgres"]
        self._data = self._folder / "data"
        self._data.mkdir(mode=0o700)
        self._user: int | None = None
        if os.geteuid() == 0:  # which PostgreSQL refuses
            self._user = _somebody()
            os.chown(self._data, self._user, pwd.getpwuid(self._user).pw_gid)
        initdb = self._run(
            [
                programs["initdb"],
                f"--pgdata={self._data}",
                "--username=postgres",
                "--auth=trust",
                "--encoding=UTF8",
                "--no-locale",
                "--no-sync",  # what follows is synced
            ],
            {},
            user=self._user,
        )
        self._main = initdb
        try:
            code = initdb.wait(_START_SECONDS)
        except subprocess.TimeoutExpired:
            raise self._failure("was not initialised in time") from None
        self._main = None
        self._tell_keeper(-initdb.pid)
        if code:
            raise self._failure(f"was not initialised: exit code {code}")

    def _launch(self) -> subprocess.Popen[bytes]:
        settings = {
            "listen_addresses": _HOST,
            "port": str(self._port),
            "unix_socket_directories": "",  # a path may be too long for one
            "shared_buffers": "64MB",
        }
        options = [part for item in settings.items() for part in ("-c", "=".join(item))]
        return self._run(
            [self._postgres, "-D", str(self._data), *options], {}, user=self._user
        )

    def _answers(self) -> bool:
        try:
            with psycopg.connect(self.url, connect_timeout=int(_ANSWER_SECONDS)) as own:
                return own.execute("SELECT 1").fetchone() == (1,)
        except psycopg.OperationalError:
            return False

    def _stop_signal(self) -> signal.Signals:
        return signal.SIGINT  # "fast"; SIGTERM would wait for the clients to leave


class PrivateRabbitMQ(_PrivateServer):
    """RabbitMQ without plugins, with user ``guest``, and an ``epmd`` of its own."""

    _name = "RabbitMQ"

    def __init__(self) -> None:
        super().__init__()
        self._epmd: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is: ``amqp://...``."""
        return f"amqp://guest:guest@{_HOST}:{self._port}/"

    def _find(self) -> Mapping[str, str]:
        # Debian's program in /usr/sbin is another one, which wants to be root.
        for folder in ["/usr/lib/rabbitmq/bin", None]:
            found = _programs(["rabbitmq-server"], folder)
            erlang = _programs(["erl", "epmd"], None)
            if found and erlang:
                return {**found, **erlang}
        return _missing(
            "RabbitMQ", "rabbitmq-server, erl and epmd", "rabbitmq-server", "rabbitmq"
        )

    def _prepare(self, programs: Mapping[str, str]) -> None:
        self._port, self._distribution_port, self._epmd_port = _free_ports(3)
        self._programs = programs
        (self._folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = {_HOST}:{self._port}\n"
            "log.console = false\n"
            "log.file.level = info\n"
            # The defaults depend on the machine, and block publishers on a small one.
            "vm_memory_high_watermark.absolute = 2GB\n"
            "disk_free_limit.absolute = 50MB\n"
        )
        (self._folder / "enabled_plugins").write_text("[].\n")

    def _environment(self) -> dict[str, str]:
        return {
            "HOME": str(self._folder),  # of the Erlang cookie
            "ERL_EPMD_ADDRESS": _HOST,
            "ERL_EPMD_PORT": str(self._epmd_port),
            "RABBITMQ_CONF_ENV_FILE": os.devnull,  # not /etc/rabbitmq's
            "RABBITMQ_CONFIG_FILE": str(self._folder / "rabbitmq"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._folder / "enabled_plugins"),
            "RABBITMQ_NODENAME": f"test-{self._port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": _HOST,
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_MNESIA_BASE": str(self._folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self._folder / "log"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": " ".join(
                [
                    "-kernel inet_dist_use_interface {127,0,0,1}",
                    # Ours is a child that we can kill; Erlang's would be a daemon.
                    "-start_epmd false",
                    # Idle schedulers sleep: other tests need the processor.
                    "+sbwt none +sbwtdcpu none +sbwtdio none",
                ]
            ),
        }

    def _launch(self) -> subprocess.Popen[bytes]:
        environment = self._environment()
        self._epmd = self._run([self._programs["epmd"]], environment)
        epmd = self._epmd
        limit = time.monotonic() + _START_SECONDS
        while not _listens(self._epmd_port):
            if epmd.poll() is not None or time.monotonic() > limit:
                raise self._failure("did not start: its epmd does not listen")
            time.sleep(_LOOK_SECONDS)
        return self._run([self._programs["rabbitmq-server"]], environment)

    def _end_epmd(self) -> None:
        epmd, self._epmd = self._epmd, None
        if epmd is not None:
            _kill(epmd)
            self._tell_keeper(-epmd.pid)

    def stop(self) -> None:
        """Stop in order, as an operator would; clients are told.

        Raises:
            ServerProcessError: It does not end in time.
        """
        try:
            super().stop()
        finally:
            self._end_epmd()

    def kill(self) -> None:
        """SIGKILL the server and all its children, and wait until they are gone."""
        try:
            super().kill()
        finally:
            self._end_epmd()

    def _answers(self) -> bool:
        try:
            with socket.create_connection((_HOST, self._port), _ANSWER_SECONDS) as own:
                _amqp_login(own)
        except OSError:
            return False
        return True

    def _logs(self) -> Sequence[Path]:
        return [self._log, *sorted((self._folder / "log").glob("*.log"))]


def _amqp_login(connection: socket.socket) -> None:
    """Open the virtual host ``/`` as guest: AMQP 0-9-1, 2.2.4 and 4.2.

    Raises:
        OSError: The server refuses, or is not there yet.
    """
    with connection.makefile("rb") as answers:
        connection.sendall(b"AMQP\x00\x00\x09\x01")
        _method(answers, 10, 10)  # start
        response = b"\x00guest\x00guest"
        _send(
            connection,
            struct.pack(">HHI", 10, 11, 0)  # start-ok, no properties
            + b"\x05PLAIN"
            + struct.pack(">I", len(response))
            + response
            + b"\x05en_US",
        )
        limits = _method(answers, 10, 30)[:8]  # tune
        _send(connection, struct.pack(">HH", 10, 31) + limits)  # tune-ok: as proposed
        _send(connection, struct.pack(">HH", 10, 40) + b"\x01/\x00\x00")  # open
        _method(answers, 10, 41)  # open-ok


def _method(answers: IO[bytes], class_id: int, method_id: int) -> bytes:
    """Return the arguments of the one method that may come now."""
    head = answers.read(7)
    if len(head) < 7 or head[0] != 1:
        raise ConnectionError
    payload = answers.read(struct.unpack(">I", head[3:])[0] + 1)[:-1]
    if payload[:4] != struct.pack(">HH", class_id, method_id):
        raise ConnectionError
    return payload[4:]


def _send(connection: socket.socket, payload: bytes) -> None:
    connection.sendall(struct.pack(">BHI", 1, 0, len(payload)) + payload + b"\xce")


def _kill(process: subprocess.Popen[bytes]) -> None:
    pids = []
    if process.poll() is None:
        pids = _process_tree.signal_tree(process.pid, signal.SIGKILL)
    process.wait()
    _wait_until_gone(pids)


def _wait_until_gone(pids: Sequence[int]) -> None:
    limit = time.monotonic() + _GONE_SECONDS
    while left := [pid for pid in pids if _process_tree.alive(pid)]:
        if time.monotonic() > limit:
            msg = f"Processes {left} do not end."
            raise ServerProcessError(msg)
        time.sleep(_LOOK_SECONDS / 5)


def _tail(log: Path) -> str:
    try:
        text = log.read_bytes()[-_TAIL_BYTES:].decode(errors="replace").strip()
    except OSError as error:
        text = f"({error.strerror})"
    return f"--- the end of {log.name}\n{text}"


def _listens(port: int) -> bool:
    try:
        socket.create_connection((_HOST, port), _ANSWER_SECONDS).close()
    except OSError:
        return False
    return True


def _free_ports(count: int) -> list[int]:
    """Return ports at which nobody listens, by chance not those of another test."""
    ports: list[int] = []
    while len(ports) < count:
        port = secrets.choice(_PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind((_HOST, port))
            if port not in ports:
                ports.append(port)
    return ports


def _owned_folder() -> tuple[Path, int]:
    """Return a new folder, and a lock on it that ends with this process.

    What is not locked is left from a run that was killed together with its keeper, as
    Bazel does, and is removed.
    """
    parent = _open_folder()
    for left in Path(parent).glob(f"{_PREFIX}*"):
        lock = _lock(left)
        if lock is not None:
            shutil.rmtree(left, ignore_errors=True)
            os.close(lock)
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        lock = _lock(folder)
        if lock is not None:  # else another run took it for a leftover
            folder.chmod(0o755)  # for servers that run as somebody else
            return folder, lock


def _lock(folder: Path) -> int | None:
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return None
    if not folder.exists():
        os.close(lock)
        return None
    return lock


def _open_folder() -> str:
    """Return a folder for temporary ones that every user may enter."""
    choices = [tempfile.gettempdir(), "/tmp", "/var/tmp"]  # noqa: S108 - mkdtemp in it
    for choice in choices:
        path = Path(choice).resolve()
        parents = [path, *path.parents]
        if path.is_dir() and all(p.stat().st_mode & stat.S_IXOTH for p in parents):
            return str(path)
    return choices[0]


def _somebody() -> int:
    """Return a user who is not root."""
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name).pw_uid
    return 65_534


def _path() -> str:
    return os.pathsep.join([os.environ.get("PATH", os.defpath), *_USUAL_FOLDERS])


def _numbers(path: str) -> list[str]:
    """Return the numbers in a path: 16 of ``/usr/lib/postgresql/16/bin``."""
    return "".join(c if c.isdigit() else " " for c in path).split()


def _programs(names: Sequence[str], folder: str | None) -> dict[str, str] | None:
    """Return where all of *names* are: in *folder*, or in PATH and the usual ones."""
    found = {name: shutil.which(name, path=folder or _path()) for name in names}
    there = {name: path for name, path in found.items() if path is not None}
    return there if len(there) == len(names) else None


def _missing(
    name: str, programs: str, package: str, homebrew: str | None = None
) -> Mapping[str, str]:
    reason = (
        f"No programs of {name} ({programs}) in PATH or the usual folders; "
        f"apt-get install {package}, or brew install {homebrew or package}."
    )
    if _in_ci():
        pytest.fail(f"{reason} CI is set, so this is not skipped.", pytrace=False)
    pytest.skip(reason)

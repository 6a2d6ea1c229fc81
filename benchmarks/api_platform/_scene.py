"""The service as its users run it: processes, settings, keys, and what to ask it."""

from __future__ import annotations

import ipaddress
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from shared.auth import KeyRing, TokenPolicy, create_access_token

SERVICE: Final = "services.api_platform"
LIMIT: Final = 600.0
"""Seconds after which nothing will come of it any more."""

_RUN: Final = ("-W", "ignore", "-P", "-m", "benchmarks.api_platform._as_served")
_ISSUER, _AUDIENCE = "benchmark", "api-platform"
_LISTENING: Final = "listening on http://127.0.0.1:"
_LOOK: Final = 0.02


def until(done: Callable[[], bool], what: str) -> None:
    """Wait for it; exits if it takes too long."""
    limit = time.monotonic() + LIMIT
    while not done():
        if time.monotonic() > limit:
            raise SystemExit(f"Not in {LIMIT:.0f} s: {what}.")
        time.sleep(_LOOK)


class Program:
    """A module that runs and listens.

    Attributes:
        pid: Of its process.
        port: Where it listens.
        log: The file with what it says.
    """

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self.pid = process.pid
        self.log = log
        until(lambda: self._said() is not None, f"{log.stem} listens")
        self.port = self._said() or 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def _said(self) -> int | None:
        if self._process.poll() is not None:
            raise SystemExit(f"{self.log.stem} ended: {self.log.read_text()[-4000:]}")
        _, found, rest = self.log.read_text().partition(_LISTENING)
        digits, end, _ = rest.replace('"', "\n").partition("\n")
        return int(digits) if found and end else None


@contextmanager
def running(
    folder: Path,
    *arguments: str,
    variables: Mapping[str, str] | None = None,
    first_core: bool = False,
) -> Iterator[Program]:
    """A module in a process of its own, ended in order.

    Args:
        folder: Where it runs, with its log.
        *arguments: The module, and what it is told.
        variables: All of its environment but where modules and programs are.
        first_core: Keep it there, away from who loads it.
    """
    name = arguments[0].rpartition(".")[2].strip("_")
    log = folder / f"{name}-{secrets.token_hex(4)}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*(("taskset", "-c", "0") if first_core else ()), *_command(arguments)],
            cwd=folder,
            env=_environment() | dict(variables or {}),
            stdout=out,
            stderr=out,
        )
    try:
        yield Program(process, log)
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _command(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, *_RUN, *arguments]


def _environment() -> dict[str, str]:
    path = ":".join(map(os.path.abspath, sys.path))
    return {"PYTHONPATH": path, "PATH": os.environ.get("PATH", os.defpath)}


def migrate(folder: Path, variables: Mapping[str, str]) -> None:
    """Make the tables."""
    done = subprocess.run(
        _command([SERVICE, "migrate"]),
        cwd=folder,
        env=_environment() | dict(variables),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr)


def settings(database: str, **more: str) -> dict[str, str]:
    """What a server and its workers have in common, with new keys.

    Nothing is refused for its number: it is the price of counting that is asked for.
    """
    keys = ("SECRET_KEY", "AES_KEY", "API_KEY_PEPPERS")
    made = {name: b64encode(secrets.token_bytes(32)).decode() for name in keys}
    return made | {
        "DATABASE_URL": database,
        "JWT_ISSUER": _ISSUER,
        "JWT_AUDIENCE": _AUDIENCE,
        "QUOTA_READS_PER_MINUTE": "1000000",
        "QUOTA_KEYS_PER_HOUR": "1000000",
        "QUOTA_WEBHOOKS_PER_MINUTE": "1000000",
        "SERVER_PORT": "0",
        "WORKER_PORT": "0",
        **more,
    }


def token_of(user: UUID, variables: Mapping[str, str]) -> str:
    """A user's token."""
    return create_access_token(
        str(user),
        keys=KeyRing.from_secret(variables["SECRET_KEY"]),
        policy=TokenPolicy(issuer=_ISSUER, audience=_AUDIENCE),
    )


def ask(
    port: int, method: str, path: str, bearer: str = "", body: object = None
) -> tuple[int, Any]:
    """Status and body of an answer."""
    headers = {"Content-Type": "application/json"}
    if bearer:
        headers["Authorization"] = f"Bearer {bearer}"
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        sent = None if body is None else json.dumps(body)
        connection.request(method, path, sent, headers)
        reply = connection.getresponse()
        return reply.status, json.loads(reply.read() or b"null")
    finally:
        connection.close()


def expect(wanted: int, answer: tuple[int, Any]) -> Any:
    """The body of an answer; exits unless it has this status."""
    status, body = answer
    if status != wanted:
        raise SystemExit(f"{status} instead of {wanted}: {body}")
    return body


@contextmanager
def workers(
    folder: Path, number: int, variables: dict[str, str]
) -> Iterator[list[int]]:
    """So many workers, ready; their processes."""
    with ExitStack() as stack:
        found = [
            stack.enter_context(running(folder, SERVICE, "worker", variables=variables))
            for _ in range(number)
        ]
        until(lambda: all(map(_is_ready, found)), "the workers are ready")
        yield [each.pid for each in found]


def _is_ready(program: Program) -> bool:
    try:
        return ask(program.port, "GET", "/health/ready")[0] == 200
    except OSError:  # it listens before it answers
        return False


@contextmanager
def private_redis(folder: Path) -> Iterator[str]:
    """A Redis that keeps nothing, for this run; its URL."""
    program = shutil.which("redis-server")
    if program is None:
        raise SystemExit("redis-server is needed (Debian: redis-server).")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    process = subprocess.Popen(
        [program, *options], cwd=folder, stdout=subprocess.DEVNULL
    )

    def answers() -> bool:
        if process.poll() is not None:
            raise SystemExit(f"redis-server ended with {process.returncode}.")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            return False
        return True

    try:
        until(answers, "Redis answers")
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait()


def certify(path: Path, hosts: Sequence[str]) -> None:
    """Write a key and a certificate for addresses, which trusts itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hooks")])
    addresses = [x509.IPAddress(ipaddress.ip_address(host)) for host in hosts]
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(addresses), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))

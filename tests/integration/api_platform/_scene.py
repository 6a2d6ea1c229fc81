"""The service as its users run it: processes, servers, and a receiver of webhooks.

Private to ``tests/integration/api_platform``.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import os
import secrets
import ssl
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from uuid import uuid4

import aio_pika
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from standardwebhooks import Webhook, WebhookVerificationError

COMMAND = [sys.executable, "-P", "-m", "services.api_platform"]
LIMIT = 240.0

T = TypeVar("T")


class Process:
    """A command of the service, which may be killed and started again."""

    def __init__(self, folder: Path, variables: dict[str, str], command: str) -> None:
        self._folder = folder
        self._variables = variables
        self._command = command
        self._process: subprocess.Popen[str] | None = None
        self.port = 0

    def start(self) -> None:
        """Start, and wait until it listens; a second time on the same port."""
        log = self._folder / f"{self._command}.log"
        began = log.stat().st_size if log.exists() else 0
        ports = {"SERVER_PORT": str(self.port), "WORKER_PORT": str(self.port)}
        with log.open("a") as out:
            self._process = subprocess.Popen(
                [*COMMAND, self._command],
                cwd=self._folder,
                env={**environment(), **self._variables, **ports},
                stdout=out,
                stderr=out,
                text=True,
            )
        self.port = until(lambda: self._listens(log, began))

    def kill(self) -> None:
        """SIGKILL: nothing is written, said or closed any more."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _listens(self, log: Path, began: int) -> int | None:
        assert self._process is not None
        said = log.read_text()[began:]
        assert self._process.poll() is None, said[-4000:]
        for line in said.splitlines():
            _, found, rest = line.partition("listening on http://127.0.0.1:")
            if found:
                return int(rest.partition('"')[0])
        return None


class Receiver:
    """An HTTPS server that believes only what the public library verifies.

    Attributes:
        received: The ids and bodies of what was verified, in order.
        refused: What was not.
    """

    def __init__(self, folder: Path) -> None:
        self.received: list[tuple[str, dict[str, Any]]] = []
        self.refused: list[str] = []
        self.secret = ""
        self.certificate = folder / "hooks.pem"
        certify(self.certificate)
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                body = self.rfile.read(length)
                if len(body) < length:  # whoever sent it was killed meanwhile
                    return
                self.send_response(receiver.take(body, dict(self.headers)))
                self.end_headers()

            def log_message(self, format: str, *arguments: object) -> None:
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            request_queue_size = 256

            def handle_error(self, request: object, client_address: object) -> None:
                """A client that was killed is no news."""

        self._server = Server(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate)
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self.url = f"https://127.0.0.1:{self._server.server_port}/hooks"

    def take(self, body: bytes, headers: dict[str, str]) -> int:
        """The status for a delivery."""
        lower = {name.lower(): value for name, value in headers.items()}
        try:
            Webhook(self.secret).verify(body, lower)
        except WebhookVerificationError as error:
            self.refused.append(str(error))
            return 400
        self.received.append((lower["webhook-id"], json.loads(body)))
        return 204

    def of(self, event_type: str) -> list[tuple[str, dict[str, Any]]]:
        """What came of one type."""
        return [each for each in self.received if each[1]["type"] == event_type]

    @contextmanager
    def listening(self) -> Iterator[Receiver]:
        """Serve, in a thread."""
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()


class Reply(NamedTuple):
    """An answer of the server, whose body is JSON."""

    status: int
    content_type: str
    body: Any

    @property
    def is_problem(self) -> bool:
        """Whether it says what is wrong, in the one form that there is for that."""
        return (
            self.content_type == "application/problem+json"
            and self.body["status"] == self.status
        )


@dataclass(frozen=True)
class Service:
    """The service, running."""

    server: Process
    worker: Process
    receiver: Receiver
    token: str

    def send(
        self, method: str, path: str, body: object = None, *, bearer: str = ""
    ) -> Reply:
        """Whatever the server answers.

        Raises:
            OSError: It can't be reached.
            HTTPException: It broke off.
        """
        headers = {
            "Authorization": f"Bearer {bearer or self.token}",
            "Content-Type": "application/json",
        }
        connection = HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        try:
            sent = None if body is None else json.dumps(body)
            connection.request(method, f"/api/v1{path}", sent, headers)
            reply = connection.getresponse()
            text = reply.read()
        finally:
            connection.close()
        kind = reply.headers.get_content_type()
        return Reply(reply.status, kind, json.loads(text or b"null"))

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        bearer: str = "",
        expect: int = 200,
    ) -> Any:
        """The body of an answer that has to have this status."""
        reply = self.send(method, path, body, bearer=bearer)
        if reply.status != expect:
            raise UnexpectedError(f"{method} {path}: {reply}")
        return reply.body

    def register(self, *event_types: str) -> dict[str, Any]:
        """A webhook to the receiver, which learns its secret."""
        body = {"target_url": self.receiver.url, "event_types": event_types}
        made: dict[str, Any] = self.ask("POST", "/webhooks", body, expect=201)
        self.receiver.secret = made["secret"]
        return made


class UnexpectedError(Exception):
    """An answer was another one than it has to be."""


AWAY = (OSError, HTTPException)
"""What sending ends with while processes are killed."""


CONSUMERS = ("webhooks", "former_users", "fan_out")


def dead_letters(broker: str) -> dict[str, int]:
    """How many messages no handler took in the end, for each that has some."""

    async def look() -> dict[str, int]:
        found = {}
        async with await aio_pika.connect(broker) as connection:
            channel = await connection.channel()
            for name in CONSUMERS:
                queue = await channel.declare_queue(
                    f"api-platform.{name}.dead", passive=True
                )
                found[name] = queue.declaration_result.message_count or 0
        return {name: number for name, number in found.items() if number}

    return asyncio.run(look())


def environment() -> dict[str, str]:
    """Nothing of this machine's but where modules and programs are."""
    path = ":".join(map(os.path.abspath, sys.path))
    return {"PYTHONPATH": path, "PATH": os.environ.get("PATH", os.defpath)}


def settings(
    database: str, broker: str, redis: str, certificate: Path
) -> dict[str, str]:
    """Everything that is real, and keys."""
    return {
        "DATABASE_URL": database,
        "RABBITMQ_URL": broker,
        "REDIS_URL": redis,
        "SECRET_KEY": b64encode(secrets.token_bytes(32)).decode(),
        "AES_KEY": b64encode(secrets.token_bytes(32)).decode(),
        "API_KEY_PEPPERS": b64encode(secrets.token_bytes(32)).decode(),
        "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
        "WEBHOOK_CA_FILE": str(certificate),
        "STANDIN_SECONDS": "0.2",
        # No quota: what is asked is to fail for other reasons only.
        "QUOTA_KEY_PER_MINUTE": "0",
        "QUOTA_USER_PER_MINUTE": "0",
        "QUOTA_KEYS_PER_HOUR": "1000000",
        "QUOTA_WEBHOOKS_PER_MINUTE": "1000000",
    }


@contextmanager
def running(folder: Path, database: str, broker: str, redis: str) -> Iterator[Service]:
    """The database migrated, server and worker started, a receiver listening."""
    receiver = Receiver(folder)
    variables = settings(database, broker, redis, receiver.certificate)
    once(folder, variables, "migrate")
    token = once(folder, variables, "token", f"--user={uuid4()}").strip()
    server = Process(folder, variables, "serve")
    worker = Process(folder, variables, "worker")
    with receiver.listening():
        try:
            worker.start()
            server.start()
            yield Service(server, worker, receiver, token)
        finally:
            server.kill()
            worker.kill()


def once(folder: Path, variables: dict[str, str], *arguments: str) -> str:
    """What a command says that ends by itself."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        cwd=folder,
        env={**environment(), **variables},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def until(found: Callable[[], T | None]) -> T:
    """What *found* returns once it is something."""
    limit = time.monotonic() + LIMIT
    while time.monotonic() < limit:
        value = found()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"nothing after {LIMIT} s")


def certify(path: Path) -> None:
    """A key and a certificate for this machine, which trusts itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hooks")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            ),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )

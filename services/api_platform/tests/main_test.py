"""The command line as users meet it."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from services.api_platform._migrate import MIGRATIONS
from services.api_platform.tests.command import (
    Listening,
    finish,
    listening,
    run,
    start,
)
from shared.testing.fake_service import FakeReply, FakeService

KEYS = "/api/v1/keys"
COMMANDS = ["serve", "worker", "migrate", "revision", "health", "token"]
KEY = b64encode(bytes(range(7, 39))).decode()
READY = {
    "ENVIRONMENT": "production",
    "DATABASE_URL": "postgresql://someone:a-secret@127.0.0.1:1/x",
    "RABBITMQ_URL": "amqp://someone:a-secret@127.0.0.1:1/",
    "REDIS_URL": "redis://someone:a-secret@127.0.0.1:1/",
    "AIGEN_ORCH_SERVICE_URL": "https://aigen.example",
    "ODOO_BUSINESS_SERVICE_URL": "https://odoo.example",
    "SECRET_KEY": KEY,
    "AES_KEY": KEY,
    "API_KEY_PEPPERS": KEY,
}
"""Everything that a server in production needs; nothing of it is there."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a developer starts it for the first time."""
    return tmp_path_factory.mktemp("service")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Listening]:
    """The service with no setting at all but its port."""
    with listening(folder) as found:
        yield found


def asked(
    port: int, method: str, path: str, token: str = "", body: object = None
) -> tuple[int, Any]:
    """Status and body of the answer."""
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        sent = None if body is None else json.dumps(body)
        connection.request(method, path, sent, headers)
        reply = connection.getresponse()
        return reply.status, json.loads(reply.read() or b"null")
    finally:
        connection.close()


def test_the_first_line_says_what_stands_in(server: Listening) -> None:
    """By the setting that replaces it, each of them."""
    assert server.messages[0] == (
        "Stand-ins: SQLite in ./api-platform.db (no DATABASE_URL); "
        "events in this process (no RABBITMQ_URL); "
        "quotas counted in this process (no REDIS_URL); "
        "a built-in generation service (no AIGEN_ORCH_SERVICE_URL); "
        "a built-in business service (no ODOO_BUSINESS_SERVICE_URL); "
        "keys in api-platform.keys.json (no SECRET_KEY, AES_KEY, API_KEY_PEPPERS)."
    )


def test_it_works_at_once(server: Listening, folder: Path) -> None:
    """Without a setting or a step before: a token, a key, a generation, its health."""
    code, output = run(folder, "token")
    token = output.strip()
    status, made = asked(server.port, "POST", KEYS, token, {"name": "First"})
    assert (code, status) == (0, 201)

    job = {"prompt": "A poster", "format": "instagram-post"}
    began = asked(server.port, "POST", "/api/v1/generations", made["secret"], job)
    assert began[0] == 202
    health = run(folder, "health", SERVER_PORT=str(server.port))
    assert health == (0, "")


def test_a_token_can_be_of_a_user_and_a_role(server: Listening, folder: Path) -> None:
    """As who administers the service is somebody, too."""
    user = "5f0c6a5e-6d0b-4c55-9d0e-0f6f3f1f7c11"
    _, admin = run(folder, "token", "--user", user, "--role", "admin")
    _, other = run(folder, "token", "--user", user)
    path = "/api/v1/admin/toggles"

    assert asked(server.port, "GET", path, admin.strip())[0] == 200
    assert asked(server.port, "GET", path, other.strip())[0] == 403
    _, made = asked(server.port, "POST", KEYS, other.strip(), {"name": "Mine"})
    assert made["user_id"] == user


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_it_stops_clean(tmp_path: Path, command: str) -> None:
    """SIGTERM is exit 0, and no traceback."""
    with listening(tmp_path, command) as running:
        running.wait_for("Application startup complete")
        running.process.send_signal(signal.SIGTERM)
        code, output = finish(running.process)

    assert (code, "Traceback" in output) == (0, False)


def test_the_worker_says_what_stands_in(tmp_path: Path) -> None:
    """Of what it uses; and it serves its health."""
    with listening(tmp_path, "worker", DATABASE_URL="sqlite:///./a.db") as worker:
        assert worker.messages[0] == (
            "Stand-ins: events in this process (no RABBITMQ_URL); "
            "keys in api-platform.keys.json (no SECRET_KEY, AES_KEY, API_KEY_PEPPERS)."
        )
        assert asked(worker.port, "GET", "/health/live")[0] == 200


def test_keys_are_kept_by_whoever_owns_them(server: Listening, folder: Path) -> None:
    """A second start decrypts what the first one wrote, and nobody else reads them."""
    kept = folder / "api-platform.keys.json"

    assert kept.stat().st_mode & 0o777 == 0o600
    assert sorted(json.loads(kept.read_text())) == [
        "aes_key",
        "api_key_peppers",
        "secret_key",
    ]


def test_keys_that_can_not_be_read_are_told(tmp_path: Path) -> None:
    """One line, with a way out."""
    (tmp_path / "api-platform.keys.json").write_text("{}")

    code, output = run(tmp_path, SERVER_PORT="0")
    *_, last = output.splitlines()
    assert (code, "Traceback" in output) == (1, False)
    assert last.startswith("api-platform: api-platform.keys.json can't be used")


def test_production_needs_everything(tmp_path: Path) -> None:
    """One message has all of it, and nothing is begun."""
    code, output = run(tmp_path, ENVIRONMENT="production")

    lines = output.splitlines()
    assert (code, lines[0]) == (
        1,
        "api-platform: 8 settings to correct (values hidden):",
    )
    assert [line.split(":")[0].strip() for line in lines[1:]] == [
        "DATABASE_URL",
        "SECRET_KEY",
        "AES_KEY",
        "API_KEY_PEPPERS",
        "RABBITMQ_URL",
        "REDIS_URL",
        "AIGEN_ORCH_SERVICE_URL",
        "ODOO_BUSINESS_SERVICE_URL",
    ]
    assert list(tmp_path.iterdir()) == []


def test_wrong_and_missing_settings_are_told_together(tmp_path: Path) -> None:
    """By name, and no value."""
    variables = {
        **READY,
        "SERVER_PORT": "a-secret",
        "WEBHOOK_ALLOWED_NETWORKS": "b-secret",
        "RABBITMQ_URL": "",
        "WEBHOOK_CA_FILE": "/c-secret",
    }
    code, output = run(tmp_path, **variables)

    told = [line.split(":")[0].strip() for line in output.splitlines()[1:]]
    assert code == 1
    assert sorted(told) == [
        "RABBITMQ_URL",
        "SERVER_PORT (environment)",
        "WEBHOOK_ALLOWED_NETWORKS (environment)",
        "WEBHOOK_CA_FILE",
    ]
    assert "secret" not in output


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"AES_KEY": ""}, "AES_KEY"),
        ({"API_KEY_PEPPERS": ""}, "API_KEY_PEPPERS"),
        ({"AIGEN_ORCH_SERVICE_URL": ""}, "AIGEN_ORCH_SERVICE_URL"),
        ({"AES_KEY": "c2VjcmV0"}, "AES_KEY (environment)"),
        ({"SECRET_KEY": "secretsecretsecretsecretsecretsecret"}, "SECRET_KEY"),
        (
            {"SECRET_KEY": "", "JWKS_URL": "https://issuer.example/keys"},
            "SERVICE_TOKEN",
        ),
        ({"REDIS_URL": ""}, "REDIS_URL"),
        ({"WEBHOOK_CA_FILE": "/secret"}, "WEBHOOK_CA_FILE"),
        ({"LEAK_REPORTERS": '{"one": "secret"}'}, "LEAK_REPORTERS"),
    ],
)
def test_what_is_wrong_in_production_is_named(
    tmp_path: Path, variables: dict[str, str], told: str
) -> None:
    """The one setting, and not what it was set to."""
    code, output = run(tmp_path, **{**READY, **variables})

    assert (code, output.count("\n")) == (1, 2)
    assert output.splitlines()[1].strip().startswith(told)
    assert "Traceback" not in output
    assert not any(value in output for value in variables.values() if value)


def test_the_worker_needs_no_downstreams(tmp_path: Path) -> None:
    """It calls neither; what it needs beside them, it needs."""
    code, output = run(tmp_path, "worker", ENVIRONMENT="production")

    assert code == 1
    assert "RABBITMQ_URL" in output
    assert "SERVICE_URL" not in output
    assert "REDIS_URL" not in output


def test_a_worker_in_production_reads_its_certificates_first(tmp_path: Path) -> None:
    """What is wrong with them is told with all else."""
    code, output = run(
        tmp_path, "worker", **{**READY, "AES_KEY": "", "WEBHOOK_CA_FILE": "/secret"}
    )

    told = [line.split(":")[0].strip() for line in output.splitlines()[1:]]
    assert (code, sorted(told)) == (1, ["AES_KEY", "WEBHOOK_CA_FILE"])
    assert "/secret" not in output


def test_tokens_are_made_in_development_only(tmp_path: Path) -> None:
    """Whoever can start a command in production is not everybody yet."""
    code, output = run(tmp_path, "token", **READY)

    assert (code, output.count("\n")) == (1, 1)
    assert "for development" in output


@pytest.mark.parametrize(
    ("asked_for", "code"), [("worker", 0), ("either", 0), ("server", 1)]
)
def test_health_can_be_of_a_worker(tmp_path: Path, asked_for: str, code: int) -> None:
    """It has a port of its own; an image does not know which of the two it runs."""
    with listening(tmp_path, "worker") as worker:
        ports = {"SERVER_PORT": "1", "WORKER_PORT": f"{worker.port}"}

        assert run(tmp_path, "health", asked_for, **ports)[0] == code


def test_health_of_either_fails_where_nothing_runs(tmp_path: Path) -> None:
    """One line, as for each of them."""
    code, output = run(tmp_path, "health", "either", SERVER_PORT="1", WORKER_PORT="1")

    assert (code, output.count("\n")) == (1, 1)


def test_health_fails_where_nothing_runs(tmp_path: Path) -> None:
    """One line, and the exit code that orchestrators look at."""
    code, output = run(tmp_path, "health", SERVER_PORT="1")

    assert (code, output.count("\n")) == (1, 1)
    assert "refused" in output


def test_migrate_only_migrates(tmp_path: Path) -> None:
    """It makes the database and returns; again, it changes nothing."""
    for _ in range(2):
        code, output = run(tmp_path, "migrate", DATABASE_URL="sqlite:///./a.db")
        assert (code, "Traceback" in output) == (0, False)
    assert (tmp_path / "a.db").exists()


def test_a_database_that_is_not_there_is_named(tmp_path: Path) -> None:
    """By the setting and its address, and by nothing that is secret."""
    code, output = run(tmp_path, "migrate", **READY)

    assert (code, output.count("\n")) == (1, 1)
    assert "DATABASE_URL says that it is 127.0.0.1:1." in output
    assert "someone" not in output
    assert "secret" not in output


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_a_database_that_was_not_migrated_stops_the_start(
    tmp_path: Path, command: str
) -> None:
    """Each request would fail; `migrate` is what makes it start."""
    staging = {**READY, "ENVIRONMENT": "staging", "DATABASE_URL": "sqlite:///./a.db"}
    code, output = run(tmp_path, command, **staging)
    migrated, _ = run(tmp_path, "migrate", **staging)
    with listening(tmp_path, command, **staging) as running:
        running.wait_for("Application startup complete")
        running.process.send_signal(signal.SIGTERM)
        stopped, _ = finish(running.process)

    assert (code, "Traceback" in output) == (1, False)
    told = output.splitlines()[-1]
    assert told.startswith("api-platform: The database is at no revision, and the")
    assert told.endswith(": run its migrations.")
    assert (migrated, stopped) == (0, 0)


def test_a_database_of_the_next_version_is_served(tmp_path: Path) -> None:
    """That one was rolled out first, and this process is started once more."""
    staging = {**READY, "ENVIRONMENT": "staging", "DATABASE_URL": "sqlite:///./a.db"}
    run(tmp_path, "migrate", **staging)
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'of later'")
        connection.commit()

    with listening(tmp_path, **staging) as running:
        assert asked(running.port, "GET", "/health/live")[0] == 200


@pytest.mark.parametrize(
    ("url", "place"),
    [("sqlite:///./no/such/a.db", "./no/such/a.db"), ("sqlite:////proc/a.db", "/proc")],
)
def test_a_file_that_can_not_be_opened_is_named(
    tmp_path: Path, url: str, place: str
) -> None:
    """As it was set; nothing is made elsewhere."""
    code, output = run(tmp_path, "migrate", DATABASE_URL=url)

    assert (code, "Traceback" in output) == (1, False)
    assert f"DATABASE_URL says that it is {place}" in output
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_can_not_be_written_is_one_line(tmp_path: Path) -> None:
    """Which file it is about, and what to do."""
    (tmp_path / "api-platform.keys.json").mkdir()

    code, output = run(tmp_path, SERVER_PORT="0")
    *_, last = output.splitlines()
    assert (code, "Traceback" in output) == (1, False)
    assert "api-platform.keys.json can't be read or written (Is a directory)" in last


def test_requests_under_way_are_answered_before_it_stops(tmp_path: Path) -> None:
    """Under load: who was let in gets an answer, and a job is kept or was refused."""
    with (
        FakeService() as behind,
        listening(tmp_path, AIGEN_ORCH_SERVICE_URL=behind.url) as server,
        ThreadPoolExecutor(8) as threads,
    ):
        route = behind.on("POST", "/api/v1/generations")
        route.delay(1.0).call(
            lambda _: FakeReply(
                status=202, json={"job_id": str(uuid4()), "status": "Pending"}
            )
        )
        token = run(tmp_path, "token")[1].strip()
        _, key = asked(server.port, "POST", KEYS, token, {"name": "First"})
        job = {"prompt": "A poster", "format": "instagram-post"}
        calls = [
            threads.submit(
                asked, server.port, "POST", "/api/v1/generations", key["secret"], job
            )
            for _ in range(8)
        ]
        behind.wait_for_requests(8)
        server.process.send_signal(signal.SIGTERM)
        answers = [call.result()[0] for call in calls]
        code, output = finish(server.process)

    with closing(sqlite3.connect(tmp_path / "api-platform.db")) as connection:
        states = connection.execute("SELECT state FROM api_usage_log").fetchall()
    assert (code, "Traceback" in output) == (0, False)
    assert answers == [202] * 8
    assert states == [("committed",)] * 8


def test_a_revision_is_written_when_the_models_have_changed(tmp_path: Path) -> None:
    """Here they have not; tests/migrations_test.py would say so."""
    shutil.copytree(MIGRATIONS, tmp_path / "migrations")
    before = sorted((tmp_path / "migrations/versions").glob("*.py"))

    code, output = run(tmp_path, "revision", "add a field")
    assert (code, output) == (0, "The models have not changed.\n")
    assert sorted((tmp_path / "migrations/versions").glob("*.py")) == before


def test_a_revision_needs_a_message(tmp_path: Path) -> None:
    """One line says so, and nothing is written."""
    shutil.copytree(MIGRATIONS, tmp_path / "migrations")

    code, output = run(tmp_path, "revision", " ")
    assert (code, output.count("\n")) == (1, 1)
    assert "A revision needs a message" in output


def test_a_port_that_is_taken_is_named(server: Listening, tmp_path: Path) -> None:
    """One line, and a way out."""
    code, output = run(tmp_path, SERVER_PORT=str(server.port))

    assert (code, "Traceback" in output) == (1, False)
    assert "cannot listen on" in output


def test_help_has_every_command(tmp_path: Path) -> None:
    """With a few words for each."""
    code, output = run(tmp_path, "--help")

    assert code == 0
    assert [name for name in COMMANDS if f"    {name} " not in output] == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", COMMANDS)
def test_help_says_what_a_command_does(tmp_path: Path, command: str) -> None:
    """And does nothing."""
    code, output = run(tmp_path, command, "--help")

    usage, does, *_ = output.split("\n\n")
    assert (code, usage.split()[:3]) == (0, ["usage:", "api-platform", command])
    assert " ".join(does.split()) in " ".join(run(tmp_path, "--help")[1].split())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [["revision"], ["unknown"], ["--unknown"]])
def test_wrong_arguments_are_told(tmp_path: Path, arguments: list[str]) -> None:
    """With the usage, and nothing is done."""
    code, output = finish(start(tmp_path, *arguments))

    assert code == 2
    assert output.startswith("usage: api-platform ")
    assert list(tmp_path.iterdir()) == []

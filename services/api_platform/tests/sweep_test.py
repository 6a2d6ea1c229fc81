"""A server that is killed in the middle of a call."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from services.api_platform.tests.command import Listening, listening, run
from shared.testing.fake_service import FakeReply, FakeService

GENERATIONS = "/api/v1/generations"
PROMPT = {"prompt": "A poster", "format": "instagram-post"}
JOB = "3d1f0a34-8f0c-4c43-8d41-0d2a9c6d5b21"


def posted(server: Listening, path: str, token: str, body: object) -> tuple[int, Any]:
    """Status and body of the answer."""
    headers = {
        "Content-Type": "application/json",
        "Authorization": f"Bearer {token}",
        "Idempotency-Key": "order-1",
    }
    connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
    with contextlib.closing(connection):
        connection.request("POST", path, json.dumps(body), headers)
        reply = connection.getresponse()
        return reply.status, json.loads(reply.read())


def states(database: Path) -> list[str]:
    """Of the usage log, oldest first."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        rows = connection.execute("SELECT state FROM api_usage_log ORDER BY id")
        return [row[0] for row in rows]


def test_a_call_that_a_kill_broke_off_costs_nothing(tmp_path: Path) -> None:
    """Killed between reserve and commit; its repetition makes the job, and pays."""
    database = tmp_path / "api-platform.db"
    with FakeService() as behind:
        settings = {"AIGEN_ORCH_SERVICE_URL": behind.url}
        route = behind.on("POST", GENERATIONS)
        route.hang()
        with listening(tmp_path, **settings) as server, ThreadPoolExecutor() as threads:
            token = run(tmp_path, "token")[1].strip()
            _, key = posted(server, "/api/v1/keys", token, {"name": "Shop"})
            call = threads.submit(posted, server, GENERATIONS, key["secret"], PROMPT)
            behind.wait_for_requests()
            reserved = states(database)
            server.process.kill()
            assert isinstance(call.exception(), OSError | HTTPException)

        # Nobody waits for hours here: it was hours ago.
        with contextlib.closing(sqlite3.connect(database)) as connection:
            connection.execute("UPDATE api_usage_log SET created_at = '2026-01-31'")
            connection.execute("DELETE FROM idempotency_keys")  # as its lease ends
            connection.commit()
        behind.on("POST", GENERATIONS).call(
            lambda _: FakeReply(status=202, json={"job_id": JOB, "status": "Pending"})
        )
        with listening(tmp_path, **settings) as server:
            until = time.monotonic() + 60
            while states(database) != ["refunded"]:
                assert time.monotonic() < until, states(database)
                time.sleep(0.05)
            again = posted(server, GENERATIONS, key["secret"], PROMPT)

        calls = behind.requests_to("POST", GENERATIONS)
    assert reserved == ["reserved"]
    assert (again[0], again[1]["job_id"]) == (202, JOB)
    assert states(database) == ["refunded", "committed"]
    assert len({call.headers["idempotency-key"] for call in calls}) == 1

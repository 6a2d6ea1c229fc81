"""Generations on SQLite, with all that may come in and come back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.api_platform.models import idempotency_keys
from services.api_platform.tests.behind import (
    GENERATIONS,
    JOB,
    PROMPT,
    Behind,
    Key,
    accept,
    behind,
)
from services.api_platform.tests.generations_contract import (
    COST,
    GenerationsContract,
    state_of,
)
from shared.database import utc_now
from shared.errors import (
    BaseAPIException,
    ConflictException,
    PermissionDeniedException,
    RateLimitExceededException,
    ServiceUnavailableException,
)
from shared.testing import is_problem
from shared.testing.fake_service import FakeReply


class TestGenerations(GenerationsContract):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        """An empty database in a file."""
        return f"sqlite:///{tmp_path}/test.db"

    @pytest.mark.parametrize(
        ("answer", "status"),
        [
            (FakeReply(status=500), 503),
            (BaseAPIException(), 502),
            (FakeReply(status=501), 503),
            (PermissionDeniedException(), 502),
            (ConflictException(), 502),
            (FakeReply(status=400), 502),
            (FakeReply(status=401), 502),
            (FakeReply(status=404), 502),
            (FakeReply(status=418), 502),
            (FakeReply(status=302, headers={"Location": "/x"}), 502),
            (FakeReply(status=202, body="<html>"), 502),
            (FakeReply(status=202, json={"job_id": "none"}), 502),
            (FakeReply(status=202, json={}), 502),
            (FakeReply(status=204), 502),
            (FakeReply(status=202, body=b'"' + b"x" * 20_000_000 + b'"'), 502),
            (FakeReply(status=202, body=b"[" * 200_000), 502),
            (FakeReply(status=202, body=b"\xff\x00"), 502),
            (FakeReply(status=202, body=b'{"job_id": NaN}'), 502),
            (ServiceUnavailableException(), 503),
            (RateLimitExceededException(), 503),
        ],
    )
    def test_a_wrong_answer_is_no_error_of_ours(
        self, between: Behind, key: Key, answer: Any, status: int
    ) -> None:
        """A problem that says whose it is, and nothing is paid for."""
        between.generations.on("POST", GENERATIONS).call(lambda _: answer)
        reply = between.post(key)

        assert reply == is_problem(status=status)
        assert between.usage(key) == [("refunded", COST)]

    @pytest.mark.parametrize(
        "changed",
        [
            {"id": str(uuid4())},
            {"user_id": str(uuid4())},
            {"status": "Sleeping"},
            {"created_at": None},
            {"progress": 400},
        ],
    )
    def test_a_wrong_state_is_not_shown(
        self, between: Behind, key: Key, changed: dict[str, object]
    ) -> None:
        """502, above all for what is another user's."""
        made = between.post(key)
        told = state_of(key, made.json()["job_id"], **changed)
        between.generations.on("GET", JOB).reply(json=told)
        reply = between.scene.client.get(made.headers["Location"], headers=key.headers)

        assert reply == is_problem(status=502, code="upstream_error")

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"[]",
            b"null",
            b'{"prompt": "x"}',
            b'{"prompt": "", "format": "x"}',
            b'{"prompt": "a\\u0000b", "format": "x"}',
            b'{"prompt": "\\ud800", "format": "x"}',
            b'{"prompt": "x", "format": "x", "sample_count": 1e999}',
            b'{"prompt": "x", "format": "x", "sample_count": NaN}',
            b'{"prompt": "x", "format": "x", "sample_count": 11}',
            b'{"prompt": "x", "format": "x", "sample_count": %s}' % (b"9" * 5000),
            b'{"prompt": "x", "format": "x", "project_id": "x"}',
            b'{"prompt": "x", "format": ' + b"[" * 5000 + b"]" * 5000 + b"}",
            b"\xff\xfe",
        ],
    )
    def test_bad_bodies_are_refused(
        self, between: Behind, key: Key, body: bytes
    ) -> None:
        """By a 4xx, before anything is counted or asked."""
        reply = between.scene.client.post(
            GENERATIONS,
            content=body,
            headers={**key.headers, "Content-Type": "application/json"},
        )

        assert reply.status_code in (400, 422), reply.text
        assert between.usage(key) == []
        assert between.generations.requests == []

    @pytest.mark.parametrize("sent", ["", "x" * 300, '"open', "\u00e9"])
    def test_bad_idempotency_keys_are_refused(
        self, between: Behind, key: Key, sent: str
    ) -> None:
        """400, and nothing is begun."""
        reply = between.scene.client.post(
            GENERATIONS,
            json=PROMPT,
            headers=[
                *((n.encode(), v.encode()) for n, v in key.headers.items()),
                (b"Idempotency-Key", sent.encode()),
            ],
        )

        assert reply == is_problem(status=400, code="idempotency_key_invalid")
        assert between.generations.requests == []

    def test_nobody_takes_over_while_a_request_may_run(self, url: str) -> None:
        """However long that is: two would make two jobs."""
        with behind(url, {"REQUEST_TIMEOUT": "600"}) as patient:
            key = patient.key()
            patient.generations.on("POST", GENERATIONS).delay(0.5).call(accept)

            async def read(session: AsyncSession) -> list[datetime]:
                until = idempotency_keys.c.locked_until
                return [*await session.scalars(select(until))]

            begun = utc_now()
            with ThreadPoolExecutor() as threads:
                posted = threads.submit(patient.post, key, idempotency_key="order-1")
                patient.generations.wait_for_requests()
                [until] = patient.run(read)

            assert posted.result().status_code == 202
            assert until - begun > timedelta(minutes=10)

    @pytest.mark.parametrize("job_id", ["x", "0", "%00", "..", "3d1f0a34"])
    def test_bad_ids_are_refused(self, between: Behind, key: Key, job_id: str) -> None:
        """As no job, or as no id."""
        reply = between.scene.client.get(f"{GENERATIONS}/{job_id}", headers=key.headers)

        assert reply.status_code in (404, 405, 422)

"""What the generation API promises, whatever database is behind it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from services.api_platform.tests.behind import (
    GENERATIONS,
    JOB,
    PROMPT,
    Behind,
    Key,
    accept,
    behind,
)
from shared.auth import TokenPolicy, decode_access_token
from shared.errors import (
    BadRequestException,
    ValidationException,
)
from shared.testing import is_problem

COST = 20


def state_of(key: Key, job_id: str, **changed: Any) -> dict[str, Any]:
    """What the generation service says about a job."""
    state = {
        "id": job_id,
        "created_at": "2026-01-31T12:00:00Z",
        "updated_at": "2026-01-31T12:00:10Z",
        "user_id": str(key.user_id),
        "status": "Processing",
        "progress": 40,
    }
    return {**state, **changed}


class GenerationsContract:
    """A subclass gives the fixture `url`: that of an empty database."""

    @pytest.fixture
    def between(self, url: str) -> Iterator[Behind]:
        """The service, started, between a caller and two fakes."""
        with behind(url) as between:
            yield between

    @pytest.fixture
    def key(self, between: Behind) -> Key:
        """A key that may do everything."""
        return between.key()

    def test_a_generation_is_begun(self, between: Behind, key: Key) -> None:
        """202 with the way to the job, and the units are kept."""
        reply = between.post(key, sample_count=2)
        job_id = reply.json()["job_id"]

        assert reply.status_code == 202, reply.text
        assert reply.json() == {"job_id": job_id, "status": "Pending"}
        assert reply.headers["Location"] == f"{GENERATIONS}/{job_id}"
        assert '"key-day";r=39960' in reply.headers["RateLimit"]
        assert '"key-day";q=40000;w=86400' in reply.headers["RateLimit-Policy"]
        assert between.usage(key) == [("committed", 2 * COST)]

    def test_the_service_behind_knows_who_asks(self, between: Behind, key: Key) -> None:
        """This service by a token for it alone, and its user by what is asked."""
        reply = between.post(key, style_hints=["flat"])

        [request] = between.generations.requests
        token = request.headers["authorization"].removeprefix("Bearer ")
        policy = TokenPolicy(issuer="api-platform", audience="aigen-orch-service")
        claims = decode_access_token(token, keys=between.scene.keys, policy=policy)
        assert claims.sub == "api-platform"
        assert request.correlation_id == reply.headers["X-Correlation-ID"]
        assert request.json() == {
            **PROMPT,
            "style_hints": ["flat"],
            "sample_count": 1,
            "user_id": str(key.user_id),
            "api_key_id": str(key.id),
            "environment": "live",
        }

    def test_a_service_token_opens_nothing_here(
        self, between: Behind, key: Key
    ) -> None:
        """The one that this service signs for another one is no user's."""
        between.post(key)
        [request] = between.generations.requests
        token = {"Authorization": request.headers["authorization"]}

        reply = between.scene.client.get("/api/v1/usage", headers=token)
        assert reply == is_problem(status=401)

    def test_a_key_follows_its_job(self, between: Behind, key: Key) -> None:
        """As the service behind tells it."""
        made = between.post(key)
        told = state_of(key, made.json()["job_id"])
        between.generations.on("GET", JOB).reply(json=told)
        reply = between.scene.client.get(made.headers["Location"], headers=key.headers)

        assert reply.status_code == 200
        assert told.items() <= reply.json().items()
        assert '"reads-minute"' in reply.headers["RateLimit"]

    def test_any_key_of_the_user_follows_the_job(
        self, between: Behind, key: Key
    ) -> None:
        """So it is not lost with the key that began it."""
        made = between.post(key)
        between.generations.on("GET", JOB).reply(
            json=state_of(key, made.json()["job_id"])
        )
        other = between.key(key.user_id)
        reply = between.scene.client.get(
            made.headers["Location"], headers=other.headers
        )

        assert reply.status_code == 200

    def test_jobs_of_others_are_not_there(self, between: Behind, key: Key) -> None:
        """404 as for one that never was; the service behind is not even asked."""
        path = between.post(key).headers["Location"]
        between.generations.forget()

        reply = between.scene.client.get(path, headers=between.key().headers)
        assert reply == is_problem(status=404, code="resource_not_found")
        unknown = between.scene.client.get(
            f"{GENERATIONS}/{uuid4()}", headers=key.headers
        )
        assert unknown == is_problem(status=404, code="resource_not_found")
        assert between.generations.requests == []

    def test_a_key_does_what_it_may(self, between: Behind) -> None:
        """403 names the permission; without a key 401."""
        reader = between.key(permissions=["generations:read"])
        writer = between.key(permissions=["generations:write"])
        path = between.post(writer).headers["Location"]

        refused = between.post(reader)
        assert refused == is_problem(status=403, code="scope_missing")
        assert 'scope="generations:write"' in refused.headers["WWW-Authenticate"]
        assert between.scene.client.get(path, headers=writer.headers) == is_problem(
            status=403, code="scope_missing"
        )
        assert between.scene.client.post(GENERATIONS, json=PROMPT) == is_problem(
            status=401
        )
        assert between.usage(reader) == []

    # ------------------------------------------------------------------ idempotency

    def test_a_repetition_gets_the_first_reply(self, between: Behind, key: Key) -> None:
        """One job, paid once."""
        first = between.post(key, idempotency_key="order-1")
        again = between.post(key, idempotency_key="order-1")
        other = between.post(key, idempotency_key="order-2")

        assert again.json() == first.json()
        assert again.headers["Location"] == first.headers["Location"]
        assert again.headers["Idempotency-Replayed"] == "true"
        assert other.json()["job_id"] != first.json()["job_id"]
        assert between.usage(key) == [("committed", COST)] * 2
        assert len(between.generations.requests) == 2

    def test_repetitions_at_once_make_one_job(self, between: Behind, key: Key) -> None:
        """The others wait for its reply."""
        between.generations.on("POST", GENERATIONS).delay(0.3).call(accept)
        replies = between.at_once(
            [lambda: between.post(key, idempotency_key="order-1")] * 8
        )

        assert {reply.status_code for reply in replies} == {202}
        assert len({reply.json()["job_id"] for reply in replies}) == 1
        assert len(between.generations.requests) == 1
        assert between.usage(key) == [("committed", COST)]

    def test_a_key_of_another_request_is_refused(
        self, between: Behind, key: Key
    ) -> None:
        """422: it was a mistake to send it with something else."""
        between.post(key, idempotency_key="order-1")
        reply = between.post(key, idempotency_key="order-1", prompt="A flyer")

        assert reply == is_problem(status=422, code="idempotency_key_reused")

    def test_two_keys_never_share_an_idempotency_key(
        self, between: Behind, key: Key
    ) -> None:
        """Nobody reads another's reply by guessing."""
        first = between.post(key, idempotency_key="order-1")
        second = between.post(between.key(key.user_id), idempotency_key="order-1")

        assert second.status_code == 202
        assert second.json()["job_id"] != first.json()["job_id"]

    def test_after_a_failure_the_same_key_runs_again(
        self, between: Behind, key: Key
    ) -> None:
        """And the service behind knows it by the same key of ours."""
        between.generations.on("POST", GENERATIONS).reply(500, times=1)
        failed = between.post(key, idempotency_key="order-1")
        again = between.post(key, idempotency_key="order-1")
        corrected = between.post(key, idempotency_key="order-2")

        keys = [r.headers["idempotency-key"] for r in between.generations.requests]
        assert failed == is_problem(status=503)
        assert again.status_code == corrected.status_code == 202
        assert keys[0] == keys[1] != keys[2]
        assert [state for state, _ in between.usage(key)] == [
            "refunded",
            "committed",
            "committed",
        ]

    # ----------------------------------------------------------- the service behind

    def test_units_of_a_failure_are_there_again(
        self, between: Behind, key: Key
    ) -> None:
        """What was not made counts in no window."""
        between.generations.on("POST", GENERATIONS).reply(500, times=1)
        between.post(key)
        reply = between.post(key)

        assert '"key-day";r=39980' in reply.headers["RateLimit"]

    def test_a_service_that_hangs_up_is_unavailable(
        self, between: Behind, key: Key
    ) -> None:
        """503, after the retries that a key of its own makes safe."""
        between.generations.on("POST", GENERATIONS).hang_up()
        reply = between.post(key)

        assert reply == is_problem(status=503, code="service_unavailable")
        assert len(between.generations.requests) == 3
        assert between.usage(key) == [("refunded", COST)]

    def test_a_service_that_hangs_is_too_late(self, url: str) -> None:
        """504, and nothing is paid for."""
        with behind(url, {"AIGEN_TIMEOUT": "0.2"}) as between:
            key = between.key()
            between.generations.on("POST", GENERATIONS).hang()

            reply = between.post(key)
            assert reply == is_problem(status=504, code="deadline_exceeded")
            assert between.usage(key) == [("refunded", COST)]

    def test_a_service_that_is_down_is_left_alone(
        self, between: Behind, key: Key
    ) -> None:
        """The breaker opens, and says when to come back."""
        between.generations.on("POST", GENERATIONS).reply(500)
        for _ in range(5):
            between.post(key)
        asked = len(between.generations.requests)
        reply = between.post(key)

        assert reply == is_problem(status=503)
        assert int(reply.headers["Retry-After"]) >= 1
        assert len(between.generations.requests) == asked

    def test_what_the_caller_can_mend_is_passed_on(
        self, between: Behind, key: Key
    ) -> None:
        """The service's words about the prompt, and its pointers into it."""
        item = {"pointer": "/format", "code": "unknown_format", "detail": "Unknown."}
        between.generations.on("POST", GENERATIONS).sequence(
            [BadRequestException("No weapons."), ValidationException([item])]
        )
        refused, invalid = between.post(key), between.post(key)

        assert refused == is_problem(
            status=400, code="generation_refused", detail="No weapons."
        )
        assert invalid == is_problem(status=422, code="validation_error", errors=[item])
        assert between.usage(key) == [("refunded", COST)] * 2

    def test_a_job_of_another_key_is_a_wrong_answer(
        self, between: Behind, key: Key
    ) -> None:
        """502: else it would change its owner."""
        made = between.post(key)
        between.generations.on("POST", GENERATIONS).reply(202, json=made.json())
        other = between.key()
        reply = between.post(other)

        assert reply == is_problem(status=502)
        assert between.usage(other) == [("refunded", COST)]
        same = between.post(key)
        assert same.json() == made.json()
        assert between.usage(key) == [("committed", COST), ("refunded", COST)]

    def test_a_job_may_be_forgotten(self, between: Behind, key: Key) -> None:
        """404: the service behind says that it has no such job any more."""
        made = between.post(key)
        between.generations.on("GET", JOB).reply(404)
        reply = between.scene.client.get(made.headers["Location"], headers=key.headers)

        assert reply == is_problem(status=404, code="resource_not_found")

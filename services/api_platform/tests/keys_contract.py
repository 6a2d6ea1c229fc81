"""What keys promise, whatever database is behind them."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.api_platform.keys import MOST_KEYS
from services.api_platform.tests.scene import ADDRESS, Scene, running
from shared.events import (
    ApiKeyCreatedEvent,
    ApiKeyRevokedEvent,
    ApiKeyRotatedEvent,
    UserDeletedEvent,
    UserDeletedPayload,
)
from shared.testing import captured_logs, is_problem
from shared.testing.messaging import assert_nothing_published, assert_published

PATH = "/api/v1/keys"
KEY, OTHER_KEY = (b64encode(bytes(range(n, n + 32))).decode() for n in (0, 32))
START = datetime(2026, 1, 31, 12, tzinfo=UTC)


class Clock:
    """The service's clock, which a test moves."""

    def __init__(self) -> None:
        self.moment = START

    def __call__(self) -> datetime:
        return self.moment

    def pass_time(self, **duration: float) -> None:
        """Let it be later."""
        self.moment += timedelta(**duration)


class KeysContract:
    """A subclass gives the fixture `url`: that of an empty database."""

    @pytest.fixture
    def clock(self) -> Clock:
        """The clock of keys; tokens have the real one."""
        return Clock()

    @pytest.fixture
    def scene(self, url: str, clock: Clock) -> Iterator[Scene]:
        """The service, started."""
        with running(url, now=clock) as scene:
            yield scene

    @pytest.fixture
    def user(self) -> UUID:
        """Somebody with a token."""
        return uuid4()

    def make(self, scene: Scene, user: UUID, **body: Any) -> dict[str, Any]:
        """A new key as the reply shows it."""
        headers = scene.as_user(user)
        reply = scene.client.post(PATH, json={"name": "Shop", **body}, headers=headers)
        assert reply.status_code == 201, reply.text
        made: dict[str, Any] = reply.json()
        return made

    def status(self, scene: Scene, secret: str) -> int:
        """What an operation answers to whom brings *secret*."""
        headers = {"Authorization": f"Bearer {secret}"}
        return scene.client.get("/probe", headers=headers).status_code

    def test_a_new_key_opens_and_its_secret_is_shown_once(
        self, scene: Scene, user: UUID
    ) -> None:
        """Neither a later look nor the list has it, and no cache keeps it."""
        headers = scene.as_user(user)
        reply = scene.client.post(PATH, json={"name": "Shop"}, headers=headers)
        made = reply.json()

        assert reply.status_code == 201
        assert reply.headers["Cache-Control"] == "no-store"
        assert made["secret"].startswith(f"cfk_live_{made['api_key']}_")
        assert self.status(scene, made["secret"]) == 200
        shown = scene.client.get(reply.headers["Location"], headers=headers)
        assert shown.json() == {k: v for k, v in made.items() if k != "secret"}
        assert made["secret"] not in scene.client.get(PATH, headers=headers).text

    def test_a_new_key_is_told_of(self, scene: Scene, user: UUID) -> None:
        """Its owner and its first characters, and nothing that opens."""
        made = self.make(scene, user)
        scene.settle()

        [event] = assert_published(scene.bus, ApiKeyCreatedEvent, user_id=user)
        assert event.payload.key_prefix == f"cfk_live_{made['api_key'][:4]}"
        assert made["secret"] not in event.encode().decode()

    def test_keys_of_others_are_not_there(self, scene: Scene, user: UUID) -> None:
        """404, as if there were none: not 403, which would tell."""
        path = f"{PATH}/{self.make(scene, user)['id']}"
        other = scene.as_user()

        for method, url, body in (
            ("GET", path, None),
            ("POST", f"{path}/rotate", {}),
            ("DELETE", path, None),
        ):
            reply = scene.client.request(method, url, json=body, headers=other)
            assert reply == is_problem(status=404, code="resource_not_found")
        assert scene.client.get(PATH, headers=other).json()["items"] == []

    def test_nobody_makes_keys_without_a_token(self, scene: Scene) -> None:
        """And a key makes no keys."""
        made = self.make(scene, uuid4())
        key = {"Authorization": f"Bearer {made['secret']}"}

        for headers in ({}, key):
            reply = scene.client.post(PATH, json={"name": "x"}, headers=headers)
            assert reply == is_problem(status=401)
            assert "Bearer" in reply.headers["WWW-Authenticate"]

    def test_a_revoked_key_is_dead_at_once(self, scene: Scene, user: UUID) -> None:
        """The next request is refused, and revoking again changes nothing."""
        made = self.make(scene, user)
        headers = scene.as_user(user)

        first = scene.client.delete(f"{PATH}/{made['id']}", headers=headers)
        assert (first.status_code, first.json()["is_active"]) == (200, False)
        assert self.status(scene, made["secret"]) == 401
        again = scene.client.delete(f"{PATH}/{made['id']}", headers=headers)
        assert again.json() == first.json()
        scene.settle()
        assert_published(scene.bus, ApiKeyRevokedEvent, revoked_by="user", times=1)

    def test_rotation_with_grace_lets_both_secrets_in(
        self, scene: Scene, user: UUID, clock: Clock
    ) -> None:
        """Until the grace is over; the public id stays."""
        made = self.make(scene, user)
        reply = scene.client.post(
            f"{PATH}/{made['id']}/rotate",
            json={"grace_seconds": 60},
            headers=scene.as_user(user),
        )
        fresh = reply.json()

        assert (reply.status_code, fresh["api_key"]) == (200, made["api_key"])
        assert fresh["secret"] != made["secret"]
        both = (made["secret"], fresh["secret"])
        assert [self.status(scene, secret) for secret in both] == [200, 200]
        clock.pass_time(seconds=60)
        assert [self.status(scene, secret) for secret in both] == [401, 200]
        scene.settle()
        assert_published(scene.bus, ApiKeyRotatedEvent, api_key_id=UUID(made["id"]))

    def test_rotation_without_grace_ends_the_old_secret(
        self, scene: Scene, user: UUID
    ) -> None:
        """Zero is now."""
        made = self.make(scene, user)
        reply = scene.client.post(
            f"{PATH}/{made['id']}/rotate",
            json={"grace_seconds": 0},
            headers=scene.as_user(user),
        )

        assert self.status(scene, made["secret"]) == 401
        assert self.status(scene, reply.json()["secret"]) == 200

    @pytest.mark.parametrize(("grace", "good"), [(0, 1), (60, 2)])
    def test_rotations_at_once_leave_the_latest(
        self, scene: Scene, user: UUID, grace: int, good: int
    ) -> None:
        """And the one before it within its grace; none is lost halfway."""
        made = self.make(scene, user)
        headers = scene.as_user(user)

        def rotate(_: int) -> str:
            path = f"{PATH}/{made['id']}/rotate"
            body = {"grace_seconds": grace}
            reply = scene.client.post(path, json=body, headers=headers)
            assert reply.status_code == 200, reply.text
            return str(reply.json()["secret"])

        with ThreadPoolExecutor(6) as threads:
            secrets = list(threads.map(rotate, range(6)))

        statuses = [self.status(scene, secret) for secret in secrets]
        assert sorted(statuses) == [200] * good + [401] * (6 - good)
        assert self.status(scene, made["secret"]) == 401
        scene.settle()
        assert_published(scene.bus, ApiKeyRotatedEvent, times=6)

    def test_what_one_server_does_to_a_key_the_others_know(
        self, url: str, scene: Scene, user: UUID, clock: Clock
    ) -> None:
        """Revoked, rotated or leaked: with the reply, it is so on each of them."""
        keys = scene.variables()
        with running(url, now=clock, transport=None, **keys) as other:
            revoked, rotated = self.make(scene, user), self.make(other, user)
            both = (revoked["secret"], rotated["secret"])
            before = [self.status(each, key) for each in (scene, other) for key in both]
            headers = scene.as_user(user)
            scene.client.delete(f"{PATH}/{revoked['id']}", headers=headers)
            reply = scene.client.post(
                f"{PATH}/{rotated['id']}/rotate",
                json={"grace_seconds": 0},
                headers=headers,
            )
            after = [self.status(each, key) for each in (other, scene) for key in both]

            assert (before, after) == ([200] * 4, [401] * 4)
            assert self.status(other, reply.json()["secret"]) == 200

    def test_a_revoked_key_gets_no_new_secret(self, scene: Scene, user: UUID) -> None:
        """Revoked is for good."""
        path = f"{PATH}/{self.make(scene, user)['id']}"
        headers = scene.as_user(user)
        scene.client.delete(path, headers=headers)

        reply = scene.client.post(f"{path}/rotate", json={}, headers=headers)
        assert reply == is_problem(status=409, code="api_key_revoked")

    def test_an_expired_key_opens_nothing(
        self, scene: Scene, user: UUID, clock: Clock
    ) -> None:
        """From that moment on."""
        expires = (START + timedelta(hours=1)).isoformat()
        made = self.make(scene, user, expires_at=expires)

        assert self.status(scene, made["secret"]) == 200
        clock.pass_time(hours=1)
        assert self.status(scene, made["secret"]) == 401

    def test_a_key_can_not_be_made_expired(self, scene: Scene, user: UUID) -> None:
        """Nothing is made, and nobody is told of it."""
        reply = scene.client.post(
            PATH,
            json={"name": "x", "expires_at": START.isoformat()},
            headers=scene.as_user(user),
        )

        assert reply == is_problem(status=422, code="validation_error")
        assert reply.json()["errors"][0]["pointer"] == "/expires_at"
        scene.settle()
        assert_nothing_published(scene.bus)

    def test_a_missing_scope_is_403_and_says_which(
        self, scene: Scene, user: UUID
    ) -> None:
        """A client can ask its owner for it."""
        made = self.make(scene, user, permissions=["webhooks:read"])
        headers = {"Authorization": f"Bearer {made['secret']}"}

        reply = scene.client.get("/probe", headers=headers)
        assert reply == is_problem(status=403, code="scope_missing")
        challenge = reply.headers["WWW-Authenticate"]
        assert challenge == 'Bearer error="insufficient_scope", scope="usage:read"'

    @pytest.mark.parametrize(
        ("ranges", "status"),
        [([f"{ADDRESS}/32"], 200), (["203.0.113.0/24"], 200), (["10.0.0.0/8"], 403)],
    )
    def test_a_key_is_good_from_its_networks(
        self, scene: Scene, user: UUID, ranges: list[str], status: int
    ) -> None:
        """And from nowhere else."""
        made = self.make(scene, user, allowed_ip_ranges=ranges)

        assert self.status(scene, made["secret"]) == status

    @pytest.mark.parametrize(
        "secret",
        ["cfk_live_x", "cfk_", "cfk_live_é", "cfk_live_" + "A" * 16 + "_" + "B" * 49],
    )
    def test_a_wrong_key_is_401(self, scene: Scene, secret: str) -> None:
        """Mistyped, unknown, or no text at all."""
        headers = {b"Authorization": f"Bearer {secret}".encode()}

        reply = scene.client.get("/probe", headers=headers)
        assert reply == is_problem(status=401, code="authentication_failed")
        assert reply.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            ({}, "/name"),
            ({"name": ""}, "/name"),
            ({"name": "a\0b"}, "/name"),
            ({"name": "x" * 101}, "/name"),
            ({"name": "x", "permissions": []}, "/permissions"),
            ({"name": "x", "permissions": ["all"]}, "/permissions/0"),
            ({"name": "x", "environment": "prod"}, "/environment"),
            (
                {"name": "x", "allowed_ip_ranges": ["10.0.0.1/8"]},
                "/allowed_ip_ranges/0",
            ),
            ({"name": "x", "expires_at": "tomorrow"}, "/expires_at"),
            ({"name": "x", "scopes": ["usage:read"]}, "/scopes"),
            ({"name": "x", "allowed_ips": ["10.0.0.0/8"]}, "/allowed_ips"),
        ],
    )
    def test_bad_input_is_pointed_at(
        self, scene: Scene, body: dict[str, object], pointer: str
    ) -> None:
        """422, and the place."""
        reply = scene.client.post(PATH, json=body, headers=scene.as_user())

        assert reply == is_problem(status=422)
        assert [error["pointer"] for error in reply.json()["errors"]] == [pointer]

    def test_a_misspelt_grace_is_no_day_of_grace(
        self, scene: Scene, user: UUID
    ) -> None:
        """Whoever wanted the secret to end now would not notice."""
        path = f"{PATH}/{self.make(scene, user)['id']}/rotate"
        reply = scene.client.post(path, json={"grace": 0}, headers=scene.as_user(user))

        assert reply == is_problem(status=422)
        assert [error["pointer"] for error in reply.json()["errors"]] == ["/grace"]

    def test_a_deleted_user_makes_no_webhook(self, scene: Scene, user: UUID) -> None:
        """With a token that is still good."""
        self.delete_user(scene, user)
        webhook = {
            "target_url": "https://93.184.216.34/",
            "event_types": ["generation.completed"],
        }
        replies = [
            scene.client.post(
                "/api/v1/webhooks", json=webhook, headers=scene.as_user(each)
            )
            for each in (user, uuid4())
        ]

        assert [reply.status_code for reply in replies] == [401, 201]

    def test_a_deleted_user_makes_no_key(self, scene: Scene, user: UUID) -> None:
        """With a token that is still good: 401, and 401 again when told twice."""
        headers = scene.as_user(user)
        for _ in range(2):
            self.delete_user(scene, user)

        reply = scene.client.post(PATH, json={"name": "x"}, headers=headers)
        assert reply == is_problem(status=401)
        assert "invalid_token" in reply.headers["WWW-Authenticate"]
        assert scene.client.get(PATH, headers=headers).json()["items"] == []
        assert self.make(scene, uuid4())["name"] == "Shop"

    def test_a_user_has_so_many_keys_and_no_more(
        self, scene: Scene, user: UUID, clock: Clock
    ) -> None:
        """However many are made at once; one that is revoked or expired is none."""
        soon = (START + timedelta(hours=1)).isoformat()
        made = [self.make(scene, user) for _ in range(MOST_KEYS - 3)]
        self.make(scene, user, expires_at=soon)
        headers = scene.as_user(user)

        def post(_: int) -> int:
            reply = scene.client.post(PATH, json={"name": "x"}, headers=headers)
            return reply.status_code

        with ThreadPoolExecutor(6) as threads:
            statuses = sorted(threads.map(post, range(6)))
        assert statuses == [201, 201, 409, 409, 409, 409]
        refused = scene.client.post(PATH, json={"name": "x"}, headers=headers)
        assert refused == is_problem(status=409, code="api_key_limit")
        scene.client.delete(f"{PATH}/{made[0]['id']}", headers=headers)
        clock.pass_time(hours=1)
        assert [post(0), post(0), post(0)] == [201, 201, 409]
        assert self.make(scene, uuid4())["name"] == "Shop"

    def test_keys_are_made_at_a_bounded_rate(self, url: str, clock: Clock) -> None:
        """New keys and new secrets together, per user; revoking is always possible."""
        with running(url, now=clock, QUOTA_KEYS_PER_HOUR="2") as scene:
            user = uuid4()
            headers = scene.as_user(user)
            path = f"{PATH}/{self.make(scene, user)['id']}"
            rotated = scene.client.post(f"{path}/rotate", json={}, headers=headers)
            refused = [
                scene.client.post(PATH, json={"name": "x"}, headers=headers),
                scene.client.post(f"{path}/rotate", json={}, headers=headers),
            ]

            assert 'keys-hour";q=2' in rotated.headers["RateLimit-Policy"]
            assert [reply.status_code for reply in refused] == [429, 429]
            assert refused[0].json()["policy"] == "keys-hour"
            assert int(refused[0].headers["Retry-After"]) > 0
            assert scene.client.delete(path, headers=headers).status_code == 200
            assert self.make(scene, uuid4())["name"] == "Shop"

    @pytest.fixture
    def old(self, url: str, clock: Clock, user: UUID) -> tuple[str, str]:
        """A key's secret and the one before it, hashed with what is the old pepper."""
        with running(url, now=clock, API_KEY_PEPPERS=f"old:{KEY}") as scene:
            made = self.make(scene, user)
            rotated = scene.client.post(
                f"{PATH}/{made['id']}/rotate", json={}, headers=scene.as_user(user)
            )
            self.variables = scene.variables()
        self.variables["API_KEY_PEPPERS"] = f"new:{OTHER_KEY},old:{KEY}"
        return rotated.json()["secret"], made["secret"]

    def test_a_secret_in_its_grace_is_not_hashed_anew(
        self, url: str, clock: Clock, old: tuple[str, str]
    ) -> None:
        """It ends soon: a request with it is one read, as any other is."""
        latest, previous = old
        variables = {"DB_ECHO": "true", **self.variables}
        with running(url, now=clock, transport=None, **variables) as scene:
            reads = [self.reads(scene, each) for each in (previous, latest, latest)]

            assert reads == [1, 2, 1]

    def test_a_new_pepper_is_one_change_of_a_key(
        self, url: str, clock: Clock, old: tuple[str, str]
    ) -> None:
        """However many requests bring its secret at once."""
        variables = {"DB_ECHO": "true", **self.variables}
        with running(url, now=clock, transport=None, **variables) as scene:
            with (
                captured_logs("sqlalchemy.engine.Engine") as logs,
                ThreadPoolExecutor(6) as threads,
            ):
                found = threads.map(lambda _: self.status(scene, old[0]), range(6))
                assert [*found] == [200] * 6

            changes = [
                each
                for each in logs.messages
                if "UPDATE api_clients" in each and "secret_hash" in each
            ]
            assert len(changes) == 1

    def delete_user(self, scene: Scene, user: UUID) -> None:
        """Let the platform tell that a user was deleted, and wait for what follows."""
        gone = UserDeletedPayload(user_id=user, requested_by="user")
        assert scene.client.portal is not None
        scene.client.portal.call(scene.bus.publish, UserDeletedEvent(payload=gone))
        scene.settle()

    def reads(self, scene: Scene, secret: str) -> int:
        """How often the keys are read for one request."""
        with captured_logs("sqlalchemy.engine.Engine") as logs:
            assert self.status(scene, secret) == 200
        return sum("FROM api_clients" in each for each in logs.messages)

    def test_the_list_has_pages(self, scene: Scene, user: UUID, clock: Clock) -> None:
        """Newest first, each once, revoked ones too."""
        made = []
        for number in range(3):
            made.append(self.make(scene, user, name=f"{number}")["name"])
            clock.pass_time(seconds=1)
        headers = scene.as_user(user)

        first = scene.client.get(PATH, params={"limit": 2}, headers=headers).json()
        query = {"limit": "2", "cursor": first["next_cursor"]}
        second = scene.client.get(PATH, params=query, headers=headers).json()
        names = [item["name"] for item in first["items"] + second["items"]]
        assert (names, second["next_cursor"]) == (["2", "1", "0"], None)

    def test_the_last_use_is_known_when_the_service_ends(
        self, url: str, user: UUID, clock: Clock
    ) -> None:
        """Written in batches, the last one at the end; being used is no change."""
        with running(url, now=clock) as scene:
            made = self.make(scene, user)
            clock.pass_time(minutes=5)
            assert self.status(scene, made["secret"]) == 200
            peppers = scene.variables()

        with running(url, now=clock, transport=None, **peppers) as later:
            path = f"{PATH}/{made['id']}"
            shown = later.client.get(path, headers=later.as_user(user)).json()
        assert shown["last_used_at"] == "2026-01-31T12:05:00Z"
        assert shown["updated_at"] == made["updated_at"]

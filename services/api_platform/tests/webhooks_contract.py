"""What webhooks promise up to their deliveries, whatever database is behind them."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID, uuid4

import pytest
from httpx2 import Response
from sqlalchemy import event as sql_event
from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.api_platform.models import (
    DeliveryState,
    Webhook,
    WebhookAttempt,
    WebhookDelivery,
)
from services.api_platform.tests.scene import Scene, running
from services.api_platform.webhooks import (
    WebhookRequestedEvent,
    WebhookRequestedPayload,
)
from shared.crypto import WebhookSigner, WebhookVerifier
from shared.events import (
    ApiKeyLeakedEvent,
    ApiKeyLeakedPayload,
    ApiKeyRevokedEvent,
    BaseEvent,
    GenerationAsset,
    GenerationCompletedEvent,
    GenerationCompletedPayload,
    ProjectCreatedEvent,
    ProjectCreatedPayload,
    UserDeletedEvent,
    UserDeletedPayload,
    UserRegisteredEvent,
    UserRegisteredPayload,
    WebhookDeletedEvent,
    WebhookDisabledEvent,
    WebhookEnabledEvent,
    WebhookRegisteredEvent,
    WebhookSecretRotatedEvent,
    WebhookUpdatedEvent,
)
from shared.http_client import PublicTransport, Reply
from shared.logging import correlation_id_var
from shared.testing import FakeClock, captured_logs, is_problem
from shared.testing.messaging import assert_nothing_published, assert_published

PATH = "/api/v1/webhooks"
TARGET = "https://hooks.example.com/in"
COMPLETED = "generation.completed"
T = TypeVar("T")

ADDRESSES = {
    "hooks.example.com": ["93.184.216.34"],
    "other.example.com": ["93.184.216.35"],
    "inside.example.com": ["10.0.0.7"],
    "both.example.com": ["93.184.216.34", "127.0.0.1"],
}


async def resolve(host: str, port: int) -> list[str]:
    """Know the names of this test, and no others."""
    if host in ADDRESSES:
        return ADDRESSES[host]
    if host.replace(".", "").isdigit():
        return [host]
    raise OSError("unknown")


class Patient(PublicTransport):
    """Knows where targets are; what is sent to them is never answered."""

    async def post(self, url: str, body: bytes, *, headers: Mapping[str, str]) -> Reply:
        """Wait, so that a delivery stays as the test made it."""
        await asyncio.Event().wait()
        raise AssertionError


def completed(user: UUID) -> GenerationCompletedEvent:
    """An event about a thing of *user*."""
    return GenerationCompletedEvent(
        payload=GenerationCompletedPayload(
            generation_id=uuid4(),
            user_id=user,
            final_asset_id=uuid4(),
            credits_used=Decimal("0.30"),
        )
    )


class WebhooksContract:
    """A subclass gives the fixture `url`: that of an empty database."""

    @pytest.fixture
    def clock(self) -> FakeClock:
        """The clock of webhooks; tokens have the real one."""
        return FakeClock()

    @pytest.fixture
    def scene(self, url: str, clock: FakeClock) -> Iterator[Scene]:
        """The service, started."""
        with running(url, now=clock, transport=Patient(resolve=resolve)) as scene:
            yield scene

    @pytest.fixture
    def user(self) -> UUID:
        """Somebody with a token."""
        return uuid4()

    def call(
        self, scene: Scene, user: UUID, method: str, path: str = "", **options: Any
    ) -> Response:
        """What the API answers to *user*."""
        json_type = {"Content-Type": "application/json"} if "content" in options else {}
        headers = {**scene.as_user(user), **json_type, **options.pop("headers", {})}
        return scene.client.request(method, PATH + path, headers=headers, **options)

    def make(self, scene: Scene, user: UUID, **body: Any) -> dict[str, Any]:
        """A new webhook as the reply shows it."""
        sent = {"target_url": TARGET, "event_types": [COMPLETED], **body}
        reply = self.call(scene, user, "POST", json=sent)
        assert reply.status_code == 201, reply.text
        made: dict[str, Any] = reply.json()
        return made

    def in_session(
        self, scene: Scene, work: Callable[[AsyncSession], Awaitable[T]]
    ) -> T:
        """What *work* finds in the database."""

        async def run() -> T:
            async with scene.service.app.state.database.session() as session:
                return await work(session)

        assert scene.client.portal is not None
        return scene.client.portal.call(run)

    def publish(self, scene: Scene, *events: BaseEvent[Any]) -> None:
        """Let it have happened, and wait for what comes of it."""
        assert scene.client.portal is not None
        for event in events:
            scene.client.portal.call(scene.bus.publish, event)
        scene.settle()

    def bodies(self, scene: Scene) -> list[bytes]:
        """What is to be sent, in the order in which it came."""

        async def work(session: AsyncSession) -> list[bytes]:
            found = select(WebhookDelivery.body).order_by(WebhookDelivery.id)
            return list(await session.scalars(found))

        return self.in_session(scene, work)

    def deliveries(
        self, scene: Scene, user: UUID, webhook: Mapping[str, Any], **query: Any
    ) -> list[dict[str, Any]]:
        """A webhook's deliveries as the API shows them."""
        path = f"/{webhook['id']}/deliveries"
        reply = self.call(scene, user, "GET", path, params=query)
        assert reply.status_code == 200, reply.text
        items: list[dict[str, Any]] = reply.json()["items"]
        return items

    def finish(self, scene: Scene, clock: FakeClock, state: DeliveryState) -> None:
        """Let all deliveries be over."""

        async def work(session: AsyncSession) -> None:
            over = {"state": state, "finished_at": clock.now(), "attempts": 3}
            await session.execute(update(WebhookDelivery).values(over))

        self.in_session(scene, work)

    # Registration

    def test_a_secret_is_shown_once(self, scene: Scene, user: UUID) -> None:
        """Neither a later look nor the list has it, and no cache keeps it."""
        body = {"target_url": TARGET, "event_types": [COMPLETED, COMPLETED]}
        reply = self.call(scene, user, "POST", json=body)
        made = reply.json()

        assert reply.status_code == 201
        assert reply.headers["Cache-Control"] == "no-store"
        assert made["secret"].startswith("whsec_")
        assert (made["event_types"], made["public_key"]) == ([COMPLETED], None)
        assert reply.headers["Location"] == f"{PATH}/{made['id']}"
        shown = self.call(scene, user, "GET", f"/{made['id']}")
        assert shown.json() == {k: v for k, v in made.items() if k != "secret"}
        assert shown.headers["ETag"] == reply.headers["ETag"]
        assert made["secret"] not in self.call(scene, user, "GET").text

    def test_a_secret_is_encrypted_where_it_is_kept(
        self, scene: Scene, user: UUID
    ) -> None:
        """Who reads the database signs nothing."""
        secret = self.make(scene, user)["secret"]

        async def work(session: AsyncSession) -> bytes:
            kept = await session.scalar(text("SELECT secret FROM webhooks"))
            return bytes(kept)

        kept = self.in_session(scene, work)
        assert secret.removeprefix("whsec_").encode() not in kept

    def test_of_a_key_pair_only_the_public_half_is_shown(
        self, scene: Scene, user: UUID
    ) -> None:
        """Whenever somebody looks; the private one never leaves."""
        made = self.make(scene, user, signing="v1a")
        shown = self.call(scene, user, "GET", f"/{made['id']}").json()

        assert made["secret"] is None
        assert made["public_key"].startswith("whpk_")
        assert shown["public_key"] == made["public_key"]
        [signer] = self.in_session(scene, self.signers)
        self.verify(signer, made["public_key"])

    @staticmethod
    async def signers(session: AsyncSession) -> list[WebhookSigner]:
        """What signs for each webhook, rotation included."""
        return [
            WebhookSigner(*filter(None, (row.secret, row.previous_secret)))
            for row in await session.scalars(select(Webhook))
        ]

    @staticmethod
    def verify(signer: WebhookSigner, key: str) -> None:
        """Raise unless what *signer* signs is good for who has *key*."""
        WebhookVerifier(key).verify(signer.sign("id", b"{}"), b"{}")

    def test_registration_is_told_of_without_the_secret(
        self, scene: Scene, user: UUID
    ) -> None:
        """Where deliveries go, and what they are about."""
        made = self.make(scene, user)
        scene.settle()

        [event] = assert_published(scene.bus, WebhookRegisteredEvent, user_id=user)
        assert event.payload.target_url == TARGET
        assert event.payload.event_types == (COMPLETED,)
        assert made["secret"] not in event.encode().decode()

    def test_an_api_key_registers_and_sees_what_its_owner_has(
        self, scene: Scene, user: UUID
    ) -> None:
        """With the scopes of webhooks, and each for its own."""
        of_user = self.make(scene, user)
        key = self.key(scene, user, "webhooks:read", "webhooks:write")
        body = {"target_url": TARGET, "event_types": [COMPLETED]}
        made = scene.client.post(PATH, json=body, headers=key["headers"])

        assert made.json()["api_client_id"] == key["id"]
        listed = scene.client.get(PATH, headers=key["headers"]).json()["items"]
        assert {each["id"] for each in listed} == {of_user["id"], made.json()["id"]}
        reader = self.key(scene, user, "webhooks:read")["headers"]
        assert scene.client.get(PATH, headers=reader).status_code == 200
        refused = scene.client.post(PATH, json=body, headers=reader)
        assert refused == is_problem(status=403, code="scope_missing")
        assert 'scope="webhooks:write"' in refused.headers["WWW-Authenticate"]

    def key(self, scene: Scene, user: UUID, *scopes: str) -> dict[str, Any]:
        """An API key's id, and the headers of its requests."""
        reply = scene.client.post(
            "/api/v1/keys",
            json={"name": "x", "permissions": scopes},
            headers=scene.as_user(user),
        ).json()
        headers = {"Authorization": f"Bearer {reply['secret']}"}
        return {"id": reply["id"], "headers": headers}

    def test_nobody_registers_without_a_credential(self, scene: Scene) -> None:
        """And is told which one there is."""
        reply = scene.client.post(PATH, json={})

        assert reply == is_problem(status=401)
        assert "Bearer" in reply.headers["WWW-Authenticate"]

    @pytest.mark.parametrize(
        "host",
        [
            "inside.example.com",
            "both.example.com",
            "nobody.example.com",
            "127.0.0.1",
            "169.254.169.254",
            "10.0.0.1:8443",
        ],
    )
    def test_a_target_must_be_public(self, scene: Scene, user: UUID, host: str) -> None:
        """The answer is the same for all: it tells nobody which names we have."""
        body = {"target_url": f"https://{host}/x", "event_types": [COMPLETED]}
        made = self.make(scene, user)
        tag = {"If-Match": "*"}
        change = {"target_url": body["target_url"]}

        for reply in (
            self.call(scene, user, "POST", json=body),
            self.call(scene, user, "PATCH", f"/{made['id']}", json=change, headers=tag),
        ):
            assert reply == is_problem(
                status=422,
                errors=[
                    {
                        "pointer": "/target_url",
                        "code": "not_public",
                        "detail": "The URL must lead to the public internet, by a name "
                        "or an address that is known there.",
                    }
                ],
            )
        assert len(self.call(scene, user, "GET").json()["items"]) == 1

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            (
                "POST",
                "",
                {
                    "target_url": "https://hooks.example.com/",
                    "event_types": ["generation.completed"],
                    "order": True,
                },
            ),
            ("PATCH", "/{}", {"order": True}),
            ("POST", "/{}/rotate", {"order": True}),
            ("POST", "/{}/replay", {"since": "2026-01-31T12:00:00Z", "order": True}),
        ],
    )
    def test_an_unknown_member_is_refused(
        self, scene: Scene, user: UUID, method: str, path: str, body: dict[str, Any]
    ) -> None:
        """It is one that was misspelt: what was wanted would not be so."""
        made = self.make(scene, user)
        place = f"{PATH}{path}".format(made["id"])
        headers = {**scene.as_user(user), "If-Match": "*"}
        reply = scene.client.request(method, place, json=body, headers=headers)

        assert reply == is_problem(status=422)
        assert [error["pointer"] for error in reply.json()["errors"]] == ["/order"]

    @pytest.mark.parametrize(
        ("change", "pointer"),
        [
            ({"target_url": "http://hooks.example.com"}, "/target_url"),
            ({"target_url": "https://a:b@hooks.example.com"}, "/target_url"),
            ({"target_url": "https://hooks.example.com/\0"}, "/target_url"),
            ({"target_url": "https://hooks.example.com/\ud800"}, "/target_url"),
            ({"target_url": f"https://hooks.example.com/{'x' * 2048}"}, "/target_url"),
            ({"target_url": 10**4000}, "/target_url"),
            ({"event_types": []}, "/event_types"),
            ({"event_types": ["*"]}, "/event_types/0"),
            ({"event_types": ["user.registered"]}, "/event_types/0"),
            ({"event_types": [COMPLETED] * 20}, "/event_types"),
            ({"event_types": [[[[COMPLETED]]]]}, "/event_types/0"),
            ({"signing": "v2"}, "/signing"),
            ({"ordered": "perhaps"}, "/ordered"),
        ],
    )
    def test_bad_input_is_pointed_at(
        self, scene: Scene, user: UUID, change: dict[str, Any], pointer: str
    ) -> None:
        """422 with the place, and nothing is made."""
        body = {"target_url": TARGET, "event_types": [COMPLETED], **change}
        reply = self.call(scene, user, "POST", content=json.dumps(body))

        assert reply == is_problem(status=422)
        assert [error["pointer"] for error in reply.json()["errors"]] == [pointer]
        assert self.call(scene, user, "GET").json()["items"] == []

    @pytest.mark.parametrize(
        "body",
        [
            b'{"target_url": NaN, "grace_seconds": NaN, "since": NaN}',
            b'{"ordered": 1' + b"0" * 5000 + b', "grace_seconds": 1e400, "since": -1}',
            b'{"event_types": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
            b'{"target_url": "\\u0000", "grace_seconds": -1, "since": "\\u0000"}',
            b'{"target_url": "https://\xff", "grace_seconds": "\xff"}',
            b'["target_url"',
            b"null",
            b"",
        ],
    )
    def test_what_is_no_request_is_refused(
        self, scene: Scene, user: UUID, body: bytes
    ) -> None:
        """As the caller's mistake, wherever it is sent."""
        path = f"/{self.make(scene, user)['id']}"

        for method, url in (
            ("POST", ""),
            ("PATCH", path),
            ("POST", f"{path}/rotate"),
            ("POST", f"{path}/replay"),
        ):
            tag = {"If-Match": "*"}
            reply = self.call(scene, user, method, url, content=body, headers=tag)
            assert reply.status_code in (400, 422), reply.text
            assert reply == is_problem(status=reply.status_code)

    def test_what_is_no_query_is_refused(self, scene: Scene, user: UUID) -> None:
        """As the caller's mistake."""
        path = f"/{self.make(scene, user)['id']}/deliveries"

        for query in (
            {"state": "lost"},
            {"state": "\0"},
            {"cursor": "x"},
            {"cursor": "\0"},
            {"limit": "0"},
            {"limit": "9" * 5000},
        ):
            reply = self.call(scene, user, "GET", path, params=query)
            assert reply == is_problem(status=422)

    def test_there_is_an_end_to_webhooks(self, scene: Scene, user: UUID) -> None:
        """Each multiplies what is sent. Others may have theirs."""
        for _ in range(50):
            self.make(scene, user)
        body = {"target_url": TARGET, "event_types": [COMPLETED]}
        reply = self.call(scene, user, "POST", json=body)

        assert reply == is_problem(status=409, code="webhook_limit")
        self.make(scene, uuid4())

    def test_the_end_is_the_same_for_requests_at_the_same_time(
        self, scene: Scene, user: UUID
    ) -> None:
        """Of those that see one place left only one gets it."""
        for _ in range(46):
            self.make(scene, user)
        body = {"target_url": TARGET, "event_types": [COMPLETED]}
        with ThreadPoolExecutor(8) as pool:
            replies = pool.map(
                lambda _: self.call(scene, user, "POST", json=body), range(16)
            )
            statuses = Counter(reply.status_code for reply in replies)

        assert statuses == {201: 4, 409: 12}

    def test_what_can_not_be_told_of_is_not_done(
        self, scene: Scene, user: UUID
    ) -> None:
        """A webhook and its event are there together or not at all."""

        async def rename(session: AsyncSession) -> None:
            await session.execute(text("ALTER TABLE outbox RENAME TO elsewhere"))

        async def rename_back(session: AsyncSession) -> None:
            await session.execute(text("ALTER TABLE elsewhere RENAME TO outbox"))

        self.in_session(scene, rename)
        body = {"target_url": TARGET, "event_types": [COMPLETED]}
        scene.client._transport.raise_server_exceptions = False  # type: ignore[attr-defined]
        reply = self.call(scene, user, "POST", json=body)
        self.in_session(scene, rename_back)

        assert reply == is_problem(status=500)
        assert self.call(scene, user, "GET").json()["items"] == []
        scene.settle()
        assert_nothing_published(scene.bus)

    def test_webhooks_of_others_are_not_there(self, scene: Scene, user: UUID) -> None:
        """404, as if there were none: not 403, which would tell."""
        own = self.make(scene, user)
        self.publish(scene, completed(user))
        [delivery] = self.deliveries(scene, user, own)
        path = f"/{own['id']}"
        other = uuid4()
        self.make(scene, other)

        for method, rest, body in (
            ("GET", "", None),
            ("PATCH", "", {"ordered": True}),
            ("DELETE", "", None),
            ("POST", "/rotate", {}),
            ("POST", "/disable", None),
            ("POST", "/enable", None),
            ("POST", "/ping", None),
            ("POST", "/replay", {"since": "2026-01-01T00:00:00Z"}),
            ("GET", "/deliveries", None),
            ("GET", f"/deliveries/{delivery['id']}", None),
            ("POST", f"/deliveries/{delivery['id']}/replay", None),
        ):
            reply = self.call(
                scene,
                other,
                method,
                path + rest,
                json=body,
                headers={"If-Match": "*"},
            )
            assert reply == is_problem(status=404, code="resource_not_found")
        listed = self.call(scene, other, "GET").json()["items"]
        assert own["id"] not in [each["id"] for each in listed]
        shown = self.call(scene, user, "GET", path).json()
        assert shown == {k: v for k, v in own.items() if k != "secret"}

    def test_the_list_has_pages(
        self, scene: Scene, user: UUID, clock: FakeClock
    ) -> None:
        """Newest first, each once."""
        made = []
        for _ in range(3):
            made.append(self.make(scene, user)["id"])
            clock.advance(1)

        first = self.call(scene, user, "GET", params={"limit": 2}).json()
        query = {"limit": "2", "cursor": first["next_cursor"]}
        second = self.call(scene, user, "GET", params=query).json()
        shown = [item["id"] for item in first["items"] + second["items"]]
        assert (shown, second["next_cursor"]) == (made[::-1], None)

    # Changes

    def test_a_change_is_of_the_state_that_was_read(
        self, scene: Scene, user: UUID
    ) -> None:
        """Without If-Match 428, with an older one 409, malformed 400."""
        made = self.make(scene, user)
        path = f"/{made['id']}"
        change = {"event_types": ["generation.failed"], "target_url": TARGET}
        tag = self.call(scene, user, "GET", path).headers["ETag"]

        def send(**headers: str) -> Response:
            return self.call(scene, user, "PATCH", path, json=change, headers=headers)

        assert send() == is_problem(status=428, code="precondition_required")
        assert send(**{"If-Match": "1"}) == is_problem(status=400)
        reply = send(**{"If-Match": tag})
        assert reply.status_code == 200
        assert reply.json()["event_types"] == ["generation.failed"]
        assert reply.headers["ETag"] != tag
        assert send(**{"If-Match": tag}) == is_problem(
            status=409, code="stale_record", headers={"ETag": reply.headers["ETag"]}
        )
        scene.settle()
        [event] = assert_published(scene.bus, WebhookUpdatedEvent, user_id=user)
        assert event.payload.changed_fields == ("event_types",)

    def test_a_change_that_changes_nothing_is_none(
        self, scene: Scene, user: UUID
    ) -> None:
        """Same tag, and nobody is told."""
        made = self.make(scene, user)
        before = self.call(scene, user, "GET", f"/{made['id']}")
        for change in ({}, {"ordered": False, "event_types": [COMPLETED]}):
            reply = self.call(
                scene,
                user,
                "PATCH",
                f"/{made['id']}",
                json=change,
                headers={"If-Match": "*"},
            )
            assert reply.json() == before.json()
            assert reply.headers["ETag"] == before.headers["ETag"]
        scene.settle()
        assert_nothing_published(scene.bus, WebhookUpdatedEvent)

    @pytest.mark.parametrize("field", ["target_url", "event_types", "ordered"])
    def test_nothing_can_be_cleared(self, scene: Scene, user: UUID, field: str) -> None:
        """A webhook without a target is none."""
        made = self.make(scene, user)
        reply = self.call(
            scene,
            user,
            "PATCH",
            f"/{made['id']}",
            json={field: None},
            headers={"If-Match": "*"},
        )

        assert reply == is_problem(status=422)

    def test_a_deleted_webhook_is_gone_with_its_deliveries(
        self, scene: Scene, user: UUID
    ) -> None:
        """For good; the tag may be left out, and an older one stops it."""
        made = self.make(scene, user)
        path = f"/{made['id']}"
        self.publish(scene, completed(user))
        stale = self.call(scene, user, "DELETE", path, headers={"If-Match": '"0"'})

        assert stale == is_problem(status=409, code="stale_record")
        assert self.call(scene, user, "DELETE", path).status_code == 204
        assert self.call(scene, user, "GET", path) == is_problem(status=404)
        assert self.call(scene, user, "DELETE", path) == is_problem(status=404)
        self.publish(scene, completed(user))
        self.until(lambda: not self.bodies(scene))
        self.until(lambda: not self.in_session(scene, self.signers))
        assert_published(scene.bus, WebhookDeletedEvent, webhook_id=UUID(made["id"]))

    def test_of_a_deleted_user_neither_webhooks_nor_keys_live(
        self, scene: Scene, user: UUID
    ) -> None:
        """All of them, at once, with an event each; those of others stay."""
        other = uuid4()
        theirs = self.make(scene, other)
        mine = [self.make(scene, user), self.make(scene, user, ordered=True)]
        keys = [self.make_key(scene, each) for each in (user, user, other)]
        scene.client.delete(
            f"/api/v1/keys/{keys[0]['id']}", headers=scene.as_user(user)
        )
        self.publish(scene, completed(user), completed(other))
        scene.bus.published.clear()
        gone = UserDeletedPayload(user_id=user, requested_by="user")
        scene.bus.faults.duplicate()
        self.publish(scene, UserDeletedEvent(payload=gone))

        assert self.call(scene, user, "GET").json()["items"] == []
        found = self.call(scene, other, "GET").json()["items"]
        assert [each["id"] for each in found] == [theirs["id"]]
        self.until(lambda: len(self.bodies(scene)) == 1)
        opened = [
            scene.client.get(
                PATH, headers={"Authorization": f"Bearer {key['secret']}"}
            ).status_code
            for key in keys
        ]
        assert opened == [401, 401, 200]
        deleted = {
            event.payload.webhook_id
            for event in scene.bus.published
            if isinstance(event, WebhookDeletedEvent)
        }
        assert deleted == {UUID(each["id"]) for each in mine}
        [revoked] = [
            event
            for event in scene.bus.published
            if isinstance(event, ApiKeyRevokedEvent)
        ]
        assert revoked.payload.api_key_id == UUID(keys[1]["id"])
        assert revoked.payload.revoked_by == "system"

    def make_key(self, scene: Scene, user: UUID) -> dict[str, Any]:
        """A new API key of *user*, with its secret."""
        body = {"name": "Shop", "permissions": ["webhooks:read"]}
        reply = scene.client.post(
            "/api/v1/keys", json=body, headers=scene.as_user(user)
        )
        assert reply.status_code == 201, reply.text
        made: dict[str, Any] = reply.json()
        return made

    def test_both_secrets_sign_within_the_grace_period(
        self, scene: Scene, user: UUID, clock: FakeClock
    ) -> None:
        """Also when the new one is of another kind."""
        made = self.make(scene, user)
        body = {"grace_seconds": 60, "signing": "v1a"}
        reply = self.call(scene, user, "POST", f"/{made['id']}/rotate", json=body)
        fresh = reply.json()

        assert (reply.status_code, fresh["signing"]) == (200, "v1a")
        assert reply.headers["Cache-Control"] == "no-store"
        assert fresh["secret"] is None
        until = (clock.now() + timedelta(seconds=60)).isoformat()
        assert fresh["previous_valid_until"] == until.replace("+00:00", "Z")
        [signer] = self.in_session(scene, self.signers)
        self.verify(signer, made["secret"])
        self.verify(signer, fresh["public_key"])
        scene.settle()
        assert_published(scene.bus, WebhookSecretRotatedEvent, user_id=user)

    def test_rotation_without_grace_ends_the_old_secret(
        self, scene: Scene, user: UUID
    ) -> None:
        """Zero is now; also of the one before, from an earlier grace period."""
        made = self.make(scene, user)
        path = f"/{made['id']}/rotate"
        self.call(scene, user, "POST", path, json={})
        fresh = self.call(scene, user, "POST", path, json={"grace_seconds": 0}).json()
        assert fresh["secret"].startswith("whsec_")
        assert fresh["secret"] != made["secret"]
        assert fresh["previous_valid_until"] is None

        async def previous(session: AsyncSession) -> str | None:
            return (await session.scalars(select(Webhook))).one().previous_secret

        assert self.in_session(scene, previous) is None

    def test_a_disabled_webhook_hears_nothing_until_it_is_enabled(
        self, scene: Scene, user: UUID
    ) -> None:
        """What was on its way is given up; doing it twice tells once."""
        made = self.make(scene, user)
        path = f"/{made['id']}"
        self.publish(scene, completed(user))
        off = self.call(scene, user, "POST", f"{path}/disable").json()
        again = self.call(scene, user, "POST", f"{path}/disable").json()
        self.publish(scene, completed(user))

        assert (off["is_active"], off["disabled_reason"]) == (False, "by_user")
        assert again == off
        self.until(lambda: self.deliveries(scene, user, made, state="failed"))
        [delivery] = self.deliveries(scene, user, made)
        assert (delivery["state"], delivery["next_attempt_at"]) == ("failed", None)
        assert_published(scene.bus, WebhookDisabledEvent, reason="by_user")
        assert self.call(scene, user, "POST", f"{path}/ping") == is_problem(
            status=409, code="webhook_disabled"
        )

        on = self.call(scene, user, "POST", f"{path}/enable").json()
        self.call(scene, user, "POST", f"{path}/enable")
        self.publish(scene, completed(user))
        assert (on["is_active"], on["disabled_reason"]) == (True, None)
        assert len(self.deliveries(scene, user, made)) == 2
        assert_published(scene.bus, WebhookEnabledEvent, user_id=user)

    def test_what_is_made_while_a_webhook_is_disabled_ends_with_it(
        self, scene: Scene, user: UUID
    ) -> None:
        """Whoever comes first: nothing is on its way to a webhook that gets nothing."""
        path = f"/{self.make(scene, user)['id']}"
        actions = ["ping"] * 6 + ["disable"] + ["ping"] * 6
        with ThreadPoolExecutor(4) as pool:
            replies = pool.map(
                lambda action: self.call(scene, user, "POST", f"{path}/{action}"),
                actions,
            )
            statuses = {reply.status_code for reply in replies}

        assert statuses <= {200, 202, 409}
        pending = f"{path}/deliveries?state=pending"
        self.until(lambda: not self.call(scene, user, "GET", pending).json()["items"])

    def test_disabling_and_deleting_cost_the_same_whatever_waits(
        self, scene: Scene, user: UUID
    ) -> None:
        """They touch no delivery: hundreds of thousands would outlast a request."""
        made = self.make(scene, user)
        self.publish(scene, completed(user))
        own = {"X-Correlation-ID": "abc-123"}
        with self.statements(scene, "abc-123") as run:
            off = self.call(scene, user, "POST", f"/{made['id']}/disable", headers=own)
            gone = self.call(scene, user, "DELETE", f"/{made['id']}", headers=own)

        assert (off.status_code, gone.status_code) == (200, 204)
        assert [each for each in run if each.startswith("UPDATE webhooks")]
        assert [each for each in run if "webhook_deliveries" in each] == []

    @contextmanager
    def statements(self, scene: Scene, correlation_id: str) -> Iterator[list[str]]:
        """What requests with an id ask the database meanwhile."""
        run: list[str] = []
        engine = scene.service.app.state.database.engine.sync_engine

        def note(_: object, __: object, statement: str, *___: object) -> None:
            if correlation_id_var.get() == correlation_id:
                run.append(statement)

        sql_event.listen(engine, "before_cursor_execute", note)
        try:
            yield run
        finally:
            sql_event.remove(engine, "before_cursor_execute", note)

    def until(self, true: Callable[[], object]) -> None:
        """Wait for what a worker does beside the requests."""
        end = time.monotonic() + 20
        while not true():
            assert time.monotonic() < end
            time.sleep(0.02)

    def test_what_many_do_to_one_webhook_at_once_gets_in_nobodys_way(
        self, scene: Scene, user: UUID, clock: FakeClock
    ) -> None:
        """Replays, pings, and its end: none waits for another in a circle."""
        statuses = set()
        for _ in range(4):
            made = self.make(scene, user)
            self.fill(scene, clock, made, 300)
            path = f"/{made['id']}"
            since = {"since": clock.now().isoformat()}
            calls: list[tuple[str, str, object]] = [
                ("POST", "/replay", since),
                ("POST", "/replay", since),
                ("POST", "/disable", None),
                ("DELETE", "", None),
                ("POST", "/ping", None),
            ]
            with ThreadPoolExecutor(len(calls)) as pool:
                replies = [
                    pool.submit(self.call, scene, user, method, path + rest, json=body)
                    for method, rest, body in calls
                ]
                statuses |= {reply.result().status_code for reply in replies}

        assert statuses <= {200, 202, 204, 404, 409}
        assert 204 in statuses

    def fill(
        self, scene: Scene, clock: FakeClock, webhook: Mapping[str, Any], count: int
    ) -> None:
        """Let a webhook have deliveries that failed, a second apart."""

        async def work(session: AsyncSession) -> None:
            for number in range(count):
                moment = clock.now() + timedelta(seconds=number)
                session.add(
                    WebhookDelivery(
                        webhook_id=UUID(webhook["id"]),
                        event_id=uuid4(),
                        event_type=COMPLETED,
                        body=b"{}",
                        state=DeliveryState.FAILED,
                        next_attempt_at=moment,
                        created_at=moment,
                        finished_at=moment,
                    )
                )

        self.in_session(scene, work)

    def test_webhooks_of_a_leaked_key_are_disabled(
        self, scene: Scene, user: UUID
    ) -> None:
        """Whoever had it may have made them. Those of a key that was revoked stay."""
        leaked, revoked = (
            self.key(scene, user, "webhooks:read", "webhooks:write") for _ in range(2)
        )
        body = {"target_url": TARGET, "event_types": [COMPLETED]}
        theirs, fine = (
            scene.client.post(PATH, json=body, headers=key["headers"]).json()
            for key in (leaked, revoked)
        )
        own = self.make(scene, user)
        scene.client.delete(
            f"/api/v1/keys/{revoked['id']}", headers=scene.as_user(user)
        )
        payload = ApiKeyLeakedPayload(
            api_key_id=UUID(leaked["id"]),
            user_id=user,
            name="x",
            found_by="secret_scanning",
            revoked=True,
        )
        scene.bus.faults.duplicate()
        self.publish(scene, ApiKeyLeakedEvent(payload=payload))

        shown = {
            each["id"]: (each["is_active"], each["disabled_reason"])
            for each in self.call(scene, user, "GET").json()["items"]
        }
        assert shown == {
            theirs["id"]: (False, "key_leaked"),
            fine["id"]: (True, None),
            own["id"]: (True, None),
        }
        [event] = assert_published(scene.bus, WebhookDisabledEvent, user_id=user)
        assert event.payload.webhook_id == UUID(theirs["id"])
        assert event.payload.error_code == "key_leaked"

    def test_a_users_requests_about_webhooks_are_bounded(
        self, url: str, user: UUID
    ) -> None:
        """Over all keys, and what makes deliveries counts for more; not others'."""
        with running(
            url,
            transport=Patient(resolve=resolve),
            QUOTA_WEBHOOKS_PER_MINUTE="14",
        ) as scene:
            made = self.make(scene, user)
            listed = self.call(scene, user, "GET")
            path = f"/{made['id']}/ping"
            first = [self.call(scene, user, "POST", path) for _ in range(2)]
            key = self.key(scene, user, "webhooks:read", "webhooks:write")
            refused = scene.client.post(PATH + path, headers=key["headers"])
            many = self.call(
                scene,
                user,
                "POST",
                f"/{made['id']}/replay",
                json={"since": "2026-01-01T00:00:00Z"},
            )
            again = self.call(scene, user, "GET")
            other = self.call(scene, uuid4(), "GET")

        assert "q=14" in listed.headers["RateLimit-Policy"]
        assert "r=12" in listed.headers["RateLimit"]
        assert [reply.status_code for reply in first] == [202, 202]
        assert refused == is_problem(status=429, code="rate_limit_exceeded")
        assert int(refused.headers["Retry-After"]) > 0
        assert many.status_code == 429
        assert (again.status_code, other.status_code) == (200, 200)

    def test_a_rotation_that_is_not_committed_is_not_in_the_audit_log(
        self, scene: Scene, user: UUID
    ) -> None:
        """It tells of secrets that were changed, and of no others."""
        path = f"/{self.make(scene, user)['id']}/rotate"

        async def rename(session: AsyncSession) -> None:
            await session.execute(text("ALTER TABLE outbox RENAME TO elsewhere"))

        async def rename_back(session: AsyncSession) -> None:
            await session.execute(text("ALTER TABLE elsewhere RENAME TO outbox"))

        scene.settle()
        scene.client._transport.raise_server_exceptions = False  # type: ignore[attr-defined]
        with captured_logs("shared.security") as broken:
            self.in_session(scene, rename)
            reply = self.call(scene, user, "POST", path, json={})
            self.in_session(scene, rename_back)
        assert reply == is_problem(status=500)
        assert "secret_changed" not in str(broken)
        with captured_logs("shared.security") as done:
            assert self.call(scene, user, "POST", path, json={}).status_code == 200
        assert "secret_changed" in str(done)

    def test_enabling_forgets_the_failures(self, scene: Scene, user: UUID) -> None:
        """Or the next failure would disable it at once."""
        made = self.make(scene, user)

        async def fail(session: AsyncSession) -> None:
            webhook = (await session.scalars(select(Webhook))).one()
            webhook.is_active = False
            webhook.disabled_reason = "too_many_failures"
            webhook.failing_since = webhook.created_at
            webhook.consecutive_failures = 40

        self.in_session(scene, fail)
        shown = self.call(scene, user, "POST", f"/{made['id']}/enable").json()
        assert (shown["failing_since"], shown["consecutive_failures"]) == (None, 0)

    # From events to deliveries

    def test_an_event_makes_a_delivery_for_each_webhook_that_wants_it(
        self, scene: Scene, user: UUID
    ) -> None:
        """Of its owner, of its type, and that is active; no other."""
        wanted = [self.make(scene, user), self.make(scene, user, ordered=True)]
        others = [
            self.make(scene, user, event_types=["generation.failed"]),
            self.make(scene, user),
        ]
        self.call(scene, user, "POST", f"/{others[1]['id']}/disable")
        stranger = uuid4()
        of_stranger = self.make(scene, stranger)
        event = completed(user)
        self.publish(scene, event)

        for webhook in wanted:
            [delivery] = self.deliveries(scene, user, webhook)
            assert delivery["event_id"] == str(event.event_id)
            assert delivery["event_type"] == COMPLETED
            assert delivery["correlation_id"] == event.correlation_id
            assert (delivery["state"], delivery["finished_at"]) == ("pending", None)
        for webhook in others:
            assert self.deliveries(scene, user, webhook) == []
        assert self.deliveries(scene, stranger, of_stranger) == []

    def test_what_is_sent_says_what_happened(self, scene: Scene, user: UUID) -> None:
        """In the form of Standard Webhooks, and the payload to its last byte."""
        self.make(scene, user)
        event = completed(user)
        self.publish(scene, event)

        [body] = self.bodies(scene)
        sent = json.loads(body)
        assert list(sent) == ["type", "timestamp", "data"]
        assert sent["type"] == COMPLETED
        assert sent["timestamp"] == event.timestamp.isoformat().replace("+00:00", "Z")
        assert event.encode_payload() in body

    def test_things_that_have_an_owner_are_the_owners(
        self, scene: Scene, user: UUID
    ) -> None:
        """Events of projects name an owner, and no user."""
        made = self.make(scene, user, event_types=["project.created"])
        payload = ProjectCreatedPayload(project_id=uuid4(), owner_id=user, name="x")
        self.publish(scene, ProjectCreatedEvent(payload=payload))

        assert len(self.deliveries(scene, user, made)) == 1

    def test_events_that_nobody_can_have_are_passed_over(
        self, scene: Scene, user: UUID
    ) -> None:
        """Secrets among them; and those of users without a webhook."""
        self.make(scene, user)
        payload = UserRegisteredPayload(
            user_id=user, email="ada@example.com", verification_token="s3cret"
        )
        registered = UserRegisteredEvent(payload=payload)
        self.publish(scene, registered, completed(uuid4()))

        assert self.bodies(scene) == []
        assert_nothing_published(scene.webhooks_bus)

    def test_a_message_that_comes_twice_makes_one_delivery(
        self, scene: Scene, user: UUID
    ) -> None:
        """On either of the ways from the event to it."""
        made = self.make(scene, user)
        scene.settle()
        scene.bus.faults.duplicate()
        self.publish(scene, completed(user))
        assert_published(scene.webhooks_bus, WebhookRequestedEvent, times=1)
        scene.webhooks_bus.faults.duplicate()
        self.publish(scene, completed(user))

        assert len(self.deliveries(scene, user, made)) == 2

    def test_an_event_that_is_asked_for_twice_makes_one_delivery(
        self, scene: Scene, user: UUID
    ) -> None:
        """Even by two messages, of which no inbox knows that they are one."""
        made = self.make(scene, user)
        event_id = uuid4()
        assert scene.client.portal is not None
        for _ in range(2):
            payload = WebhookRequestedPayload(
                user_id=user,
                delivered_event_id=event_id,
                delivered_event_type=COMPLETED,
                body="{}",
            )
            requested = WebhookRequestedEvent(payload=payload)
            scene.client.portal.call(scene.webhooks_bus.publish, requested)
        scene.settle()

        assert len(self.deliveries(scene, user, made)) == 1

    def test_a_failure_on_the_way_is_made_up_for(
        self, scene: Scene, user: UUID
    ) -> None:
        """A handler that fails, a broker that says no: it arrives, once."""
        made = self.make(scene, user)
        scene.settle()
        scene.bus.faults.fail_handler("webhooks")
        scene.webhooks_bus.faults.fail_publish()
        scene.webhooks_bus.faults.fail_handler("fan_out")
        self.publish(scene, completed(user))

        assert len(self.deliveries(scene, user, made)) == 1

    def test_an_event_that_is_too_large_holds_nobody_up(
        self, scene: Scene, user: UUID
    ) -> None:
        """It is a dead letter at once, for somebody to look at."""
        made = self.make(scene, user)
        event = completed(user)
        asset = GenerationAsset(
            asset_id=uuid4(), url='"' * 2000, asset_type="image", mime_type="image/png"
        )
        payload = event.payload.model_copy(update={"assets": (asset,) * 230})
        self.publish(scene, event.model_copy(update={"payload": payload}))

        assert self.bodies(scene) == []
        [dead] = scene.bus.dead_letters("api-platform.webhooks")
        assert dead.headers["x-error"].endswith("EventTooLargeError")
        self.publish(scene, completed(user))
        assert len(self.deliveries(scene, user, made)) == 1

    def test_events_of_a_user_keep_their_order(self, scene: Scene, user: UUID) -> None:
        """From the platform to the table, where the loop finds it."""
        self.make(scene, user)
        asset = uuid4()
        events = [
            GenerationCompletedEvent(
                payload=GenerationCompletedPayload(
                    generation_id=asset, user_id=user, final_asset_id=UUID(int=number)
                )
            )
            for number in range(20)
        ]
        self.publish(scene, *events)

        sent = [
            json.loads(body)["data"]["final_asset_id"] for body in self.bodies(scene)
        ]
        assert sent == [str(UUID(int=number)) for number in range(20)]

    # Deliveries

    def test_a_ping_is_a_delivery(self, scene: Scene, user: UUID) -> None:
        """Of what nobody subscribes to, with the request's correlation id."""
        made = self.make(scene, user)
        reply = self.call(
            scene,
            user,
            "POST",
            f"/{made['id']}/ping",
            headers={"X-Correlation-ID": "abc-123"},
        )

        assert reply.status_code == 202
        [shown] = self.deliveries(scene, user, made)
        assert shown == reply.json()
        assert shown["event_type"] == "webhook.ping"
        assert (shown["correlation_id"], shown["attempts"]) == ("abc-123", [])
        [body] = self.bodies(scene)
        assert json.loads(body)["data"] == {"webhook_id": made["id"]}

    def test_a_delivery_is_shown_without_what_it_says(
        self, scene: Scene, user: UUID, clock: FakeClock
    ) -> None:
        """The names of members, no values, and every attempt in its order."""
        made = self.make(scene, user)
        event = completed(user)
        self.publish(scene, event)
        [listed] = self.deliveries(scene, user, made)

        async def attempt(session: AsyncSession) -> None:
            for number, code in ((2, 200), (1, 500)):
                session.add(
                    WebhookAttempt(
                        delivery_id=UUID(listed["id"]),
                        number=number,
                        started_at=clock.now() + timedelta(seconds=number),
                        duration_ms=7,
                        status_code=code,
                        settings="stable",
                    )
                )

        self.in_session(scene, attempt)
        [listed] = self.deliveries(scene, user, made)
        path = f"/{made['id']}/deliveries/{listed['id']}"
        shown = self.call(scene, user, "GET", path).json()
        body = shown.pop("body")
        assert shown == listed
        assert [each["status_code"] for each in shown["attempts"]] == [500, 200]
        assert body["type"] == COMPLETED
        assert set(body["data"].values()) == {"[redacted]"}
        assert body["data"].keys() == json.loads(event.encode_payload()).keys()

    def test_deliveries_have_pages_and_states(
        self, scene: Scene, user: UUID, clock: FakeClock
    ) -> None:
        """Newest first."""
        made = self.make(scene, user)
        for _ in range(2):
            self.publish(scene, completed(user))
            clock.advance(1)
        self.finish(scene, clock, DeliveryState.FAILED)
        self.publish(scene, completed(user))

        failed = self.deliveries(scene, user, made, state="failed")
        assert [each["state"] for each in failed] == ["failed", "failed"]
        newest, *rest = self.deliveries(scene, user, made)
        assert (newest["state"], rest) == ("pending", failed)
        path = f"/{made['id']}/deliveries"
        first = self.call(scene, user, "GET", path, params={"limit": 1}).json()
        query = {"cursor": first["next_cursor"]}
        second = self.call(scene, user, "GET", path, params=query).json()
        assert [*first["items"], *second["items"]] == [newest, *rest]

    def test_a_delivery_that_is_over_can_be_made_again(
        self, scene: Scene, user: UUID, clock: FakeClock
    ) -> None:
        """At once, with the same id for its receiver; one on its way stays so."""
        made = self.make(scene, user)
        self.publish(scene, completed(user))
        [before] = self.deliveries(scene, user, made)
        self.finish(scene, clock, DeliveryState.DELIVERED)
        clock.advance(3600)
        path = f"/{made['id']}/deliveries/{before['id']}/replay"
        reply = self.call(scene, user, "POST", path)

        assert reply.status_code == 202
        assert reply.json() == {
            **before,
            "next_attempt_at": clock.now().isoformat().replace("+00:00", "Z"),
        }
        again = self.call(scene, user, "POST", path)
        assert again.json() == reply.json()

    def test_deliveries_of_another_webhook_are_not_there(
        self, scene: Scene, user: UUID
    ) -> None:
        """Not even of the same user: a path names a thing in its place."""
        made, other = self.make(scene, user), self.make(scene, user)
        delivery = self.call(scene, user, "POST", f"/{made['id']}/ping").json()
        path = f"/{other['id']}/deliveries/{delivery['id']}"

        assert self.call(scene, user, "GET", path) == is_problem(status=404)
        assert self.call(scene, user, "POST", f"{path}/replay") == is_problem(
            status=404
        )

    @pytest.mark.parametrize(
        ("states", "expected"), [(["failed"], 1), (["delivered", "failed"], 2)]
    )
    def test_everything_since_a_moment_can_be_made_again(
        self,
        scene: Scene,
        user: UUID,
        clock: FakeClock,
        states: list[str],
        expected: int,
    ) -> None:
        """What was before it stays as it is, and so does what is on its way."""
        made = self.make(scene, user)
        self.publish(scene, completed(user))
        clock.advance(1)
        since = clock.now()
        self.publish(scene, completed(user))
        self.finish(scene, clock, DeliveryState.FAILED)
        clock.advance(1)
        self.publish(scene, completed(user))

        async def deliver(session: AsyncSession) -> None:
            over = {"state": DeliveryState.DELIVERED, "finished_at": clock.now()}
            pending = WebhookDelivery.state == DeliveryState.PENDING
            await session.execute(update(WebhookDelivery).where(pending).values(over))

        self.in_session(scene, deliver)
        self.publish(scene, completed(user))
        reply = self.call(
            scene,
            user,
            "POST",
            f"/{made['id']}/replay",
            json={"since": since.isoformat(), "states": states},
        )

        assert reply.status_code == 202
        assert reply.json() == {"replayed": expected, "next_cursor": None}
        pending = self.deliveries(scene, user, made, state="pending")
        assert len(pending) == expected + 1

    def test_a_replay_is_bounded_and_goes_on(
        self, scene: Scene, user: UUID, clock: FakeClock
    ) -> None:
        """500 at once, the oldest first, and a cursor for those behind them."""
        made = self.make(scene, user)
        self.fill(scene, clock, made, 501)
        path = f"/{made['id']}/replay"
        body = {"since": clock.now().isoformat()}
        first = self.call(scene, user, "POST", path, json=body).json()
        assert first["replayed"] == 500
        body["cursor"] = first["next_cursor"]
        second = self.call(scene, user, "POST", path, json=body).json()
        assert second == {"replayed": 1, "next_cursor": None}

    def test_bodies_are_read_for_nobody_who_does_not_ask_for_one(
        self, scene: Scene, user: UUID, clock: FakeClock
    ) -> None:
        """Each may be a megabyte, and a list or a replay is of hundreds."""
        made = self.make(scene, user)
        self.publish(scene, completed(user), completed(user))
        [first, _] = self.deliveries(scene, user, made)
        self.finish(scene, clock, DeliveryState.FAILED)
        since = {"since": (clock.now() - timedelta(days=1)).isoformat()}
        path = f"/{made['id']}"
        with self.read_columns(scene) as read:
            self.deliveries(scene, user, made)
            one = f"{path}/deliveries/{first['id']}/replay"
            assert self.call(scene, user, "POST", one).status_code == 202
            many = self.call(scene, user, "POST", f"{path}/replay", json=since)
            assert many.json()["replayed"] == 1

        assert "event_id" in read
        assert "body" not in read
        with self.read_columns(scene) as read:
            shown = self.call(scene, user, "GET", f"{path}/deliveries/{first['id']}")
            assert shown.json()["body"]["type"] == COMPLETED
        assert "body" in read

    @contextmanager
    def read_columns(self, scene: Scene) -> Iterator[set[str]]:
        """The columns of deliveries that are read meanwhile."""
        read: set[str] = set()
        engine = scene.service.app.state.database.engine.sync_engine

        def note(_: object, __: object, statement: str, *___: object) -> None:
            if statement.startswith("SELECT"):
                chosen = statement.partition(" FROM ")[0]
                read.update(re.findall(r"webhook_deliveries\.(\w+)", chosen))

        sql_event.listen(engine, "before_cursor_execute", note)
        try:
            yield read
        finally:
            sql_event.remove(engine, "before_cursor_execute", note)

    def test_nothing_is_made_again_for_a_disabled_webhook(
        self, scene: Scene, user: UUID
    ) -> None:
        """409: it would wait for ever."""
        made = self.make(scene, user)
        delivery = self.call(scene, user, "POST", f"/{made['id']}/ping").json()
        self.call(scene, user, "POST", f"/{made['id']}/disable")

        one = f"/{made['id']}/deliveries/{delivery['id']}/replay"
        many = f"/{made['id']}/replay"
        for path, body in ((one, None), (many, {"since": "2026-01-01T00:00:00Z"})):
            reply = self.call(scene, user, "POST", path, json=body)
            assert reply == is_problem(status=409, code="webhook_disabled")

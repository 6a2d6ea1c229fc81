"""Reports of leaked keys: believed when they are signed, and then at once."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from httpx2 import Response

from services.api_platform.tests.scene import Scene, running
from shared.crypto import generate_api_key_and_secret
from shared.events import ApiKeyLeakedEvent, ApiKeyRevokedEvent
from shared.testing import is_problem
from shared.testing.messaging import assert_nothing_published, assert_published

PATH = "/api/v1/leaked-keys"
MANY = [{"token": "x", "type": "cfk"}] * 1001
KEY = ec.generate_private_key(ec.SECP256R1())
PEM = (
    KEY.public_key()
    .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    .decode()
)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """The service, which believes one reporter."""
    reporters = json.dumps({"scanner": PEM})
    with running(f"sqlite:///{tmp_path}/test.db", LEAK_REPORTERS=reporters) as scene:
        yield scene


def make(scene: Scene, user: UUID) -> str:
    """A key's secret."""
    headers = scene.as_user(user)
    reply = scene.client.post("/api/v1/keys", json={"name": "x"}, headers=headers)
    return str(reply.json()["secret"])


def status(scene: Scene, secret: str) -> int:
    """What an operation answers to whom brings *secret*."""
    headers = {"Authorization": f"Bearer {secret}"}
    return scene.client.get("/probe", headers=headers).status_code


def report(scene: Scene, *entries: Any, key_id: str = "scanner") -> Response:
    """Send a report with a good signature."""
    body = json.dumps(entries).encode()
    signature = base64.b64encode(KEY.sign(body, ec.ECDSA(SHA256()))).decode()
    headers = {
        "Github-Public-Key-Identifier": key_id,
        "Github-Public-Key-Signature": signature,
        "Content-Type": "application/json",
    }
    return scene.client.post(PATH, content=body, headers=headers)


def entry(secret: str) -> dict[str, str]:
    """What a scanner says of one place."""
    url = "https://example.com/repository/file"
    return {"token": secret, "type": "cfk", "url": url, "source": "content"}


def test_a_leaked_key_is_dead_and_its_owner_is_told(scene: Scene) -> None:
    """Where it was found, too; what is none of ours is said to be."""
    user = uuid4()
    secret = make(scene, user)

    reply = report(scene, entry(secret), entry("cfk_live_nothing"))
    assert [each["label"] for each in reply.json()] == [
        "true_positive",
        "false_positive",
    ]
    assert status(scene, secret) == 401
    scene.settle()
    [leaked] = assert_published(scene.bus, ApiKeyLeakedEvent, user_id=user)
    assert leaked.payload.found_url == "https://example.com/repository/file"
    assert_published(scene.bus, ApiKeyRevokedEvent, user_id=user, revoked_by="system")


def test_one_report_may_be_of_many_keys_of_many_users(scene: Scene) -> None:
    """In its own order, each owner told once, however often the key was found."""
    users = [uuid4() for _ in range(5)]
    secrets = [make(scene, user) for user in users]
    good = make(scene, uuid4())
    unknown = generate_api_key_and_secret("live").secret
    found = [*secrets, *reversed(secrets), unknown, *["no key"] * 989]

    reply = report(scene, *(entry(secret) for secret in found))
    answers = reply.json()
    assert [each["token_raw"] for each in answers] == found
    labels = [each["label"] for each in answers]
    assert labels == ["true_positive"] * 10 + ["false_positive"] * 990
    assert {status(scene, secret) for secret in secrets} == {401}
    assert status(scene, good) == 200
    scene.settle()
    told = assert_published(scene.bus, ApiKeyLeakedEvent, times=5)
    assert {leaked.payload.user_id for leaked in told} == {*users}


def test_a_report_that_comes_again_harms_no_new_secret(scene: Scene) -> None:
    """The key was rotated since: what leaked opens nothing any more."""
    user = uuid4()
    secret = make(scene, user)
    headers = scene.as_user(user)
    [key] = scene.client.get("/api/v1/keys", headers=headers).json()["items"]
    path = f"/api/v1/keys/{key['id']}/rotate"
    rotated = scene.client.post(path, json={"grace_seconds": 0}, headers=headers)

    assert report(scene, entry(secret)).json()[0]["label"] == "false_positive"
    assert status(scene, rotated.json()["secret"]) == 200


@pytest.mark.parametrize("grace", [None, 60])
def test_reporting_twice_tells_once(scene: Scene, grace: int | None) -> None:
    """A reporter who lost our reply hears the same again, of any secret that opened."""
    user = uuid4()
    secret = make(scene, user)
    headers = scene.as_user(user)
    [key] = scene.client.get("/api/v1/keys", headers=headers).json()["items"]
    path = f"/api/v1/keys/{key['id']}/rotate"
    scene.client.post(path, json={"grace_seconds": grace}, headers=headers)
    replies = [report(scene, entry(secret)) for _ in range(2)]

    assert [reply.json()[0]["label"] for reply in replies] == ["true_positive"] * 2
    scene.settle()
    assert_published(scene.bus, ApiKeyLeakedEvent, times=1)
    assert_published(scene.bus, ApiKeyRevokedEvent, times=1)


@pytest.mark.parametrize(
    "url", ["https://", "http:// x", "x" * 2048, "ftp://x", "", "https://a\0"]
)
def test_where_it_was_found_may_be_anything(scene: Scene, url: str) -> None:
    """What is no web address is not told, and takes nothing else back."""
    user = uuid4()
    first, second = make(scene, user), make(scene, user)
    reply = report(scene, entry(first), {**entry(second), "url": url})

    assert [each["label"] for each in reply.json()] == ["true_positive"] * 2
    assert {status(scene, secret) for secret in (first, second)} == {401}
    scene.settle()
    told = assert_published(scene.bus, ApiKeyLeakedEvent, times=2)
    places = {event.payload.found_url for event in told}
    assert places == {None, "https://example.com/repository/file"}


def test_an_unsigned_report_is_refused(scene: Scene) -> None:
    """Anybody could switch keys off with it."""
    secret = make(scene, uuid4())
    signed_elsewhere = report(scene, entry(secret), key_id="stranger")
    body = json.dumps([entry(secret)])
    headers = {
        "Github-Public-Key-Identifier": "scanner",
        "Github-Public-Key-Signature": "bm90IG9uZQ==",
    }
    forged = scene.client.post(PATH, content=body, headers=headers)

    assert signed_elsewhere == is_problem(status=401)
    assert forged == is_problem(status=401)
    assert status(scene, secret) == 200
    scene.settle()
    assert_nothing_published(scene.bus, ApiKeyLeakedEvent)


@pytest.mark.parametrize("entries", [[], [{"token": "x"}], ["x"], MANY])
def test_a_report_of_another_form_is_refused(scene: Scene, entries: list[Any]) -> None:
    """Signed or not."""
    assert report(scene, *entries) == is_problem(status=422)


@pytest.mark.parametrize("pem", ["", "no key", PEM.replace("A", "B", 9)])
def test_a_reporter_without_a_key_stops_the_start(tmp_path: Path, pem: str) -> None:
    """And the message has the reporter's name."""
    reporters = json.dumps({"scanner": pem})

    with (
        pytest.raises(ValueError, match="'scanner' must be PEM"),
        running(f"sqlite:///{tmp_path}/test.db", LEAK_REPORTERS=reporters),
    ):
        pass

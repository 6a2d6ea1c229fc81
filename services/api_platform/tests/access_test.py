"""Who is let in, by what a request brings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from services.api_platform.tests.scene import Scene, running
from shared.auth import create_access_token
from shared.testing import captured_logs, is_problem

PROBE = "/probe"  # for a key alone
EITHER = "/api/v1/webhooks"  # for a key, or a user


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """The service, started."""
    with running(f"sqlite:///{tmp_path}/test.db") as scene:
        yield scene


@pytest.fixture
def key(scene: Scene) -> dict[str, Any]:
    """A key that may do everything."""
    headers = scene.as_user()
    made: dict[str, Any] = scene.client.post(
        "/api/v1/keys", json={"name": "Shop"}, headers=headers
    ).json()
    return made


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_is_read_in_any_case(
    scene: Scene, key: dict[str, Any], scheme: str
) -> None:
    """As RFC 9110 has it."""
    headers = {"Authorization": f"{scheme} {key['secret']}"}

    assert scene.client.get(PROBE, headers=headers).status_code == 200


@pytest.mark.parametrize("path", [PROBE, EITHER])
def test_of_two_credentials_none_counts(
    scene: Scene, key: dict[str, Any], path: str
) -> None:
    """A proxy may have looked at the other one."""
    good = ("Authorization", f"Bearer {key['secret']}")
    other = ("Authorization", "Bearer cfk_live_other")

    for headers in ([good, other], [other, good], [good, good]):
        reply = scene.client.get(path, headers=headers)
        assert reply == is_problem(status=401)


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "Basic x", "cfk_live_x"])
@pytest.mark.parametrize("path", [PROBE, EITHER])
def test_what_is_no_credential_is_401(scene: Scene, path: str, value: str) -> None:
    """With the challenge that says what is."""
    reply = scene.client.get(path, headers={"Authorization": value})

    assert reply == is_problem(status=401)
    assert reply.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_users_token_is_no_key(scene: Scene) -> None:
    """Where a key is needed, nothing else will do."""
    reply = scene.client.get(PROBE, headers=scene.as_user())

    assert reply == is_problem(status=401, code="authentication_failed")


def test_either_lets_both_in(scene: Scene, key: dict[str, Any]) -> None:
    """A key of the user sees what the user sees."""
    both = ({"Authorization": f"Bearer {key['secret']}"}, scene.as_user())

    assert [scene.client.get(EITHER, headers=each).status_code for each in both] == [
        200,
        200,
    ]


def test_a_token_of_no_user_is_401(scene: Scene) -> None:
    """A service has a token too, and is no user."""
    token = create_access_token(
        "some-service", keys=scene.keys, policy=scene.service.policy
    )
    for path in ("/api/v1/keys", EITHER):
        reply = scene.client.get(path, headers={"Authorization": f"Bearer {token}"})
        assert reply == is_problem(status=401)
        assert "invalid_token" in reply.headers["WWW-Authenticate"]


def test_a_key_does_not_stand_in_an_answer_or_a_log(
    scene: Scene, key: dict[str, Any]
) -> None:
    """Neither one that opens nor one that nearly does."""
    wrong = key["secret"][:-1] + ("A" if key["secret"][-1] != "A" else "B")
    with captured_logs() as logs:
        for secret in (wrong, key["secret"]):
            headers = {"Authorization": f"Bearer {secret}"}
            reply = scene.client.get(PROBE, headers=headers)
            assert secret not in reply.text
        scene.client.delete(f"/api/v1/keys/{key['id']}", headers=scene.as_user())

    told = "\n".join(logs.messages)
    assert key["secret"].rpartition("_")[2] not in told
    assert wrong.rpartition("_")[2] not in told


def test_a_refused_key_is_a_security_event(scene: Scene) -> None:
    """With where it came from, for who looks for attacks."""
    headers = {"Authorization": f"Bearer cfk_live_{uuid4().hex}"}
    with captured_logs() as logs:
        scene.client.get(PROBE, headers=headers)

    assert any("key" in message for message in logs.messages)

"""Switches: moved by admins, seen everywhere, never half understood."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from services.api_platform.tests.scene import Scene, running
from shared.testing import is_problem

PATH = "/api/v1/admin/toggles"
CANARY = f"{PATH}/enableCanaryDeploymentsForWebhooks"


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """The service, started."""
    with running(f"sqlite:///{tmp_path}/test.db") as scene:
        yield scene


def test_all_switches_are_off_at_first(scene: Scene) -> None:
    """With what they would do."""
    admin = scene.as_user(uuid4(), "admin")
    shown = {
        each["name"]: each for each in scene.client.get(PATH, headers=admin).json()
    }

    assert sorted(shown) == [
        "enableCanaryDeploymentsForWebhooks",
        "enableVerboseApiLogging",
        "enableVolumeDiscounts",
    ]
    assert {each["enabled"] for each in shown.values()} == {False}
    assert shown["enableVolumeDiscounts"]["settings"]["table"][0] == {
        "from_units": 1000,
        "percent": 5,
    }


def test_an_admin_moves_one_and_it_stays(scene: Scene) -> None:
    """What is left out has its default."""
    admin = scene.as_user(uuid4(), "admin")
    body = {"enabled": True, "settings": {"share": 0.5}}
    moved = scene.client.put(CANARY, json=body, headers=admin)

    assert moved.status_code == 200
    assert moved.json()["settings"] == {"share": 0.5, "timeout_seconds": 10.0}
    [shown] = [
        each
        for each in scene.client.get(PATH, headers=admin).json()
        if each["name"] in CANARY
    ]
    assert shown == moved.json()


@pytest.mark.parametrize(
    ("settings", "pointer"),
    [
        ({"share": 1.5}, "/settings/share"),
        ({"share": "much"}, "/settings/share"),
        ({"sahre": 0.5}, "/settings/sahre"),
    ],
)
def test_wrong_settings_are_pointed_at(
    scene: Scene, settings: dict[str, object], pointer: str
) -> None:
    """And the switch stays where it was."""
    admin = scene.as_user(uuid4(), "admin")
    body = {"enabled": True, "settings": settings}
    reply = scene.client.put(CANARY, json=body, headers=admin)

    assert reply == is_problem(status=422)
    assert [error["pointer"] for error in reply.json()["errors"]] == [pointer]
    listed = scene.client.get(PATH, headers=admin).json()
    assert {each["enabled"] for each in listed} == {False}


def test_others_move_nothing(scene: Scene) -> None:
    """Nor do they see how the switches stand."""
    user = scene.as_user()

    assert scene.client.put(CANARY, json={"enabled": True}, headers=user) == is_problem(
        status=403
    )
    assert scene.client.get(PATH, headers=user) == is_problem(status=403)
    assert scene.client.get(PATH) == is_problem(status=401)


def test_there_are_no_others(scene: Scene) -> None:
    """A misspelt name moves nothing."""
    admin = scene.as_user(uuid4(), "admin")
    reply = scene.client.put(f"{PATH}/enableX", json={"enabled": True}, headers=admin)

    assert reply == is_problem(status=422)

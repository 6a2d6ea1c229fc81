"""Switches: moved by admins, seen everywhere, never half understood."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from services.api_platform._migrate import migrate
from services.api_platform._settings import NAME
from services.api_platform.tests.scene import Scene, running
from services.api_platform.toggles import CANARY as CANARY_NAME
from services.api_platform.toggles import FeatureToggles
from shared.config import DatabaseConfig
from shared.database import Database
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


def test_an_unknown_member_moves_nothing(scene: Scene) -> None:
    """It is one that was misspelt: its default would hold instead."""
    admin = scene.as_user(uuid4(), "admin")
    body = {"enabled": True, "setting": {"share": 0.01}}
    reply = scene.client.put(CANARY, json=body, headers=admin)

    assert reply == is_problem(status=422)
    assert [error["pointer"] for error in reply.json()["errors"]] == ["/setting"]
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


class SlowReads(Database):
    """A database whose reads wait, with what they have read, until they may go on."""

    def __init__(self, url: str) -> None:
        config = DatabaseConfig.model_validate({"url": url})
        super().__init__(config, service_name=NAME)
        self.has_read = asyncio.Event()
        self.go_on = asyncio.Event()

    @asynccontextmanager
    async def session(
        self, *, read_only: bool = False, isolation_level: object = None
    ) -> AsyncIterator[AsyncSession]:
        """A session; see above."""
        async with super().session(read_only=read_only) as session:
            yield session
        if read_only:
            self.has_read.set()
            await self.go_on.wait()


@pytest.fixture
async def slow(tmp_path: Path) -> AsyncIterator[SlowReads]:
    """A migrated database that is slow to answer."""
    database = SlowReads(f"sqlite:///{tmp_path}/slow.db")
    migrate(DatabaseConfig.model_validate({"url": f"sqlite:///{tmp_path}/slow.db"}))
    yield database
    await database.dispose()


async def test_a_read_under_way_does_not_undo_a_move(slow: SlowReads) -> None:
    """It has seen the switch as it was, which is not to be remembered."""
    toggles = FeatureToggles(slow, clock=lambda: 0.0)
    reading = asyncio.create_task(toggles.all())
    await slow.has_read.wait()
    await toggles.set(CANARY_NAME, enabled=True, settings={})
    during = (await toggles.all())[CANARY_NAME]
    slow.go_on.set()
    found = (await reading)[CANARY_NAME]
    later = (await toggles.all())[CANARY_NAME]

    assert [each.enabled for each in (during, found, later)] == [True] * 3

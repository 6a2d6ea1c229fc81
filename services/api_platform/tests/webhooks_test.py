"""Webhooks on SQLite, and what is offered to them."""

from __future__ import annotations

import shutil
import typing
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from services.api_platform._migrate import migrate
from services.api_platform.tests.scene import running
from services.api_platform.tests.webhooks_contract import WebhooksContract
from services.api_platform.webhooks import OFFERED, PING
from shared.config import DatabaseConfig
from shared.events import PLATFORM_EVENTS, BaseEvent, EventType


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database that has its tables."""
    file = tmp_path_factory.mktemp("migrated") / "test.db"
    migrate(DatabaseConfig.model_validate({"url": f"sqlite:///{file}"}))
    return file


class TestWebhooks(WebhooksContract):
    @pytest.fixture
    def url(self, tmp_path: Path, migrated: Path) -> str:
        """A copy of it: migrating takes longer than a test."""
        return f"sqlite:///{shutil.copy(migrated, tmp_path)}"


def test_what_webhooks_get_is_documented(tmp_path: Path) -> None:
    """Beside the operations, in the member that OpenAPI has for it."""
    with running(f"sqlite:///{tmp_path}/test.db") as scene:
        document = scene.client.get("/openapi.json").json()

    delivery = document["webhooks"]["delivery"]["post"]
    headers = [parameter["name"] for parameter in delivery["parameters"]]
    assert headers == ["webhook-id", "webhook-timestamp", "webhook-signature"]
    body = document["components"]["schemas"]["WebhookDelivery"]
    assert set(body["discriminator"]["mapping"]) == {*OFFERED, PING}


def parts_of(kind: Any) -> set[Any]:
    """All types that a value of *kind* is made of."""
    found = {kind} if isinstance(kind, type) else set()
    inside = list(typing.get_args(kind))
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        inside += [field.annotation for field in kind.model_fields.values()]
    for each in inside:
        found |= parts_of(each)
    return found


def payload_of(event_type: str) -> type[BaseModel]:
    """What an event of the platform says."""
    cls: type[BaseEvent[Any]] | None = PLATFORM_EVENTS.find(event_type)
    assert cls is not None
    payload = cls.model_fields["payload"].annotation
    assert isinstance(payload, type)
    assert issubclass(payload, BaseModel)
    return payload


def test_a_secret_is_found() -> None:
    """The test below looks where secrets are."""
    assert SecretStr in parts_of(payload_of("user.registered"))


@pytest.mark.parametrize("event_type", OFFERED)
def test_what_is_offered_is_a_users_own_and_no_secret(event_type: str) -> None:
    """A webhook's body leaves the platform, for whoever its owner named."""
    payload = payload_of(event_type)

    assert event_type in set(EventType)
    assert SecretStr not in parts_of(payload)
    assert {"user_id", "owner_id"} & payload.model_fields.keys()

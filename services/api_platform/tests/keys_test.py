"""Keys on SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from services.api_platform.tests.keys_contract import PATH, Clock, KeysContract
from services.api_platform.tests.scene import Scene, running
from shared.testing import captured_logs


class TestKeys(KeysContract):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        """An empty database in a file."""
        return f"sqlite:///{tmp_path}/test.db"

    def test_a_key_that_can_not_be_hashed_anew_opens(
        self, url: str, clock: Clock, tmp_path: Path, old: tuple[str, str]
    ) -> None:
        """It is good, whether or not the database takes writes at the moment."""
        with (
            running(url, now=clock, transport=None, **self.variables) as scene,
            refusing(tmp_path, "UPDATE OF secret_hash ON api_clients"),
            captured_logs("api_platform.keys") as logs,
        ):
            assert self.status(scene, old[0]) == 200

        assert any("old pepper" in message for message in logs.messages)

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("POST", PATH, {"name": "x"}),
            ("POST", f"{PATH}/{{}}/rotate", {}),
            ("DELETE", f"{PATH}/{{}}", None),
        ],
    )
    def test_what_was_not_committed_is_not_in_the_audit_log(
        self,
        scene: Scene,
        tmp_path: Path,
        method: str,
        path: str,
        body: dict[str, str] | None,
    ) -> None:
        """It did not happen; what is tried again and does is there once."""
        user = uuid4()
        place = path.format(self.make(scene, user)["id"])
        headers = scene.as_user(user)

        def call() -> int:
            reply = scene.client.request(method, place, json=body, headers=headers)
            return reply.status_code

        with (
            refusing(tmp_path, "INSERT ON outbox"),
            captured_logs("shared.security") as broken,
        ):
            assert call() >= 400
        with captured_logs("shared.security") as done:
            assert call() < 300
        assert (len(broken.messages), len(done.messages)) == (0, 1)

    def test_the_end_of_a_user_is_in_the_audit_log(self, scene: Scene) -> None:
        """Each key that is revoked for it, once."""
        user = uuid4()
        made = [self.make(scene, user) for _ in range(2)]
        with captured_logs("shared.security") as logs:
            self.delete_user(scene, user)

        told = {(each["event"], each["target"]) for each in logs}
        assert told == {("key_revoked", each["api_key"]) for each in made}


@contextmanager
def refusing(folder: Path, what: str) -> Iterator[None]:
    """The database refuses such a statement meanwhile."""

    def execute(statement: str) -> None:
        with closing(sqlite3.connect(folder / "test.db")) as connection:
            connection.execute(statement)
            connection.commit()

    execute(
        f"CREATE TRIGGER refusing BEFORE {what} BEGIN SELECT RAISE(ABORT, 'no'); END"
    )
    try:
        yield
    finally:
        execute("DROP TRIGGER refusing")

"""Verbose access lines: more on each while they are on, and never a secret."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.api_platform.tests.behind import switch
from services.api_platform.tests.scene import Scene, running
from services.api_platform.toggles import VERBOSE
from services.api_platform.verbose import ACCESS_LOG
from shared.testing import captured_logs

SECRETS = {
    "Authorization": "Bearer cfk_live_SECRET",
    "Cookie": "session=SECRET",
    "Idempotency-Key": "SECRET",
    "X-Api-Key": "SECRET",
    "X-Whatever": "SECRET",
}
MORE = {"request_headers", "response_headers", "request_bytes", "response_bytes"}


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """The service, started."""
    with running(f"sqlite:///{tmp_path}/test.db") as scene:
        yield scene


def line_of(scene: Scene, path: str, **request: Any) -> dict[str, Any]:
    """The access line of a request."""
    with captured_logs(ACCESS_LOG) as lines:
        scene.client.request(request.pop("method", "GET"), path, **request)
    [line] = lines
    return line


def test_headers_and_sizes_are_on_the_line(scene: Scene) -> None:
    """As they were sent and answered."""
    switch(scene, VERBOSE, on=True)
    body = json.dumps({"name": "Shop"}).encode()
    headers = {**scene.as_user(), "Content-Type": "application/json"}
    line = line_of(scene, "/api/v1/keys", method="POST", content=body, headers=headers)

    assert line["status"] == 201
    assert line["request_bytes"] == len(body)
    sent = line["response_headers"]
    assert line["response_bytes"] == int(sent["content-length"]) > 0
    assert line["request_headers"]["content-type"] == "application/json"
    assert line["request_headers"]["authorization"] == "[REDACTED]"
    assert sent["location"] == "[REDACTED]"


def test_no_secret_is_on_the_line(scene: Scene) -> None:
    """Whatever a client calls it: unknown fields have their names only."""
    switch(scene, VERBOSE, on=True)
    line = line_of(scene, "/api/v1/keys", headers=SECRETS)

    assert line["status"] == 401
    assert "SECRET" not in json.dumps(line)
    assert {name.lower() for name in SECRETS} <= line["request_headers"].keys()


def test_a_switch_that_is_off_adds_nothing(scene: Scene) -> None:
    """Before it was moved, and after it was moved back."""
    before = line_of(scene, "/api/v1/keys")
    switch(scene, VERBOSE, on=True)
    on = line_of(scene, "/api/v1/keys")
    switch(scene, VERBOSE, on=False)
    after = line_of(scene, "/api/v1/keys")

    assert MORE & before.keys() == MORE & after.keys() == set()
    assert on.keys() >= MORE


def test_probes_have_no_details(scene: Scene) -> None:
    """They must not wait for the database that has the switches."""
    switch(scene, VERBOSE, on=True)
    line = line_of(scene, "/nowhere")

    assert MORE & line.keys() == set()

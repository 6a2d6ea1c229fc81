"""The README: its session works when pasted, and its table is that of the settings."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

from services.api_platform._settings import Settings
from services.api_platform.tests.command import listening, run
from shared.config import render_markdown

README = Path("services/api_platform/README.md")


def test_the_readme_has_every_setting() -> None:
    """Its table is what the settings render.

    If it differs: put the output of `./bazelw run //shared/config:explain --
    api-platform --model services.api_platform._settings:Settings --format markdown`
    in its place.
    """
    assert render_markdown(Settings) in README.read_text("utf-8")


def pasted(block: str, **variables: str) -> str:
    """What a shell says to it."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_session_works_when_pasted(tmp_path: Path) -> None:
    """From a key to a webhook that is verified, replayed, and a key that is dead."""
    text = README.read_text("utf-8")
    certify, session = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    hooks = tmp_path / "hooks"
    variables = {
        "WEBHOOK_CA_FILE": str(hooks / "hooks.crt"),
        "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
        "STANDIN_SECONDS": "0.5",
    }
    pasted(certify, HOOKS=str(hooks))
    with listening(tmp_path, **variables) as server:
        _, token = run(tmp_path, "token")
        said = pasted(session, API=server.url, TOKEN=token.strip(), HOOKS=str(hooks))

    *replies, status = said.splitlines()
    first, again, webhook, job, replay, usage, revoked = map(json.loads, replies)
    assert first == again
    assert webhook["type"] == "generation.completed"
    assert webhook["data"]["generation_id"] == first["job_id"] == job["id"]
    assert job["status"] == "Completed"
    assert replay == {"replayed": 1, "next_cursor": None}
    assert usage["items"][0]["committed_calls"] == 1
    assert (revoked["is_active"], status) == (False, "401")
    assert len((hooks / "verified").read_text().splitlines()) == 2
    assert not (hooks / "refused").exists()

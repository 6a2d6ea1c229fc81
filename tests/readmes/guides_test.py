"""The service in the guide to messaging does what the guide says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

# What a user of the service in docs/messaging.md would see.
_REGISTERED = """
import time

from sqlalchemy import func, select
from starlette.testclient import TestClient

config = DatabaseConfig(url="sqlite:///./accounts.db")
database = Database(config, service_name="accounts")
Base.metadata.create_all(database.sync_engine)
service = bootstrap(ServiceConfig(service_name="accounts"), database)


def greetings() -> int:
    with database.sync_session(read_only=True) as session:
        return session.scalar(select(func.count()).select_from(Greeting))


with TestClient(service.app) as client:
    reply = client.post("/accounts", params={"email": "ada@example.com"})
    assert reply.status_code == 200, reply.text
    until = time.monotonic() + 60
    while not greetings() and time.monotonic() < until:
        time.sleep(0.01)

assert greetings() == 1
"""


def test_the_service_of_the_guide_to_messaging_greets(tmp_path: Path) -> None:
    """From the request through outbox, bus and inbox to the handler's own row."""
    guide = Path("docs/messaging.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "\n".join([*blocks, _REGISTERED])],
        env={"PYTHONPATH": ":".join(str(Path(entry).absolute()) for entry in sys.path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr

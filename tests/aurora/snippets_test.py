"""The Python of the Aurora page as printed, each snippet in its own interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shared.testing.fake_service import FakeService

# By the page's headings. The names that a snippet takes from its reader stand in GIVEN.
SNIPPETS = {
    "base application": """\
from shared.base_app import create_service
from shared.config import get_config

config = get_config("my-service")
service = create_service("my-service", config)
app = service.app
""",
    "configuration": """\
from shared.config import get_config

config = get_config("subject-service")
print(config.database.connection_string)
""",
    "database": """\
from shared.database import get_db_session, BaseRepository

# Sync usage
with get_db_session("subject-service") as db:
    # Use database session
    pass

# Repository pattern
class SubjectRepository(BaseRepository):
    def __init__(self, session):
        super().__init__(session, Subject)
""",
    "error handling": """\
from shared.errors import NotFoundError, ValidationError

# Raise custom exceptions
raise NotFoundError("Subject", "123")
raise ValidationError("Invalid input", details=[...])
""",
    "events": """\
from shared.events import create_subject_created_event, EventType

event = create_subject_created_event(
    subject_id="123",
    subject_data={"name": "Math"},
    correlation_id="abc-123"
)
""",
    "http client": """\
from shared.http_client import ServiceClient

async with ServiceClient("subject-service", "http://localhost:8002") as client:
    subjects = await client.get("/api/v1/subjects")
""",
    "logging": """\
from shared.logging import setup_logging, log_event

logger = setup_logging("my-service", level="INFO")
logger.info("Service started")

log_event(logger, "user_created", {"user_id": 123}, "correlation-123")
""",
    "utilities": """\
from shared.utils import generate_uuid, sanitize_filename, CircuitBreaker

id = generate_uuid()
safe_name = sanitize_filename("my file.pdf")

breaker = CircuitBreaker()
result = breaker.call(some_function, arg1, arg2)
""",
    "development setup": """\
from shared.base_app import create_service
from shared.config import get_config
from shared.database import get_db_dependency
""",
}

GIVEN = {
    "utilities": """\
def some_function(*arguments):
    return arguments

arg1, arg2 = "one", "two"
""",
}

# What a reader would look at next.
SHOWN = {
    "base application": 'print(app.title, "/health" in app.openapi()["paths"])',
    "database": "print(SubjectRepository.__mro__[1] is BaseRepository)",
    "events": "print(event.event_type == EventType.SUBJECT_CREATED, event.payload)",
    "utilities": "print(len(str(id)), safe_name, result)",
    "development setup": 'print(callable(get_db_dependency("my-service")))',
}

LAST_LINE = {
    "base application": "My Service True",
    "configuration": "sqlite:///./subject-service.db",
    "database": "True",
    "utilities": "36 my_file.pdf ('one', 'two')",
    "development setup": "True",
}


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run *code* in *folder*, in an environment without settings."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=folder,
        env={"PYTHONPATH": ":".join(map(os.path.abspath, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )


# These need more than an interpreter; their tests are below.
APART = {"error handling", "http client"}


@pytest.mark.parametrize("name", [n for n in SNIPPETS if n not in APART])
def test_the_snippet_runs(name: str, tmp_path: Path) -> None:
    """As printed, with warnings as errors, and with nothing in the environment."""
    parts = (GIVEN.get(name, ""), SNIPPETS[name], SHOWN.get(name, ""))
    done = run("\n".join(parts), tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip().endswith(LAST_LINE.get(name, ""))
    # Of a service without settings: its database.
    left = {path.name for path in tmp_path.iterdir()}
    assert left <= {"subject-service.db", "my-service.db"}


@pytest.mark.parametrize(
    ("without", "error"),
    [
        ("", "NotFoundError"),
        ('raise NotFoundError("Subject", "123")\n', "ValidationError"),
    ],
)
def test_the_errors_are_raised(without: str, error: str, tmp_path: Path) -> None:
    """The snippet ends with its first error, and without that line with the second."""
    done = run(SNIPPETS["error handling"].replace(without, "", 1), tmp_path)

    assert done.returncode == 1
    assert error in done.stderr.splitlines()[-1]


def test_log_lines_have_the_callers_ids(tmp_path: Path) -> None:
    """Both lines are JSON of the service, and the event has its correlation id."""
    done = run(SNIPPETS["logging"], tmp_path)

    started, created = done.stdout.splitlines()
    assert '"service":"my-service"' in started.replace('": "', '":"')
    assert all(word in created for word in ("user_created", "correlation-123", "123"))


# ``python -m asyncio`` takes ``async with`` outside of a function, and does it so.
TOP_LEVEL_AWAIT = """\
import ast, asyncio

code = compile({code!r}, "snippet", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
asyncio.run(eval(code))
"""


def test_another_service_is_called(tmp_path: Path) -> None:
    """As printed, save that no test can have port 8002 for itself."""
    with FakeService() as fake:
        fake.on("GET", "/api/v1/subjects").reply(json=[{"name": "Math"}])
        snippet = SNIPPETS["http client"].replace("http://localhost:8002", fake.url)
        code = TOP_LEVEL_AWAIT.format(code=f"{snippet}\nprint(subjects)\n")
        done = run(code, tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "[{'name': 'Math'}]\n"
    (request,) = fake.requests
    assert request.correlation_id

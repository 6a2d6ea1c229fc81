"""A throw-away database, and a server that is not there."""

import os
from pathlib import Path

import pytest

from shared.testing.databases import sqlite_database
from shared.testing.servers import redis_url

with sqlite_database() as url:
    folder = Path(url.removeprefix("sqlite:///")).parent
    assert folder.exists()
assert not folder.exists()

os.environ.pop("CI", None)
os.environ["TEST_REDIS_URL"] = "redis://127.0.0.1:1/0"
try:
    redis_url()
except pytest.skip.Exception as skipped:
    reason = str(skipped)
else:
    reason = ""
assert reason.startswith("No Redis (TEST_REDIS_URL)")

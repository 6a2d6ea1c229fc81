"""A throw-away database, a server that is not there, and a suite that is passed."""

import importlib
import os
import tempfile
from pathlib import Path

import pytest

from shared.testing.databases import sqlite_database
from shared.testing.servers import redis_url

# What somebody writes whose cache is to be as good as ours.
PROGRAM = """
import pytest
from shared.cache import InMemoryCache
from shared.testing import FakeClock
from shared.testing.cache_contract import CacheBackend, CacheContract


class TestTheirs(CacheContract):
    @pytest.fixture
    def backend(self) -> CacheBackend:
        clock = FakeClock()
        events = []

        async def elapse(seconds: float) -> None:
            clock.advance(seconds)

        cache = InMemoryCache(clock=clock.monotonic, on_event=events.append)
        return CacheBackend(cache, elapse, events)
"""

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

for seam in ("cache", "database", "rate_limit"):
    suites = vars(importlib.import_module(f"shared.testing.{seam}_contract"))
    assert [name for name in suites if name.endswith("Contract")]

with tempfile.TemporaryDirectory() as here:
    test = Path(here) / "theirs_test.py"
    test.write_text(PROGRAM)
    settings = ["asyncio_mode=auto", "asyncio_default_fixture_loop_scope=function"]
    options = [word for setting in settings for word in ("-o", setting)]
    options += ["-q", "-p", "no:cacheprovider", f"--rootdir={here}"]
    assert pytest.main([*options, str(test)]) == 0

"""A backend of somebody else passes the suite of its seam."""

import sys
import tempfile
from pathlib import Path

import pytest

from shared.testing.database_contract import DatabaseContract
from shared.testing.rate_limit_contract import RateLimiterContract

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

assert [name for name in dir(DatabaseContract) if name.startswith("test_")]
assert [name for name in dir(RateLimiterContract) if name.startswith("test_")]

with tempfile.TemporaryDirectory() as folder:
    test = Path(folder) / "theirs_test.py"
    test.write_text(PROGRAM)
    settings = ["asyncio_mode=auto", "asyncio_default_fixture_loop_scope=function"]
    options = [word for setting in settings for word in ("-o", setting)]
    options += ["-q", "-p", "no:cacheprovider", f"--rootdir={folder}"]
    code = pytest.main([*options, str(test)])
sys.exit(code)

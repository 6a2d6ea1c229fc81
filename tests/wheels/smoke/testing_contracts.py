"""The suites run outside the repository, on a backend of the reader's."""

import contextlib
import tempfile
from pathlib import Path

import pytest

from shared.testing.database_contract import DatabaseContract

PROGRAM = """
import pytest

from shared.cache import InMemoryCache
from shared.rate_limit import InMemoryRateLimiter
from shared.testing import FakeClock
from shared.testing.cache_contract import CacheBackend, CacheContract
from shared.testing.rate_limit_contract import RateLimiterBackend, RateLimiterContract


class TestCache(CacheContract):
    @pytest.fixture
    def backend(self):
        clock, events = FakeClock(), []

        async def elapse(seconds):
            clock.advance(seconds)

        cache = InMemoryCache(clock=clock.monotonic, on_event=events.append)
        return CacheBackend(cache, elapse, events)


class TestRateLimiter(RateLimiterContract):
    @pytest.fixture
    def backend(self):
        clock = FakeClock()
        return RateLimiterBackend(InMemoryRateLimiter(clock=clock.monotonic), clock)
"""

assert DatabaseContract.__doc__
with tempfile.TemporaryDirectory() as folder:
    file = Path(folder, "contracts_test.py")
    file.write_text(PROGRAM)
    settings = ["asyncio_mode=auto", "asyncio_default_fixture_loop_scope=function"]
    options = [part for setting in settings for part in ("-o", setting)]
    with contextlib.chdir(folder):  # where hypothesis leaves its examples
        assert pytest.main(["-q", "-p", "no:cacheprovider", *options, str(file)]) == 0

"""A small async cache: TTL, single-flight fill, and values that are bytes.

`shared.cache.redis` shares it between processes.
"""

from shared.cache._cache import Cache
from shared.cache._codec import BYTES, JSON, Codec
from shared.cache._errors import CacheUnavailableException
from shared.cache._events import CacheEvent
from shared.cache._memory import InMemoryCache

__all__ = [
    "BYTES",
    "JSON",
    "Cache",
    "CacheEvent",
    "CacheUnavailableException",
    "Codec",
    "InMemoryCache",
]

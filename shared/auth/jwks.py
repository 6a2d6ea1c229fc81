"""Keys that an issuer publishes, kept fresh in the background.

::

    keys = JWKSClient("https://issuer.example/jwks.json", fetch=http.get)
    configure_auth(app, keys=keys, policy=TokenPolicy(issuer=..., audience=...))

``http.get`` of httpx fits as it is. The life of a fetched set::

    fetched ---------- refreshed ahead ----------- expired ----------------- dead
      | served at once   | served, one fetch in     | waits for one fetch;     | 503
      |                  | the background           | if that fails, served    |
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol
from urllib.parse import urlsplit

from shared.auth._jwk import KeySetError, NoUsableKeyError
from shared.auth._keyring import KeyRing
from shared.auth._strict import load_object
from shared.errors import ServiceUnavailableException

__all__ = ["Fetch", "FetchedDocument", "JWKSClient"]

_log = logging.getLogger(__name__)

_REFRESH_AHEAD = 0.75  # of the lifetime
_MAX_AGE = re.compile(r'(?:^|[,\s])max-age\s*=\s*"?([0-9]{1,9})', re.IGNORECASE)
_DO_NOT_KEEP = re.compile(r"(?:^|[,\s])no-(?:store|cache)\b", re.IGNORECASE)


class FetchedDocument(Protocol):
    """What ``fetch`` returns: an ``httpx.Response`` is one."""

    @property
    def status_code(self) -> int:
        """The HTTP status. Only 200 is read, so redirects are fetch's to follow."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers; of them ``Cache-Control`` counts, in any case."""
        ...

    @property
    def content(self) -> bytes:
        """The body, decompressed."""
        ...


Fetch = Callable[[str], Awaitable[FetchedDocument]]


@dataclass(frozen=True, slots=True)
class _Held:
    """A key set with the moments, on the client's clock, that end its phases."""

    ring: KeyRing
    content: bytes
    refresh_at: float
    expires_at: float
    dead_at: float


class _UnusableReplyError(Exception):
    """The issuer answered, but not with a key set. The message is ours."""


class JWKSClient:
    """The keys of one issuer: a ``KeySource``.

    At most one fetch runs at a time, whoever asks and whoever gives up waiting. A key
    that is gone from a fetched set is gone here; nothing else is cached. Keys for other
    purposes are skipped; a set with a weak, malformed or private key is a failure as a
    timeout is: logged, and the last good set stays until it is dead.

    Args:
        url: Where the set is; ``https://``.
        fetch: Gets it. It should have its own limits of size and time; those below
            hold even if it has not.
        assume_rsa_alg: As in ``KeyRing.from_jwks``.
        lifetime: How long a set is good when the reply's ``Cache-Control`` is silent.
        min_lifetime: The least, whatever the reply says.
        max_lifetime: The most, whatever the reply says.
        max_stale: How long an expired set is served on while the issuer is down.
        cooldown: The least time between a fetch and one for an unknown ``kid``, so
            that forged tokens can't make this service flood the issuer.
        retry_interval: The least time between a failed fetch and the next.
        timeout: How long one fetch may take.
        max_bytes: How large the set may be.
        clock: Seconds that only grow.
        allow_plain_http: Accept ``http://``; whoever is on the way can then sign in as
            anybody.

    Raises:
        ValueError: The URL is not allowed, or a duration makes no sense.
    """

    def __init__(
        self,
        url: str,
        *,
        fetch: Fetch,
        assume_rsa_alg: str | None = None,
        lifetime: timedelta = timedelta(minutes=10),
        min_lifetime: timedelta = timedelta(minutes=1),
        max_lifetime: timedelta = timedelta(hours=1),
        max_stale: timedelta = timedelta(hours=1),
        cooldown: timedelta = timedelta(seconds=30),
        retry_interval: timedelta = timedelta(seconds=5),
        timeout: timedelta = timedelta(seconds=10),
        max_bytes: int = 256 * 1024,
        clock: Callable[[], float] = time.monotonic,
        allow_plain_http: bool = False,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("https", *(("http",) if allow_plain_http else ())):
            raise ValueError("The URL of a key set must start with https://.")
        if not parts.hostname:
            raise ValueError("The URL of a key set must name a host.")
        if not timedelta() < min_lifetime <= lifetime <= max_lifetime:
            raise ValueError("Must be: 0 < min_lifetime <= lifetime <= max_lifetime.")
        if min(max_stale, cooldown, retry_interval) < timedelta():
            raise ValueError("A duration must not be negative.")
        if timeout <= timedelta() or max_bytes <= 0:
            raise ValueError("timeout and max_bytes must be positive.")
        self._url = url
        self._fetch = fetch
        self._assume_rsa_alg = assume_rsa_alg
        self._lifetime = lifetime.total_seconds()
        self._min_lifetime = min_lifetime.total_seconds()
        self._max_lifetime = max_lifetime.total_seconds()
        self._max_stale = max_stale.total_seconds()
        self._cooldown = cooldown.total_seconds()
        self._retry_interval = retry_interval.total_seconds()
        self._timeout = timeout.total_seconds()
        self._max_bytes = max_bytes
        self._clock = clock
        self._held: _Held | None = None
        self._flight: asyncio.Task[None] | None = None
        self._tried_at: float | None = None
        self._failed = False

    async def ring(self, *, unknown_kid: str | None = None) -> KeyRing:
        """Return the keys of this moment, fetched first where needed.

        Args:
            unknown_kid: A token named this key and the last ring lacks it.

        Raises:
            ServiceUnavailableException: There are no keys: the issuer can't be reached,
                or publishes none that can be used.
        """
        now = self._clock()
        held = self._held
        if held is None or now >= held.dead_at:
            if not self._failed or self._rested(now, self._retry_interval):
                await self._landing(now)
        elif unknown_kid is not None:
            if unknown_kid not in held.ring.kids and self._rested(now, self._cooldown):
                await self._landing(now)
        elif now >= held.expires_at and not self._failed:
            await self._landing(now)
        elif now >= held.refresh_at and self._rested(now, self._retry_interval):
            self._take_off(now)
        held = self._held
        if held is None or self._clock() >= held.dead_at:
            raise ServiceUnavailableException(
                "The keys to check tokens with are not available.",
                retry_after=self._retry_interval,
            )
        return held.ring

    async def aclose(self) -> None:
        """End a fetch that is under way. Those who wait for it get what is held."""
        # One that has landed may belong to a loop that has ended.
        if self._flight is not None and not self._flight.done():
            self._flight.cancel()
            await asyncio.wait([self._flight])

    def _rested(self, now: float, interval: float) -> bool:
        """Tell whether a fetch is under way or the last began *interval* ago."""
        return (
            self._tried_at is None
            or now - self._tried_at >= interval
            or (self._flight is not None and not self._flight.done())
        )

    def _take_off(self, now: float) -> asyncio.Task[None]:
        if self._flight is None or self._flight.done():
            self._tried_at = now
            self._flight = asyncio.create_task(self._refresh(now))
        return self._flight

    async def _landing(self, now: float) -> None:
        # wait() neither cancels the flight with its first passenger nor raises what
        # the flight does.
        await asyncio.wait([self._take_off(now)])

    async def _refresh(self, now: float) -> None:
        try:
            async with asyncio.timeout(self._timeout):
                document = await self._fetch(self._url)
            self._held = self._read(document, now)
            self._failed = False
        except NoUsableKeyError:
            # The issuer says so itself: what it withdrew must not live on.
            self._held, self._failed = None, True
            _log.error("no usable key in the key set %s", self._url)
        except Exception as error:
            self._failed = True
            reason = f"{type(error).__name__}: {error}".rstrip(": ")
            _log.warning("could not refresh the key set %s: %s", self._url, reason)

    def _read(self, document: FetchedDocument, now: float) -> _Held:
        if document.status_code != 200:
            raise _UnusableReplyError(f"status {document.status_code}")
        content = document.content
        if len(content) > self._max_bytes:
            raise _UnusableReplyError(f"more than {self._max_bytes} bytes")
        held = self._held
        ring = held.ring if held and held.content == content else self._parse(content)
        lifetime = self._lifetime_of(document.headers)
        return _Held(
            ring,
            content,
            refresh_at=now + _REFRESH_AHEAD * lifetime,
            expires_at=now + lifetime,
            dead_at=now + lifetime + self._max_stale,
        )

    def _parse(self, content: bytes) -> KeyRing:
        jwks = load_object(content)
        entries = jwks.get("keys")
        for entry in entries if isinstance(entries, list) else []:
            if isinstance(entry, dict) and not {"d", "k"}.isdisjoint(entry):
                raise KeySetError("A private key or secret is published.")
        return KeyRing.from_jwks(
            jwks, assume_rsa_alg=self._assume_rsa_alg, skip_foreign_keys=True
        )

    def _lifetime_of(self, headers: Mapping[str, str]) -> float:
        said = ",".join(
            value for name, value in headers.items() if name.lower() == "cache-control"
        )
        if _DO_NOT_KEEP.search(said):
            return self._min_lifetime
        if age := _MAX_AGE.search(said):
            return min(max(int(age[1]), self._min_lifetime), self._max_lifetime)
        return self._lifetime

"""The life of a fetched key set, on a clock that the test turns."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from shared.auth import (
    KeyRing,
    KeySource,
    TokenPolicy,
    authenticate,
    create_access_token,
)
from shared.auth.jwks import JWKSClient
from shared.errors import AuthenticationException, ServiceUnavailableException

MakeJwk = Callable[..., dict[str, object]]

URL = "https://issuer.test/jwks.json"
LIFETIME, AHEAD, STALE, COOLDOWN, RETRY = 600, 450, 3600, 30, 5


@dataclass
class Reply:
    """What an HTTP client would return."""

    content: bytes
    status_code: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class Issuer:
    """An issuer whose replies the test sets and may hold back."""

    def __init__(self) -> None:
        self.reply: Reply | Exception = Reply(b"")
        self.calls: list[str] = []
        self.open = asyncio.Event()
        self.open.set()

    async def fetch(self, url: str) -> Reply:
        self.calls.append(url)
        await self.open.wait()
        if isinstance(self.reply, Exception):
            raise self.reply
        return self.reply

    def publish(self, *keys: dict[str, object], **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.reply = Reply(json.dumps({"keys": keys}).encode(), headers=named)


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Turn this clock."""
    return Clock()


@pytest.fixture
def issuer(public_jwk: MakeJwk) -> Issuer:
    """Publish one key, named a."""
    issuer = Issuer()
    issuer.publish(public_jwk("ES256", kid="a"))
    return issuer


@pytest.fixture
def client(issuer: Issuer, clock: Clock) -> JWKSClient:
    """Read that issuer by that clock."""
    return JWKSClient(URL, fetch=issuer.fetch, clock=clock)


async def settle() -> None:
    """Let everything that is ready run."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_is_a_key_source(client: JWKSClient) -> None:
    """The client stands wherever keys may come from a source."""
    source: KeySource = client

    assert (await source.ring()).kids == ("a",)


async def test_fresh_keys_are_not_fetched_again(
    client: JWKSClient, issuer: Issuer, clock: Clock
) -> None:
    """One fetch serves until it is time to refresh, and the ring is the same."""
    first = await client.ring()
    clock.now += AHEAD - 0.001

    assert await client.ring() is first
    await settle()
    assert issuer.calls == [URL]


async def test_single_flight(client: JWKSClient, issuer: Issuer) -> None:
    """Any number of callers share one fetch."""
    issuer.open.clear()
    waiting = [asyncio.create_task(client.ring()) for _ in range(200)]
    await settle()
    issuer.open.set()
    rings = await asyncio.gather(*waiting)

    assert len(issuer.calls) == 1
    assert len({id(ring) for ring in rings}) == 1


async def test_cancelled_leader_does_not_take_the_others_along(
    client: JWKSClient, issuer: Issuer
) -> None:
    """The first caller may give up; the fetch goes on for those who wait."""
    issuer.open.clear()
    leader = asyncio.create_task(client.ring())
    await settle()
    followers = [asyncio.create_task(client.ring()) for _ in range(3)]
    await settle()
    leader.cancel()
    await settle()
    assert leader.cancelled()
    issuer.open.set()
    rings = await asyncio.gather(*followers)

    assert [ring.kids for ring in rings] == [("a",)] * 3
    assert len(issuer.calls) == 1


async def test_refresh_ahead(
    client: JWKSClient, issuer: Issuer, clock: Clock, public_jwk: MakeJwk
) -> None:
    """Before it expires a set is renewed while callers get the old one at once."""
    old = await client.ring()
    issuer.publish(public_jwk("ES256", kid="b", serial=1))
    issuer.open.clear()
    clock.now += AHEAD
    served = [await client.ring() for _ in range(5)]

    assert all(ring is old for ring in served)
    await settle()
    assert len(issuer.calls) == 2
    issuer.open.set()
    await settle()
    assert (await client.ring()).kids == ("b",)


async def test_expired_keys_are_waited_for(
    client: JWKSClient, issuer: Issuer, clock: Clock, public_jwk: MakeJwk
) -> None:
    """After a quiet night the first token is not checked with yesterday's keys."""
    await client.ring()
    issuer.publish(public_jwk("ES256", kid="b", serial=1))
    clock.now += LIFETIME

    assert (await client.ring()).kids == ("b",)


async def test_withdrawn_key_dies(
    client: JWKSClient,
    issuer: Issuer,
    clock: Clock,
    public_jwk: MakeJwk,
    private_jwk: MakeJwk,
) -> None:
    """A key that is gone from the set is refused from the refresh on."""
    issuer.publish(public_jwk("ES256", kid="a"), public_jwk("ES256", kid="b", serial=1))
    policy = TokenPolicy()
    signer = KeyRing.from_jwks({"keys": [private_jwk("ES256", kid="a")]})
    token = create_access_token("u1", keys=signer, policy=policy)
    assert (await authenticate(token, keys=client, policy=policy)).sub == "u1"

    issuer.publish(public_jwk("ES256", kid="b", serial=1))
    clock.now += LIFETIME
    with pytest.raises(AuthenticationException, match="Invalid token"):
        await authenticate(token, keys=client, policy=policy)


@pytest.mark.parametrize("keys", [[], [{"kty": "OKP", "crv": "Ed25519", "x": "AA"}]])
async def test_set_without_a_usable_key_withdraws_all(
    client: JWKSClient,
    issuer: Issuer,
    clock: Clock,
    keys: list[dict[str, object]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An issuer that says it has no key is believed at once, and it is an error."""
    await client.ring()
    issuer.publish(*keys)
    clock.now += LIFETIME

    with pytest.raises(ServiceUnavailableException, match="not available"):
        await client.ring()
    assert "no usable key in the key set" in caplog.text


async def test_new_key_is_found_at_once(
    client: JWKSClient,
    issuer: Issuer,
    clock: Clock,
    public_jwk: MakeJwk,
    private_jwk: MakeJwk,
) -> None:
    """A token by a key that came after the last fetch is accepted."""
    await client.ring()
    clock.now += COOLDOWN
    issuer.publish(public_jwk("ES256", kid="a"), public_jwk("ES256", kid="b", serial=1))
    policy = TokenPolicy()
    signer = KeyRing.from_jwks({"keys": [private_jwk("ES256", kid="b", serial=1)]})
    token = create_access_token("u1", keys=signer, policy=policy)

    assert (await authenticate(token, keys=client, policy=policy)).sub == "u1"


async def test_forged_kids_make_no_fetch_storm(
    client: JWKSClient, issuer: Issuer, clock: Clock
) -> None:
    """Unknown kids cost one fetch a cool-down, however many tokens bring them."""
    ring = await client.ring()
    for second in range(1, 2 * COOLDOWN + 2):
        clock.now = 1000.0 + second
        forged = [client.ring(unknown_kid=f"{second}-{n}") for n in range(20)]

        assert set(await asyncio.gather(*forged)) == {ring}
    assert len(issuer.calls) == 3  # the first, and one each at 30 and 60 seconds


async def test_known_kid_is_never_looked_for(
    client: JWKSClient, issuer: Issuer, clock: Clock
) -> None:
    """A kid that meanwhile is here needs no fetch."""
    await client.ring()
    clock.now += COOLDOWN
    await client.ring(unknown_kid="a")

    assert len(issuer.calls) == 1


async def test_unknown_kid_joins_a_fetch_under_way(
    client: JWKSClient, issuer: Issuer, clock: Clock, public_jwk: MakeJwk
) -> None:
    """A cool-down does not turn away who can wait for a fetch that runs anyhow."""
    await client.ring()
    issuer.publish(public_jwk("ES256", kid="b", serial=1))
    issuer.open.clear()
    clock.now += AHEAD
    await client.ring()
    looking = asyncio.create_task(client.ring(unknown_kid="b"))
    await settle()
    issuer.open.set()

    assert (await looking).kids == ("b",)
    assert len(issuer.calls) == 2


async def test_last_good_keys_outlive_the_issuer_for_a_while(
    client: JWKSClient,
    issuer: Issuer,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """While the issuer is down the last set is served, at once, until it is dead."""
    ring = await client.ring()
    issuer.reply = ConnectionError("refused")
    clock.now += LIFETIME
    assert await client.ring() is ring  # after one failed fetch
    assert "could not refresh the key set" in caplog.text
    assert "ConnectionError: refused" in caplog.text

    issuer.open.clear()  # from here a fetch would hang
    clock.now = 1000.0 + LIFETIME + STALE - 0.001
    assert await client.ring() is ring
    await settle()
    issuer.open.set()
    await settle()
    clock.now = 1000.0 + LIFETIME + STALE
    with pytest.raises(ServiceUnavailableException, match="not available") as caught:
        await client.ring()
    assert caught.value.headers["Retry-After"] == str(RETRY)


async def test_failures_are_retried_at_intervals(
    client: JWKSClient, issuer: Issuer, clock: Clock
) -> None:
    """A down issuer is asked every few seconds, not with every token."""
    issuer.reply = ConnectionError()
    for tenth in range(101):
        clock.now = 1000.0 + tenth / 10
        with pytest.raises(ServiceUnavailableException, match="not available"):
            await client.ring()

    assert len(issuer.calls) == 3  # at 0, 5 and 10 seconds


async def test_recovers(
    client: JWKSClient, issuer: Issuer, clock: Clock, public_jwk: MakeJwk
) -> None:
    """When the issuer is back the keys are, and later failures start afresh."""
    good, issuer.reply = issuer.reply, ConnectionError()
    with pytest.raises(ServiceUnavailableException, match="not available"):
        await client.ring()
    issuer.reply = good
    clock.now += RETRY

    assert (await client.ring()).kids == ("a",)
    clock.now += LIFETIME
    issuer.publish(public_jwk("ES256", kid="b", serial=1))
    assert (await client.ring()).kids == ("b",)


async def test_unchanged_set_keeps_its_ring(
    client: JWKSClient, issuer: Issuer, clock: Clock
) -> None:
    """The same bytes are not parsed again."""
    ring = await client.ring()
    clock.now += LIFETIME

    assert await client.ring() is ring
    assert len(issuer.calls) == 2


WEAK = {"kty": "oct", "kid": "w", "alg": "HS256", "k": "AAAA"}


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(b"", status_code=304), "status 304"),
        (Reply(b"", status_code=500), "status 500"),
        (Reply(b"", status_code=302), "status 302"),
        (Reply(b"x" * (256 * 1024 + 1)), "more than 262144 bytes"),
        (Reply(b""), "not JSON"),
        (Reply(b"<html>"), "not JSON"),
        (Reply(b"[]"), "not a JSON object"),
        (Reply(b"{}"), 'must have a list under "keys"'),
        (Reply(b'{"keys":{}}'), 'must have a list under "keys"'),
        (Reply(b'{"keys":[7]}'), "a JWK must be an object"),
        (Reply(b'{"keys":[],"keys":[]}'), "given twice"),
        (Reply(json.dumps({"keys": [WEAK]}).encode()), "private key or secret is pub"),
        (Reply(b'{"keys":[{"kty":"RSA","use":"enc","d":"AQ"}]}'), "private key or sec"),
        (Reply(b'{"keys":[{"kty":"RSA","alg":"RS256","n":"AQ","e":"AQ"}]}'), "2048"),
        (TimeoutError(), "TimeoutError"),
        (ValueError("no such host"), "ValueError: no such host"),
    ],
)
async def test_reply_that_is_no_good_key_set(
    client: JWKSClient,
    issuer: Issuer,
    clock: Clock,
    reply: Reply | Exception,
    reason: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whatever is wrong with a reply, it is logged and the last good set stays."""
    ring = await client.ring()
    issuer.reply = reply
    clock.now += LIFETIME

    assert await client.ring() is ring
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert reason in record.getMessage()
    assert "AAAA" not in record.getMessage()


async def test_foreign_keys_are_skipped(
    client: JWKSClient, issuer: Issuer, public_jwk: MakeJwk
) -> None:
    """A set may hold keys for other purposes beside those for tokens."""
    issuer.publish(
        public_jwk("RS256", kid="enc") | {"use": "enc"}, public_jwk("ES256", kid="a")
    )

    assert (await client.ring()).kids == ("a",)


async def test_rsa_algorithm_can_be_assumed(
    issuer: Issuer, public_jwk: MakeJwk
) -> None:
    """Sets whose RSA keys name no algorithm can be used where the caller names it."""
    jwk = public_jwk("RS256", kid="a")
    del jwk["alg"]
    issuer.publish(jwk)

    ring = await JWKSClient(URL, fetch=issuer.fetch, assume_rsa_alg="RS256").ring()
    assert ring.kids == ("a",)
    with pytest.raises(ServiceUnavailableException, match="not available"):
        await JWKSClient(URL, fetch=issuer.fetch).ring()


@pytest.mark.parametrize(
    ("said", "lifetime"),
    [
        ("max-age=300", 300),
        ("public, max-age=300, must-revalidate", 300),
        ('Public,Max-Age="300"', 300),
        ("max-age=1", 60),
        ("max-age=0", 60),
        ("max-age=99999999999", 3600),
        ("no-store", 60),
        ("no-cache, max-age=300", 60),
        ("max-age=-5", 600),
        ("max-age=soon", 600),
        ("s-maxage=300", 600),
        ("x-max-age=300", 600),
        ("", 600),
    ],
)
@pytest.mark.parametrize("name", ["Cache_Control", "cache_control"])
async def test_cache_control(
    client: JWKSClient,
    issuer: Issuer,
    clock: Clock,
    public_jwk: MakeJwk,
    name: str,
    said: str,
    lifetime: int,
) -> None:
    """The reply says how long it is good, within our own bounds."""
    issuer.publish(public_jwk("ES256", kid="a"), **{name: said})
    await client.ring()
    clock.now += lifetime * 0.75 - 0.001
    await client.ring()
    await settle()
    assert len(issuer.calls) == 1
    clock.now += 0.002
    await client.ring()
    await settle()

    assert len(issuer.calls) == 2


async def test_fetch_that_hangs(issuer: Issuer) -> None:
    """A fetch has its time, and then counts as failed."""
    issuer.open.clear()
    client = JWKSClient(URL, fetch=issuer.fetch, timeout=timedelta(milliseconds=1))
    with pytest.raises(ServiceUnavailableException, match="not available"):
        await client.ring()


async def test_close_ends_the_fetch(client: JWKSClient, issuer: Issuer) -> None:
    """Closing leaves no task behind; who waited learns that there are no keys."""
    issuer.open.clear()
    waiting = asyncio.create_task(client.ring())
    await settle()
    await client.aclose()

    with pytest.raises(ServiceUnavailableException, match="not available"):
        await waiting
    assert len(asyncio.all_tasks()) == 1


def test_close_in_a_later_loop(client: JWKSClient) -> None:
    """As when a test client starts an application again: the old fetch is over."""
    asyncio.run(_fetched(client))

    asyncio.run(client.aclose())


async def _fetched(client: JWKSClient) -> None:
    await client.ring()


async def test_close_without_a_fetch(client: JWKSClient) -> None:
    """Closing what never fetched, or has fetched, does nothing."""
    await client.aclose()
    await client.ring()
    await client.aclose()

    assert (await client.ring()).kids == ("a",)


@pytest.mark.parametrize(
    ("url", "options", "reason"),
    [
        ("http://issuer.test/", {}, "must start with https://"),
        ("file:///etc/passwd", {"allow_plain_http": True}, "must start with https://"),
        ("issuer.test/jwks", {}, "must start with https://"),
        ("https:///jwks", {}, "must name a host"),
        (URL, {"lifetime": timedelta(hours=2)}, "min_lifetime <= lifetime <= max_l"),
        (URL, {"min_lifetime": timedelta()}, "0 < min_lifetime"),
        (URL, {"max_stale": timedelta(-1)}, "must not be negative"),
        (URL, {"cooldown": timedelta(-1)}, "must not be negative"),
        (URL, {"retry_interval": timedelta(-1)}, "must not be negative"),
        (URL, {"timeout": timedelta()}, "must be positive"),
        (URL, {"max_bytes": 0}, "must be positive"),
    ],
)
def test_settings_that_make_no_sense(
    issuer: Issuer, url: str, options: dict[str, object], reason: str
) -> None:
    """A client that could not work safely is refused when it is made."""
    with pytest.raises(ValueError, match=reason):
        JWKSClient(url, fetch=issuer.fetch, **options)  # type: ignore[arg-type]


async def test_plain_http_has_a_name(issuer: Issuer) -> None:
    """Without TLS only where the caller says so by name."""
    client = JWKSClient(
        "http://localhost/jwks", fetch=issuer.fetch, allow_plain_http=True
    )

    assert (await client.ring()).kids == ("a",)

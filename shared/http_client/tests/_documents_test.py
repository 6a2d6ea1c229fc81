from __future__ import annotations

import pytest

from shared.errors import ServiceUnavailableException, UpstreamException
from shared.http_client import ClientTimeouts, Fault, Reply, document_fetcher
from shared.http_client.tests.upstream import (
    Behaviour,
    FakeUpstream,
    answer,
    drip,
    gzip_bomb,
    gzipped,
    redirect_to_itself,
    reset,
)
from shared.resilience import DeadlineExceededError


async def test_a_document() -> None:
    """What ``JWKSClient`` asks of its ``fetch``: status, headers and content."""
    headers = {"Cache-Control": "max-age=60"}
    with FakeUpstream(answer({"keys": []}, headers=headers)) as upstream:
        reply = await document_fetcher(caller="me")(f"{upstream.url}/a/jwks.json?v=1#b")

    assert (reply.status_code, reply.content) == (200, b'{"keys": []}')
    assert reply.headers["cache-control"] == "max-age=60"
    (request,) = upstream.requests
    assert request.target == "/a/jwks.json?v=1"
    assert request.headers["user-agent"] == "me"


@pytest.mark.parametrize(
    ("path", "target"), [("", "/"), ("/", "/"), ("/a/", "/a/"), ("/a//b", "/a//b")]
)
async def test_the_path_is_that_of_the_url(path: str, target: str) -> None:
    """A slash at the end is part of a document's name."""
    with FakeUpstream(answer([])) as upstream:
        await document_fetcher()(upstream.url + path)

    assert upstream.requests[0].target == target


async def test_other_answers() -> None:
    """Any status is returned, and no redirect followed."""
    with FakeUpstream(redirect_to_itself, answer([], status=503)) as upstream:
        fetch = document_fetcher()
        statuses = [(await fetch(upstream.url)).status_code for _ in range(2)]

    assert statuses == [302, 503]
    assert len(upstream.requests) == 2


async def test_nothing_is_kept() -> None:
    """Each fetch has a connection of its own, so there is nothing to close."""
    with FakeUpstream(gzipped([1])) as upstream:
        fetch = document_fetcher()
        for _ in range(2):
            await fetch(upstream.url)

    assert upstream.connections == 2


@pytest.mark.parametrize(
    ("behaviour", "error"),
    [
        (reset, ServiceUnavailableException),
        (gzip_bomb, UpstreamException),
        (answer(["x" * 300_000]), UpstreamException),
    ],
    ids=["reset", "bomb", "large"],
)
async def test_faults(behaviour: Behaviour, error: type[Exception]) -> None:
    """The errors of clients, with their causes, and no second try."""
    with FakeUpstream(behaviour) as upstream, pytest.raises(error) as raised:
        await document_fetcher()(upstream.url)

    assert type(raised.value) is error
    assert isinstance(raised.value.__cause__, Fault)
    assert len(upstream.requests) == 1


async def test_time() -> None:
    """The time is bounded however slowly the document drips."""
    timeouts = ClientTimeouts(total=0.3)
    with (
        FakeUpstream(drip) as upstream,
        pytest.raises(DeadlineExceededError, match="in time"),
    ):
        await document_fetcher(timeout=timeouts)(upstream.url)


@pytest.mark.parametrize(
    ("url", "match"),
    [
        ("file:///etc/passwd", "must be http"),
        ("http://user:s3cret@a/", "no user name"),
        ("http://a/../b", "segment"),
        ("http://a/?é", "printable ASCII"),
        ("http://a/b c", "no space"),
    ],
)
async def test_urls_that_are_none(url: str, match: str) -> None:
    """They are refused before anything is sent."""
    sent: list[object] = []

    async def transport(request: object) -> Reply:
        sent.append(request)
        return Reply(200, {}, b"")

    with pytest.raises(ValueError, match=match):
        await document_fetcher(transport=transport)(url)
    assert sent == []


def test_numbers_out_of_range() -> None:
    """They are refused where they are written."""
    with pytest.raises(ValueError, match="max_bytes must be"):
        document_fetcher(max_bytes=0)
    with pytest.raises(ValueError, match=r"timeout\.\w+ must be"):
        document_fetcher(timeout=0)

"""A fake service, called by clients of all kinds and by bare sockets."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any
from urllib.parse import quote, urlsplit

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import (
    NotFoundError,
    RateLimitExceededException,
    error_from_problem,
)
from shared.testing import is_problem
from shared.testing.fake_service import (
    AnswerFunction,
    FakeReply,
    FakeService,
    RecordedRequest,
    Route,
)

SPAN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def fake() -> Iterator[FakeService]:
    """A fake service that listens."""
    with FakeService() as fake:
        yield fake


# Making one takes longer than most of these tests.
CLIENT = httpx2.Client(headers={"Connection": "close"}, timeout=30)


def get(fake: FakeService, path: str) -> httpx2.Response:
    """Ask once, on a connection of its own."""
    return CLIENT.get(f"{fake.url}{path}")


def connect(fake: FakeService) -> socket.socket:
    """Connect, without HTTP."""
    port = urlsplit(fake.url).port
    assert port is not None
    return socket.create_connection(("127.0.0.1", port), timeout=30)


def raw(fake: FakeService, data: bytes) -> bytes:
    """Send bytes, and return what comes until the server ends the connection."""
    with connect(fake) as connection:
        connection.sendall(data)
        with suppress(OSError):  # it was quicker
            connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


# What it answers


def test_it_answers_what_it_was_told(fake: FakeService) -> None:
    """And what stood for the names in the path is known."""
    fake.on("GET", "/subjects/{id}").reply(json={"id": 7})

    reply = get(fake, "/subjects/a%2Fb?full=1")

    assert (reply.status_code, reply.json()) == (200, {"id": 7})
    assert reply.headers["content-type"] == "application/json"
    (request,) = fake.requests
    assert request.path_params == {"id": "a/b"}
    assert request.query == {"full": "1"}


async def test_clients_with_async_may_call_it() -> None:
    """It has a thread of its own, so no loop of the test is blocked."""
    async with FakeService() as fake, httpx2.AsyncClient() as client:
        fake.on("GET", "/x").reply(body="hello", headers={"Content-Type": "text/plain"})

        reply = await client.get(f"{fake.url}/x")

    assert (reply.text, reply.headers["content-type"]) == ("hello", "text/plain")


def test_an_error_of_the_kernel_is_a_problem(fake: FakeService) -> None:
    """As a real service would send it, so a client rebuilds the class."""
    fake.on("GET", "/x").reply_problem(NotFoundError("Subject", "7"))

    reply = CLIENT.get(f"{fake.url}/x", headers={"X-Correlation-ID": "abc-123"})

    assert reply == is_problem(
        status=404,
        code="resource_not_found",
        instance="/x",
        correlation_id="abc-123",
        headers={"X-Correlation-ID": "abc-123"},
    )
    assert type(error_from_problem(reply)) is NotFoundError


def test_a_sequence_is_answered_in_its_order_and_once(fake: FakeService) -> None:
    """Who asks more often than expected does not get an answer for it."""
    busy = RateLimitExceededException(retry_after=3)
    fake.on("GET", "/x").sequence([busy, FakeReply(status=503), FakeReply(json=1)])

    replies = [get(fake, "/x") for _ in range(4)]

    assert [reply.status_code for reply in replies] == [429, 503, 200, 404]
    assert replies[0].headers["retry-after"] == "3"
    assert [request.matched for request in fake.requests] == [True, True, True, False]


def test_steps_follow_each_other(fake: FakeService) -> None:
    """A fault for some requests, and then all is well."""
    fake.on("GET", "/x").reply(503, times=2).reply(json="well")

    assert [get(fake, "/x").status_code for _ in range(4)] == [503, 503, 200, 200]


def test_the_newer_route_counts_until_it_is_used_up(fake: FakeService) -> None:
    """So a test breaks for a moment what its fixture set up."""
    fake.on("GET", "/x").reply(json="always")
    fake.on("GET", "/x").reply(503, times=1)

    assert [get(fake, "/x").status_code for _ in range(2)] == [503, 200]


def test_a_route_that_was_told_nothing_answers_204(fake: FakeService) -> None:
    """Without a body, and without a length of it."""
    fake.on("DELETE", "/x")

    reply = CLIENT.delete(f"{fake.url}/x")

    assert (reply.status_code, reply.content) == (204, b"")
    assert "content-length" not in reply.headers


def test_a_function_answers(fake: FakeService) -> None:
    """With or without async; it sees the request."""

    async def slowly(request: RecordedRequest) -> FakeReply:
        await asyncio.sleep(0)
        return FakeReply(json=request.path_params["id"])

    fake.on("POST", "/echo").call(lambda request: FakeReply(json=request.json()))
    fake.on("GET", "/x/{id}").call(slowly)

    assert CLIENT.post(f"{fake.url}/echo", json={"a": 1}).json() == {"a": 1}
    assert get(fake, "/x/7").json() == "7"


def test_what_a_function_raises_is_raised_at_the_end() -> None:
    """An assertion in it would be lost in a thread else; the caller gets 500."""

    def wrong(request: RecordedRequest) -> FakeReply:
        assert request.method == "POST", "should have been a POST"
        return FakeReply()

    with pytest.raises(AssertionError, match="should have been a POST"):
        ask_once(wrong)


def ask_once(function: AnswerFunction, *, error: Exception | None = None) -> None:
    """Use a fake that answers with *function*, which fails; leave it with *error*."""
    with FakeService() as fake:
        fake.on("GET", "/x").call(function)
        assert get(fake, "/x").status_code == 500
        if error is not None:
            raise error


def test_the_test_s_own_error_comes_first() -> None:
    """What the function raised does not hide why the test failed."""
    with pytest.raises(KeyError, match="mine"):
        ask_once(lambda request: json.loads("{"), error=KeyError("mine"))


def test_a_function_that_returns_no_answer() -> None:
    """The message says what would be one."""

    def wrong(request: RecordedRequest) -> Any:
        return {}

    with pytest.raises(TypeError, match=r"is a FakeReply or an error .*\(got dict\)"):
        ask_once(wrong)


def test_the_answer_to_head_has_no_body(fake: FakeService) -> None:
    """Its connection is good for the next request."""
    fake.on("HEAD", "/x").reply(json="four")
    fake.on("GET", "/x").reply(json="four")

    with httpx2.Client() as client:
        head = client.head(f"{fake.url}/x")
        got = client.get(f"{fake.url}/x")

    assert (head.content, head.headers["content-length"]) == (b"", "6")
    assert got.json() == "four"
    assert fake.most_connections == 1


def test_a_delay_holds_up_whatever_comes(fake: FakeService) -> None:
    """For as many requests as were said."""
    fake.on("GET", "/x").delay(0.2, times=1).reply(json=1)

    with pytest.raises(httpx2.ReadTimeout, match="timed out"):
        CLIENT.get(f"{fake.url}/x", timeout=0.05)

    assert CLIENT.get(f"{fake.url}/x", timeout=30).json() == 1


# What goes wrong on purpose


def test_a_request_that_nobody_expected(fake: FakeService) -> None:
    """Is a 404 that no kernel service sends, and remembered."""
    reply = get(fake, "/nowhere?token=secret")

    assert reply == is_problem(status=404, code="no_such_route")
    assert [request.path for request in fake.unmatched] == ["/nowhere"]
    with pytest.raises(AssertionError, match=r"GET /nowhere  \(no route\)") as caught:
        fake.assert_all_matched()
    assert "secret" not in str(caught.value)


def test_hanging_ends_when_the_caller_gives_up(fake: FakeService) -> None:
    """Else connections would pile up in a long test."""
    fake.on("GET", "/x").hang()

    with pytest.raises(httpx2.ReadTimeout, match="timed out"):
        CLIENT.get(f"{fake.url}/x", timeout=0.1)

    fake.wait_until_idle()
    assert fake.open_connections == 0
    assert len(fake.requests) == 1


def test_a_delay_ends_when_the_caller_gives_up(fake: FakeService) -> None:
    """Nobody is there to be answered."""
    fake.on("GET", "/x").delay(1000).reply(json=1)

    with pytest.raises(httpx2.ReadTimeout, match="timed out"):
        CLIENT.get(f"{fake.url}/x", timeout=0.1)

    fake.wait_until_idle()


def test_a_connection_that_stays(fake: FakeService) -> None:
    """Is told, not waited for without end."""
    fake.on("GET", "/x").reply(json=1)
    with httpx2.Client() as client:
        client.get(f"{fake.url}/x")

        with pytest.raises(AssertionError, match=r"1 connections .* still open"):
            fake.wait_until_idle(timeout=0.01)

    fake.wait_until_idle()


def test_a_reset_is_one(fake: FakeService) -> None:
    """RST, not FIN: the other side's read fails instead of ending."""
    fake.on("GET", "/x").reset()

    with pytest.raises(ConnectionResetError, match="reset by peer"):
        raw(fake, b"GET /x HTTP/1.1\r\n\r\n")
    with pytest.raises(httpx2.ReadError, match="reset by peer"):
        get(fake, "/x")


def test_hanging_up(fake: FakeService) -> None:
    """FIN: the connection ends without a byte."""
    fake.on("GET", "/x").hang_up()

    assert raw(fake, b"GET /x HTTP/1.1\r\n\r\n") == b""
    with pytest.raises(httpx2.RemoteProtocolError, match="without sending a response"):
        get(fake, "/x")


def test_half_a_body(fake: FakeService) -> None:
    """The length promises more than comes."""
    fake.on("GET", "/x").half_body(b"0123456789")

    head, _, body = raw(fake, b"GET /x HTTP/1.1\r\n\r\n").partition(b"\r\n\r\n")
    assert b"Content-Length: 10" in head
    assert body == b"01234"
    with pytest.raises(httpx2.RemoteProtocolError, match="complete message body"):
        get(fake, "/x")


def test_dripping(fake: FakeService) -> None:
    """Each read is quick, and the whole takes long; it does arrive."""
    fake.on("GET", "/x").drip(b'"drip"', seconds=0.01)

    with CLIENT.stream("GET", f"{fake.url}/x") as reply:
        pieces = list(reply.iter_raw())

    assert b"".join(pieces) == b'"drip"'
    assert len(pieces) > 1


@pytest.mark.parametrize("declared", [None, 10 * 2**30])
def test_an_endless_body(fake: FakeService, declared: int | None) -> None:
    """Goes on until the caller has had enough, and stops then."""
    fake.on("GET", "/x").endless_body(declared=declared)
    fake.on("GET", "/quick").reply(json=1)
    read = 0

    with CLIENT.stream("GET", f"{fake.url}/x") as reply:
        for piece in reply.iter_raw():
            read += len(piece)
            if read > 5_000_000:
                break
        assert get(fake, "/quick").json() == 1

    fake.wait_until_idle()


def test_a_body_of_a_declared_length_ends(fake: FakeService) -> None:
    """To the byte."""
    fake.on("GET", "/x").endless_body(declared=200_000)

    assert get(fake, "/x").content == bytes(200_000)


def test_a_redirect_loop(fake: FakeService) -> None:
    """Leads back with its query, as often as one follows."""
    fake.on("GET", "/x").redirect_loop()

    with pytest.raises(httpx2.TooManyRedirects, match="redirects"):
        CLIENT.get(f"{fake.url}/x?a=1", follow_redirects=True)

    assert {request.target for request in fake.requests} == {"/x?a=1"}


def test_garbage(fake: FakeService) -> None:
    """What comes is no HTTP."""
    fake.on("GET", "/x").garbage()

    with pytest.raises(httpx2.RemoteProtocolError, match="status line"):
        get(fake, "/x")


def test_a_service_that_goes_down_and_up(fake: FakeService) -> None:
    """At the same address, with what it was told."""
    fake.on("GET", "/x").reply(json=1)
    url = fake.url
    fake.go_down()

    with pytest.raises(httpx2.ConnectError, match="refused"):
        CLIENT.get(f"{url}/x")

    fake.go_up()
    assert CLIENT.get(f"{url}/x").json() == 1
    with pytest.raises(RuntimeError, match="listens already"):
        fake.go_up()


def test_connections_that_a_restart_cuts(fake: FakeService) -> None:
    """A client that kept one finds out when it uses it."""
    fake.on("GET", "/x").reply(json=1)
    with connect(fake) as connection:
        connection.sendall(b"GET /x HTTP/1.1\r\n\r\n")
        received = b""
        while not received.endswith(b"\r\n\r\n1"):
            received += connection.recv(4096)
        fake.cut_connections()
        assert connection.recv(4096) == b""

    assert fake.open_connections == 0


# What it remembers


def test_the_conventions_of_the_kernel(fake: FakeService) -> None:
    """Ids, deadline, token and key are read, for assertions of a line."""
    fake.on("POST", "/x")
    CLIENT.post(
        f"{fake.url}/x",
        headers={
            "X-Correlation-ID": "abc-123",
            "X-Request-Timeout-Ms": "1500",
            "traceparent": SPAN,
            "Authorization": "Bearer s3cret",
            "Idempotency-Key": "key-1",
        },
    )
    CLIENT.post(f"{fake.url}/x", headers={"traceparent": "none"})

    full, bare = fake.requests
    assert (full.correlation_id, full.timeout) == ("abc-123", 1.5)
    assert full.trace is not None
    assert full.trace.traceparent == SPAN
    assert (full.bearer_token, full.idempotency_key) == ("s3cret", "key-1")
    assert (bare.correlation_id, bare.timeout, bare.trace) == (None, None, None)
    assert (bare.bearer_token, bare.idempotency_key) == (None, None)
    assert "s3cret" not in repr(full) + str(full)


def test_bodies_of_both_kinds(fake: FakeService) -> None:
    """With a length and in chunks."""
    fake.on("POST", "/x")
    with httpx2.Client() as client:
        client.post(f"{fake.url}/x", json={"a": [1]})
        client.post(f"{fake.url}/x", content=iter([b'{"a":', b" [1]}"]))

    assert [request.json() for request in fake.requests] == [{"a": [1]}] * 2
    assert fake.most_connections == 1


def test_a_client_that_asks_before_it_sends(fake: FakeService) -> None:
    """``Expect: 100-continue`` is answered; curl sends it with large bodies."""
    fake.on("PUT", "/x").reply(201)
    head = b"PUT /x HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"

    answer = raw(fake, head + b"hi")

    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\n")
    assert fake.requests[0].body == b"hi"


def test_a_query_with_a_name_twice(fake: FakeService) -> None:
    """All values, or the last."""
    fake.on("GET", "/x")
    get(fake, "/x?tag=a&tag=b&empty=")

    (request,) = fake.requests
    assert request.query == {"tag": "b", "empty": ""}
    assert request.query_values("tag") == ["a", "b"]
    assert request.query_values("none") == []


def test_what_was_asked_is_asserted(fake: FakeService) -> None:
    """By path, query, headers, body, and how often."""
    fake.on("POST", "/subjects/{id}")
    CLIENT.post(f"{fake.url}/subjects/7?a=1", json={"x": 1}, headers={"X-A": "b"})
    CLIENT.post(f"{fake.url}/subjects/8", content=b"no json")

    (request,) = fake.assert_requested(
        *("POST", "/subjects/{id}"),
        query={"a": "1"},
        json={"x": 1},
        headers={"x-a": "b"},
        where=lambda request: request.path_params == {"id": "7"},
    )
    assert request.path == "/subjects/7"
    fake.assert_requested("POST", "/subjects/{id}", times=2)
    fake.assert_requested("GET", "/subjects/{id}", times=0)
    assert len(fake.requests_to("POST", "/subjects/8")) == 1
    fake.assert_all_matched()


def test_what_was_not_asked(fake: FakeService) -> None:
    """The message says what was, what else is there, and no secret."""
    fake.on("GET", "/subjects/{id}")
    CLIENT.get(f"{fake.url}/subjects/7?token=s3cret", headers={"X-Key": "s3cret"})

    with pytest.raises(AssertionError) as never:
        fake.assert_requested("POST", "/subjects/7")
    with pytest.raises(AssertionError) as otherwise:
        fake.assert_requested("GET", "/subjects/7", times=1, query={"token": "x"})

    assert str(never.value).splitlines() == [
        "Expected at least one request of POST /subjects/7, got 0. It was asked:",
        "  GET /subjects/7",
        "It has: GET /subjects/{id}",
    ]
    assert "got 0 (1 more were not as asked for)" in str(otherwise.value)
    assert "s3cret" not in str(never.value) + str(otherwise.value)


def test_a_message_of_a_storm_is_short(fake: FakeService) -> None:
    """The latest requests, and how many came before them."""
    with httpx2.Client() as client:
        for number in range(25):
            client.get(f"{fake.url}/{number}")

    with pytest.raises(AssertionError, match=r"\.\.\. 5 more before") as caught:
        fake.assert_requested("GET", "/x")
    assert len(str(caught.value).splitlines()) == 23


def test_forgetting(fake: FakeService) -> None:
    """What was asked, not what is answered."""
    fake.on("GET", "/x").reply(json=1)
    get(fake, "/x")
    fake.forget()

    assert fake.requests == []
    assert get(fake, "/x").json() == 1


def test_waiting_for_requests(fake: FakeService) -> None:
    """Until they are there; not forever."""
    fake.on("GET", "/x").hang()
    asking = threading.Thread(target=lambda: raw(fake, b"GET /x HTTP/1.1\r\n\r\n"))
    asking.start()

    fake.wait_for_requests(1)
    with pytest.raises(AssertionError, match="Expected 2 requests or more"):
        fake.wait_for_requests(2, timeout=0.01)
    asking.join(30)


# What it can take


def test_many_callers_at_once(fake: FakeService) -> None:
    """Each request is recorded once, and limited faults are given out exactly."""
    fake.on("GET", "/x/{number}").reply(503, times=50).reply(json=1)

    def ask(number: int) -> int:
        return get(fake, f"/x/{number}").status_code

    with ThreadPoolExecutor(16) as threads:
        statuses = list(threads.map(ask, range(200)))

    assert statuses.count(503) == 50
    assert {request.path_params["number"] for request in fake.requests} == {
        str(number) for number in range(200)
    }


def test_leaving_waits_for_nobody() -> None:
    """Hanging, dripping and endless answers end with it."""
    ends: list[bytes | ConnectionError] = []
    fake = FakeService()
    with fake:
        fake.on("GET", "/hang").hang()
        fake.on("GET", "/drip").drip(seconds=1000)
        fake.on("GET", "/delay").delay(1000)

        def ask(path: str) -> None:
            with connect(fake) as connection:
                connection.sendall(f"GET {path} HTTP/1.1\r\n\r\n".encode())
                try:
                    ends.append(b"".join(iter(lambda: connection.recv(4096), b"")))
                except ConnectionError as error:
                    ends.append(error)

        callers = [
            threading.Thread(target=ask, args=(path,))
            for path in ("/hang", "/drip", "/delay")
        ]
        for caller in callers:
            caller.start()
        fake.wait_for_requests(3)

    for caller in callers:
        caller.join(30)
    assert len(ends) == 3


@pytest.mark.parametrize(
    "data",
    [
        b"rubbish\r\n\r\n",
        b"GET /x HTTP/2\r\n\r\n",
        b"GET /x HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET /x HTTP/1.1\r\nContent-Length: many\r\n\r\n",
        b"GET /x HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"GET /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /x HTTP/1.1\r\n" + b"x: y\r\n" * 201 + b"\r\n",
    ],
)
def test_what_is_no_request(fake: FakeService, data: bytes) -> None:
    """400, and the connection ends; others go on."""
    fake.on("GET", "/x").reply(json=1)

    assert raw(fake, data).startswith(b"HTTP/1.1 400 ")
    assert get(fake, "/x").json() == 1


def test_a_request_that_breaks_off(fake: FakeService) -> None:
    """Was none."""
    raw(fake, b"GET /x HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc")
    raw(fake, b"GET /x HT")

    fake.wait_until_idle()
    assert fake.requests == []


def test_it_is_used_inside_of_with() -> None:
    """There is no address before."""
    fake = FakeService()

    with pytest.raises(RuntimeError, match="no URL before it is entered"):
        fake.url  # noqa: B018


# What can't be said to it


@pytest.mark.parametrize("path", ["x", "/x?a=1", ""])
def test_a_route_is_a_path(path: str) -> None:
    """A query would never match."""
    with pytest.raises(ValueError, match="A path starts with / and has no query"):
        FakeService().on("GET", path)


def test_a_step_that_is_never_reached() -> None:
    """Is a mistake in the test."""
    route = FakeService().on("GET", "/x").reply(json=1)

    with pytest.raises(ValueError, match="goes on forever, so nothing behind"):
        route.reset()
    with pytest.raises(ValueError, match="times must be 1 or more"):
        FakeService().on("GET", "/x").reset(times=0)


def test_a_reply_is_one() -> None:
    """What could not be sent is refused where it is written."""
    route = FakeService().on("GET", "/x")
    with pytest.raises(ValueError, match="json= or body=, not both"):
        route.reply(json=1, body=b"1")
    with pytest.raises(ValueError, match=r"from 200 to 599 \(got 99\)"):
        route.reply(99)
    with pytest.raises(ValueError, match="content-length is the fake server's"):
        route.reply(headers={"Content-Length": "1"})
    with pytest.raises(TypeError, match="not JSON serializable"):
        route.reply(json=object())
    with pytest.raises(TypeError, match="is a FakeReply or an error"):
        route.sequence([{"id": 7}])  # type: ignore[list-item]


@given(segments=st.lists(st.text("aé/?#% {}.", min_size=1), min_size=1, max_size=4))
def test_a_template_gives_back_what_was_put_in(segments: list[str]) -> None:
    """Whatever the text, as long as the client quotes it."""
    names = [f"n{number}" for number in range(len(segments))]
    route = Route("GET", "".join(f"/{{{name}}}" for name in names))
    target = "".join(f"/{quote(segment, safe='')}" for segment in segments)

    assert route.match("GET", target) == dict(zip(names, segments, strict=True))

"""What strangers send: refused with a problem, and no more work than that takes."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import event

from services.api_platform.tests.behind import GENERATIONS, JOB, Behind, Key, behind
from services.api_platform.tests.command import Listening, listening, run
from services.api_platform.tests.generations_contract import state_of
from services.api_platform.tests.scene import Scene
from shared.crypto import generate_api_key_and_secret
from shared.database import Database
from shared.testing import is_problem

BODIES = [
    b"",
    b"NaN",
    b"\xff\xfe\x00",
    b"[" * 100_000,
    b'{"name": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    b'{"\\ud800": 1}',
    b'{"name": "\\ud800", "prompt": "\\ud800", "format": "\\ud800"}',
    b'{"name": "a\\u0000b", "prompt": "a\\u0000b", "format": "x"}',
    b'{"name": "x", "expires_at": 1e300, "sample_count": 1e300}',
    b'{"name": "x", "expires_at": "9999-12-31T23:59:59-23:59", "sample_count": 0}',
    b'{"grace_seconds": ' + b"9" * 5000 + b"}",
    b'{"grace_seconds": Infinity}',
    b'{"enabled": true, "settings": {"\\ud800": NaN}}',
    b'{"enabled": true, "settings": {"table": [{"from_units": 1e999}]}}',
    b'{"since": "0001-01-01T00:00:00+23:59", "cursor": "\\ud800"}',
    b'{"target_url": "https://a\\u0000b:99999/", "event_types": ["x"]}',
]
VALUES = ["%00", "%ED%A0%80", "%FF", "9" * 5000, "NaN", "1e309", "..%2f..", "%D9%A1"]
FIELDS = [
    *("Idempotency-Key", "If-Match", "Accept", "X-Correlation-ID", "traceparent"),
    *("X-Request-Timeout-Ms", "X-Forwarded-For", "Content-Encoding", "Range"),
    *("Github-Public-Key-Identifier", "Github-Public-Key-Signature", "Origin"),
]
FIELD_VALUES = [b"\xff\xfe", b"\x00", b"9" * 5000, b"NaN", b"W/", b'"', b"a;q=NaN,b"]


@pytest.fixture(scope="module")
def between(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    """The service, started, between a caller and two fakes."""
    folder = tmp_path_factory.mktemp("attacks")
    with behind(f"sqlite:///{folder}/test.db", BIG_QUOTAS) as between:
        yield between


BIG_QUOTAS = {
    f"QUOTA_{name}": "1000000"
    for name in (
        *("KEY_PER_MINUTE", "KEY_PER_DAY", "USER_PER_MINUTE", "USER_PER_DAY"),
        "READS_PER_MINUTE",
    )
}


@contextmanager
def statements(scene: Scene) -> Iterator[list[str]]:
    """What the service asks its tables of keys and jobs meanwhile."""
    database: Database = scene.service.app.state.database
    engine = database.engine.sync_engine
    found: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if "FROM api_clients" in statement or "FROM generation_jobs" in statement:
            found.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", note)


def probe(scene: Scene, secret: str) -> int:
    """What an operation answers to whom brings *secret*."""
    headers = {b"Authorization": f"Bearer {secret}".encode()}
    return scene.client.get("/probe", headers=headers).status_code


def changed(secret: str, place: int) -> str:
    """The same with another letter there."""
    other = "A" if secret[place] != "A" else "B"
    return secret[:place] + other + secret[place + 1 :]


def test_a_mistyped_key_costs_no_read(between: Behind) -> None:
    """One letter wrong anywhere, two exchanged, something lost or added."""
    secret = between.key().headers["Authorization"].removeprefix("Bearer ")
    swapped = next(
        place
        for place in range(30, len(secret) - 1)
        if secret[place] != secret[place + 1]
    )
    typos = {
        *(changed(secret, place) for place in range(4, len(secret))),
        secret[:swapped]
        + secret[swapped + 1]
        + secret[swapped]
        + secret[swapped + 2 :],
        secret[:-1],
        secret + "A",
        secret.swapcase(),
        secret.replace("cfk_live_", "cfk_test_"),
        secret.replace("cfk_live_", "cfk_prod_"),
        secret.replace(secret[-1], "\u0661"),
        secret[:-1] + "\uff11",
        secret + "\0",
        "cfk_live_" + "9" * 60_000,
    }
    with statements(between.scene) as asked:
        answers = {probe(between.scene, typo) for typo in typos}

    assert answers == {401}
    assert asked == []


def test_a_key_that_was_made_up_well_costs_one_read(between: Behind) -> None:
    """Its checksum is right, and there is none with its id."""
    stranger = generate_api_key_and_secret("live").secret
    with statements(between.scene) as asked:
        answer = probe(between.scene, stranger)

    assert (answer, len(asked)) == (401, 1)


def test_reading_a_job_costs_one_read_of_the_key_and_one_of_the_job(
    between: Behind,
) -> None:
    """Whatever else looks at the key on the way."""
    key = between.key()
    made = between.post(key)
    told = state_of(key, made.json()["job_id"])
    between.generations.on("GET", JOB).reply(json=told)
    with statements(between.scene) as asked:
        reply = between.scene.client.get(made.headers["Location"], headers=key.headers)

    assert reply.status_code == 200
    assert [re.search(r"FROM (\w+)", each)[1] for each in asked] == [  # type: ignore[index]
        "api_clients",
        "generation_jobs",
    ]


def operations(between: Behind) -> list[tuple[str, str]]:
    """Method and path of all that the API has."""
    document = between.scene.client.get("/openapi.json").json()
    methods = ("get", "post", "put", "patch", "delete")
    return [
        (method.upper(), path)
        for path, found in document["paths"].items()
        for method in methods
        if method in found
    ]


def filled(path: str, key: Key) -> str:
    """A path whose parameters are something that is there, or could be."""
    path = path.replace("{name}", "enableVolumeDiscounts")
    path = path.replace("{key_id}", str(key.id))
    return re.sub(r"\{\w+\}", str(uuid4()), path)


def check(between: Behind, method: str, url: str, **request: Any) -> str | None:
    """What is wrong with an answer, if anything is."""
    reply = between.scene.client.request(method, url, **request)
    problem = reply.headers.get("Content-Type") == "application/problem+json"
    if reply.status_code < 400 or (reply.status_code < 500 and problem):
        return None
    return f"{method} {url[:90]} {str(request)[:200]}: {reply.status_code}"


def test_no_body_makes_an_error_of_ours(between: Behind) -> None:
    """NaN, huge numbers, deep nesting, lone surrogates, NUL: a 4xx problem."""
    key = between.key()
    found = [
        check(
            between,
            method,
            filled(path, key),
            content=body,
            headers={**headers, "Content-Type": "application/json"},
        )
        for method, path in operations(between)
        if method in ("POST", "PUT", "PATCH")
        for headers in (key.headers, between.scene.as_user(key.user_id, "admin"))
        for body in BODIES
    ]

    assert len(found) > 100
    assert set(found) == {None}


def test_no_path_and_no_query_makes_an_error_of_ours(between: Behind) -> None:
    """The same, in what stands in the URL."""
    key = between.key()
    urls = [
        (method, url)
        for method, path in operations(between)
        for value in VALUES
        for url in (
            re.sub(r"\{\w+\}", value, path),
            *(
                f"{filled(path, key)}?{name}={value}"
                for name in ("from", "to", "format", "limit", "cursor", "state")
                if method == "GET"
            ),
        )
    ]
    found = [
        check(between, method, url, headers=headers)
        for method, url in urls
        for headers in (key.headers, between.scene.as_user(key.user_id, "admin"))
    ]

    assert len(found) > 500
    assert set(found) == {None}


def test_no_header_makes_an_error_of_ours(between: Behind) -> None:
    """The same, in fields that somebody reads."""
    key = between.key()
    bearers = [key.headers, between.scene.as_user(key.user_id, "admin")]
    found = [
        check(
            between,
            method,
            filled(path, key),
            headers=[
                (b"Authorization", bearer["Authorization"].encode()),
                (field.encode(), value),
            ],
        )
        for method, path in operations(between)
        if method != "DELETE"
        for bearer in bearers
        for field in FIELDS
        for value in FIELD_VALUES
    ]

    assert len(found) > 1000
    assert set(found) == {None}


# -------------------------------------------------------------- a server of its own


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server keeps its things."""
    return tmp_path_factory.mktemp("service")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Listening]:
    """The service behind a proxy at this machine's address."""
    with listening(folder, TRUSTED_PROXIES="127.0.0.1") as found:
        yield found


def answered(server: Listening, head: bytes, body: bytes = b"") -> tuple[int, bytes]:
    """Status and all that comes back on a connection that is then closed."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        # It may have heard enough, and has answered perhaps.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(head + b"Connection: close\r\n\r\n" + body)
        came = b""
        with suppress(ConnectionResetError):
            while more := connection.recv(65_536):
                came += more
    return int(came.split(b" ", 2)[1]) if came else 0, came


def test_a_header_of_ten_megabytes_is_cut_off(server: Listening) -> None:
    """It is neither kept nor looked at, and the next caller is served."""
    head = b"GET /api/v1/usage HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer cfk_live_"
    status, _ = answered(server, head + b"A" * 10_000_000 + b"\r\n")
    after, _ = answered(server, b"GET /health/live HTTP/1.1\r\nHost: x\r\n")

    assert status in (0, 400, 431)
    assert after == 200


def test_an_address_is_that_of_the_caller_behind_the_proxy(
    server: Listening, folder: Path
) -> None:
    """The last one that the proxy named; what the caller put before it is nothing."""
    token = run(folder, "token")[1].strip()
    body = json.dumps(
        {
            "name": "Shop",
            "permissions": ["usage:read"],
            "allowed_ip_ranges": [
                "203.0.113.0/24",
                "2001:db8::/32",
                "::ffff:198.51.100.0/120",
            ],
        }
    ).encode()
    _, made = answered(
        server,
        b"POST /api/v1/keys HTTP/1.1\r\nHost: x\r\n"
        b"Content-Type: application/json\r\n"
        + f"Content-Length: {len(body)}\r\n".encode()
        + f"Authorization: Bearer {token}\r\n".encode(),
        body,
    )
    secret = json.loads(made.partition(b"\r\n\r\n")[2])["secret"]

    def status(forwarded: str | None) -> int:
        field = f"X-Forwarded-For: {forwarded}\r\n" if forwarded else ""
        head = f"GET /api/v1/usage HTTP/1.1\r\nHost: x\r\n{field}"
        return answered(server, f"{head}Authorization: Bearer {secret}\r\n".encode())[0]

    assert {
        forwarded: status(forwarded)
        for forwarded in (
            "203.0.113.9",
            "10.0.0.1, 203.0.113.9",
            "203.0.113.9, 127.0.0.1",
            "2001:db8::1",
            "::ffff:203.0.113.9",
            "198.51.100.7",
            "::ffff:198.51.100.7",
            "203.0.113.9, 10.0.0.1",
            "203.0.114.9",
            "2001:db9::1",
            "not an address",
            None,
        )
    } == {
        "203.0.113.9": 200,
        "10.0.0.1, 203.0.113.9": 200,
        "203.0.113.9, 127.0.0.1": 200,
        "2001:db8::1": 200,
        "::ffff:203.0.113.9": 200,
        "198.51.100.7": 200,
        "::ffff:198.51.100.7": 200,
        "203.0.113.9, 10.0.0.1": 403,
        "203.0.114.9": 403,
        "2001:db9::1": 403,
        "not an address": 403,
        None: 403,
    }


def test_nobody_names_his_own_address(tmp_path: Path) -> None:
    """Without a proxy that is trusted the field is one like any other."""
    with behind(f"sqlite:///{tmp_path}/test.db") as between:
        key = between.key(allowed_ip_ranges=["198.51.100.0/24"])
        headers = {**key.headers, "X-Forwarded-For": "198.51.100.7"}
        reply = between.scene.client.get("/probe", headers=headers)

        assert reply == is_problem(status=403, code="address_not_allowed")
        assert between.scene.client.get(GENERATIONS).status_code == 405

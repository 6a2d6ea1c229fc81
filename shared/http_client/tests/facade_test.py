from __future__ import annotations

import inspect
import os
import subprocess
import sys
from types import ModuleType
from typing import Any, assert_type

import pytest
from pydantic import BaseModel

from shared import http_client
from shared.http_client import OutgoingRequest, Reply, ServiceClient, SyncServiceClient


class Subject(BaseModel):
    id: int


async def subject(request: OutgoingRequest) -> Reply:
    """Answer each request alike."""
    return Reply(200, {"content-type": "application/json"}, b'{"id": 7}')


def test_all_is_what_is_public() -> None:
    """``__all__`` and the names one can import are the same."""
    public = {
        name
        for name, value in vars(http_client).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }

    assert set(http_client.__all__) == public


async def test_types_are_kept() -> None:
    """A call has the type of its ``response_model``, for mypy and when it runs."""
    client = ServiceClient("a", "http://a", transport=subject)
    found = [
        assert_type(await client.get("/a", response_model=Subject), Subject),
        assert_type(await client.post("/a", response_model=Subject, json=1), Subject),
        assert_type(await client.put("/a", response_model=Subject), Subject),
        assert_type(await client.patch("/a", response_model=Subject), Subject),
        assert_type(await client.delete("/a", response_model=Subject), Subject),
        assert_type(await client.request("GET", "/a", response_model=Subject), Subject),
    ]
    plain = assert_type(await client.get("/a"), Any)
    as_it_is = assert_type(await client.head("/a"), Reply)

    assert found == [Subject(id=7)] * 6
    assert plain == {"id": 7}
    assert as_it_is.content == b'{"id": 7}'


def test_types_are_kept_without_a_loop() -> None:
    """The same for the client that blocks."""
    client = SyncServiceClient("a", "http://a", transport=subject)
    found = [
        assert_type(client.get("/a", response_model=Subject), Subject),
        assert_type(client.post("/a", response_model=Subject, json=1), Subject),
        assert_type(client.put("/a", response_model=Subject), Subject),
        assert_type(client.patch("/a", response_model=Subject), Subject),
        assert_type(client.delete("/a", response_model=Subject), Subject),
        assert_type(client.request("GET", "/a", response_model=Subject), Subject),
    ]
    plain = assert_type(client.get("/a"), Any)
    as_it_is = assert_type(client.send("GET", "/a"), Reply)

    assert found == [Subject(id=7)] * 6
    assert plain == {"id": 7}
    assert as_it_is.status_code == 200


@pytest.mark.parametrize(
    "name",
    ["get", "post", "put", "patch", "delete", "head", "request", "send"],
)
def test_the_twins_have_the_same_methods(name: str) -> None:
    """With the same parameters, of which only ``await`` differs."""
    asynchronous = getattr(ServiceClient, name)
    blocking = getattr(SyncServiceClient, name)

    assert inspect.signature(asynchronous) == inspect.signature(blocking)
    assert inspect.iscoroutinefunction(asynchronous)
    assert not inspect.iscoroutinefunction(blocking)


def test_import_stays_light() -> None:
    """No framework is loaded, and no thread started."""
    heavy = {"fastapi", "starlette", "sqlalchemy", "uvicorn"}
    program = (
        "import sys, threading, shared.http_client; "
        f"print(sorted(set(sys.modules) & {heavy!r}), threading.active_count())"
    )
    result = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )

    assert result.stdout == "[] 1\n"

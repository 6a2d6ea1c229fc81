from __future__ import annotations

import pytest

from shared.http_client import (
    ServiceClient,
    ServiceRegistry,
    SyncServiceClient,
    SyncServiceRegistry,
)
from shared.http_client.tests.upstream import FakeUpstream, answer
from shared.testing import captured_logs


async def test_names() -> None:
    """A name is a client, made once, with the options of all."""
    with FakeUpstream(answer([1])) as upstream:
        async with ServiceRegistry(
            {"subject-service": upstream.url, "user-service": [upstream.url]},
            caller="api-platform",
        ) as services:
            client = services["subject-service"]

            assert await client.get("/a") == [1]
            assert services["subject-service"] is client
            assert isinstance(client, ServiceClient)
            assert ("user-service" in services, "a" in services) == (True, False)

    assert upstream.requests[0].headers["user-agent"] == "api-platform"


def test_names_without_a_loop() -> None:
    """The same for code that is not asynchronous."""
    with FakeUpstream(answer([1])) as upstream:
        with SyncServiceRegistry({"subject-service": upstream.url}) as services:
            client = services["subject-service"]
            assert isinstance(client, SyncServiceClient)
            assert client.get("/a") == [1]

        with pytest.raises(RuntimeError, match="is closed"):
            client.get("/a")


async def test_all_are_closed() -> None:
    """In reverse, and one that fails does not keep the others open."""
    closed: list[str] = []

    class Failing(ServiceClient):
        async def aclose(self) -> None:
            closed.append(self.name)
            raise OSError("no")

    services = ServiceRegistry({"a": "http://a", "b": "http://b"})
    services._clients = {name: Failing(name, "http://a") for name in ("a", "b")}
    with captured_logs("shared.http_client") as logs:
        await services.aclose()

    assert closed == ["b", "a"]
    assert logs.messages == [
        "The client of b could not be closed.",
        "The client of a could not be closed.",
    ]


def test_breakers_have_names_of_their_own() -> None:
    """So that metrics can show them all."""
    services = ServiceRegistry({"a": "http://x", "b": ["http://x", "http://y"]})
    names = [breaker.name for breaker in services.breakers]

    assert names == ["a", "b http://x", "b http://y"]


def test_an_unknown_name() -> None:
    """The error says what to set, as ``ServiceConfig.service_url`` does."""
    services = ServiceRegistry({})

    with pytest.raises(LookupError, match="set SUBJECT_SERVICE_URL"):
        services["subject-service"]


def test_a_url_that_is_none() -> None:
    """It is found when the registry is made, not at the first call."""
    with pytest.raises(ValueError, match="base URL must be"):
        ServiceRegistry({"a": "http://a", "b": "b:80"})

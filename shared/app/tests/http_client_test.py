"""Clients of other services in a service, against a fake of one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from shared.app import Service
from shared.app.http_client import add_service_clients
from shared.config import ConfigurationError
from shared.errors import NotFoundError
from shared.http_client import CallRecord, RetryPolicy
from shared.testing import is_problem
from shared.testing.fake_service import FakeService

Make = Callable[..., Service]
SUBJECTS = "subject-service"
COUNT = "http_client_request_duration_seconds_count"


@pytest.fixture
def subjects() -> Iterator[FakeService]:
    """The service that is called."""
    with FakeService() as fake:
        yield fake


def reports(make: Make, urls: dict[str, str], *names: str, **options: Any) -> Service:
    """A service that asks the subject service for each of its requests."""
    service = make(config={"service_urls": urls})
    client = add_service_clients(service, *names, **options)[SUBJECTS]

    @service.app.get("/reports/{subject_id}")
    async def report(subject_id: str) -> Any:
        path = "/api/v1/subjects/{id}"
        return await client.get(path, path_params={"id": subject_id})

    return service


def calls(service: Service, status: str, error: str) -> float | None:
    """How many calls the metrics have of this kind."""
    labels = {
        "peer_service": SUBJECTS,
        "http_request_method": "GET",
        "http_response_status_code": status,
        "error_type": error,
    }
    return service.metrics.registry.get_sample_value(COUNT, labels)


def test_a_call_within_a_request(make: Make, subjects: FakeService) -> None:
    """Goes out with the request's correlation id, its deadline and our name."""
    subjects.on("GET", "/api/v1/subjects/{id}").reply(json={"name": "Math"})
    service = reports(make, {SUBJECTS: subjects.url}, SUBJECTS)

    with TestClient(service.app) as client:
        reply = client.get(
            "/reports/7",
            headers={"X-Correlation-ID": "abc-123", "X-Request-Timeout-Ms": "5000"},
        )

    (request,) = subjects.requests
    assert reply.json() == {"name": "Math"}
    assert request.correlation_id == "abc-123"
    assert request.timeout is not None
    assert 0 < request.timeout <= 5
    assert "my-service" in request.headers["user-agent"]
    assert calls(service, "200", "") == 1


def test_the_error_of_the_other_side(make: Make, subjects: FakeService) -> None:
    """Is the same error on ours, under the request's own id; and counted."""
    path = "/api/v1/subjects/{id}"
    subjects.on("GET", path).reply_problem(NotFoundError("Subject", "7"))
    service = reports(make, {SUBJECTS: subjects.url}, SUBJECTS)

    with TestClient(service.app) as client:
        reply = client.get("/reports/7", headers={"X-Correlation-ID": "abc-123"})

    assert reply == is_problem(
        status=404,
        code="resource_not_found",
        resource_id="7",
        instance="/reports/7",
        correlation_id="abc-123",
    )
    assert calls(service, "404", "NotFoundError") == 1


def test_a_service_that_is_away(make: Make, subjects: FakeService) -> None:
    """Does not keep ours from starting; calls are 503, and the breaker shows."""
    service = reports(
        make, {SUBJECTS: subjects.url}, SUBJECTS, retry=RetryPolicy(max_retries=0)
    )
    subjects.go_down()

    with TestClient(service.app) as client:
        replies = [client.get("/reports/7") for _ in range(6)]
        metrics = client.get("/metrics").text
        assert client.get("/health/ready").status_code == 200

    assert replies == [is_problem(status=503)] * 6
    assert subjects.url not in "".join(reply.text for reply in replies)
    assert calls(service, "", "ServiceUnavailableException") == 5
    assert calls(service, "", "CircuitOpenError") == 1
    assert 'circuit_breaker_state{name="subject-service"} 2.0' in metrics


def test_all_that_have_a_url(make: Make, subjects: FakeService) -> None:
    """Without names; and one that the settings do not have."""
    urls = {SUBJECTS: subjects.url, "team-service": "http://teams.example"}
    service = make(config={"service_urls": urls})

    registry = add_service_clients(
        service, urls={"geo": ["https://a.example", "https://b.example"]}
    )

    assert {n for n in (*urls, "geo", "other") if n in registry} == {*urls, "geo"}
    assert len(registry.breakers) == 4


def test_nothing_to_call(make: Make) -> None:
    """Is no mistake where no names are said."""
    registry = add_service_clients(make())

    assert registry.breakers == ()


def test_a_url_that_is_not_set(make: Make) -> None:
    """The service is not made, and the line names the variable."""
    with pytest.raises(ConfigurationError, match="SUBJECT_SERVICE_URL"):
        add_service_clients(make(), SUBJECTS)


def test_clients_of_one_service_twice(make: Make, subjects: FakeService) -> None:
    """Would share a name in logs and metrics, and no breaker."""
    service = make(config={"service_urls": {SUBJECTS: subjects.url}})
    add_service_clients(service, SUBJECTS)

    with pytest.raises(ValueError, match=r"name of its own .*'subject-service'"):
        add_service_clients(service, SUBJECTS)


def test_one_s_own_observer(make: Make, subjects: FakeService) -> None:
    """Is told as well."""
    subjects.on("GET", "/api/v1/subjects/{id}").reply(json=1)
    records: list[CallRecord] = []
    service = reports(make, {SUBJECTS: subjects.url}, observe=records.append)

    with TestClient(service.app) as client:
        client.get("/reports/7")

    (record,) = records
    assert (record.target, record.route) == (SUBJECTS, "/api/v1/subjects/{id}")
    assert calls(service, "200", "") == 1


def test_a_token_of_our_own(make: Make, subjects: FakeService) -> None:
    """Not that of whoever calls us."""
    subjects.on("GET", "/api/v1/subjects/{id}").reply(json=1)
    service = reports(make, {SUBJECTS: subjects.url}, token_provider=lambda: "ours")

    with TestClient(service.app) as client:
        client.get("/reports/7", headers={"Authorization": "Bearer theirs"})

    assert [request.bearer_token for request in subjects.requests] == ["ours"]


def test_connections_end_with_the_service(make: Make, subjects: FakeService) -> None:
    """Those that are kept for later, too."""
    subjects.on("GET", "/api/v1/subjects/{id}").reply(json=1)
    service = reports(make, {SUBJECTS: subjects.url})

    with TestClient(service.app) as client:
        client.get("/reports/7")
        assert subjects.open_connections == 1

    subjects.wait_until_idle()


def test_a_service_that_is_started_again(make: Make, subjects: FakeService) -> None:
    """Calls as it did: an application may be started twice in one process."""
    subjects.on("GET", "/api/v1/subjects/{id}").reply(json={"name": "Math"})
    service = reports(make, {SUBJECTS: subjects.url})

    for _ in range(2):
        with TestClient(service.app) as client:
            assert client.get("/reports/7").json() == {"name": "Math"}

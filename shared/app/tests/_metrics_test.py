"""What is counted, under which names, and how few of them there can be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from shared.app import METRICS, Metrics, PoolState
from shared.resilience import CircuitBreaker

REQUESTS = "http_server_request_duration_seconds_count"
GET = {"type": "http", "method": "GET"}


@pytest.fixture
def metrics() -> Metrics:
    """The metrics of a service."""
    return Metrics(service_name="my-service", version="1.2.3", environment="test")


def request_labels(method: str, route: str, status: str) -> dict[str, str]:
    """The labels of a request."""
    return {
        "http_request_method": method,
        "http_route": route,
        "http_response_status_code": status,
    }


def test_requests_are_counted_by_method_route_and_status(metrics: Metrics) -> None:
    """With their time, in the buckets of the conventions."""
    metrics.observe_request(GET, "/users/{id}", 200, 0.02)
    metrics.observe_request(GET, "/users/{id}", 200, 0.3)
    metrics.observe_request(GET, "unmatched", 404, 0.01)

    found = metrics.registry.get_sample_value
    users = request_labels("GET", "/users/{id}", "200")
    name = "http_server_request_duration_seconds_bucket"
    assert found(REQUESTS, users) == 2
    assert found(name, users | {"le": "0.025"}) == 1
    assert found(name, users | {"le": "0.5"}) == 2
    assert found(REQUESTS, request_labels("GET", "unmatched", "404")) == 1


def test_methods_that_are_made_up_are_one(metrics: Metrics) -> None:
    """A stranger can't fill the memory with labels."""
    for number in range(100):
        scope = {"type": "http", "method": f"M{number}"}
        metrics.observe_request(scope, "unmatched", 405, 0.1)

    other = request_labels("_OTHER", "unmatched", "405")
    assert metrics.registry.get_sample_value(REQUESTS, other) == 100


def test_a_websocket_is_no_request(metrics: Metrics) -> None:
    """It lasts as long as somebody looks, which says nothing of the service."""
    metrics.observe_request({"type": "websocket"}, "/ws", 101, 3600)

    assert REQUESTS not in samples(metrics)


def samples(metrics: Metrics) -> dict[str, list[Any]]:
    """Every sample by name."""
    text = metrics.render("")[0].decode()
    found: dict[str, list[Any]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample)
    return found


def test_the_state_of_breakers(metrics: Metrics) -> None:
    """0 closed, 1 half open, 2 open; read when somebody asks."""
    breaker = CircuitBreaker(name="payments")
    metrics.observe_breaker(breaker)

    def state() -> float | None:
        return metrics.registry.get_sample_value(
            "circuit_breaker_state", {"name": "payments"}
        )

    closed = state()
    breaker.force_open()

    assert (closed, state()) == (0.0, 2.0)


@pytest.mark.parametrize("name", ["", "payments"])
def test_a_breaker_needs_a_name_of_its_own(metrics: Metrics, name: str) -> None:
    """Else one would be shown under the name of another."""
    metrics.observe_breaker(CircuitBreaker(name="payments"))

    with pytest.raises(ValueError, match="needs a name of its own to be shown"):
        metrics.observe_breaker(CircuitBreaker(name=name))


def test_decisions_of_rate_limits(metrics: Metrics) -> None:
    """By policy and outcome."""
    metrics.count_rate_limit("per-user", "refused")
    metrics.count_rate_limit("per-user", "refused")

    labels = {"policy": "per-user", "outcome": "refused"}
    name = "rate_limit_decisions_total"
    assert metrics.registry.get_sample_value(name, labels) == 2


def test_connections_of_a_pool(metrics: Metrics) -> None:
    """Asked for at each scrape."""
    states = iter([PoolState(3, 2, 15)] * 3)
    metrics.observe_pool("database", lambda: next(states))

    found = samples(metrics)
    counts = {s.labels["state"]: s.value for s in found["db_client_connection_count"]}
    (most,) = found["db_client_connection_max"]
    assert counts == {"idle": 3, "used": 2}
    assert (most.labels, most.value) == ({"pool": "database"}, 15)


@pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="prometheus-client reads Linux's /proc"
)
def test_its_memory_is_there(metrics: Metrics) -> None:
    """A leak shows."""
    (memory,) = samples(metrics)["process_resident_memory_bytes"]

    assert memory.value > 0


def test_the_process_is_there(metrics: Metrics) -> None:
    """Python, and what runs here."""
    found = samples(metrics)

    assert "python_info" in found
    (info,) = found["target_info"]
    assert info.labels == {
        "service_name": "my-service",
        "service_version": "1.2.3",
        "deployment_environment_name": "test",
    }


def test_two_services_do_not_meet(metrics: Metrics) -> None:
    """Each has a registry of its own."""
    other = Metrics(service_name="other", version="1", environment="test")
    other.observe_request(GET, "/", 200, 0.1)

    assert REQUESTS not in samples(metrics)


def test_every_metric_has_the_labels_of_the_table(metrics: Metrics) -> None:
    """METRICS is what the documentation and the alert rules rely on."""
    make = {
        "gauge": metrics.gauge,
        "counter": metrics.counter,
        "histogram": metrics.histogram,
    }
    for name, definition in METRICS.items():
        metric = make[definition.kind](name)
        assert make[definition.kind](name) is metric
        if definition.labels:
            metric.labels(*definition.labels)
    found = samples(metrics)

    for name, definition in METRICS.items():
        shown = f"{name}_count" if definition.kind == "histogram" else name
        assert {frozenset(s.labels) for s in found[shown]} == {
            frozenset(definition.labels)
        }


def test_the_format_is_negotiated(metrics: Metrics) -> None:
    """Prometheus asks for OpenMetrics; others get the plain text."""
    assert metrics.render("application/openmetrics-text")[1].startswith(
        "application/openmetrics-text"
    )
    assert metrics.render("*/*")[1].startswith("text/plain")

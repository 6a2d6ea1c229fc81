"""The metrics of one service, in a registry of its own.

Names are OpenTelemetry's semantic conventions in Prometheus' spelling, where there is a
convention.

Private: import names from ``shared.app``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.exposition import choose_encoder
from starlette.types import Scope

from shared.resilience import CircuitBreaker


class MetricDefinition(NamedTuple):
    """What the documentation and the alert rules may count on."""

    kind: str
    labels: tuple[str, ...]
    help: str


_HISTOGRAM, _GAUGE, _COUNTER = "histogram", "gauge", "counter"

METRICS: Final[Mapping[str, MetricDefinition]] = MappingProxyType(
    {
        "http_server_request_duration_seconds": MetricDefinition(
            _HISTOGRAM,
            ("http_request_method", "http_route", "http_response_status_code"),
            "Time from a request's head to the end of its reply.",
        ),
        "http_server_active_requests": MetricDefinition(
            _GAUGE, (), "Requests that are being answered."
        ),
        "service_ready": MetricDefinition(
            _GAUGE, (), "1 while requests should come: see /health/ready."
        ),
        "health_check_status": MetricDefinition(
            _GAUGE, ("check",), "1 if the latest run passed, 0 if it failed."
        ),
        "target_info": MetricDefinition(
            _GAUGE,
            ("service_name", "service_version", "deployment_environment_name"),
            "What runs here; always 1.",
        ),
        "circuit_breaker_state": MetricDefinition(
            _GAUGE, ("name",), "0 closed, 1 half open, 2 open."
        ),
        "rate_limit_decisions_total": MetricDefinition(
            _COUNTER, ("policy", "outcome"), "Requests that a policy let in or refused."
        ),
        "db_client_connection_count": MetricDefinition(
            _GAUGE, ("pool", "state"), "Connections of a pool, idle or used."
        ),
        "db_client_connection_max": MetricDefinition(
            _GAUGE, ("pool",), "The most connections that a pool opens."
        ),
        "http_client_request_duration_seconds": MetricDefinition(
            _HISTOGRAM,
            (
                "peer_service",
                "http_request_method",
                "http_response_status_code",
                "error_type",
            ),
            "Time of a call to another service, with its retries.",
        ),
        "messaging_messages_total": MetricDefinition(
            _COUNTER,
            ("outcome", "event_type", "consumer"),
            "Messages that were published, or tried by a handler, and what became of "
            "them.",
        ),
        "messaging_handler_duration_seconds": MetricDefinition(
            _HISTOGRAM, ("consumer",), "Time that a handler had a message."
        ),
        "messaging_dead_letters": MetricDefinition(
            _GAUGE,
            ("bus", "consumer"),
            "Messages that wait to be replayed or purged.",
        ),
        "messaging_unrouted_messages": MetricDefinition(
            _GAUGE, ("bus",), "Events that nobody subscribed to, kept in the broker."
        ),
        # Their values come from the packages that own the tables.
        "outbox_pending_rows": MetricDefinition(
            _GAUGE, ("outbox",), "Events that wait in the outbox."
        ),
        "outbox_lag_seconds": MetricDefinition(
            _GAUGE, ("outbox",), "Age of the oldest event in the outbox."
        ),
        "scheduled_jobs_late": MetricDefinition(
            _GAUGE, (), "Scheduled jobs that are due and not done."
        ),
    }
)

# The conventions' own buckets, in seconds.
_BUCKETS = (
    *(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25),
    *(0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
)
# Any other method is one label value: a client may make them up.
_METHODS = frozenset(
    ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE")
)
_NAN = float("nan")


class PoolState(NamedTuple):
    """The connections of a pool at one moment."""

    idle: int
    used: int
    maximum: int


class _Verdict(Protocol):
    @property
    def passing(self) -> bool | None: ...


class Metrics:
    """What ``/metrics`` shows.

    Add your own to `registry`::

        orders = Counter("orders", "Orders taken.", registry=service.metrics.registry)
    """

    def __init__(self, *, service_name: str, version: str, environment: str) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._gauges: dict[str, Gauge] = {}
        self._counters: dict[str, Counter] = {}
        self._histograms: dict[str, Histogram] = {}
        self._durations = self.histogram("http_server_request_duration_seconds")
        # Finding a child among the labels costs more than the observation.
        self._observers: dict[tuple[str, str, int], Callable[[float], None]] = {}
        self._call_observers: dict[
            tuple[str, str, int | None, str | None], Callable[[float], None]
        ] = {}
        self._decisions = self.counter("rate_limit_decisions_total")
        self._breakers: set[str] = set()
        self.gauge("target_info").labels(service_name, version, environment).set(1)

    def gauge(self, name: str) -> Gauge:
        """The gauge that `METRICS` defines under this name; made when first asked for.

        A package that knows the value, of the outbox for example, sets it here.
        """
        gauge = self._gauges.get(name)
        if gauge is None:
            definition = METRICS[name]
            gauge = Gauge(
                name, definition.help, definition.labels, registry=self.registry
            )
            self._gauges[name] = gauge
        return gauge

    def counter(self, name: str) -> Counter:
        """The counter that `METRICS` defines under this name; see `gauge`."""
        counter = self._counters.get(name)
        if counter is None:
            definition = METRICS[name]
            counter = Counter(
                name, definition.help, definition.labels, registry=self.registry
            )
            self._counters[name] = counter
        return counter

    def histogram(self, name: str) -> Histogram:
        """The histogram that `METRICS` defines under this name; see `gauge`."""
        histogram = self._histograms.get(name)
        if histogram is None:
            definition = METRICS[name]
            histogram = Histogram(
                name,
                definition.help,
                definition.labels,
                buckets=_BUCKETS,
                registry=self.registry,
            )
            self._histograms[name] = histogram
        return histogram

    def observe_request(
        self, scope: Scope, route: str, status: int, seconds: float
    ) -> None:
        """Count a request; the observer of ``RequestLogMiddleware``."""
        method = scope.get("method")
        if method is None:  # a websocket, which lasts as long as it is used
            return
        key = (method, route, status)
        observe = self._observers.get(key)
        if observe is None:
            if method not in _METHODS:
                method = "_OTHER"
                key = (method, route, status)
            observe = self._durations.labels(*key).observe
            self._observers[key] = observe
        observe(seconds)

    def observe_call(
        self,
        peer: str,
        method: str,
        status: int | None,
        error: str | None,
        seconds: float,
    ) -> None:
        """Count a call to another service.

        Args:
            peer: The name of that service; such names are few.
            method: Of HTTP.
            status: Of the answer, if one came.
            error: The class of what the caller gets instead of the answer.
            seconds: What it took, with its retries.
        """
        key = (peer, method, status, error)
        observe = self._call_observers.get(key)
        if observe is None:
            if method not in _METHODS:
                method = "_OTHER"
                key = (peer, method, status, error)
            observe = (
                self.histogram("http_client_request_duration_seconds")
                .labels(peer, method, "" if status is None else status, error or "")
                .observe
            )
            self._call_observers[key] = observe
        observe(seconds)

    def observe_breaker(self, breaker: CircuitBreaker) -> None:
        """Show the state of a circuit breaker from now on.

        Raises:
            ValueError: It has no name, or that of another one that is shown.
        """
        name = breaker.name
        if not name or name in self._breakers:
            raise ValueError(
                "A breaker needs a name of its own to be shown "
                f"(got {name!r}): CircuitBreaker(name=...)."
            )
        self._breakers.add(name)
        gauge = self.gauge("circuit_breaker_state").labels(name)
        gauge.set_function(lambda: float(breaker.state.level))

    def count_rate_limit(self, policy: str, outcome: str) -> None:
        """Count a decision; a hook for rate limiters.

        Args:
            policy: Its name; policies are few.
            outcome: ``allowed`` or ``refused``.
        """
        self._decisions.labels(policy, outcome).inc()

    def observe_pool(self, pool: str, state: Callable[[], PoolState]) -> None:
        """Show the connections of a pool; *state* is asked at each scrape."""
        count = self.gauge("db_client_connection_count")
        count.labels(pool, "idle").set_function(lambda: float(state().idle))
        count.labels(pool, "used").set_function(lambda: float(state().used))
        most = self.gauge("db_client_connection_max").labels(pool)
        most.set_function(lambda: float(state().maximum))

    def observe_check(self, name: str, check: _Verdict) -> None:
        """Show what the latest run of a health check found."""

        def value() -> float:
            passing = check.passing
            return _NAN if passing is None else float(passing)

        self.gauge("health_check_status").labels(name).set_function(value)

    def render(self, accept: str) -> tuple[bytes, str]:
        """The metrics and their media type, in a format that *accept* allows."""
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type

"""What Prometheus sees of deliveries.

Private: import these names from ``services.api_platform.delivery``.
"""

from __future__ import annotations

from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from services.api_platform.delivery._options import NEWER, STABLE
from services.api_platform.delivery._results import Outcome, Recorded
from services.api_platform.delivery._sender import Attempt
from services.api_platform.delivery._store import Backlog

_LOST = "lost"
_BUCKETS = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 7.5, 10.0, 15.0, 30.0, 60.0)


class DeliveryMetrics:
    """Counts attempts, and shows what waits.

    Args:
        registry: Of the service.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._outcomes = Counter(
            "webhook_deliveries",
            "Attempts to deliver, by what became of the delivery.",
            ("settings", "outcome"),
            registry=registry,
        )
        self._errors = Counter(
            "webhook_attempt_errors",
            "Attempts that failed, by why.",
            ("settings", "error"),
            registry=registry,
        )
        self._seconds = Histogram(
            "webhook_attempt_duration_seconds",
            "Time of an attempt, from the name of its target to the answer.",
            ("settings",),
            buckets=_BUCKETS,
            registry=registry,
        )
        self._disabled = Counter(
            "webhooks_disabled",
            "Webhooks that were disabled because their targets fail.",
            ("reason",),
            registry=registry,
        )
        self._pending = Gauge(
            "webhook_deliveries_pending",
            "Deliveries that are not over; 100,000 stands for that or more.",
            registry=registry,
        )
        self._due = Gauge(
            "webhook_deliveries_due",
            "Deliveries that should be under way and are not.",
            registry=registry,
        )
        self._oldest = Gauge(
            "webhook_deliveries_oldest_due_seconds",
            "By how much the longest due delivery is late.",
            registry=registry,
        )
        self.under_way = Gauge(
            "webhook_deliveries_under_way",
            "Deliveries that this worker has.",
            registry=registry,
        )
        self.held_at: datetime | None = None
        """When a delivery last failed by a fault of ours."""
        # So that rates begin at 0 and not with the first failure.
        for settings in (STABLE, NEWER):
            for outcome in Outcome:
                if outcome is not Outcome.STALE:
                    self._outcomes.labels(settings, outcome.value)

    def count(self, attempt: Attempt, recorded: Recorded | None) -> None:
        """Count an attempt; None if its result was not written in time."""
        settings = attempt.settings.name
        outcome = _LOST if recorded is None else recorded.outcome.value
        self._outcomes.labels(settings, outcome).inc()
        self._seconds.labels(settings).observe(attempt.seconds)
        if attempt.error is not None:
            self._errors.labels(settings, attempt.error.value).inc()
            if attempt.error.is_ours:
                self.held_at = attempt.ended_at
        if recorded is not None and recorded.disabled is not None:
            self._disabled.labels(recorded.disabled).inc()

    def show(self, backlog: Backlog) -> None:
        """Show what waits."""
        self._pending.set(backlog.pending)
        self._due.set(backlog.due)
        self._oldest.set(backlog.oldest_due)

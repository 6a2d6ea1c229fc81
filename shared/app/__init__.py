"""The chassis of a service: ``create_service("my-service", config).app``.

``shared.app.database`` adds a database to it, ``shared.app.tracing`` traces.
"""

from shared.app._gateway import lift_deadline
from shared.app._health import CheckFunction, DegradedError
from shared.app._metrics import METRICS, MetricDefinition, Metrics, PoolState
from shared.app._resources import Resource, StartError
from shared.app._service import Service, create_service

__all__ = [
    # The service
    "Service",
    "create_service",
    # What it opens and looks at
    "CheckFunction",
    "DegradedError",
    "Resource",
    "StartError",
    # Requests
    "lift_deadline",
    # What it counts
    "METRICS",
    "MetricDefinition",
    "Metrics",
    "PoolState",
]

"""What the services of the platform declare on a broker; needs none.

::

    declared = topology_of(bus.subscriptions)
    queues = {queue.name: queue.arguments for queue in declared.queues}

`RabbitMQBus` declares exactly this when it is started.
"""

from shared.messaging._subscription import EVENTS
from shared.messaging._topology import (
    CATALOGUE,
    UNROUTED,
    Binding,
    Exchange,
    Queue,
    Topology,
    dead_queue,
    retry_queue,
    topology_of,
)

__all__ = [
    "CATALOGUE",
    "EVENTS",
    "UNROUTED",
    "Binding",
    "Exchange",
    "Queue",
    "Topology",
    "dead_queue",
    "retry_queue",
    "topology_of",
]

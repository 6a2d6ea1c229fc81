"""What goes wrong between a service and its events.

    ServiceUnavailableException  503
      BrokerUnavailableException 503  the broker did not take it, or not in time
    ValueError
      SubscriptionError               a subscription that could never work
      EventTooLargeError              an event that no consumer would read
    RuntimeError
      TopologyError                   a queue or exchange that is declared otherwise

Private: import these names from ``shared.messaging``.
"""

from __future__ import annotations

from shared.errors import ServiceUnavailableException


class BrokerUnavailableException(ServiceUnavailableException):
    """The broker did not confirm: the event may be there, or not.

    Publishing it again is right, since consumers know an event by its id. Where it must
    not be lost whatever happens, add it to the outbox instead.
    """


class SubscriptionError(ValueError):
    """A subscription that could never work, or that would take another one's events."""


class EventTooLargeError(ValueError):
    """An event larger than what consumers read. It was not published."""


class TopologyError(RuntimeError):
    """The broker has a queue or an exchange of this name with other arguments.

    Nothing was declared and nothing is lost. Delete or rename one of the two.
    """

"""What a comparison of two bundles finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Surface(StrEnum):
    """Where a document stands between two programs, which decides what is safe.

    The default is the tolerant reader: whoever reads ignores members that it does not
    know, and whoever writes writes only members that the contract has.
    """

    REQUEST = "request"
    """Clients of yesterday write, the service of today reads: it may only widen."""
    RESPONSE = "response"
    """The service of today writes, clients of yesterday read: it may only narrow."""
    EVENT = "event"
    """Both: consumers of yesterday read what is published today, and consumers of today
    read what was stored yesterday, in queues, outboxes and dead letters."""


class Impact(StrEnum):
    """What a change asks of the next version's number."""

    BREAKING = "breaking"
    """Somebody who kept to the old contract fails: a major version."""
    ADDITION = "addition"
    """New, and nobody fails: a minor version."""
    WORDING = "wording"
    """Only people notice: descriptions, examples, titles."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference between a baseline and the bundle that is compared with it."""

    rule: str
    """Names the rule in the table of contracts/README.md: ``property-removed``."""
    impact: Impact
    document: str
    """The path in the bundle."""
    pointer: str
    """Where in the document, by RFC 6901; in the newer one unless it is gone there."""
    before: Any
    """What the baseline says there; None if nothing."""
    after: Any
    """What it says now; None if nothing."""
    says: str
    """One sentence for people, without the place."""
    breaks: str = ""
    """Who fails, and how; empty unless it is breaking."""
    way_out: str = ""
    """What to do instead; empty unless it is breaking."""

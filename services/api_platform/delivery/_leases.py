"""Which deliveries a worker may have: statements for both databases.

An endpoint with a hundred thousand events that are due must not stand before one that
has a single event, and one that waits for its retries must cost nothing. So endpoints
are found one by one by the index of what is pending, a few rows are read of each, and
the oldest of those are taken.

The statements are made once, and their lists have few lengths: making one takes longer
than running it, and a server plans each length anew.

Private: import these names from ``services.api_platform.delivery``.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from typing import Any, Final, cast
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    Select,
    Table,
    Uuid,
    and_,
    bindparam,
    exists,
    literal_column,
    not_,
    or_,
    select,
    true,
    union_all,
    update,
)
from sqlalchemy.sql.dml import ReturningUpdate, Update
from sqlalchemy.sql.selectable import CTE

from services.api_platform.models import DeliveryState, Webhook, WebhookDelivery
from shared.database import UtcDateTime

DELIVERIES = cast("Table", WebhookDelivery.__table__)
WEBHOOKS = cast("Table", Webhook.__table__)

NOW: Final = bindparam("now", type_=UtcDateTime())
_NOBODY: Final = UUID(int=0)


def some_of(name: str) -> Any:
    """A parameter for a list of ids, which `padded` makes."""
    return bindparam(name, expanding=True, type_=Uuid())


def padded(ids: Collection[UUID]) -> list[UUID]:
    """*ids*, with the last of them so often that there is a power of two."""
    found = list(ids) or [_NOBODY]
    return found + found[-1:] * ((1 << (len(found) - 1).bit_length()) - len(found))


def pending(table: FromClause) -> ColumnElement[bool]:
    """Whether a delivery is not over."""
    # Written out: a parameter would hide from PostgreSQL that partial indexes fit.
    return table.c.state == literal_column(f"'{DeliveryState.PENDING}'")


def free(table: FromClause) -> ColumnElement[bool]:
    """Whether no worker has it at `NOW`."""
    return or_(table.c.lease_until.is_(None), table.c.lease_until <= NOW)


def due(table: FromClause) -> ColumnElement[bool]:
    """Whether it is to be delivered at `NOW`, and no worker has it."""
    return and_(pending(table), table.c.next_attempt_at <= NOW, free(table))


@cache
def candidates(dialect: str) -> Select[Any]:
    """Deliveries to lease, the longest due first.

    Of an endpoint that wants its events in order only the first that is not over, if
    that is due.

    Args:
        dialect: ``postgresql`` or ``sqlite``.

    Returns:
        Rows of delivery, webhook, and whether that is active. The parameters are
        ``now``; ``most``, how many; ``most_of_one``, how many of one endpoint; and
        ``without``, endpoints that have enough.
    """
    endpoints = _endpoints()
    columns = (WEBHOOKS.c.id.label("webhook_id"), WEBHOOKS.c.is_active)
    usable = WEBHOOKS.c.id.not_in(some_of("without"))
    both = endpoints.join(WEBHOOKS, WEBHOOKS.c.id == endpoints.c.id)
    oldest, to_oldest = _oldest_of(dialect, endpoints)
    unordered = (
        select(oldest.c.id, *columns, oldest.c.next_attempt_at)
        .select_from(both.join(oldest, to_oldest))
        .where(usable, not_(WEBHOOKS.c.ordered))
    )
    first, to_first = _first_of(dialect, endpoints)
    ordered = (
        select(first.c.id, *columns, first.c.next_attempt_at)
        .select_from(both.join(first, to_first))
        .where(usable, WEBHOOKS.c.ordered, first.c.next_attempt_at <= NOW, free(first))
    )
    found = union_all(unordered, ordered).subquery("found")
    return (
        select(found.c.id, found.c.webhook_id, found.c.is_active)
        .order_by(found.c.next_attempt_at, found.c.id)
        .limit(bindparam("most", type_=Integer()))
    )


def _endpoints() -> CTE:
    """Every endpoint with something pending, by one look into the index for each."""
    any_row, head, later = (
        DELIVERIES.alias(name) for name in ("any_row", "head", "later")
    )
    lowest = (
        select(head.c.webhook_id)
        .where(pending(head))
        .order_by(head.c.webhook_id)
        .limit(1)
        .scalar_subquery()
    )
    # When nothing is due at all, and that is most of the time, it ends here.
    something = exists().where(due(any_row))
    endpoints = select(lowest.label("id")).where(something).cte("endpoints", True)
    following = (
        select(later.c.webhook_id)
        .where(pending(later), later.c.webhook_id > endpoints.c.id)
        .order_by(later.c.webhook_id)
        .limit(1)
        .correlate(endpoints)
        .scalar_subquery()
    )
    return endpoints.union_all(
        select(following).select_from(endpoints).where(endpoints.c.id.is_not(None))
    )


def _oldest_of(dialect: str, endpoints: CTE) -> tuple[FromClause, ColumnElement[bool]]:
    """The rows of an endpoint that are due for longest, and how they are joined."""
    row = DELIVERIES.alias("one_row")
    top = (
        select(row.c.id, row.c.next_attempt_at)
        .where(row.c.webhook_id == endpoints.c.id, due(row))
        .order_by(row.c.next_attempt_at, row.c.id)
        .limit(bindparam("most_of_one", type_=Integer()))
        .correlate(endpoints)
    )
    if dialect == "postgresql":
        return top.lateral("oldest"), true()
    oldest = DELIVERIES.alias("oldest")  # SQLite has no LATERAL
    return oldest, oldest.c.id.in_(top.with_only_columns(row.c.id))


def _first_of(dialect: str, endpoints: CTE) -> tuple[FromClause, ColumnElement[bool]]:
    """The row of an endpoint that those behind it wait for, and how it is joined."""
    row = DELIVERIES.alias("earliest")
    head = (
        select(row.c.id, row.c.next_attempt_at, row.c.lease_until)
        .where(pending(row), row.c.webhook_id == endpoints.c.id)
        .order_by(row.c.id)
        .limit(1)
        .correlate(endpoints)
    )
    if dialect == "postgresql":
        # Joined by its id, it would be found by reading all that is pending.
        return head.lateral("first"), true()
    first = DELIVERIES.alias("first")
    return first, first.c.id == head.with_only_columns(row.c.id).scalar_subquery()


def _lease() -> ReturningUpdate[Any]:
    columns = DELIVERIES.c
    still = (
        select(columns.id)
        .where(columns.id.in_(some_of("chosen")), due(DELIVERIES))
        .with_for_update(skip_locked=True)
    )
    return (
        update(DELIVERIES)
        .where(columns.id.in_(still))
        .values(
            lease_until=bindparam("until", type_=UtcDateTime()),
            lease_token=bindparam("token", type_=Uuid()),
        )
        .returning(
            columns.id,
            columns.webhook_id,
            columns.event_id,
            columns.event_type,
            columns.correlation_id,
            columns.body,
            columns.attempts,
        )
    )


LEASE: Final = _lease()
"""Takes those of ``chosen`` that are due at ``now`` and that nobody took meanwhile, by
a ``token``, ``until`` a moment."""

RELEASE: Final[Update] = (
    update(DELIVERIES)
    .where(
        DELIVERIES.c.id.in_(some_of("deliveries")),
        DELIVERIES.c.lease_token.in_(some_of("tokens")),
        pending(DELIVERIES),
    )
    .values(lease_until=None, lease_token=None)
)
"""Gives back what is still ours, as if nobody had had it."""


def _give_up() -> Update:
    columns = DELIVERIES.c
    waiting = (
        select(columns.id)
        .where(
            columns.webhook_id == bindparam("webhook", type_=Uuid()),
            pending(DELIVERIES),
            free(DELIVERIES),
        )
        .with_for_update(skip_locked=True)
    )
    return (
        update(DELIVERIES)
        .where(columns.id.in_(waiting))
        .values(
            state=DeliveryState.FAILED,
            finished_at=NOW,
            lease_until=None,
            lease_token=None,
        )
    )


GIVE_UP: Final = _give_up()
"""Ends what waits for a ``webhook``; what a worker has is for that worker to end."""

"""Which deliveries a worker may have: statements for both databases.

An endpoint with a hundred thousand events that are due must not stand before one that
has a single event, one that waits for its retries must cost nothing, and a user with
many endpoints must not stand before one who has a single one. So endpoints are found
one by one by the index of what is pending, a few rows are read of each, and of those
users are given the oldest in turn.

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
    delete,
    exists,
    func,
    literal_column,
    not_,
    or_,
    select,
    true,
    union_all,
    update,
)
from sqlalchemy.sql.dml import Delete, ReturningUpdate, Update
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
    """Deliveries to lease: of each user the longest due, of each the next, and so on.

    Of an endpoint that wants its events in order only the first that is not over, if
    that is due.

    Args:
        dialect: ``postgresql`` or ``sqlite``.

    Returns:
        Rows of delivery, webhook, and user. The parameters are ``now``; ``most``, how
        many; ``most_of_one``, how many of one endpoint; and ``without`` and
        ``without_users``, endpoints and users that have enough.
    """
    any_row = DELIVERIES.alias("any_row")
    # When nothing is due at all, and that is most of the time, it ends here.
    endpoints = _endpoints(exists().where(due(any_row)))
    columns = (WEBHOOKS.c.id.label("webhook_id"), WEBHOOKS.c.user_id)
    usable = and_(
        WEBHOOKS.c.is_active,
        WEBHOOKS.c.id.not_in(some_of("without")),
        WEBHOOKS.c.user_id.not_in(some_of("without_users")),
    )
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
    age = (found.c.next_attempt_at, found.c.id)
    turn = func.row_number().over(partition_by=found.c.user_id, order_by=age)
    return (
        select(found.c.id, found.c.webhook_id, found.c.user_id)
        .order_by(turn, *age)
        .limit(bindparam("most", type_=Integer()))
    )


def _endpoints(*unless: ColumnElement[bool]) -> CTE:
    """Every endpoint with something pending, by one look into the index for each.

    None at all if *unless* does not hold.
    """
    head, later = (DELIVERIES.alias(name) for name in ("head", "later"))
    lowest = (
        select(head.c.webhook_id)
        .where(pending(head))
        .order_by(head.c.webhook_id)
        .limit(1)
        .scalar_subquery()
    )
    endpoints = select(lowest.label("id")).where(*unless).cte("endpoints", True)
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


_OF_WEBHOOK: Final = bindparam("webhook", type_=Uuid())


def _to_end() -> Select[Any]:
    endpoints = _endpoints()
    disabled = (
        select(WEBHOOKS.c.id)
        .select_from(endpoints.join(WEBHOOKS, WEBHOOKS.c.id == endpoints.c.id))
        .where(not_(WEBHOOKS.c.is_active), WEBHOOKS.c.deleted_at.is_(None))
    )
    deleted = select(WEBHOOKS.c.id).where(WEBHOOKS.c.deleted_at.is_not(None))
    found = union_all(disabled, deleted).subquery("to_end")
    return select(found.c.id).limit(bindparam("most", type_=Integer()))


TO_END: Final = _to_end()
"""Webhooks, up to ``most``, that get nothing more and have something on its way, or
that are deleted and are still there."""

LOCK_TO_END: Final = (
    select(WEBHOOKS.c.deleted_at)
    .where(WEBHOOKS.c.id == _OF_WEBHOOK, not_(WEBHOOKS.c.is_active))
    .with_for_update(key_share=True, skip_locked=True)
)
"""Locks a ``webhook``, unless it was enabled or another worker ends it."""


def _some_deliveries(*where: ColumnElement[bool]) -> Select[Any]:
    return (
        select(DELIVERIES.c.id)
        .where(DELIVERIES.c.webhook_id == _OF_WEBHOOK, *where)
        .limit(bindparam("most", type_=Integer()))
        .with_for_update(skip_locked=True)
    )


GIVE_UP: Final[Update] = (
    update(DELIVERIES)
    .where(DELIVERIES.c.id.in_(_some_deliveries(pending(DELIVERIES))))
    .values(
        state=DeliveryState.FAILED,
        finished_at=NOW,
        lease_until=None,
        lease_token=None,
    )
)
"""Ends what is on its way to a ``webhook``, up to ``most``. What comes of those that a
worker has changes nothing any more."""

REMOVE: Final[Delete] = delete(DELIVERIES).where(
    DELIVERIES.c.id.in_(_some_deliveries())
)
"""Removes deliveries of a ``webhook``, up to ``most``, with their attempts."""

REMOVE_WEBHOOK: Final[Delete] = delete(WEBHOOKS).where(
    WEBHOOKS.c.id == _OF_WEBHOOK,
    ~exists().where(DELIVERIES.c.webhook_id == WEBHOOKS.c.id),
)
"""Removes a ``webhook`` that has no deliveries."""

"""The statements of the outbox on PostgreSQL, and the locks that they agree on.

Advisory locks of two numbers, the oid of the table and:

    0 to 15   a partition: whoever holds it publishes its events, until his commit
    16        held by a relay that sleeps; writers share it when none does

NOTIFY locks out every other commit with one, in the whole server, from before the flush
to the disk until after it (PreCommit_Notify in PostgreSQL's async.c). So a writer
notifies only where it finds lock 16 taken. A relay takes it before it sleeps, for which
it waits for the writers that did not notify, and looks once more.

Private: used by ``shared.messaging.outbox`` only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql

from shared.messaging._outbox_table import PARTITIONS, WRITTEN

ASLEEP: Final = PARTITIONS

# As text: SQLAlchemy gives its connections a decoder of jsonb, others have none.
_READ: Final = (
    "position, partition, id, type, payload, content_type, headers::text, occurred_at, "
    "aggregateid"
)


def quoted(table: Table) -> str:
    """The name of the table, as SQL."""
    dialect: Any = postgresql.dialect
    return str(dialect().identifier_preparer.format_table(table))


def oid(table: Table) -> str:
    """An expression that is the oid of the table."""
    name = quoted(table).replace("'", "''")
    return f"'{name}'::regclass::oid"


def channel(table: Table) -> str:
    """An expression that is the channel on which relays are woken."""
    return f"'creativeflow_outbox_' || {oid(table)}"


@dataclass(frozen=True, slots=True)
class Inserts:
    """The INSERT of one driver, with the wake-up in it."""

    one: str
    many: str
    one_silent: str
    many_silent: str

    def of(
        self, rows: Sequence[tuple[Any, ...]], *, notify: bool
    ) -> tuple[str, tuple[Any, ...]]:
        """The statement for *rows*, and its parameters."""
        if len(rows) == 1:
            return (self.one if notify else self.one_silent), rows[0]
        columns = tuple(list(column) for column in zip(*rows, strict=True))
        return (self.many if notify else self.many_silent), columns


def inserts(table: Table) -> Mapping[str, Inserts]:
    """The INSERT for each driver of PostgreSQL."""
    return {
        "asyncpg": _inserts(table, lambda number: f"${number}"),
        "psycopg": _inserts(
            table, lambda _: "%s", escape=lambda s: s.replace("%", "%%")
        ),
    }


def _inserts(
    table: Table,
    placeholder: Callable[[int], str],
    escape: Callable[[str], str] = str,
) -> Inserts:
    numbered = list(enumerate(WRITTEN.values(), 1))
    into = escape(f"INSERT INTO {quoted(table)} ({', '.join(WRITTEN)}) ")
    one = ", ".join(f"{placeholder(n)}::{kind}" for n, kind in numbered)
    many = ", ".join(f"{placeholder(n)}::{kind}[]" for n, kind in numbered)
    # The order of the rows is that of the arrays, and so are their positions.
    single = f"{into}VALUES ({one})"
    several = f"{into}SELECT * FROM unnest({many})"  # noqa: S608 - names are quoted
    wake = escape(
        "SELECT CASE WHEN NOT pg_try_advisory_xact_lock_shared("
        f"{oid(table)}::int4, {ASLEEP}) THEN pg_notify({channel(table)}, '') END"
    )
    # The SELECT runs first, and the INSERT whether anybody asks for it or not.
    return Inserts(
        one=f"WITH added AS ({single}) {wake}",
        many=f"WITH added AS ({several}) {wake}",
        one_silent=single,
        many_silent=several,
    )


def claim(table: Table) -> str:
    """Claim partitions, one after the other until there are enough rows, and read them.

    $1 are the partitions in the order in which to try them, $2 the positions after
    which to look in each, and $3 how many rows are enough. A partition is claimed where
    it has a row that somebody could publish: so two that look at the same time, and of
    which one finds nothing, don't hide from each other what came meanwhile.

    FOR UPDATE, as the statement may see less than was committed when it got the lock:
    what the one before deleted is passed over then.

    Both looks are written so that only the index of (partition, position) gives their
    order: with ``partition = ...`` that of the key would do as well, and PostgreSQL
    takes it gladly, which is a scan of the whole table where a partition is empty.
    """
    name, lock = quoted(table), f"{oid(table)}::int4"
    within = (
        "(partition, position) > ({0}.partition, {0}.after) AND "
        "(partition, position) < (({0}.partition + 1)::int2, 0::int8) "
        "ORDER BY partition, position"
    )
    return f"""
        SELECT event.* FROM (
            SELECT turn.partition, turn.after
            FROM unnest($1::int2[], $2::int8[]) AS turn (partition, after)
            WHERE CASE WHEN (
                SELECT TRUE FROM {name} WHERE {within.format("turn")} LIMIT 1
            ) THEN pg_try_advisory_xact_lock({lock}, turn.partition) ELSE FALSE END
            OFFSET 0
        ) claimed CROSS JOIN LATERAL (
            SELECT {_READ} FROM {name} WHERE {within.format("claimed")}
            LIMIT $3 FOR UPDATE SKIP LOCKED
        ) event LIMIT $3
    """  # noqa: S608 - the name is quoted


def writing(table: Table) -> str:
    """The transactions, but ours, that may have taken positions and are not visible.

    An INSERT has the lock of the table before it takes one, until its commit is seen.
    """
    return f"""
        SELECT virtualtransaction FROM pg_locks
        WHERE locktype = 'relation' AND relation = {oid(table)}
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND mode = 'RowExclusiveLock' AND pid IS DISTINCT FROM pg_backend_pid()
    """  # noqa: S608 - the name is quoted


def remove(table: Table) -> str:
    """Delete the rows at the positions $1."""
    return f"DELETE FROM {quoted(table)} WHERE position = ANY($1::int8[])"  # noqa: S608


def lie_down(table: Table, *, patience_ms: int) -> str:
    """Take the lock of a relay that sleeps, for the session. Fails if it takes long."""
    return (
        f"BEGIN; SET LOCAL lock_timeout = {patience_ms}; "
        f"SELECT pg_advisory_lock({oid(table)}::int4, {ASLEEP}); COMMIT"
    )


def get_up(table: Table) -> str:
    """Give it back."""
    return f"SELECT pg_advisory_unlock({oid(table)}::int4, {ASLEEP})"

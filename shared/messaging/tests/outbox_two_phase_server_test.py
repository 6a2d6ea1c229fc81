"""The outbox in a transaction that is prepared before it is committed."""

from __future__ import annotations

import psycopg
from sqlalchemy import Engine, create_engine, func, make_url, select
from sqlalchemy.orm import Session

from shared.messaging.outbox import Outbox
from shared.messaging.tests.outbox_contract import EVENTS, METADATA, moved
from shared.testing.server_processes import PrivatePostgreSQL

_DRIVER = "postgresql+psycopg"


def count(engine: Engine) -> int:
    """How many rows there are."""
    with engine.connect() as connection:
        found = connection.execute(select(func.count()).select_from(EVENTS))
        return int(found.scalar_one())


def test_a_transaction_that_is_committed_in_two_phases() -> None:
    """Its events are written when it is prepared, and nobody is told by NOTIFY.

    PostgreSQL prepares no transaction that has notified.
    """
    outbox = Outbox(EVENTS)
    with PrivatePostgreSQL() as server:
        with psycopg.connect(server.url, autocommit=True) as admin:
            admin.execute("ALTER SYSTEM SET max_prepared_transactions = 2")
        server.stop()
        server.start()
        engine = create_engine(make_url(server.url).set(drivername=_DRIVER))
        METADATA.create_all(engine)
        with Session(engine, twophase=True) as session:
            outbox.add(session, moved(1))
            session.prepare()
            before = count(engine)
            session.commit()
            outbox.add(session, moved(2), moved(3))
            session.commit()
            outbox.add(session, moved(4))
            session.rollback()
        after = count(engine)
        engine.dispose()

    assert (before, after) == (0, 3)

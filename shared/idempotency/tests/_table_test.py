from __future__ import annotations

import pytest
from sqlalchemy import MetaData
from sqlalchemy.exc import InvalidRequestError

from shared.database import Base
from shared.idempotency import idempotency_table


def test_the_table_is_in_the_metadata_of_the_service() -> None:
    """So ``create_all`` and Alembic see it, with the names of its constraints."""
    metadata = MetaData(naming_convention=Base.metadata.naming_convention)

    table = idempotency_table(metadata)

    assert metadata.tables["idempotency_keys"] is table
    assert table.primary_key.name == "pk_idempotency_keys"
    assert {index.name for index in table.indexes} == {"ix_idempotency_keys_expires_at"}


def test_the_name_is_the_service_s_to_choose() -> None:
    """Two services may share a schema."""
    assert idempotency_table(MetaData(), name="orders_keys").name == "orders_keys"


def test_no_column_holds_the_key_or_the_caller() -> None:
    """They are hashed into the id: who reads the table can't repeat a request."""
    assert idempotency_table(MetaData()).columns.keys() == [
        "id",
        "operation",
        "fingerprint",
        "owner",
        "locked_until",
        "attempts",
        "status",
        "headers",
        "body",
        "created_at",
        "expires_at",
    ]


def test_two_of_one_name_are_refused() -> None:
    """As SQLAlchemy refuses them."""
    metadata = MetaData()
    idempotency_table(metadata)

    with pytest.raises(InvalidRequestError, match="already defined"):
        idempotency_table(metadata)

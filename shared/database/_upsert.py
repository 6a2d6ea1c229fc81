"""INSERT ... ON CONFLICT DO UPDATE for both databases.

Private: used by ``shared.database`` only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import ReturningInsert

from shared.database._mixins import SoftDeleteMixin
from shared.database._models import ModelFacts


def upsert_statement(
    facts: ModelFacts, dialect: str, values: Mapping[str, object], by: Sequence[str]
) -> ReturningInsert[Any]:
    """The statement that inserts a row, or updates the one with the same *by*."""
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    columns = {name: attribute.expression for name, attribute in facts.fields.items()}
    statement = insert(facts.model).values(dict(values))
    excluded = statement.excluded
    changes: dict[Any, Any] = {
        columns[name]: excluded[columns[name].name]
        for name in values
        if name not in by and name not in facts.fixed
    }
    for name, column in columns.items():
        if name not in values and column.onupdate is not None:
            # Its insert default, which the row offered for insertion has.
            changes[column] = excluded[column.name]
    if facts.version:
        changes[columns[facts.version]] = columns[facts.version] + 1
    if issubclass(facts.model, SoftDeleteMixin) and "deleted_at" not in values:
        changes[columns["deleted_at"]] = None
    if not changes:
        # DO NOTHING would return no row.
        changes = {columns[name]: excluded[columns[name].name] for name in by}
    return statement.on_conflict_do_update(
        index_elements=[columns[name] for name in by], set_=changes
    ).returning(facts.model)

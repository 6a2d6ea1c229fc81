from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import MetaData
from sqlalchemy.orm import Mapped, mapped_column

from shared.database._base import Base
from shared.database._mixins import SoftDeleteMixin, UUIDKeyMixin
from shared.database._types import utc_now
from shared.utils import uuid7


class _Base(Base):
    __abstract__ = True
    metadata = MetaData()


class First(UUIDKeyMixin, SoftDeleteMixin, _Base):
    __tablename__ = "first"


class Second(_Base, UUIDKeyMixin):
    __tablename__ = "second"


class Own(UUIDKeyMixin, _Base):
    __tablename__ = "own"

    name: Mapped[str] = mapped_column()

    def __init__(self, name: str) -> None:
        super().__init__(name=name)


@pytest.mark.parametrize("make", [First, Second, lambda: Own("x")])
def test_the_key_is_there_at_once(make: Any) -> None:
    """Whatever the order of the bases, and with a constructor of one's own."""
    one, other = make(), make()

    assert isinstance(one.id, UUID)
    assert one.id != other.id


@pytest.mark.parametrize("model", [First, Second])
def test_a_key_can_be_given(model: type[Any]) -> None:
    """By whoever made it; None is none."""
    key = uuid7()

    assert model(id=key).id == key
    assert isinstance(model(id=None).id, UUID)


def test_deletion_shows() -> None:
    """A hidden row says so."""
    row = First()
    assert not row.is_deleted
    row.deleted_at = utc_now()
    assert row.is_deleted

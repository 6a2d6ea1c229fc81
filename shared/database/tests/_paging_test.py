from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Integer, Interval, MetaData, Numeric, literal_column
from sqlalchemy.orm import Mapped, column_property, mapped_column

from shared.config import DatabaseConfig
from shared.database._base import Base
from shared.database._database import Database
from shared.database._filters import OneOf, Range
from shared.database._mixins import UUIDKeyMixin
from shared.database._paging import InvalidCursorException
from shared.database._repository import SyncRepository
from shared.dtos.common import decode_cursor, encode_cursor
from shared.errors import BadRequestException


class _Base(Base):
    __abstract__ = True
    metadata = MetaData()


class Size(Enum):
    SMALL = "s"
    LARGE = "l"


class Item(UUIDKeyMixin, _Base):
    __tablename__ = "item"

    number: Mapped[int | None]
    share: Mapped[float | None]
    price: Mapped[Decimal | None] = mapped_column(Numeric(10, 2))
    day: Mapped[date | None]
    moment: Mapped[datetime | None]
    other_id: Mapped[UUID | None]
    size: Mapped[Size | None]
    flag: Mapped[bool | None]
    word: Mapped[str | None]
    span: Mapped[timedelta | None] = mapped_column(Interval())
    blob: Mapped[bytes | None]
    doubled: Mapped[int | None] = column_property(literal_column("number * 2", Integer))


START = datetime(2026, 1, 1, tzinfo=UTC)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "number": st.integers(-3, 3),
    "share": st.sampled_from([-1.5, 0.1, 0.3, 1e300]),
    "price": st.decimals(-2, 2, places=2),
    "day": st.dates(date(2026, 1, 1), date(2026, 1, 4)),
    "moment": st.integers(0, 3).map(lambda n: START + timedelta(seconds=n)),
    "other_id": st.builds(UUID, int=st.integers(0, 3)),
    "size": st.sampled_from(Size),
    "flag": st.booleans(),
    "word": st.sampled_from(["", "a", "B", "ä", "☃", "a%"]),
}


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    """A database in memory with the table."""
    database = Database(
        DatabaseConfig.model_validate({"url": "sqlite://"}), service_name="items"
    )
    _Base.metadata.create_all(database.sync_engine)
    yield database
    database.dispose_sync()


@pytest.mark.parametrize("name", list(VALUES))
@settings(max_examples=15, deadline=None)
@given(data=st.data(), descending=st.booleans())
def test_pages_are_the_list(
    database: Database, name: str, data: st.DataObject, descending: bool
) -> None:
    """For fields of every type, with values that are equal or missing."""
    values = data.draw(st.lists(st.none() | VALUES[name], max_size=9))
    order = [f"-{name}" if descending else name]
    with database.sync_session() as session:
        repository = SyncRepository(session, Item)
        repository.add_many([Item(**{name: value}) for value in values])
        whole = [row.id for row in repository.list(order_by=order).items]
        paged: list[UUID] = []
        cursor: str | None = None
        while len(paged) < len(whole):
            page = repository.list(order_by=order, limit=2, cursor=cursor)
            paged += [row.id for row in page.items]
            assert (page.next_cursor is None) == (len(paged) >= len(whole))
            cursor = page.next_cursor
        session.rollback()

    assert len(set(whole)) == len(values)
    assert paged == whole


@pytest.mark.parametrize("name", ["span", "blob", "doubled", "nothing"])
def test_not_every_field_can_be_sorted_by(database: Database, name: str) -> None:
    """What a cursor can't carry, or is no column, is refused with the first page."""
    with (
        pytest.raises(BadRequestException, match=f"sorted by '{name}'"),
        database.sync_session() as session,
    ):
        SyncRepository(session, Item).list(order_by=[name])


def test_a_field_stands_once_in_an_order(database: Database) -> None:
    """Twice is a mistake, in another direction too."""
    with (
        pytest.raises(BadRequestException, match="number is twice"),
        database.sync_session() as session,
    ):
        SyncRepository(session, Item).list(order_by=["number", "-number"])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("number", "7"),
        ("number", True),
        ("flag", 1),
        ("word", 1),
        ("moment", "2026-01-01T00:00:00"),
        ("moment", "yesterday"),
        ("moment", 7),
        ("day", "2026-13-01"),
        ("other_id", "no uuid"),
        ("price", "seven"),
        ("share", "seven"),
        ("size", "HUGE"),
    ],
)
def test_made_up_values_are_refused(
    database: Database, name: str, value: str | int | bool
) -> None:
    """A cursor is input like any other."""
    cursor = encode_cursor({"by": f"{name},id", "0": value, "1": str(uuid4())})
    with (
        pytest.raises(InvalidCursorException, match="first page"),
        database.sync_session() as session,
    ):
        SyncRepository(session, Item).list(order_by=[name], cursor=cursor)


@pytest.mark.parametrize(
    "change",
    [{"1": None}, {"2": 1}, {"by": "id"}, {"by": None}, {"0": "x" * 10}],
)
def test_changed_cursors_are_refused(
    database: Database, change: dict[str, str | int | None]
) -> None:
    """Missing, more, and other members."""
    with database.sync_session() as session:
        repository = SyncRepository(session, Item)
        repository.add_many([Item(number=1), Item(number=2)])
        page = repository.list(order_by=["number"], limit=1)
        assert page.next_cursor is not None
        changed = encode_cursor(decode_cursor(page.next_cursor) | change)
        with pytest.raises(InvalidCursorException, match="first page"):
            repository.list(order_by=["number"], cursor=changed)
        session.rollback()


def test_a_cursor_shows_the_place_only(database: Database) -> None:
    """The values of the columns that the list is sorted by, and nothing else."""
    with database.sync_session() as session:
        repository = SyncRepository(session, Item)
        repository.add_many([Item(word="a", number=1), Item(word="b", number=1)])
        page = repository.list(order_by=["-word"], limit=1)
        key = page.items[0].id
        session.rollback()

    assert page.next_cursor is not None
    assert decode_cursor(page.next_cursor) == {
        "by": "-word,-id",
        "0": "b",
        "1": str(key),
    }


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"day": datetime(2026, 1, 1, tzinfo=UTC)}, "compared with a date, not with"),
        ({"price": 1.5}, "compared with a Decimal, not with a float"),
        ({"share": "1"}, "compared with a float, not with a str"),
        ({"size": "SMALL"}, "compared with a Size, not with a str"),
        ({"number": OneOf([1, "2"])}, "compared with a int, not with a str"),
        ({"number": Range(le="2")}, "compared with a int, not with a str"),
        ({"blob": b""}, "can't be filtered"),
    ],
)
def test_values_have_the_type_of_their_field(
    database: Database, filters: dict[str, object], message: str
) -> None:
    """What Python would compare and the database would not."""
    with (
        pytest.raises(BadRequestException, match=message),
        database.sync_session() as session,
    ):
        SyncRepository(session, Item).list(filters=filters)


@pytest.mark.parametrize(
    "filters",
    [
        {"price": 1},
        {"share": 1},
        {"size": Size.SMALL},
        {"day": date(2026, 1, 1)},
        {"other_id": "00000000-0000-0000-0000-000000000001"},
        {"span": timedelta(1)},
    ],
)
def test_values_that_fit(database: Database, filters: dict[str, object]) -> None:
    """An integer is a number of any kind, and the text of a UUID is one."""
    with database.sync_session() as session:
        assert SyncRepository(session, Item).list(filters=filters).items == []


def test_a_repository_is_of_a_model(database: Database) -> None:
    """Another class is a mistake that shows at once."""
    with (
        pytest.raises(TypeError, match="is no model: derive it"),
        database.sync_session() as session,
    ):
        SyncRepository(session, Size)

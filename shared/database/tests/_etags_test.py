from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import MetaData
from sqlalchemy.orm import Mapped, mapped_column

from shared.database._base import Base
from shared.database._errors import PreconditionRequiredException, StaleRecordException
from shared.database._etags import etag_of, require_match
from shared.database._mixins import UUIDKeyMixin, VersionMixin
from shared.errors import BadRequestException


class _Base(Base):
    __abstract__ = True
    metadata = MetaData()


class Page(UUIDKeyMixin, VersionMixin, _Base):
    __tablename__ = "page"


class Plain(_Base):
    __tablename__ = "plain"

    id: Mapped[int] = mapped_column(primary_key=True)


PAGE = Page(version=3)


def test_the_tag_is_the_version() -> None:
    """A strong one, in quotes."""
    assert etag_of(PAGE) == '"3"'


@pytest.mark.parametrize(
    "header",
    ['"3"', ' "3" ', "*", " * ", '"1", "3"', '"1","3",', ', ,"3"', 'W/"3", "3"'],
)
def test_a_match(header: str) -> None:
    """One of a list is enough, and a star matches what is there."""
    require_match(header, PAGE)


@pytest.mark.parametrize(
    "header", ['"4"', 'W/"3"', '"1", "2"', '""', '"3 "'[:2] + '4"']
)
def test_another_state(header: str) -> None:
    """It was changed since; a weak tag never matches a change (RFC 9110, 13.1.1)."""
    with pytest.raises(StaleRecordException, match="changed since") as caught:
        require_match(header, PAGE)

    assert caught.value.status_code == 409
    assert caught.value.headers["ETag"] == '"3"'


@pytest.mark.parametrize(
    "header",
    ["", ",", "3", '"3', '3"', '"3" "4"', "'3'", 'w/"3"', '"3";q=1', '*, "3"', '"a b"'],
)
def test_what_is_no_list_of_tags(header: str) -> None:
    """A 400 that shows how one looks."""
    with pytest.raises(BadRequestException, match='such as "3"'):
        require_match(header, PAGE)


def test_a_missing_header() -> None:
    """428, unless the endpoint lets it pass."""
    with pytest.raises(PreconditionRequiredException, match="If-Match"):
        require_match(None, PAGE)
    require_match(None, PAGE, required=False)


def test_a_row_without_version() -> None:
    """A mistake of the service."""
    with pytest.raises(TypeError, match="Plain has no version: add VersionMixin"):
        etag_of(Plain(id=1))


@given(header=st.text(st.sampled_from('W/"3,* \tx\x7f')))
def test_any_text_has_an_answer(header: str) -> None:
    """A match, 400 or 409, and nothing else."""
    try:
        require_match(header, PAGE)
    except (BadRequestException, StaleRecordException) as error:
        status = error.status_code
    else:
        status = 200

    assert status in {200, 400, 409}
    assert status != 200 or '"3"' in header or header.strip() == "*"

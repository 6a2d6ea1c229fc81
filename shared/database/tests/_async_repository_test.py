from __future__ import annotations

import inspect

import pytest

from shared.database._async_repository import BaseRepository
from shared.database._base import Base
from shared.database._repository import SyncRepository


def _methods(cls: type) -> dict[str, inspect.Signature]:
    public = {name: value for name, value in vars(cls).items() if name[0] != "_"}
    return {
        name: inspect.signature(value).replace(return_annotation=None)
        for name, value in public.items()
    }


def test_both_have_the_same_methods() -> None:
    """With the same arguments and defaults: one is written, the other follows."""
    assert _methods(BaseRepository) == _methods(SyncRepository)


def test_it_needs_a_session() -> None:
    """An engine, or nothing, is told apart at once."""
    not_a_session: object = None
    with pytest.raises(TypeError, match=r"needs a session: .* \(got a NoneType\)"):
        BaseRepository(not_a_session, Base)  # type: ignore[arg-type]

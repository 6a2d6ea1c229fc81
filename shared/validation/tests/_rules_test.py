from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import AfterValidator, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from shared.validation._rules import Rule, require


def rules(*holds: bool) -> list[Rule]:
    return [Rule(f"r{i}", f"phrase {i}", held) for i, held in enumerate(holds)]


def test_nothing_broken_raises_nothing() -> None:
    """Rules that hold, or no rules at all, pass in silence."""
    require("code", "Thing", rules(True, True))
    require("code", "Thing", [])


@pytest.mark.parametrize(
    ("holds", "message", "names"),
    [
        ([True, False], "Thing must have phrase 1.", ["r1"]),
        ([False, False], "Thing must have phrase 0 and phrase 1.", ["r0", "r1"]),
        (
            [False, False, True, False],
            "Thing must have phrase 0, phrase 1 and phrase 3.",
            ["r0", "r1", "r3"],
        ),
    ],
)
def test_one_error_names_every_broken_rule(
    holds: list[bool], message: str, names: list[str]
) -> None:
    """People read all phrases in one sentence, programs find all names in order."""
    with pytest.raises(PydanticCustomError) as caught:
        require("code", "Thing", rules(*holds))

    assert isinstance(caught.value, ValueError)
    assert str(caught.value) == message
    assert caught.value.context is not None
    assert caught.value.context["rules"] == names


def test_pydantic_reports_the_code_as_type() -> None:
    """A handler finds a stable code where pydantic keeps its own error types."""

    def refuse(_: str) -> None:
        require("thing_format", "Thing", rules(False))

    with pytest.raises(ValidationError, match="Thing must have phrase 0") as caught:
        TypeAdapter(Annotated[str, AfterValidator(refuse)]).validate_python("x")

    (error,) = caught.value.errors()
    assert error["type"] == "thing_format"
    assert error["msg"] == "Thing must have phrase 0."

from typing import Any

import pytest
from pydantic import ValidationError

from shared.dtos.project import (
    BrandKitCreateDTO,
    BrandKitResponseDTO,
    BrandKitUpdateDTO,
    ProjectCreateDTO,
    ProjectUpdateDTO,
)


class Row:
    """Like an ORM object with JSON columns."""

    def __init__(self, **columns: Any) -> None:
        self.__dict__.update(columns)


def test_a_brand_kit_goes_from_request_to_row_to_response() -> None:
    """What ``model_dump`` gives fits columns, and columns fit the response."""
    created = BrandKitCreateDTO.model_validate(
        {
            "name": "Engines",
            "colors": [{"name": "Primary", "hex": "#ABC"}],
            "logos": [{"name": "Dark", "url": "https://cdn.example.com/l.svg"}],
        }
    )
    row = Row(
        id="9a1c2b7d-58d4-4b3a-b9de-2c8f0c8d4e77",
        created_at="2026-01-31T12:00:00Z",
        updated_at="2026-01-31T12:00:00Z",
        owner_id="5f0c6a5e-6d0b-4c55-9d0e-0f6f3f1f7c11",
        **created.model_dump(),
    )

    shown = BrandKitResponseDTO.model_validate(row).model_dump(mode="json")

    assert shown["colors"] == [{"name": "Primary", "hex": "#aabbcc"}]
    assert shown["logos"][0]["url"] == "https://cdn.example.com/l.svg"
    assert (shown["fonts"], shown["guidelines"], shown["is_default"]) == (
        [],
        None,
        False,
    )


@pytest.mark.parametrize("field", ["name", "colors", "fonts", "logos", "is_default"])
def test_a_brand_kit_keeps_what_it_must_have(field: str) -> None:
    """A list is emptied with an empty list, not with null."""
    with pytest.raises(ValidationError, match=r"valid string|valid list|valid boolean"):
        BrandKitUpdateDTO.model_validate({field: None})


def test_what_is_optional_can_be_cleared() -> None:
    """Null takes the guidelines or the brand kit away."""
    assert BrandKitUpdateDTO(guidelines=None).changes() == {"guidelines": None}
    assert ProjectUpdateDTO.model_validate(
        {"brand_kit_id": None, "description": None, "target_platform": None}
    ).changes() == {"description": None, "brand_kit_id": None, "target_platform": None}


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        (BrandKitCreateDTO, {"name": ""}),
        (BrandKitCreateDTO, {"name": "x", "colors": [{"name": "p", "hex": "red"}]}),
        (
            BrandKitCreateDTO,
            {"name": "x", "colors": [{"name": "p", "hex": "#000"}] * 51},
        ),
        (
            BrandKitCreateDTO,
            {"name": "x", "logos": [{"name": "p", "url": "http://example.com"}]},
        ),
        (ProjectCreateDTO, {"name": "x", "target_platform": "Insta Gram"}),
        (ProjectCreateDTO, {"name": "x", "brand_kit_id": "1"}),
        (ProjectUpdateDTO, {"name": None}),
        (ProjectUpdateDTO, {"name": " "}),
    ],
)
def test_parts_are_checked(model: Any, fields: dict[str, Any]) -> None:
    """Colours, links, names and counts have their rules."""
    with pytest.raises(ValidationError, match=r"must have|should"):
        model.model_validate(fields)

"""Brand kits, which hold a brand's look, and projects, which use them."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from shared.dtos._fields import Name, Prose
from shared.dtos.base import (
    BaseDTO,
    BaseResponseDTO,
    BaseUpdateDTO,
    NotNull,
    with_examples,
)
from shared.validation import HexColor, HttpsUrl, Slug


class BrandColorDTO(BaseDTO):
    """A colour and what the brand calls it."""

    model_config = with_examples({"name": "Primary", "hex": "#1a2b3c"})

    name: Name
    hex: HexColor


class BrandFontDTO(BaseDTO):
    """A typeface, what it is used for, and where its file is."""

    model_config = with_examples({"role": "Headlines", "family": "Inter", "url": None})

    role: Name
    family: Name
    url: HttpsUrl | None = None


class BrandLogoDTO(BaseDTO):
    """A form of the logo, and where its file is."""

    model_config = with_examples(
        {"name": "On dark", "url": "https://cdn.example.com/logo-dark.svg"}
    )

    name: Name
    url: HttpsUrl


Colors = Annotated[list[BrandColorDTO], Field(max_length=50)]
Fonts = Annotated[list[BrandFontDTO], Field(max_length=20)]
Logos = Annotated[list[BrandLogoDTO], Field(max_length=20)]

_ID = "0b8f3a52-31f6-4c0e-8a35-7a0d3a6f2b10"
_OWNER_ID = "5f0c6a5e-6d0b-4c55-9d0e-0f6f3f1f7c11"
_KIT_ID = "9a1c2b7d-58d4-4b3a-b9de-2c8f0c8d4e77"
_ROW = {
    "created_at": "2026-01-31T12:00:00Z",
    "updated_at": "2026-02-01T08:30:00Z",
    "owner_id": _OWNER_ID,
    "team_id": None,
}
_KIT = {
    "name": "Analytical Engines",
    "guidelines": "Warm, precise, never loud.",
    "colors": [{"name": "Primary", "hex": "#1a2b3c"}],
    "fonts": [{"role": "Headlines", "family": "Inter", "url": None}],
    "logos": [{"name": "On dark", "url": "https://cdn.example.com/logo-dark.svg"}],
    "is_default": True,
}
_PROJECT = {
    "name": "Summer sale",
    "description": "Posts for all of June.",
    "brand_kit_id": _KIT_ID,
    "target_platform": "instagram",
}


class BrandKitCreateDTO(BaseDTO):
    """A new brand kit, of a user or of one of their teams."""

    model_config = with_examples(_KIT)

    name: Name
    guidelines: Prose | None = Field(None, description="Tone and rules, in words.")
    colors: Colors = Field(default_factory=list)
    fonts: Fonts = Field(default_factory=list)
    logos: Logos = Field(default_factory=list)
    is_default: bool = Field(False, description="Used where a project names none.")
    team_id: UUID | None = None


class BrandKitUpdateDTO(BaseUpdateDTO):
    """Changes to a brand kit. A list that is sent replaces the whole list."""

    model_config = with_examples({"name": "Engines", "guidelines": None})

    name: NotNull[Name] = None
    guidelines: Prose | None = None
    colors: NotNull[Colors] = None
    fonts: NotNull[Fonts] = None
    logos: NotNull[Logos] = None
    is_default: NotNull[bool] = None


class BrandKitResponseDTO(BaseResponseDTO):
    """A brand kit as the API shows it."""

    model_config = with_examples({"id": _KIT_ID, **_ROW, **_KIT})

    owner_id: UUID
    team_id: UUID | None
    name: str
    guidelines: str | None
    colors: list[BrandColorDTO]
    fonts: list[BrandFontDTO]
    logos: list[BrandLogoDTO]
    is_default: bool


class ProjectCreateDTO(BaseDTO):
    """A new project, of a user or of one of their teams."""

    model_config = with_examples(_PROJECT)

    name: Name
    description: Prose | None = None
    brand_kit_id: UUID | None = None
    target_platform: Slug | None = Field(
        None, description="The network that it is made for.", examples=["instagram"]
    )
    team_id: UUID | None = None


class ProjectUpdateDTO(BaseUpdateDTO):
    """Changes to a project."""

    model_config = with_examples({"name": "Autumn sale", "brand_kit_id": None})

    name: NotNull[Name] = None
    description: Prose | None = None
    brand_kit_id: UUID | None = None
    target_platform: Slug | None = None


class ProjectResponseDTO(BaseResponseDTO):
    """A project as the API shows it."""

    model_config = with_examples({"id": _ID, **_ROW, **_PROJECT})

    owner_id: UUID
    team_id: UUID | None
    name: str
    description: str | None
    brand_kit_id: UUID | None
    target_platform: str | None

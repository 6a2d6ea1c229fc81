"""Creatives made by AI: asking for some, and following the job."""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from shared.dtos.base import BaseDTO, BaseResponseDTO, with_examples
from shared.dtos.common import ErrorDetail
from shared.validation import (
    BoundedText,
    DecimalNumber,
    LocaleTag,
    Slug,
    UtcDateTime,
)

_JOB_ID = "3d1f0a34-8f0c-4c43-8d41-0d2a9c6d5b21"
_USER_ID = "5f0c6a5e-6d0b-4c55-9d0e-0f6f3f1f7c11"
_PROJECT_ID = "0b8f3a52-31f6-4c0e-8a35-7a0d3a6f2b10"
_ASSET = {
    "id": "c5b7c1d2-7f5a-4bb3-9a55-6f1c1b0e9d42",
    "url": "https://cdn.example.com/generated/3d1f0a34.png",
    "asset_type": "image",
    "mime_type": "image/png",
}


class GenerationStatus(StrEnum):
    """How far a job is, spelt as in the event ``generation.completed``."""

    PENDING = "Pending"
    PROCESSING = "Processing"
    COMPLETED = "Completed"
    FAILED = "Failed"
    CANCELLED = "Cancelled"

    @property
    def is_final(self) -> bool:
        """Whether the job will not change any more."""
        return self not in (GenerationStatus.PENDING, GenerationStatus.PROCESSING)


class GenerationCreateRequestDTO(BaseDTO):
    """Asks for creatives."""

    model_config = with_examples(
        {
            "prompt": "A poster for a summer sale of mechanical calculators",
            "format": "instagram-post",
            "style_hints": ["flat", "pastel colours"],
            "sample_count": 4,
            "project_id": _PROJECT_ID,
            "locale": "en-GB",
        }
    )

    prompt: Annotated[str, BoundedText(max_length=4000, multiline=True)]
    format: Slug = Field(
        description="What is made: dimensions and medium go by this name.",
        examples=["instagram-post"],
    )
    style_hints: Annotated[
        list[Annotated[str, BoundedText(max_length=100)]], Field(max_length=20)
    ] = Field(default_factory=list)
    sample_count: int = Field(1, ge=1, le=10)
    project_id: UUID | None = None
    brand_kit_id: UUID | None = Field(
        None, description="Instead of the project's own brand kit."
    )
    locale: LocaleTag | None = Field(None, description="The language of any text.")


class GenerationCreateResponseDTO(BaseDTO):
    """The answer 202: the job is accepted, and goes by this id."""

    model_config = with_examples({"job_id": _JOB_ID, "status": "Pending"})

    job_id: UUID
    status: GenerationStatus = GenerationStatus.PENDING


class GeneratedAssetDTO(BaseDTO):
    """A file that a job has made."""

    model_config = with_examples(_ASSET)

    id: UUID
    url: str = Field(description="A public URL, or a path in the object store.")
    asset_type: str = Field(examples=["image", "video"])
    mime_type: str = Field(examples=["image/png"])


class GenerationStatusResponseDTO(BaseResponseDTO):
    """A job as the API shows it. Its ``id`` is the ``job_id`` it was accepted with."""

    model_config = with_examples(
        {
            "id": _JOB_ID,
            "created_at": "2026-01-31T12:00:00Z",
            "updated_at": "2026-01-31T12:00:20Z",
            "user_id": _USER_ID,
            "project_id": _PROJECT_ID,
            "status": "Completed",
            "progress": 100,
            "assets": [_ASSET],
            "final_asset_id": _ASSET["id"],
            "credits_used": 2.5,
            "error": None,
            "completed_at": "2026-01-31T12:00:20Z",
        }
    )

    user_id: UUID
    project_id: UUID | None = None
    status: GenerationStatus
    progress: int | None = Field(None, ge=0, le=100, description="In per cent.")
    assets: list[GeneratedAssetDTO] = Field(default_factory=list)
    final_asset_id: UUID | None = Field(
        None, description="The asset that was chosen among the samples."
    )
    credits_used: DecimalNumber | None = None
    error: ErrorDetail | None = Field(None, description="Why the job failed.")
    completed_at: UtcDateTime | None = None

import json
from typing import Any

import pytest
from pydantic import ValidationError

from shared.dtos.generation import (
    GenerationCreateRequestDTO,
    GenerationCreateResponseDTO,
    GenerationStatus,
    GenerationStatusResponseDTO,
)

JOB = {
    "id": "3d1f0a34-8f0c-4c43-8d41-0d2a9c6d5b21",
    "created_at": "2026-01-31T12:00:00Z",
    "updated_at": "2026-01-31T12:00:20Z",
    "user_id": "5f0c6a5e-6d0b-4c55-9d0e-0f6f3f1f7c11",
}


def test_a_prompt_and_a_format_are_enough() -> None:
    """Everything else has a default."""
    request = GenerationCreateRequestDTO(prompt="A poster", format="instagram-post")

    assert request.model_dump(exclude_defaults=True) == {
        "prompt": "A poster",
        "format": "instagram-post",
    }
    assert (request.sample_count, request.style_hints) == (1, [])


@pytest.mark.parametrize(
    "fields",
    [
        {"prompt": " "},
        {"prompt": "x" * 4001},
        {"prompt": "a\u202eb"},
        {"format": "1080x1080 px"},
        {"style_hints": [""]},
        {"style_hints": ["x"] * 21},
        {"sample_count": 0},
        {"sample_count": 11},
        {"locale": "english"},
    ],
)
def test_requests_are_bounded(fields: dict[str, Any]) -> None:
    """What costs money to run is checked before."""
    body = {"prompt": "A poster", "format": "instagram-post", **fields}

    with pytest.raises(ValidationError, match=r"must have|should have|should be"):
        GenerationCreateRequestDTO.model_validate(body)


def test_statuses_are_spelt_as_in_the_event() -> None:
    """``generation.completed`` says "Completed", so the API does."""
    job = GenerationStatusResponseDTO.model_validate({**JOB, "status": "Completed"})

    assert job.status is GenerationStatus.COMPLETED
    assert json.loads(job.model_dump_json())["status"] == "Completed"


@pytest.mark.parametrize("status", GenerationStatus)
def test_final_statuses_are_those_that_end_a_job(status: GenerationStatus) -> None:
    """Who polls knows when to stop."""
    assert status.is_final == (status not in {"Pending", "Processing"})


def test_a_failed_job_says_why() -> None:
    """With the same details as a problem, and nothing that was never made."""
    job = GenerationStatusResponseDTO.model_validate(
        {
            **JOB,
            "status": "Failed",
            "error": {"code": "content_policy", "detail": "No."},
        }
    )

    assert job.error is not None
    assert job.error.code == "content_policy"
    assert (job.assets, job.final_asset_id, job.completed_at) == ([], None, None)


def test_a_job_is_accepted_as_pending() -> None:
    """The answer to the request names the job."""
    answer = GenerationCreateResponseDTO.model_validate({"job_id": JOB["id"]})

    assert answer.model_dump(mode="json") == {"job_id": JOB["id"], "status": "Pending"}

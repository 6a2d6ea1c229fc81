"""Why a generation is not made."""

from __future__ import annotations

from shared.errors import BadRequestException


class GenerationRefusedException(BadRequestException):
    """The generation service refuses to make this, such as for its content."""

    code = "generation_refused"
    detail = "The generation service refuses this prompt."

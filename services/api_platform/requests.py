"""What the bodies of requests have in common."""

from __future__ import annotations

from shared.dtos.base import BaseDTO


class RequestDTO(BaseDTO, extra="forbid"):
    """A body in which each member is known.

    Passing over a misspelt one would leave its default, such as no restriction at all.
    """

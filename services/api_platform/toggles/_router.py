"""Moving switches. FastAPI reads the annotations, so they are evaluated here."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from pydantic import Field, StrictBool, ValidationError

from services.api_platform.requests import RequestDTO
from services.api_platform.toggles._toggles import (
    CANARY,
    FeatureToggles,
    Toggle,
)
from shared.auth import TokenPayload
from shared.auth.dependencies import require_role
from shared.dtos.base import BaseDTO, with_examples
from shared.errors import (
    AuthenticationException,
    PermissionDeniedException,
    ValidationException,
    responses_for,
)
from shared.logging import log_security_event
from shared.validation import UtcDateTime

PATH = "/api/v1/admin/toggles"

Name = Literal[
    "enableCanaryDeploymentsForWebhooks",
    "enableVolumeDiscounts",
    "enableVerboseApiLogging",
]
Admin = Annotated[TokenPayload, Depends(require_role("admin"))]
_SHOWN = {"name": CANARY, "enabled": True, "settings": {"share": 0.05}}


class ToggleUpdateDTO(RequestDTO):
    """How a switch shall stand."""

    model_config = with_examples({"enabled": True, "settings": {"share": 0.05}})

    enabled: StrictBool
    settings: dict[str, Any] = Field(
        default_factory=dict, description="What is left out has its default."
    )


class ToggleResponseDTO(BaseDTO):
    """How a switch stands."""

    model_config = with_examples({**_SHOWN, "updated_at": "2026-01-31T12:00:00Z"})

    name: str
    enabled: bool
    settings: dict[str, Any]
    updated_at: UtcDateTime | None = Field(description="Null: nobody has moved it.")


def build_router(toggles: FeatureToggles) -> APIRouter:
    """The endpoints, for admins."""
    router = APIRouter(
        prefix=PATH,
        tags=["admin"],
        responses=responses_for(
            AuthenticationException, PermissionDeniedException, ValidationException
        ),
    )

    @router.get("")
    async def list_toggles(_: Admin) -> list[ToggleResponseDTO]:
        """Return all switches."""
        return [_shown(toggle) for toggle in (await toggles.all()).values()]

    @router.put("/{name}")
    async def set_toggle(
        name: Name, body: ToggleUpdateDTO, admin: Admin
    ) -> ToggleResponseDTO:
        """Move a switch; every process follows within about a second."""
        try:
            moved = await toggles.set(
                name, enabled=body.enabled, settings=body.settings
            )
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False)
            raise ValidationException(
                [{**each, "loc": ("settings", *each["loc"])} for each in found]
            ) from None
        log_security_event(
            "toggle_moved",
            outcome="success",
            actor=admin.sub,
            target=name,
            enabled=body.enabled,
        )
        return _shown(moved)

    return router


def _shown(toggle: Toggle) -> ToggleResponseDTO:
    return ToggleResponseDTO(
        name=toggle.name,
        enabled=toggle.enabled,
        settings=toggle.settings.model_dump(mode="json"),
        updated_at=toggle.updated_at,
    )

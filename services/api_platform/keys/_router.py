"""The endpoints of keys. FastAPI reads the annotations, so they are evaluated here."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response, status
from sqlalchemy.ext.asyncio import AsyncSession

from services.api_platform.keys._access import current_user_id
from services.api_platform.keys._repository import APIClientRepository
from services.api_platform.keys._schemas import (
    APIKeyCreateDTO,
    APIKeyCreateResponseDTO,
    APIKeyResponseDTO,
    APIKeyRotateDTO,
)
from services.api_platform.keys._service import (
    APIKeyService,
    KeyLimitException,
    KeyRevokedException,
)
from services.api_platform.models import APIClient
from shared.database import Database, get_db_dependency
from shared.dtos.common import Page, PageQuery
from shared.errors import (
    AuthenticationException,
    BadRequestException,
    NotFoundError,
    RateLimitExceededException,
    ValidationException,
    responses_for,
)
from shared.rate_limit import RateLimitPolicy
from shared.rate_limit.dependencies import rate_limit

PATH = "/api/v1/keys"

UserId = Annotated[UUID, Depends(current_user_id)]
_NOT_FOUND = NotFoundError("API key", "0190f3c4-7a1e-7c3a-9f5e-0c1f2e3d4a5b")
_TOO_MANY = RateLimitExceededException(
    "The limit of policy 'keys-hour' is used up.", retry_after=60, policy="keys-hour"
)


async def _making(user_id: UserId) -> str:
    return f"keys:{user_id}"


def build_router(
    database: Database, keys: APIKeyService, making: RateLimitPolicy
) -> APIRouter:
    """The endpoints of a user's own keys, for the user's token.

    Args:
        database: Where they are.
        keys: Does it.
        making: How many keys and secrets a user may make.
    """
    router = APIRouter(
        prefix=PATH,
        tags=["keys"],
        responses=responses_for(
            AuthenticationException, BadRequestException, ValidationException
        ),
    )
    # Named here: FastAPI evaluates the annotations of the functions below.
    db_session = Depends(get_db_dependency(database))
    # Open: what is rotated may have leaked, and that can't wait for a store.
    limited = Depends(rate_limit(making, key=_making, on_failure="open"))

    @router.post(
        "",
        status_code=status.HTTP_201_CREATED,
        dependencies=[limited],
        responses=responses_for(KeyLimitException, _TOO_MANY),
    )
    async def create_api_key(
        key_in: APIKeyCreateDTO,
        user_id: UserId,
        db: Annotated[AsyncSession, db_session],
        response: Response,
    ) -> APIKeyCreateResponseDTO:
        """Make a key. Its secret is in this reply and nowhere else."""
        client, secret = await keys.create_new_api_key(db, user_id, key_in)
        response.headers["Location"] = f"{PATH}/{client.id}"
        return _with_secret(client, secret, response)

    @router.get("")
    async def list_api_keys(
        query: Annotated[PageQuery, Query()],
        user_id: UserId,
        db: Annotated[AsyncSession, db_session],
    ) -> Page[APIKeyResponseDTO]:
        """Return the caller's keys, newest first, revoked ones too."""
        rows = APIClientRepository(db)
        page = await rows.page_of_user(user_id, limit=query.limit, cursor=query.cursor)
        return Page[APIKeyResponseDTO].model_validate(page, from_attributes=True)

    @router.get("/{key_id}", responses=responses_for(_NOT_FOUND))
    async def get_api_key(
        key_id: UUID, user_id: UserId, db: Annotated[AsyncSession, db_session]
    ) -> APIKeyResponseDTO:
        """Return one of the caller's keys."""
        client = await APIClientRepository(db).of_user(user_id, key_id)
        return APIKeyResponseDTO.model_validate(client)

    @router.post(
        "/{key_id}/rotate",
        dependencies=[limited],
        responses=responses_for(_NOT_FOUND, KeyRevokedException, _TOO_MANY),
    )
    async def rotate_api_key(
        key_id: UUID,
        body: APIKeyRotateDTO,
        user_id: UserId,
        db: Annotated[AsyncSession, db_session],
        response: Response,
    ) -> APIKeyCreateResponseDTO:
        """Give a key a new secret, shown in this reply only."""
        grace = timedelta(seconds=body.grace_seconds)
        client, secret = await keys.rotate_api_key(db, user_id, key_id, grace)
        return _with_secret(client, secret, response)

    @router.delete("/{key_id}", responses=responses_for(_NOT_FOUND))
    async def revoke_api_key(
        key_id: UUID, user_id: UserId, db: Annotated[AsyncSession, db_session]
    ) -> APIKeyResponseDTO:
        """Revoke a key, for good and at once."""
        client = await keys.revoke_api_key(db, user_id, key_id)
        return APIKeyResponseDTO.model_validate(client)

    return router


def _with_secret(
    client: APIClient, secret: str, response: Response
) -> APIKeyCreateResponseDTO:
    response.headers["Cache-Control"] = "no-store"
    shown = APIKeyResponseDTO.model_validate(client).model_dump()
    return APIKeyCreateResponseDTO(**shown, secret=secret)

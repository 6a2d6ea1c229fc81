"""The endpoints of webhooks. FastAPI reads the annotations, so they are evaluated here.

For an API key with the scope, or for a user's token; a key sees all webhooks of its
owner, whoever registered them.
"""

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Response, params, status
from sqlalchemy.ext.asyncio import AsyncSession

from services.api_platform.keys import (
    Access,
    AddressNotAllowedException,
    Caller,
    Scope,
    ScopeMissingException,
)
from services.api_platform.models import (
    DeliveryState,
    Signing,
    Webhook,
    WebhookAttempt,
    WebhookDelivery,
)
from services.api_platform.webhooks._repository import (
    DeliveryRepository,
    WebhookRepository,
)
from services.api_platform.webhooks._schemas import (
    AttemptResponseDTO,
    DeliveryDetailDTO,
    DeliveryQuery,
    DeliveryResponseDTO,
    ReplayDTO,
    ReplayResponseDTO,
    WebhookCreateDTO,
    WebhookResponseDTO,
    WebhookRotateDTO,
    WebhookSecretResponseDTO,
    WebhookUpdateDTO,
)
from services.api_platform.webhooks._service import (
    WebhookDisabledException,
    WebhookLimitException,
    WebhookService,
)
from shared.database import (
    Database,
    PreconditionRequiredException,
    StaleRecordException,
    etag_of,
    get_db_dependency,
)
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

PATH = "/api/v1/webhooks"

IfMatch = Annotated[
    str | None,
    Header(
        max_length=1000,
        description="The ETag of the state that is meant.",
        examples=['"1"'],
    ),
]
_ID = "0190f3c4-7a1e-7c3a-9f5e-0c1f2e3d4a5b"
_NOT_FOUND = NotFoundError("Webhook", _ID)
_NO_DELIVERY = NotFoundError("Delivery", _ID)
_REDACTED = "[redacted]"
# What requests count as that make others: of one delivery, and of up to 500.
_ONE: Final = 5
_MANY: Final = 50
_TAG = {"ETag": {"description": "For If-Match.", "schema": {"type": "string"}}}
_PLACE = {"Location": {"description": "Its path.", "schema": {"type": "string"}}}
_ETAG: dict[str, Any] = {"headers": _TAG}
_MADE: dict[str, Any] = {"headers": {**_TAG, **_PLACE}}


def build_router(
    database: Database,
    webhooks: WebhookService,
    access: Access,
    policy: RateLimitPolicy,
) -> APIRouter:
    """The endpoints of a user's own webhooks.

    Args:
        database: Where they are.
        webhooks: The use cases.
        access: Lets callers in.
        policy: Bounds the requests of a user, by all keys.
    """
    router = APIRouter(
        prefix=PATH,
        tags=["webhooks"],
        responses=responses_for(
            AuthenticationException,
            ScopeMissingException,
            AddressNotAllowedException,
            BadRequestException,
            ValidationException,
            RateLimitExceededException(
                f"The limit of policy '{policy.name}' is used up.",
                retry_after=60,
                policy=policy.name,
            ),
        ),
    )
    # Named here: FastAPI evaluates the annotations of the functions below.
    db_session = Depends(get_db_dependency(database))
    reader = Depends(access.require_either(Scope.WEBHOOKS_READ))
    writer = Depends(access.require_either(Scope.WEBHOOKS_WRITE))

    async def reading(caller: Annotated[Caller, reader]) -> str:
        return f"webhooks:{caller.user_id}"

    async def writing(caller: Annotated[Caller, writer]) -> str:
        return f"webhooks:{caller.user_id}"

    def limited(key: Callable[..., Any], cost: int = 1) -> list[params.Depends]:
        return [Depends(rate_limit(policy, key=key, cost=cost, on_failure="open"))]

    @router.post(
        "",
        dependencies=limited(writing),
        status_code=status.HTTP_201_CREATED,
        responses={201: _MADE, **responses_for(WebhookLimitException)},
    )
    async def register_webhook(
        body: WebhookCreateDTO,
        caller: Annotated[Caller, writer],
        db: Annotated[AsyncSession, db_session],
        response: Response,
    ) -> WebhookSecretResponseDTO:
        """Register a webhook. Its secret is in this reply and nowhere else."""
        webhook = await webhooks.register(
            db,
            caller.user_id,
            body,
            api_client_id=caller.client.id if caller.client else None,
        )
        response.headers["Location"] = f"{PATH}/{webhook.id}"
        return _with_secret(webhook, response)

    @router.get("", dependencies=limited(reading))
    async def list_webhooks(
        query: Annotated[PageQuery, Query()],
        caller: Annotated[Caller, reader],
        db: Annotated[AsyncSession, db_session],
    ) -> Page[WebhookResponseDTO]:
        """Return the caller's webhooks, newest first, disabled ones too."""
        page = await WebhookRepository(db).page_of_user(
            caller.user_id, limit=query.limit, cursor=query.cursor
        )
        return Page[WebhookResponseDTO].model_validate(page, from_attributes=True)

    @router.get(
        "/{webhook_id}",
        dependencies=limited(reading),
        responses={200: _ETAG, **responses_for(_NOT_FOUND)},
    )
    async def get_webhook(
        webhook_id: UUID,
        caller: Annotated[Caller, reader],
        db: Annotated[AsyncSession, db_session],
        response: Response,
    ) -> WebhookResponseDTO:
        """Return one of the caller's webhooks."""
        webhook = await WebhookRepository(db).of_user(caller.user_id, webhook_id)
        return _shown(webhook, response)

    @router.patch(
        "/{webhook_id}",
        dependencies=limited(writing),
        responses={
            200: _ETAG,
            **responses_for(
                _NOT_FOUND, StaleRecordException, PreconditionRequiredException
            ),
        },
    )
    async def update_webhook(
        webhook_id: UUID,
        body: WebhookUpdateDTO,
        caller: Annotated[Caller, writer],
        db: Annotated[AsyncSession, db_session],
        response: Response,
        if_match: IfMatch = None,
    ) -> WebhookResponseDTO:
        """Change a webhook that is in the state that If-Match names."""
        webhook = await webhooks.update(
            db, caller.user_id, webhook_id, body.changes(), if_match=if_match
        )
        return _shown(webhook, response)

    @router.delete(
        "/{webhook_id}",
        dependencies=limited(writing),
        status_code=status.HTTP_204_NO_CONTENT,
        responses=responses_for(_NOT_FOUND, StaleRecordException),
    )
    async def delete_webhook(
        webhook_id: UUID,
        caller: Annotated[Caller, writer],
        db: Annotated[AsyncSession, db_session],
        if_match: IfMatch = None,
    ) -> None:
        """Delete a webhook and all its deliveries, those on their way too."""
        await webhooks.delete(db, caller.user_id, webhook_id, if_match=if_match)

    @router.post(
        "/{webhook_id}/rotate",
        dependencies=limited(writing),
        responses={200: _ETAG, **responses_for(_NOT_FOUND)},
    )
    async def rotate_webhook_secret(
        webhook_id: UUID,
        body: WebhookRotateDTO,
        caller: Annotated[Caller, writer],
        db: Annotated[AsyncSession, db_session],
        response: Response,
    ) -> WebhookSecretResponseDTO:
        """Give a webhook a new secret, shown in this reply only."""
        webhook = await webhooks.rotate(
            db,
            caller.user_id,
            webhook_id,
            timedelta(seconds=body.grace_seconds),
            signing=body.signing,
        )
        return _with_secret(webhook, response)

    @router.post(
        "/{webhook_id}/disable",
        dependencies=limited(writing),
        responses={200: _ETAG, **responses_for(_NOT_FOUND)},
    )
    async def disable_webhook(
        webhook_id: UUID,
        caller: Annotated[Caller, writer],
        db: Annotated[AsyncSession, db_session],
        response: Response,
    ) -> WebhookResponseDTO:
        """Deliver nothing more; what is on its way is given up, within seconds."""
        return _shown(await webhooks.disable(db, caller.user_id, webhook_id), response)

    @router.post(
        "/{webhook_id}/enable",
        dependencies=limited(writing),
        responses={200: _ETAG, **responses_for(_NOT_FOUND)},
    )
    async def enable_webhook(
        webhook_id: UUID,
        caller: Annotated[Caller, writer],
        db: Annotated[AsyncSession, db_session],
        response: Response,
    ) -> WebhookResponseDTO:
        """Deliver again what happens from now on; a replay brings the rest."""
        return _shown(await webhooks.enable(db, caller.user_id, webhook_id), response)

    @router.post(
        "/{webhook_id}/ping",
        dependencies=limited(writing, _ONE),
        status_code=status.HTTP_202_ACCEPTED,
        responses=responses_for(_NOT_FOUND, WebhookDisabledException),
    )
    async def ping_webhook(
        webhook_id: UUID,
        caller: Annotated[Caller, writer],
        db: Annotated[AsyncSession, db_session],
    ) -> DeliveryResponseDTO:
        """Send a `webhook.ping`, as soon as any other delivery."""
        delivery = await webhooks.ping(db, caller.user_id, webhook_id)
        return DeliveryResponseDTO(**_delivery(delivery, []))

    @router.get(
        "/{webhook_id}/deliveries",
        dependencies=limited(reading),
        responses=responses_for(_NOT_FOUND),
    )
    async def list_deliveries(
        webhook_id: UUID,
        query: Annotated[DeliveryQuery, Query()],
        caller: Annotated[Caller, reader],
        db: Annotated[AsyncSession, db_session],
    ) -> Page[DeliveryResponseDTO]:
        """Return a webhook's deliveries with their attempts, newest first."""
        webhook = await WebhookRepository(db).of_user(caller.user_id, webhook_id)
        deliveries = DeliveryRepository(db)
        page = await deliveries.page_of_webhook(
            webhook.id, state=query.state, limit=query.limit, cursor=query.cursor
        )
        attempts = await deliveries.attempts_of(page.items)
        return Page[DeliveryResponseDTO](
            items=[
                DeliveryResponseDTO(**_delivery(each, attempts.get(each.id, [])))
                for each in page.items
            ],
            next_cursor=page.next_cursor,
        )

    @router.get(
        "/{webhook_id}/deliveries/{delivery_id}",
        dependencies=limited(reading),
        responses=responses_for(_NOT_FOUND, _NO_DELIVERY),
    )
    async def get_delivery(
        webhook_id: UUID,
        delivery_id: UUID,
        caller: Annotated[Caller, reader],
        db: Annotated[AsyncSession, db_session],
    ) -> DeliveryDetailDTO:
        """Return one delivery, and the form of what was sent, without its values."""
        webhook = await WebhookRepository(db).of_user(caller.user_id, webhook_id)
        deliveries = DeliveryRepository(db)
        delivery = await deliveries.of_webhook(webhook.id, delivery_id)
        attempts = await deliveries.attempts_of([delivery])
        return DeliveryDetailDTO(
            **_delivery(delivery, attempts.get(delivery.id, [])),
            body=_redacted(await deliveries.body_of(delivery)),
        )

    @router.post(
        "/{webhook_id}/deliveries/{delivery_id}/replay",
        dependencies=limited(writing, _ONE),
        status_code=status.HTTP_202_ACCEPTED,
        responses=responses_for(_NOT_FOUND, _NO_DELIVERY, WebhookDisabledException),
    )
    async def replay_delivery(
        webhook_id: UUID,
        delivery_id: UUID,
        caller: Annotated[Caller, writer],
        db: Annotated[AsyncSession, db_session],
    ) -> DeliveryResponseDTO:
        """Make a delivery again, with the same webhook-id and all its attempts."""
        delivery = await webhooks.replay(db, caller.user_id, webhook_id, delivery_id)
        attempts = await DeliveryRepository(db).attempts_of([delivery])
        return DeliveryResponseDTO(**_delivery(delivery, attempts.get(delivery.id, [])))

    @router.post(
        "/{webhook_id}/replay",
        dependencies=limited(writing, _MANY),
        status_code=status.HTTP_202_ACCEPTED,
        responses=responses_for(_NOT_FOUND, WebhookDisabledException),
    )
    async def replay_deliveries(
        webhook_id: UUID,
        body: ReplayDTO,
        caller: Annotated[Caller, writer],
        db: Annotated[AsyncSession, db_session],
    ) -> ReplayResponseDTO:
        """Make all deliveries since a moment again, up to 500 at once."""
        replayed, cursor = await webhooks.replay_since(
            db, caller.user_id, webhook_id, body
        )
        return ReplayResponseDTO(replayed=replayed, next_cursor=cursor)

    return router


def _shown(webhook: Webhook, response: Response) -> WebhookResponseDTO:
    response.headers["ETag"] = etag_of(webhook)
    return WebhookResponseDTO.model_validate(webhook)


def _with_secret(webhook: Webhook, response: Response) -> WebhookSecretResponseDTO:
    response.headers["Cache-Control"] = "no-store"
    shown = _shown(webhook, response).model_dump()
    secret = webhook.secret if webhook.signing == Signing.V1 else None
    return WebhookSecretResponseDTO(**shown, secret=secret)


def _delivery(
    delivery: WebhookDelivery, attempts: Sequence[WebhookAttempt]
) -> dict[str, Any]:
    pending = delivery.state == DeliveryState.PENDING
    return {
        "id": delivery.id,
        "webhook_id": delivery.webhook_id,
        "event_id": delivery.event_id,
        "event_type": delivery.event_type,
        "correlation_id": delivery.correlation_id,
        "state": delivery.state,
        "created_at": delivery.created_at,
        "next_attempt_at": delivery.next_attempt_at if pending else None,
        "finished_at": delivery.finished_at,
        "attempts": [AttemptResponseDTO.model_validate(each) for each in attempts],
    }


def _redacted(body: bytes) -> dict[str, Any]:
    """The body with the names of what it says, and none of the values."""
    sent = json.loads(body)
    return {**sent, "data": dict.fromkeys(sent["data"], _REDACTED)}

"""What webhooks get, in the OpenAPI document, which has a member for that.

FastAPI reads the annotations, so they are evaluated here.
"""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, status

from services.api_platform.webhooks._schemas import DeliveryBodyDTO

_REPLIES: Final[dict[int | str, dict[str, Any]]] = {
    410: {"description": "Gone: the webhook is disabled."},
    "default": {
        "description": "Not accepted, redirects included: it is sent again, later and "
        "later for about 75 hours, and not before Retry-After."
    },
}


def document_deliveries(router: APIRouter) -> None:
    """Describe a delivery in *router*, which is the application's own for that."""

    @router.post(
        "delivery",
        operation_id="receive_delivery",
        tags=["webhooks"],
        status_code=status.HTTP_204_NO_CONTENT,
        response_description="Accepted, as by any other 2xx.",
        responses=_REPLIES,
    )
    async def receive_delivery(
        body: DeliveryBodyDTO,
        message_id: Annotated[
            str,
            Header(
                alias="webhook-id",
                description="The event's id: the same each time that it is sent.",
                examples=["6f1d2c3b-0a49-4e58-8f67-1b2c3d4e5f60"],
            ),
        ],
        sent_at: Annotated[
            int,
            Header(
                alias="webhook-timestamp",
                description="When this attempt was made, in seconds since 1970.",
                examples=[1769860800],
            ),
        ],
        signature: Annotated[
            str,
            Header(
                alias="webhook-signature",
                description="By Standard Webhooks 1.0, of v1 or v1a; several with a "
                "space between them.",
                examples=["v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="],
            ),
        ],
    ) -> None:
        """Hear of an event."""

"""A service that nobody runs is a 503; an answer comes back as a model."""

import asyncio

from pydantic import BaseModel

from shared.errors import NotFoundException, ServiceUnavailableException
from shared.http_client import OutgoingRequest, Reply, ServiceClient, SyncServiceClient


class Subject(BaseModel):
    """What the service has."""

    id: int


async def subjects(request: OutgoingRequest) -> Reply:
    """Answer as the service would."""
    if request.url.endswith("/7"):
        return Reply(200, {"content-type": "application/json"}, b'{"id": 7}')
    return Reply(404, {}, b"")


async def main() -> None:
    """Call it in both ways that it can end."""
    async with ServiceClient("subjects", "http://a", transport=subjects) as client:
        assert await client.get("/7", response_model=Subject) == Subject(id=7)
        try:
            await client.get("/8")
        except NotFoundException:
            missing = True
        else:
            missing = False
        assert missing


asyncio.run(main())

# Port 1, where nobody listens.
with SyncServiceClient("subjects", "http://127.0.0.1:1") as client:
    try:
        client.get("/7", retries=0)
    except ServiceUnavailableException as error:
        status = error.status_code
    else:
        status = 0
assert status == 503

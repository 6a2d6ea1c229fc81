"""A protected route: no token, a good one, and one of somebody without the role."""

import asyncio
import json
from collections.abc import MutableMapping
from typing import Annotated, Any

from fastapi import Depends, FastAPI

from shared.auth import KeyRing, TokenPayload, TokenPolicy, create_access_token
from shared.auth.dependencies import configure_auth, require_role
from shared.errors import BaseAPIException

Headers = tuple[tuple[bytes, bytes], ...]

KEYS = KeyRing.from_secret(bytes(range(32)), kid="smoke")
POLICY = TokenPolicy(issuer="https://issuer.example", audience="smoke")

app = FastAPI()
configure_auth(app, keys=KEYS, policy=POLICY)


@app.get("/admin")
async def admin(
    user: Annotated[TokenPayload, Depends(require_role("admin"))],
) -> dict[str, str]:
    """Only for administrators."""
    return {"sub": user.sub}


def bearer(*roles: str) -> Headers:
    """The header of a user with the roles."""
    token = create_access_token("user-1", keys=KEYS, policy=POLICY, roles=roles)
    return ((b"authorization", f"Bearer {token}".encode()),)


async def get(path: str, headers: Headers = ()) -> tuple[int, dict[str, Any]]:
    """Ask the application without a server, and return status and body."""
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "headers": headers,
        "query_string": b"",
    }
    await app(scope, receive, send)
    return sent[0]["status"], json.loads(sent[1]["body"])


async def refused(*headers: tuple[bytes, bytes]) -> int:
    """The status that the application would be given to answer with."""
    try:
        await get("/admin", headers)
    except BaseAPIException as error:
        return error.status_code
    return 200


async def main() -> None:
    """401, 200 and 403."""
    assert await refused() == 401
    assert await get("/admin", bearer("admin")) == (200, {"sub": "user-1"})
    assert await refused(*bearer("guest")) == 403


asyncio.run(main())

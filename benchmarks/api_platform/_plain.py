"""`GET /api/v1/generations/{job_id}` as plain FastAPI has it: no key, no quota, no log.

    python -m benchmarks.api_platform._plain [URL of the generation service]

With the URL it asks that service for the job, as ours does; else it has the job. Its
settings of uvicorn are those of `shared.app`, and it tells its port in the same words.

FastAPI reads the annotations of the endpoint, so they are evaluated here.
"""

import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, cast
from uuid import UUID

import httpx2
import uvicorn
from fastapi import FastAPI

from shared.dtos.generation import GenerationStatusResponseDTO

PATH: Final = "/api/v1/generations"


def finished_job() -> dict[str, Any]:
    """The job that every server here answers with: the example of the contract."""
    extra = cast(
        "dict[str, Any]", GenerationStatusResponseDTO.model_config["json_schema_extra"]
    )
    return cast("dict[str, Any]", extra["examples"][0])


def having() -> FastAPI:
    """The endpoint, which has the job."""
    app = FastAPI()
    job = GenerationStatusResponseDTO.model_validate(finished_job())
    jobs = {job.id: job}

    @app.get(f"{PATH}/{{job_id}}")
    async def get_generation(job_id: UUID) -> GenerationStatusResponseDTO:
        return jobs[job_id]

    return app


def asking(url: str) -> FastAPI:
    """The endpoint, which asks the service at *url*, over connections that it keeps."""
    client = httpx2.AsyncClient(base_url=url)

    @asynccontextmanager
    async def closing(_: FastAPI) -> AsyncIterator[None]:
        async with client:
            yield

    app = FastAPI(lifespan=closing)

    @app.get(f"{PATH}/{{job_id}}")
    async def get_generation(job_id: UUID) -> GenerationStatusResponseDTO:
        reply = await client.get(f"{PATH}/{job_id}")
        reply.raise_for_status()
        return GenerationStatusResponseDTO.model_validate_json(reply.content)

    return app


def main() -> None:
    """Serve until a signal."""
    app = asking(sys.argv[1]) if sys.argv[1:] else having()
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        # As `shared.app` does: on the event loop of asyncio a reply takes 40 ms else.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        print(f"listening on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="on",
            server_header=False,
            proxy_headers=False,
        )
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()

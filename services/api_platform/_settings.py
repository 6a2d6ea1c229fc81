"""What the environment decides, and what the service calls itself."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from services.api_platform.limits import Limits
from shared.config import Env, ServerConfig, ServiceConfig

NAME = "api-platform"
TITLE = "API Platform"
DESCRIPTION = "API keys, quotas, signed webhooks and the generation API"

AIGEN = "aigen-orch-service"
BILLING = "odoo-business-service"


def _network(text: str) -> str:
    return str(ip_network(text))


class Server(ServerConfig):
    """The HTTP server, on this service's own port."""

    port: Annotated[
        int,
        Env("SERVER_PORT", "PORT"),
        Field(ge=0, le=65_535, description="On which port; 0 is any free one."),
    ] = 8006


class Settings(ServiceConfig):
    """The kernel's settings, and this service's own."""

    server: Server = Server()
    leak_reporters: Annotated[
        Mapping[str, str],
        Env("LEAK_REPORTERS"),
        Field(
            description="Whose reports of leaked keys are believed: a JSON object of "
            "public keys (P-256, PEM) by their ids."
        ),
    ] = {}
    webhook_allowed_networks: Annotated[
        tuple[Annotated[str, AfterValidator(_network)], ...],
        Env("WEBHOOK_ALLOWED_NETWORKS"),
        Field(
            description="Networks that webhooks may lead to although they are not "
            "public, such as 127.0.0.0/8 in tests. In production: none, as a rule."
        ),
    ] = ()
    webhook_ca_file: Annotated[
        Path | None,
        Field(
            description="Certificates (PEM) that targets of webhooks may have beside "
            "those of public authorities: for receivers of our own."
        ),
    ] = None
    webhook_concurrency: Annotated[
        int,
        Field(
            ge=1,
            le=1000,
            description="Webhooks that one worker sends at the same time.",
        ),
    ] = 64
    webhook_endpoint_concurrency: Annotated[
        int,
        Field(ge=1, le=1000, description="Of those, to one endpoint."),
    ] = 8
    webhook_retention_days: Annotated[
        int,
        Field(
            ge=1,
            le=3650,
            description="For how long deliveries that are over can be seen and "
            "replayed.",
        ),
    ] = 30
    quota: Limits = Limits()
    service_token: Annotated[
        SecretStr | None,
        Field(
            description="What the services behind this one know it by; else tokens "
            "signed with SECRET_KEY, for each of them."
        ),
    ] = None
    aigen_timeout: Annotated[
        float,
        Field(gt=0, le=60, description="Seconds that the generation service has."),
    ] = 10.0
    billing_timeout: Annotated[
        float,
        Field(gt=0, le=60, description="Seconds that the business service has."),
    ] = 2.0
    standin_seconds: Annotated[
        float,
        Field(
            ge=0,
            le=600,
            description="Seconds that a job of the built-in stand-in takes, in "
            "development.",
        ),
    ] = 3.0
    worker_port: Annotated[
        int,
        Field(ge=0, le=65_535, description="Of the worker's health and metrics."),
    ] = 8016

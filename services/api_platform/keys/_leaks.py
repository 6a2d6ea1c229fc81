"""Reports of leaked keys, in the shape of GitHub's secret scanning partner programme.

https://docs.github.com/en/code-security/secret-scanning/secret-scanning-partnership-program/secret-scanning-partner-program

A report is a JSON array of ``{"token", "type", "url", "source"}``, signed with ECDSA
P-256 and SHA-256 over the body; two headers bring the key's id and the signature. The
answer says of each token whether it was one of ours, with the token's own text as its
name, since the reporter has it already.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Annotated, Final, Literal

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from fastapi import APIRouter, Depends, Header, Request
from pydantic import Field, TypeAdapter, ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from services.api_platform.keys._service import APIKeyService
from shared.database import Database, get_db_dependency
from shared.dtos.base import BaseDTO, with_examples
from shared.errors import (
    AuthenticationException,
    ValidationException,
    responses_for,
)
from shared.events import ApiKeyLeakedPayload
from shared.logging import SecurityEvent, log_security_event

PATH: Final = "/api/v1/leaked-keys"
_MOST: Final = 1000


class LeakReportDTO(BaseDTO):
    """One place where a key was found."""

    model_config = with_examples(
        {
            "token": "cfk_live_...",
            "type": "creativeflow_api_key",
            "url": "https://example.com/repository/file",
            "source": "content",
        }
    )

    token: Annotated[str, Field(min_length=1, max_length=500, repr=False)]
    type: Annotated[str, Field(max_length=100)]
    url: Annotated[str, Field(max_length=2048)] | None = None
    source: Annotated[str, Field(max_length=100)] | None = None


class LeakAnswerDTO(BaseDTO):
    """What became of one report."""

    model_config = with_examples(
        {
            "token_raw": "cfk_live_...",
            "token_type": "creativeflow_api_key",
            "label": "true_positive",
        }
    )

    token_raw: str = Field(repr=False)
    token_type: str
    label: Literal["true_positive", "false_positive"]


class ReportersKeys:
    """The public keys of those whose reports are believed, by id.

    Args:
        keys: PEM, P-256.

    Raises:
        ValueError: One is no such key; it says which.
    """

    def __init__(self, keys: Mapping[str, str]) -> None:
        self._keys = {key_id: _public_key(key_id, pem) for key_id, pem in keys.items()}

    def verify(self, key_id: str, signature: str, body: bytes) -> bool:
        """Whether the reporter with this key signed *body*."""
        key = self._keys.get(key_id)
        if key is None:
            return False
        try:
            raw = base64.b64decode(signature, validate=True)
            key.verify(raw, body, ec.ECDSA(SHA256()))
        except (InvalidSignature, binascii.Error, ValueError):
            return False
        return True


def _public_key(key_id: str, pem: str) -> ec.EllipticCurvePublicKey:
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(
        key.curve, ec.SECP256R1
    ):
        raise ValueError(f"The reporter's key {key_id!r} must be PEM of a P-256 key.")
    return key


_PLACE: Final[TypeAdapter[str | None]] = TypeAdapter(
    ApiKeyLeakedPayload.__annotations__["found_url"]
)
_REPORTS: Final = TypeAdapter(
    Annotated[list[LeakReportDTO], Field(min_length=1, max_length=_MOST)]
)


def build_leaks_router(
    database: Database, keys: APIKeyService, reporters: ReportersKeys
) -> APIRouter:
    """The endpoint that reporters call. Nobody else can: a report is signed."""
    router = APIRouter(tags=["keys"])
    db_session = Depends(get_db_dependency(database))

    @router.post(
        PATH,
        responses=responses_for(AuthenticationException, ValidationException),
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {
                        "schema": {
                            "type": "array",
                            "minItems": 1,
                            "maxItems": _MOST,
                            "items": LeakReportDTO.model_json_schema(),
                        }
                    }
                },
            }
        },
    )
    async def report_leaked_keys(
        request: Request,
        db: Annotated[AsyncSession, db_session],
        key_identifier: Annotated[
            str, Header(alias="Github-Public-Key-Identifier", max_length=200)
        ],
        signature: Annotated[
            str, Header(alias="Github-Public-Key-Signature", max_length=500)
        ],
    ) -> list[LeakAnswerDTO]:
        """Revoke keys that were found in public, and tell their owners."""
        body = await request.body()  # what was signed, byte for byte
        if not reporters.verify(key_identifier, signature, body):
            log_security_event(
                SecurityEvent.KEY_REFUSED,
                outcome="denied",
                reason="the signature of a leak report",
            )
            raise AuthenticationException("The report's signature does not verify.")
        try:
            reports = _REPORTS.validate_json(body)
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False)
            raise ValidationException(found) from None
        ours = set()
        # In one order: two reports of the same keys must not wait for each other.
        for place, report in sorted(enumerate(reports), key=lambda each: each[1].token):
            if await keys.report_leak(db, report.token, found_url=_web(report)):
                ours.add(place)
        return [
            LeakAnswerDTO(
                token_raw=report.token,
                token_type=report.type,
                label="true_positive" if place in ours else "false_positive",
            )
            for place, report in enumerate(reports)
        ]

    return router


def _web(report: LeakReportDTO) -> str | None:
    """The place, if it has the form that events have."""
    try:
        url = _PLACE.validate_python(report.url)
    except ValidationError:
        return None
    return url if url and url.isprintable() else None

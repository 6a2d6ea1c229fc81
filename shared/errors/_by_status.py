"""The class of an error of which only the HTTP status is known.

Private: used by ``shared.errors`` only.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from shared.errors._codes import code_of, title_of
from shared.errors._exceptions import (
    AuthenticationException,
    BadRequestException,
    BaseAPIException,
    ConflictException,
    NotFoundException,
    PayloadTooLargeException,
    PermissionDeniedException,
    RateLimitExceededException,
    ServiceUnavailableException,
    UpstreamException,
    ValidationException,
    revive,
)

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})

_CLASSES: Final[Mapping[int, type[BaseAPIException]]] = {
    400: BadRequestException,
    401: AuthenticationException,
    403: PermissionDeniedException,
    404: NotFoundException,
    409: ConflictException,
    413: PayloadTooLargeException,
    422: ValidationException,
    429: RateLimitExceededException,
    502: UpstreamException,
    503: ServiceUnavailableException,
    504: UpstreamException,
}


def from_status(
    status: int,
    detail: str | None = None,
    *,
    extra: Mapping[str, Any] = _NOTHING,
    headers: Mapping[str, str] = _NOTHING,
) -> BaseAPIException:
    """An error with *status*, of its class or, as RFC 9110 says, that of its x00.

    The x00 (section 15) decides only how the error is handled: it keeps its own status,
    and has the status's phrase as its code.
    """
    fallback = BadRequestException if status < 500 else BaseAPIException
    cls = _CLASSES.get(status, fallback)
    if status == cls.status_code:
        return revive(cls, detail, extra=extra, headers=headers)
    detail = detail or f"{title_of(status)}."
    error = revive(cls, detail, extra=extra, headers=headers)
    error.status_code = status
    if status not in _CLASSES:
        error.code = code_of(status) or cls.code
    return error

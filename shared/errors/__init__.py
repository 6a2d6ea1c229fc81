"""Errors that a service may let cross its HTTP boundary.

`shared.errors.handlers` answers with them in FastAPI.
"""

from shared.errors._catalogue import CatalogueEntry, catalogue
from shared.errors._exceptions import (
    AuthenticationException,
    BadRequestException,
    BaseAPIException,
    ConflictException,
    NotFoundError,
    NotFoundException,
    PayloadTooLargeException,
    PermissionDeniedException,
    RateLimitExceededException,
    ServiceUnavailableException,
    UpstreamException,
    ValidationError,
    ValidationException,
)
from shared.errors._items import ErrorItem
from shared.errors._openapi import PROBLEM_MEDIA_TYPE, PROBLEM_SCHEMA, responses_for
from shared.errors._pointer import json_pointer, split_json_pointer
from shared.errors._rebuild import error_from_problem

__all__ = [
    # The errors, by status
    "BaseAPIException",
    "BadRequestException",
    "AuthenticationException",
    "PermissionDeniedException",
    "NotFoundException",
    "NotFoundError",
    "ConflictException",
    "PayloadTooLargeException",
    "ValidationException",
    "ValidationError",
    "RateLimitExceededException",
    "UpstreamException",
    "ServiceUnavailableException",
    # What they are on the wire
    "ErrorItem",
    "PROBLEM_MEDIA_TYPE",
    "PROBLEM_SCHEMA",
    "error_from_problem",
    "json_pointer",
    "split_json_pointer",
    # What the documentation says about them
    "CatalogueEntry",
    "catalogue",
    "responses_for",
]

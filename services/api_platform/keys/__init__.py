"""API keys: their life, and who they let in."""

from services.api_platform.keys._access import (
    Access,
    AddressNotAllowedException,
    Caller,
    ScopeMissingException,
    current_user_id,
)
from services.api_platform.keys._last_used import LastUsed
from services.api_platform.keys._leaks import ReportersKeys, build_leaks_router
from services.api_platform.keys._revocation import revoke_keys_of_user
from services.api_platform.keys._router import build_router
from services.api_platform.keys._scopes import Scope
from services.api_platform.keys._service import MOST_KEYS, APIKeyService

__all__ = [
    "MOST_KEYS",
    "APIKeyService",
    "Access",
    "AddressNotAllowedException",
    "Caller",
    "LastUsed",
    "ReportersKeys",
    "Scope",
    "ScopeMissingException",
    "build_leaks_router",
    "build_router",
    "current_user_id",
    "revoke_keys_of_user",
]

"""Small things that every service needs: identifiers, file names, texts, checks.

The checks are those of `shared.validation`, the breaker is that of `shared.resilience`.
"""

from shared.resilience import CircuitBreaker, CircuitOpenError
from shared.utils._files import file_extension, sanitize_filename, unique_filename
from shared.utils._ids import generate_uuid, uuid7
from shared.utils._strings import (
    mask,
    slugify,
    to_camel_case,
    to_snake_case,
    truncate,
)
from shared.validation import (
    to_utc,
    validate_currency_code,
    validate_email_address,
    validate_hex_color,
    validate_https_url,
    validate_locale_tag,
    validate_password_complexity,
    validate_slug,
    validate_social_handle,
    validate_text,
    validate_time_zone,
    validate_username_format,
)

__all__ = [
    # Identifiers
    "generate_uuid",
    "uuid7",
    # Files
    "file_extension",
    "sanitize_filename",
    "unique_filename",
    # Texts
    "mask",
    "slugify",
    "to_camel_case",
    "to_snake_case",
    "truncate",
    # Checks
    "to_utc",
    "validate_currency_code",
    "validate_email_address",
    "validate_hex_color",
    "validate_https_url",
    "validate_locale_tag",
    "validate_password_complexity",
    "validate_slug",
    "validate_social_handle",
    "validate_text",
    "validate_time_zone",
    "validate_username_format",
    # Circuit breaker
    "CircuitBreaker",
    "CircuitOpenError",
]

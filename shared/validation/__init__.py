"""Validators as functions, and as types for pydantic models.

A validator takes a value, returns it in its canonical form, and raises one
``ValueError`` that names every broken rule and nothing of the value.
"""

from shared.validation._color import HexColor, validate_hex_color
from shared.validation._currency import CurrencyCode, validate_currency_code
from shared.validation._datetime import UtcDateTime, to_utc
from shared.validation._decimal import DecimalNumber
from shared.validation._email import EmailAddress, validate_email_address
from shared.validation._identifiers import (
    Slug,
    SocialHandle,
    Username,
    validate_slug,
    validate_social_handle,
    validate_username_format,
)
from shared.validation._locale import LocaleTag, validate_locale_tag
from shared.validation._password import Password, validate_password_complexity
from shared.validation._rules import Rule, require
from shared.validation._text import BoundedText, validate_text
from shared.validation._time_zone import TimeZoneName, validate_time_zone
from shared.validation._url import HttpsUrl, validate_https_url

__all__ = [
    "BoundedText",
    "CurrencyCode",
    "DecimalNumber",
    "EmailAddress",
    "HexColor",
    "HttpsUrl",
    "LocaleTag",
    "Password",
    "Rule",
    "Slug",
    "SocialHandle",
    "TimeZoneName",
    "Username",
    "UtcDateTime",
    "require",
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
]

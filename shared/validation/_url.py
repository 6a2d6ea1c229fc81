"""Absolute https URLs (RFC 3986), in ASCII.

Private: import these names from ``shared.validation``.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

from shared.validation._rules import Rule, require

MAX_LENGTH = 2048
HOST_MAX_LENGTH = 253  # RFC 1035 section 2.3.4, without the root's dot

_SCHEME = "[Hh][Tt][Tt][Pp][Ss]"
_LABEL_REST = r"(?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
# A last label that starts with a digit makes browsers read the whole host as an IPv4
# address (WHATWG URL section 3.5), in notations such as 0x7f.1.
_NAME = rf"(?:[A-Za-z0-9]{_LABEL_REST}\.)*[A-Za-z]{_LABEL_REST}"
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_HOST = rf"(?:{_NAME}|{_OCTET}(?:\.{_OCTET}){{3}})"
_PORT = (
    r"(?:6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}"
    r"|[1-5][0-9]{4}|[1-9][0-9]{0,3})"
)
_CHARACTERS = r"-A-Za-z0-9._~!$&'()*+,;=:@/"  # pchar and "/"; "%", "?", "#" apart
_ESCAPE = "%[0-9A-Fa-f]{2}"

_MISPLACED = re.compile(rf"[^{_CHARACTERS}?#%]|%(?![0-9A-Fa-f]{{2}})|#[^#]*#")
PATTERN = (
    rf"^{_SCHEME}://{_HOST}(?::{_PORT})?"
    rf"(?:/(?:[{_CHARACTERS}]|{_ESCAPE})*)?"
    rf"(?:\?(?:[{_CHARACTERS}?]|{_ESCAPE})*)?"
    rf"(?:#(?:[{_CHARACTERS}?]|{_ESCAPE})*)?$"
)
"""For the schema. A validator that matched it could not tell which rule broke."""


def validate_https_url(url: str) -> str:
    """Return *url* with scheme and host in lowercase.

    The host is a DNS name, in Punycode where it is not ASCII, or an IPv4 address; an
    IPv6 address and a trailing dot are refused. This is about the form alone: code
    that fetches the URL has to see to it that it does not point inside.

    Raises:
        ValueError: Code ``https_url_format``; rules ``max_length``, ``scheme``,
            ``user_info``, ``host``, ``port``, ``characters``.
    """
    scheme, _, after = url.partition("://")
    authority, *tail = re.split(r"(?=[/?#])", after, maxsplit=1)
    rest = "".join(tail)
    _, at, location = authority.rpartition("@")
    host, colon, port = location.partition(":")
    require(
        "https_url_format",
        "URL",
        [
            Rule(
                "max_length",
                f"at most {MAX_LENGTH} characters",
                len(url) <= MAX_LENGTH,
            ),
            Rule("scheme", "the scheme https", bool(re.fullmatch(_SCHEME, scheme))),
            Rule("user_info", "no user name or password", not at),
            Rule(
                "host",
                "a host name in ASCII",
                len(host) <= HOST_MAX_LENGTH and bool(re.fullmatch(_HOST, host)),
            ),
            Rule(
                "port",
                "a port from 1 to 65535 or none",
                not colon or bool(re.fullmatch(_PORT, port)),
            ),
            Rule(
                "characters",
                "only characters that RFC 3986 allows, others percent-encoded",
                not _MISPLACED.search(rest),
            ),
        ],
    )
    return f"{scheme.lower()}://{authority.lower()}{rest}"


HttpsUrl = Annotated[
    str,
    AfterValidator(validate_https_url),
    WithJsonSchema(
        {
            "type": "string",
            "format": "uri",
            "minLength": len("https://a"),
            "maxLength": MAX_LENGTH,
            "pattern": PATTERN,
            "examples": ["https://cdn.example.com/logo.svg"],
        }
    ),
]
"""A string, not a parsed URL, so that what is stored or signed is what was sent."""

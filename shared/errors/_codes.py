"""The codes of errors: how they look, and those of statuses without a class.

The phrases stand here because ``http.HTTPStatus`` renames some between Python releases
(413, 414, 416, 422), and a code never changes.

Private: import names from ``shared.errors``.
"""

from __future__ import annotations

from typing import Final

_TITLES: Final = {
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    409: "Conflict",
    410: "Gone",
    411: "Length Required",
    412: "Precondition Failed",
    413: "Content Too Large",
    414: "URI Too Long",
    415: "Unsupported Media Type",
    416: "Range Not Satisfiable",
    417: "Expectation Failed",
    421: "Misdirected Request",
    422: "Unprocessable Content",
    423: "Locked",
    424: "Failed Dependency",
    425: "Too Early",
    426: "Upgrade Required",
    428: "Precondition Required",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    451: "Unavailable For Legal Reasons",
    500: "Internal Server Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
    505: "HTTP Version Not Supported",
    506: "Variant Also Negotiates",
    507: "Insufficient Storage",
    508: "Loop Detected",
    511: "Network Authentication Required",
}


def title_of(status: int) -> str:
    """The registered phrase of *status*; an unknown one counts as its x00.

    RFC 9110, section 15: a client treats a status it does not know as the x00 of
    the same class.
    """
    return _TITLES.get(status) or _TITLES[400 if status < 500 else 500]


def code_of(status: int) -> str | None:
    """The registered phrase of *status* in snake_case."""
    title = _TITLES.get(status)
    return title.lower().replace(" ", "_") if title else None


def is_code(value: object) -> bool:
    """Whether *value* can be a code: snake_case ASCII, at most 64 characters."""
    return (
        isinstance(value, str)
        and len(value) <= 64
        and value.isascii()
        and value.isidentifier()
        and value == value.lower()
        and not value.startswith("_")
    )

"""From the parts of a request target to a URL that can't leave its host.

Private: used by ``shared.http_client`` only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from enum import Enum
from typing import Final
from urllib.parse import quote, unquote, urlencode, urlsplit
from uuid import UUID

# RFC 3986, section 3.3: pchar without the unreserved characters, which quote() keeps.
_IN_PATH: Final = "/!$&'()*+,;=:@%"
_CLEAN: Final = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*/?")
_NOT_IN_PATH: Final = re.compile(r"[\x00-\x1f\x7f\\]")
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_FIELD: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class BaseUrl:
    """Where a target is; see `parse_base_url`."""

    scheme: str
    netloc: str  # of ASCII, without the scheme's own port
    path: str  # without a slash at its end

    @property
    def text(self) -> str:
        """The URL without a slash at its end."""
        return f"{self.scheme}://{self.netloc}{self.path}"


def parse_base_url(url: str) -> BaseUrl:
    """The parts of a base URL.

    Raises:
        ValueError: It is no http URL, or has parts that a base must not have. The
            message does not repeat it, since it may hold a password.
    """
    if not isinstance(url, str):
        raise TypeError(f"A base URL must be a str (got {type(url).__name__}).")
    if re.search(r"[\x00-\x20\x7f\\]", url):
        raise ValueError("A base URL must have no space and no control character.")
    # Not in the handler of the ValueError, which quotes a piece of the URL.
    parsed = _split(url)
    if parsed is None:
        raise ValueError("A base URL must be http://host or https://host:port/path.")
    scheme, host, port, userinfo, path, rest = parsed
    if userinfo:
        raise ValueError(
            "A base URL must have no user name and no password: URLs are logged. "
            "Use token_provider=."
        )
    if rest:
        raise ValueError("A base URL must have no query and no fragment.")
    if ":" in host:
        host = f"[{host}]"
    netloc = host if port in (None, _PORTS[scheme]) else f"{host}:{port}"
    path = _path(path or "/", "The path of a base URL")
    return BaseUrl(scheme, netloc, path.rstrip("/"))


def _split(url: str) -> tuple[str, str, int | None, bool, str, str] | None:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        host = host if ":" in host else host.encode("idna").decode("ascii")
    except (ValueError, UnicodeError):
        return None
    legible = re.fullmatch(r"[a-z0-9._-]+|[0-9a-f:.]+", host)
    if parts.scheme not in _PORTS or not legible or port == 0:
        return None
    rest = parts.query + parts.fragment
    rest += "?#"[: ("?" in url) + ("#" in url)]
    return parts.scheme, host, port, "@" in parts.netloc, parts.path, rest


def expand(path: str, path_params: Mapping[str, object] | None) -> str:
    """*path* with the values of its ``{names}``, each quoted to be one segment.

    Raises:
        ValueError: A name has no value, a value no name, or a value would make the
            path a different one: empty, ``.`` or ``..``.
    """
    values = dict(path_params or {})
    used = set()

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name not in values:
            raise ValueError(f"The path has {{{name}}}, which path_params has not.")
        used.add(name)
        return _segment(name, values[name])

    filled = _FIELD.sub(value, path)
    if left := sorted(values.keys() - used):
        raise ValueError(f"path_params has {left[0]!r}, and the path no such name.")
    return filled


def _segment(name: str, value: object) -> str:
    if isinstance(value, Enum):
        value = value.value
    if not isinstance(value, str | int | UUID) or isinstance(value, bool):
        raise TypeError(
            f"path_params[{name!r}] must be a str, int or UUID "
            f"(got {type(value).__name__})."
        )
    text = str(value)
    if text in ("", ".", ".."):
        raise ValueError(f"path_params[{name!r}] must not be empty, '.' or '..'.")
    if _NOT_IN_PATH.search(text) or _climbs(text):
        raise ValueError(
            f"path_params[{name!r}] has a control character, a backslash or a dot "
            "segment."
        )
    return quote(text, safe="", errors="strict")


def join(base: BaseUrl, path: str, query: str) -> str:
    """The URL of *path*, as `checked_path` gives it, under *base*."""
    url = f"{base.scheme}://{base.netloc}{base.path}{path}"
    return f"{url}?{query}" if query else url


def checked_path(path: str) -> str:
    """*path* in ASCII, if it stays under its base.

    Raises:
        ValueError: It does not begin with one slash, has a dot segment, a query, a
            fragment, or a character that no path has.
    """
    if not isinstance(path, str):
        raise TypeError(f"A path must be a str (got {type(path).__name__}).")
    if not path.startswith("/") or path.startswith("//"):
        raise ValueError(
            "A path must begin with one slash: it is joined to the base URL, and never "
            "names another host."
        )
    return _path(path, "A path")


def _path(path: str, what: str) -> str:
    if _CLEAN.fullmatch(path):  # nearly always; no segment begins with a dot
        return path
    if _NOT_IN_PATH.search(path):
        raise ValueError(f"{what} must have no control character and no backslash.")
    if "?" in path or "#" in path:
        raise ValueError(f"{what} must have no ? and no #; a query goes into params=.")
    if "{" in path or "}" in path:
        raise ValueError(f"{what} has a brace; path_params= fills {{names}}.")
    if _BAD_ESCAPE.search(path):
        raise ValueError(f"{what} has a % that begins no escape; quote() its parts.")
    if _climbs(path):
        raise ValueError(f"{what} must have no . or .. segment, encoded or not.")
    try:
        return quote(path, safe=_IN_PATH)
    except UnicodeEncodeError:
        raise ValueError(f"{what} has a lone surrogate.") from None


def _climbs(path: str) -> bool:
    """Whether a server or proxy may take a part of *path* for ``.`` or ``..``.

    Some decode %2F before they resolve dots, and some take ..;x for "..".
    """
    parts = re.split(r"[/\\]", unquote(path))
    return any(part.partition(";")[0] in (".", "..") for part in parts)


def encode_query(params: Mapping[str, object] | None) -> str:
    """*params* as a query of ASCII, without the question mark.

    Raises:
        TypeError: A value has no text that everybody would read back.
        ValueError: A text has a lone surrogate.
    """
    if not params:
        return ""
    try:
        return urlencode(list(_pairs(params)), quote_via=quote, safe="")
    except UnicodeEncodeError:
        raise ValueError("params has a lone surrogate.") from None


def _pairs(params: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for name, value in params.items():
        if isinstance(value, list | tuple | set | frozenset):
            # A set has no order of its own; a cache behind the URL wants one.
            texts = [_text(name, one) for one in value]
            ordered = texts if isinstance(value, list | tuple) else sorted(texts)
            yield from ((name, text) for text in ordered)
        elif value is not None:
            yield name, _text(name, value)


def _text(name: str, value: object) -> str:
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float | Decimal | UUID):
        return str(value)
    if isinstance(value, date | time):  # a datetime is a date
        return value.isoformat()
    raise TypeError(
        f"params[{name!r}] must be text, a number, a bool, a UUID, a date or a list of "
        f"such (got {type(value).__name__})."
    )

"""URLs of settings: which are right, and how one is shown.

A check raises pydantic's custom error with the type ``setting``: its sentence is ours
and repeats nothing of the URL, so it may be shown.

Private: used by ``shared.config`` only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NoReturn
from urllib.parse import SplitResult, unquote, urlsplit

from pydantic import Secret, SecretStr
from pydantic_core import PydanticCustomError

HIDDEN = "**********"
OURS: Final = "setting"
_GAP = "***"

# Up to the last @: a password with a raw slash or @ in it is still hidden.
_USERINFO = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<info>[^\s]*)@", re.IGNORECASE
)
_QUERY_SECRET = re.compile(
    r"(?P<name>[?&;][^=&#\s]*(?:pass|pwd|secret|token|key|credential|sig)[^=&#\s]*=)"
    r"(?P<value>[^&#\s]+)",
    re.IGNORECASE,
)
_NOT_IN_URL = re.compile(r"[\s\x00-\x1f\x7f]")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ESCAPE = (
    "Characters such as @ : / ? # % in a user name or password are written "
    "percent-encoded (@ is %40)."
)
_POSTGRESQL = re.compile(r"postgres(?:ql)?(?:\+[a-z0-9_]+)?://", re.IGNORECASE)
_SQLITE = re.compile(r"sqlite(?:\+[a-z0-9_]+)?://", re.IGNORECASE)
_LOOPBACK = re.compile(r"localhost|127(?:\.\d{1,3}){3}|::1")


def mask_url(text: str) -> str:
    """*text* without the passwords of a URL in it, be it well-formed or not."""

    def userinfo(match: re.Match[str]) -> str:
        scheme, info = match["scheme"], match["info"]
        user, colon, _ = info.partition(":")
        if colon:
            return f"{scheme}://{user}:{_GAP}@"
        # A lone user name is a key or token in the URL of a web service.
        shown = _GAP if scheme.lower() in ("http", "https") else user
        return f"{scheme}://{shown}@"

    return _QUERY_SECRET.sub(rf"\g<name>{_GAP}", _USERINFO.sub(userinfo, text))


def passwords_of(text: str) -> Iterator[str]:
    """What ``mask_url`` hides of *text*, as it stands there and decoded."""
    hidden = [match["value"] for match in _QUERY_SECRET.finditer(text)]
    for match in _USERINFO.finditer(text):
        user, colon, password = match["info"].partition(":")
        if colon:
            hidden.append(password)
        elif match["scheme"].lower() in ("http", "https"):
            hidden.append(user)
    for each in hidden:
        yield each
        yield unquote(each)


class SecretUrl(Secret[str]):
    """A URL shown without its password; ``get_secret_value()`` has all of it."""

    def _display(self) -> str:
        return mask_url(self.get_secret_value())


def is_loopback(url: str) -> bool:
    """Whether *url* stays on this machine."""
    return bool(_LOOPBACK.fullmatch(urlsplit(url).hostname or ""))


def database_url(value: object) -> object:
    """Check the URL of a database; what is no text goes on to the type's own check."""
    text = _text(value)
    if text is None:
        return value
    example = "Write postgresql://user:password@host:5432/name or sqlite:///./file.db."
    if match := _SQLITE.match(text):
        if text[match.end() :] and not text.startswith("/", match.end()):
            refuse("A SQLite URL has three slashes before its path.", example)
        return text
    if not _POSTGRESQL.match(text):
        refuse("Must begin with postgresql:// or sqlite:///.", example)
    parts = _server(text, example)
    if not parts.hostname and not re.search(r"(?:^|&)host=[^&]", parts.query):
        refuse("Has no host.", example)
    return text


def connection_string(url: str) -> str:
    """A checked database URL without a driver, as SQLAlchemy spells the dialects."""
    if _SQLITE.match(url):
        return _SQLITE.sub("sqlite://", url, count=1)
    return _POSTGRESQL.sub("postgresql://", url, count=1)


def redis_url(value: object) -> object:
    """Check the URL of a Redis server."""
    example = "Write redis://:password@host:6379/0, or rediss:// for TLS."
    text = _text(value)
    if text is None:
        return value
    if text.lower().startswith("unix://"):
        if len(urlsplit(text).path) < 2:  # "" or "/"
            refuse("Has no path of a socket.", "Write unix:///path/of/the/socket.")
        return text
    if not text.lower().startswith(("redis://", "rediss://")):
        refuse("Must begin with redis://, rediss:// or unix://.", example)
    parts = _server(text, example)
    if not parts.hostname:
        refuse("Has no host.", example)
    if not re.fullmatch(r"/?[0-9]*", parts.path):
        refuse("The path of a Redis URL is the number of a database.", example)
    return text


def amqp_url(value: object) -> object:
    """Check the URL of a RabbitMQ server."""
    example = "Write amqp://user:password@host:5672/, or amqps:// for TLS."
    text = _text(value)
    if text is None:
        return value
    if not text.lower().startswith(("amqp://", "amqps://")):
        refuse("Must begin with amqp:// or amqps://.", example)
    if not _server(text, example).hostname:
        refuse("Has no host.", example)
    return text


def web_url(value: object) -> object:
    """Check the URL of a web service: no credentials, query or fragment in it."""
    example = "Write https://host or https://host:port/path."
    text = _text(value)
    if text is None:
        return value
    parts = _web(text, example)
    if parts.query or parts.fragment:
        refuse("Must have no query and no fragment.", example)
    return text.rstrip("/")


def web_document_url(value: object) -> object:
    """Check the URL of a document on the web: no credentials in it."""
    text = _text(value)
    if text is not None:
        _web(text, "Write https://host/path.")
    return value


def web_origin(value: object) -> object:
    """Check a web origin (RFC 6454): scheme, host, port, nothing else; or ``*``."""
    text = _text(value)
    if text is None or text == "*":
        return value
    example = "Write https://app.example or http://localhost:3000, without a slash."
    parts = _web(text, example)
    if parts.path or parts.query or parts.fragment:
        refuse("An origin is a scheme, a host and a port, and nothing behind.", example)
    return text.lower()  # browsers send it so, and it is compared as text


def refuse(rule: str, advice: str, *, field: str | None = None) -> NoReturn:
    """Raise for pydantic: the rule that a setting breaks, and what to write instead.

    A check of a whole section names the *field* to correct.
    """
    raise PydanticCustomError(
        OURS, "{rule} {advice}", {"rule": rule, "advice": advice, "field": field}
    )


def _text(value: object) -> str | None:
    if isinstance(value, Secret | SecretStr):
        value = value.get_secret_value()
    return value if isinstance(value, str) else None


def _web(text: str, example: str) -> SplitResult:
    if not text.lower().startswith(("http://", "https://")):
        refuse("Must begin with https:// or http://.", example)
    parts = _split(text, example)
    if not parts.hostname:
        refuse("Has no host.", example)
    if "@" in parts.netloc:
        refuse(
            "Must have no user name and no password: URLs are logged.",
            "Give the caller a token of its own.",
        )
    return parts


def _server(text: str, example: str) -> SplitResult:
    parts = _split(text, example)
    # Behind a raw / ? or # of a password, the rest of it and the host are no netloc.
    if parts.fragment or "@" in parts.path + parts.query:
        _illegible(example)
    return parts


def _illegible(example: str) -> NoReturn:
    refuse("Can't be read: its host or port is none.", f"{example} {_ESCAPE}")


def _split(text: str, example: str) -> SplitResult:
    """The parts of a URL whose parts are what its author meant."""
    if _NOT_IN_URL.search(text):
        refuse("Must have no space and no line break.", example)
    if _BAD_ESCAPE.search(text):
        refuse("Has a % that begins no escape.", _ESCAPE)
    parts, port, legible = _parts(text)
    if not legible or parts.netloc.count("@") > 1:
        _illegible(example)
    if port == 0:
        refuse("A port is a number from 1 to 65535.", example)
    return parts


def _parts(text: str) -> tuple[SplitResult, int | None, bool]:
    # Not in the handler of the ValueError: it quotes the port, which is a piece of the
    # password where that has a raw slash in it.
    try:
        parts = urlsplit(text)
        return parts, parts.port, True
    except ValueError:
        return SplitResult("", "", "", "", ""), None, False

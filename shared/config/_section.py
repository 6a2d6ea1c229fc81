"""What all parts of a configuration share: frozen, strict, and silent about secrets.

Private: import these names from ``shared.config``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import (
    AnyUrl,
    BaseModel,
    ConfigDict,
    MongoDsn,
    NatsDsn,
    PostgresDsn,
    SerializerFunctionWrapHandler,
    model_serializer,
)
from pydantic_core import MultiHostUrl, Url

from shared.config._urls import HIDDEN, mask_url

_SECRET_WORDS = frozenset(
    (
        *("secret", "secrets", "password", "passwords", "passwd", "pwd", "passphrase"),
        *("token", "tokens", "credential", "credentials", "pepper", "peppers"),
    )
)
_SECRET_ENDS = frozenset(["key", "keys"])
# Names that people write as one word; shared.logging knows the same.
_ONE_WORD = re.compile(
    r"(?:access|api|private|secret|signing|encryption|master)keys?"
    r"|(?:access|auth|bearer|csrf|id|refresh|session)tokens?"
    r"|clientsecrets?|(?:db|user)passwords?"
)
_WORD_ENDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

# The bases of all of pydantic's types for URLs; its common ones are private.
_URLS = (AnyUrl, MongoDsn, NatsDsn, PostgresDsn, MultiHostUrl, Url)


class Env:
    """Names a setting in the environment: ``Annotated[int, Env("DB_POOL_SIZE")]``.

    Without it the setting is called as its path: ``INSIGHTS_CACHE_TTL`` for
    ``config.insights.cache_ttl``.

    Args:
        name: The variable.
        also: Other names it is accepted under, for platforms that set them. They have
            no form for one service.
        unset: What documentation says it is when it is not set, where the default is
            not in the field.
    """

    __slots__ = ("names", "unset")

    def __init__(self, name: str, /, *also: str, unset: str | None = None) -> None:
        self.names = (name, *also)
        self.unset = unset
        for each in self.names:
            if not re.fullmatch(r"[A-Z][A-Z0-9_]*", each):
                raise ValueError(f"{each!r} is no variable like DB_POOL_SIZE.")


def is_secret_name(name: str) -> bool:
    """Whether a setting of this name is hidden even if its type does not say so."""
    words = re.split(r"[^a-z0-9]+", _WORD_ENDS.sub("_", name).lower())
    return (
        words[-1] in _SECRET_ENDS
        or bool(_ONE_WORD.fullmatch(words[-1]))
        or not _SECRET_WORDS.isdisjoint(words)
    )


def masked(name: str, value: Any) -> Any:
    """*value* as it may be shown: without secrets, and without passwords in URLs."""
    if isinstance(value, _URLS):
        value = str(value)
    if isinstance(value, str | bytes) and value and is_secret_name(name):
        return HIDDEN
    if isinstance(value, str):
        return mask_url(value)
    if isinstance(value, BaseModel) and not isinstance(value, ConfigSection):
        value = value.model_dump()  # which a plain model does not mask
    if isinstance(value, Mapping):
        return {
            _masked_key(key): masked(f"{name}_{key}", item)
            for key, item in value.items()
        }
    if type(value) in (list, tuple, set, frozenset):
        return type(value)(_masked_item(name, item) for item in value)
    return value


def _masked_key(key: Any) -> Any:
    # Any other may be a model: what it would become is no key.
    return masked("", key) if type(key) is str or isinstance(key, _URLS) else key


def _masked_item(name: str, item: Any) -> Any:
    """An item of a list; a pair in it is a name and its value."""
    if type(item) in (list, tuple) and len(item) == 2 and isinstance(item[0], str):
        key, value = item
        return type(item)([masked(name, key), masked(f"{name}_{key}", value)])
    return masked(name, item)


class ConfigSection(BaseModel):
    """A group of settings: ``config.insights``, a class of this as a field's type."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        validate_default=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
    )

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        for name, value in super().__repr_args__():
            yield name, masked(name or "", value)

    @model_serializer(mode="wrap")
    def _serialize_masked(
        self, handler: SerializerFunctionWrapHandler
    ) -> dict[str, Any]:
        return {name: masked(name, value) for name, value in handler(self).items()}

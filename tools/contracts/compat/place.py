"""A place in a bundle's documents: what stands there, and where its ``$ref`` leads."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

from tools.contracts.bundle import BASE

_REF: Final = "$ref"


class PlaceError(ValueError):
    """A pointer or ``$ref`` leads nowhere. The message is one line: where, what."""


@dataclass(frozen=True, slots=True)
class Place:
    """Equal when document and pointer are: compare places of one bundle only."""

    documents: Mapping[str, Any] = field(repr=False, compare=False)
    """By path in the bundle, as `Bundle.documents`."""
    document: str
    """A path among them."""
    pointer: str
    """RFC 6901; the empty one is the whole document."""

    def __str__(self) -> str:
        return f"{self.document}#{self.pointer}"

    @property
    def node(self) -> Any:
        """What stands here.

        Raises:
            PlaceError: Nothing does.
        """
        if self.document not in self.documents:
            raise PlaceError(f"{self}: the bundle has no document {self.document}.")
        node = self.documents[self.document]
        for token in tokens_of(self.pointer):
            try:
                node = node[_index(token) if isinstance(node, list) else token]
            except (KeyError, IndexError, TypeError, ValueError):
                raise PlaceError(f"{self}: there is no {token!r}.") from None
        return node

    def at(self, *tokens: str | int) -> Place:
        """The place below this one; it need not be there."""
        pointer = self.pointer + "".join(f"/{_escaped(token)}" for token in tokens)
        return Place(self.documents, self.document, pointer)

    def parent(self) -> Place:
        """The place above; the whole document has itself."""
        return Place(self.documents, self.document, self.pointer.rpartition("/")[0])

    def follow(self) -> Place:
        """Where the ``$ref`` here leads in the end; this place itself without one.

        Keywords beside a ``$ref`` hold too (JSON Schema 2020-12): whoever needs them
        asks `step` for one reference at a time.

        Raises:
            PlaceError: It leads nowhere, or back to itself.
        """
        seen = {self}
        place = self
        while (target := place.step()) is not None:
            if target in seen:
                raise PlaceError(f"{self}: the $ref leads back to itself.")
            seen.add(target)
            place = target
        return place

    def step(self) -> Place | None:
        """Where the ``$ref`` here leads, itself perhaps a ``$ref``; None without one.

        Raises:
            PlaceError: It leads nowhere.
        """
        node = self.node
        if not isinstance(node, dict) or _REF not in node:
            return None
        ref = node[_REF]
        if not isinstance(ref, str):
            raise PlaceError(f"{self}: $ref must be a string (got {ref!r}).")
        target = self._target(ref)
        try:
            target.node  # noqa: B018 - it raises where nothing is
        except PlaceError:
            raise PlaceError(f"{self}: $ref {ref!r} leads nowhere.") from None
        return target

    def _target(self, ref: str) -> Place:
        path, _, fragment = ref.partition("#")
        document = self.document
        if path.startswith(BASE):
            document = unquote(path.removeprefix(BASE))
        elif path:
            folder = posixpath.dirname(self.document)
            document = posixpath.normpath(posixpath.join(folder, unquote(path)))
        return Place(self.documents, document, unquote(fragment))


def tokens_of(pointer: str) -> list[str]:
    """The tokens of an RFC 6901 pointer.

    Raises:
        PlaceError: It is none: it neither is empty nor starts with a slash.
    """
    if not pointer:
        return []
    if not pointer.startswith("/"):
        raise PlaceError(f"{pointer!r} is no JSON Pointer: it must start with a slash.")
    return [
        token.replace("~1", "/").replace("~0", "~") for token in pointer[1:].split("/")
    ]


def _index(token: str) -> int:
    if not (token.isascii() and token.isdecimal()):
        raise ValueError(token)
    return int(token)


def _escaped(token: str | int) -> str:
    return str(token).replace("~", "~0").replace("/", "~1")

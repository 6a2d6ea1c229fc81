"""A schema as one document.

Private: used by ``tools.contracts.vectors``.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any

from tools.contracts._vectors_forms import APPLICATORS, RULES, Schema, UnsaidError


def inline(schema: Schema, documents: Mapping[str, Any], path: str) -> dict[str, Any]:
    """*schema* as one document: what a ``$ref`` leads to stands in its place.

    A schema that is a part of itself goes to ``$defs`` instead.

    Raises:
        UnsaidError: A ``$ref`` leads nowhere.
    """
    return _Inliner(documents, schema, path).whole(schema)


class _Inliner:
    def __init__(self, documents: Mapping[str, Any], schema: Schema, path: str) -> None:
        self._documents = documents
        self._root = schema
        self._path = path
        self._open: list[tuple[str, str]] = []
        self._definitions: dict[str, Any] = {}
        self._recursive: set[tuple[str, str]] = set()

    def whole(self, schema: Schema) -> dict[str, Any]:
        self._open.append((self._path, ""))
        found = self._schema(schema, self._path)
        if (self._path, "") in self._recursive:
            self._definitions[_name_of((self._path, ""))] = dict(found)
        return {**found, "$defs": self._definitions} if self._definitions else found

    def _schema(self, schema: Any, path: str) -> Any:
        if not isinstance(schema, Mapping):
            return schema  # true or false
        found: dict[str, Any] = {}
        for keyword, value in schema.items():
            if keyword in ("properties", "patternProperties"):
                inside = {name: self._schema(s, path) for name, s in value.items()}
                found[keyword] = inside
            elif keyword in ("allOf", "anyOf", "oneOf", "prefixItems"):
                found[keyword] = [self._schema(each, path) for each in value]
            elif keyword in ("items", "additionalProperties", "propertyNames"):
                found[keyword] = self._schema(value, path)
            elif keyword not in ("$ref", "$defs", "$id", "$schema"):
                found[keyword] = value
        if "$ref" in schema:
            return self._referred(found, schema["$ref"], path)
        return found

    def _referred(self, siblings: dict[str, Any], ref: str, path: str) -> Any:
        target, key = self._find(ref, path)
        if key in self._open:
            self._recursive.add(key)
            return {**siblings, "$ref": f"#/$defs/{_name_of(key)}"}
        self._open.append(key)
        found = self._schema(target, key[0])
        self._open.pop()
        if key in self._recursive:
            self._definitions[_name_of(key)] = found
        named = siblings.get("x-validated-by", [])
        if not isinstance(found, Mapping):
            return {**siblings, "allOf": [*siblings.get("allOf", []), found]}
        clash = siblings.keys() & found.keys() & (RULES.keys() | APPLICATORS)
        if clash:
            return {**siblings, "allOf": [*siblings.get("allOf", []), found]}
        both = [*named, *(n for n in found.get("x-validated-by", []) if n not in named)]
        return {**found, **siblings, **({"x-validated-by": both} if both else {})}

    def _find(self, ref: str, path: str) -> tuple[Any, tuple[str, str]]:
        document, _, pointer = ref.partition("#")
        where = path
        if document:
            where = posixpath.normpath(
                posixpath.join(posixpath.dirname(path), document)
            )
        found = self._root if where == self._path else self._documents.get(where)
        for token in pointer.split("/")[1:]:
            name = token.replace("~1", "/").replace("~0", "~")
            found = found.get(name) if isinstance(found, Mapping) else None
        if found is None:
            raise UnsaidError(f"$ref {ref} leads nowhere")
        return found, (where, pointer)


def _name_of(key: tuple[str, str]) -> str:
    return "".join(c if c.isalnum() else "_" for c in "".join(key))

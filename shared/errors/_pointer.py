"""JSON Pointers (RFC 6901).

Private: import these names from ``shared.errors``.
"""

from __future__ import annotations


def json_pointer(*tokens: str | int) -> str:
    """The pointer that walks from the whole document through *tokens*.

    >>> json_pointer("lines", 0, "a/b")
    '/lines/0/a~1b'
    """
    return "".join(
        "/" + str(token).replace("~", "~0").replace("/", "~1") for token in tokens
    )


def split_json_pointer(pointer: str) -> tuple[str, ...]:
    """The tokens of *pointer*, unescaped; an array index stays a string.

    Raises:
        ValueError: *pointer* is neither empty nor begins with ``/``, or has a ``~``
            that is not part of ``~0`` or ``~1``.
    """
    if not pointer:
        return ()
    head, *tokens = pointer.split("/")
    rest = pointer.replace("~0", "").replace("~1", "")
    if head or "~" in rest:
        raise ValueError("A JSON Pointer is empty or /token/..., ~ only as ~0 or ~1.")
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in tokens)

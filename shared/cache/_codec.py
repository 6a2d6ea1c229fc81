"""Values as bytes, by a rule that is chosen and not guessed.

Private: import these names from ``shared.cache``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Codec(Generic[T]):
    """How a value becomes bytes, and is made from them again.

    Of a pydantic type: ``Codec(adapter.dump_json, adapter.validate_json)`` with a
    ``TypeAdapter``. Bytes that ``decode`` refuses, with any exception, count as a miss,
    so a type may change while old values are still around. There is no pickle: whoever
    can write to the store could run code.
    """

    encode: Callable[[T], bytes]
    decode: Callable[[bytes], T]


def _encode_json(value: object) -> bytes:
    # NaN is no JSON, and would be read by Python only.
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()


def _same(data: bytes) -> bytes:
    return data


JSON: Final[Codec[Any]] = Codec(_encode_json, json.loads)
BYTES: Final[Codec[bytes]] = Codec(_same, _same)


def encoded(codec: Codec[T], value: T) -> bytes:
    """*value* as bytes.

    Raises:
        ValueError: The codec can't encode it, for the reason in its cause. The value is
            not shown.
    """
    try:
        data: object = codec.encode(value)
    except Exception as error:
        raise ValueError(
            f"The cache's codec can't encode a {type(value).__name__}."
        ) from error
    if not isinstance(data, bytes):
        raise ValueError(
            f"The cache's codec made a {type(data).__name__} of a "
            f"{type(value).__name__}; it must make bytes."
        )
    return data

"""Events that this program has no class for.

Private: import these names from ``shared.events``.
"""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Self

from pydantic import Field, PrivateAttr

from shared.events._document import member_texts
from shared.events._envelope import BaseEvent
from shared.events._json import Frozen, freeze

# Whatever pydantic's parser takes, which gives up at 200 levels.
_AnyJson = Annotated[Any, Frozen(partial(freeze, depth=200, finite=False), {})]


class UnknownEvent(BaseEvent[_AnyJson]):
    """An event of an unknown type, or of a known type in an unknown version.

    It is written exactly as it was read, with members and numbers that Python would
    have changed, so it can be passed on, stored and replayed.
    """

    event_type: Annotated[str, Field(min_length=1, max_length=255)]
    payload: _AnyJson = Field(repr=False)  # nobody here knows what in it is secret

    _raw: bytes | None = PrivateAttr(default=None)

    def keep(self, raw: bytes) -> Self:
        """Remember the text that this event was read from."""
        self._raw = raw
        return self

    def model_copy(
        self, *, update: Mapping[str, Any] | None = None, deep: bool = False
    ) -> Self:
        """Return a copy.

        Raises:
            TypeError: Something is to be changed: the event is somebody else's, and
                what it was read from would still say the old.
        """
        if update:
            raise TypeError("An UnknownEvent is kept as it came and can't be changed.")
        return super().model_copy(deep=deep)

    def encode(self) -> bytes:
        """The bytes that the event was read from."""
        return super().encode() if self._raw is None else self._raw

    def encode_payload(self) -> bytes:
        """The payload in the bytes that the event was read from."""
        return member_texts(self.encode().decode())["payload"].encode()

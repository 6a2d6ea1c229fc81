"""Text to bytes, with an error that does not hold the text.

Private: for what may be secret.
"""

from __future__ import annotations


def utf8(text: str, what: str) -> bytes:
    """Return *text* in UTF-8.

    Raises:
        ValueError: *what* has a lone surrogate.
    """
    try:
        return text.encode()
    except UnicodeEncodeError:
        pass  # raised below: as its context, this error would bring the text along
    raise ValueError(
        f"The {what} has a lone surrogate, which UTF-8 can't hold (value hidden)."
    )

"""Reads text below a root."""

from __future__ import annotations

from pathlib import Path

from tools.new_service.errors import BadInputError


def read_file(root: Path, place: str) -> str | None:
    """The text of a file, None if there is none.

    Raises:
        BadInputError: It holds no text, or can't be read.
    """
    try:
        return (root / place).read_bytes().decode()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except UnicodeDecodeError as error:
        raise BadInputError(f"{place} is not UTF-8.") from error
    except OSError as error:
        raise BadInputError(f"{place} can't be read: {error.strerror}.") from error

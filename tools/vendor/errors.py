"""What ends //tools/vendor with one line and exit code 2."""

from __future__ import annotations


class VendorError(Exception):
    """The request can't be met; the text says why and what to do."""

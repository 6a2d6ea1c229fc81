"""Whose certificates the targets of webhooks may have."""

from __future__ import annotations

import ssl
from pathlib import Path

from services.api_platform._settings import NAME
from shared.config import ConfigurationError, ConfigurationProblem


def trusting(file: Path | None) -> ssl.SSLContext | None:
    """What trusts public authorities and those of *file*; None without a file.

    Raises:
        ConfigurationError: It can't be read as certificates.
    """
    if file is None:
        return None
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(file)
    except OSError:  # as is ssl.SSLError
        problem = ConfigurationProblem(
            "WEBHOOK_CA_FILE", "can't be read as certificates in PEM.", "Correct it."
        )
        raise ConfigurationError(NAME, [problem]) from None
    return context

"""What the environment decides about a start, beside what every service has."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from shared.config import DatabaseConfig, Env, ServiceConfig
from shared.validation import validate_password_complexity


def _strong(password: SecretStr | None) -> SecretStr | None:
    if password is not None:
        validate_password_complexity(password.get_secret_value())
    return password


class Settings(ServiceConfig):
    """``ACCOUNTS_SECRET_KEY``, ``ACCOUNTS_DATABASE_URL`` and the rest, and one more."""

    # In memory, gone with the process, unless a URL is given.
    database: DatabaseConfig = DatabaseConfig(url="sqlite://")
    admin_password: Annotated[
        SecretStr | None,
        AfterValidator(_strong),
        Env("ADMIN_PASSWORD"),
        Field(description="Makes the account of the administrator."),
    ] = None

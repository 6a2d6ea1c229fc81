"""What the environment decides about a start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.validation import validate_password_complexity

_MIN_SECRET_BYTES = 32  # of HS256, RFC 7518 section 3.2


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Two optional secrets, absent from the repr."""

    secret: str | None = field(default=None, repr=False)
    admin_password: str | None = field(default=None, repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Read ACCOUNTS_SECRET and ACCOUNTS_ADMIN_PASSWORD; empty counts as unset.

        Raises:
            ValueError: One is too weak. It says which and why, and not its value.
        """
        secret = environment.get("ACCOUNTS_SECRET") or None
        if secret is not None and len(secret.encode()) < _MIN_SECRET_BYTES:
            raise ValueError(
                f"ACCOUNTS_SECRET must be {_MIN_SECRET_BYTES} bytes or more "
                "(value hidden)."
            )
        password = environment.get("ACCOUNTS_ADMIN_PASSWORD") or None
        if password is not None:
            try:
                validate_password_complexity(password)
            except ValueError as error:
                raise ValueError(f"ACCOUNTS_ADMIN_PASSWORD: {error}") from error
        return cls(secret=secret, admin_password=password)

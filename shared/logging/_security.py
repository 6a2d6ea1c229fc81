"""Security events: who tried what, on what, and how it ended; one shape for all.

Private: import these names from ``shared.logging``.
"""

from __future__ import annotations

import logging
import re
from enum import StrEnum
from typing import Literal, TypeAlias, get_args

Outcome: TypeAlias = Literal["success", "failure", "denied"]
"""Done; not done, as it was wrong (a password) or broke; not allowed."""

SECURITY_LOGGER = "shared.security"

_OUTCOMES = frozenset(get_args(Outcome))
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)
_log = logging.getLogger(SECURITY_LOGGER)


class SecurityEvent(StrEnum):
    """The events that the kernel knows. A service may name others, in snake_case."""

    LOG_IN = "login"
    """Somebody logged in, or tried to."""
    TOKEN_REFUSED = "token_refused"  # noqa: S105
    """A bearer token was sent and not accepted."""
    ROLE_MISSING = "role_missing"
    """Somebody we know lacks the role."""
    SCOPE_MISSING = "scope_missing"
    """The token of somebody we know lacks the scope."""
    KEY_CREATED = "key_created"
    """An API key was made."""
    KEY_ROTATED = "key_rotated"
    """An API key got a new secret, or a key ring a new first key."""
    KEY_REVOKED = "key_revoked"
    """An API key was switched off."""
    KEY_REFUSED = "key_refused"
    """An API key was sent and not accepted."""
    SECRET_CHANGED = "secret_changed"  # noqa: S105
    """A password, webhook secret or other credential was set or exchanged."""
    RATE_LIMITED = "rate_limited"
    """A rate limit or quota was hit."""


def log_security_event(
    event: SecurityEvent | str,
    *,
    outcome: Outcome,
    actor: str | None = None,
    target: str | None = None,
    reason: str | None = None,
    **facts: object,
) -> None:
    """Write one security event: INFO for a success, WARNING otherwise.

    The line has ``event``, ``outcome``, ``actor``, ``target`` and ``reason``, null
    where unknown, and *facts* in ``data``. The redactor goes over it as over every
    line, but no secret should get here: an API key is named by its public id.

    Args:
        event: What happened.
        outcome: How it ended.
        actor: Who did it, as an id of ours. None when that is not known, as with a
            forged token: what it claims is no fact.
        target: On what: ``GET /users/{id}``, an API key's public id, an account's id.
        reason: Why it ended so, in words of a small set, so that lines can be counted.
        facts: What else there is to know.

    Raises:
        ValueError: The event is not snake_case, or there is no such outcome.
    """
    if not _NAME.fullmatch(event):
        raise ValueError(f"A security event must be snake_case (got {event!r}).")
    if outcome not in _OUTCOMES:
        raise ValueError(
            f"outcome must be one of {', '.join(get_args(Outcome))} (got {outcome!r})."
        )
    level = logging.INFO if outcome == "success" else logging.WARNING
    if not _log.isEnabledFor(level):
        return
    name = str(event)
    extra: dict[str, object] = {
        "event": name,
        "outcome": outcome,
        "actor": actor,
        "target": target,
        "reason": reason,
    }
    if facts:
        extra["data"] = facts
    _log.log(level, name, extra=extra, stacklevel=2)  # snake_case: no format in it

"""The accounts, in memory: gone when the process ends."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from shared.errors import ConflictException, NotFoundError


@dataclass(frozen=True, kw_only=True)
class User:
    """One account. A change makes a new one."""

    id: UUID = field(default_factory=uuid4)
    email: str
    password_hash: str = field(repr=False)
    roles: tuple[str, ...] = ()
    full_name: str | None = None
    username: str | None = None
    subscription_tier: str = "free"
    credit_balance: Decimal = Decimal(0)
    created_at: datetime
    updated_at: datetime


class UserStore:
    """Accounts by id, each e-mail address and user name once, whatever its case."""

    def __init__(self) -> None:
        self._users: dict[UUID, User] = {}
        self._lock = threading.Lock()  # hashing endpoints run in threads

    def add(self, user: User) -> None:
        """Raise `ConflictException` if the address is taken."""
        with self._lock:
            self._refuse_double(user)
            self._users[user.id] = user

    def update(self, user_id: UUID, *, now: datetime, **changes: Any) -> User:
        """Return the changed account; `NotFoundError`, `ConflictException`."""
        with self._lock:
            user = replace(self._get(user_id), updated_at=now, **changes)
            self._refuse_double(user)
            self._users[user_id] = user
        return user

    def get(self, user_id: UUID) -> User:
        """Raise `NotFoundError` for an unknown id."""
        with self._lock:
            return self._get(user_id)

    def find_by_email(self, email: str) -> User | None:
        """The account with this address in any case."""
        with self._lock:
            users = list(self._users.values())
        wanted = email.casefold()  # once: what a log-in form holds may be long
        return next((u for u in users if u.email.casefold() == wanted), None)

    def page(self, *, after: UUID | None, size: int) -> list[User]:
        """Up to *size* accounts in the order they were made, from behind *after*."""
        with self._lock:
            users = list(self._users.values())
        ids = [user.id for user in users]
        start = ids.index(after) + 1 if after in ids else 0
        return users[start : start + size]

    def _get(self, user_id: UUID) -> User:
        if user_id not in self._users:
            raise NotFoundError("User", str(user_id))
        return self._users[user_id]

    def _refuse_double(self, user: User) -> None:
        for other in self._users.values():
            if other.id == user.id:
                continue
            if _same(other.email, user.email):
                raise ConflictException("This e-mail address is registered already.")
            if user.username and _same(other.username or "", user.username):
                raise ConflictException("This user name is taken.")


def _same(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()

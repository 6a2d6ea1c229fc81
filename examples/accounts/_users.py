"""The accounts, as rows, and the events that wait to be published."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column, validates

from shared.database import (
    Base,
    BaseRepository,
    DuplicateException,
    TimestampMixin,
    UUIDKeyMixin,
)
from shared.errors import ConflictException
from shared.messaging.outbox import outbox_table

outbox_events = outbox_table(Base.metadata)


class User(UUIDKeyMixin, TimestampMixin, Base):
    """One account. Address and user name are unique whatever their case."""

    __tablename__ = "users"

    email: Mapped[str]
    email_folded: Mapped[str] = mapped_column(unique=True)
    password_hash: Mapped[str]
    roles: Mapped[list[str]] = mapped_column(default=list)
    full_name: Mapped[str | None]
    username: Mapped[str | None]
    username_folded: Mapped[str | None] = mapped_column(unique=True)

    # A billing service would know better.
    subscription_tier = "free"
    credit_balance = Decimal(0)

    @validates("email", "username")
    def _fold(self, name: str, value: str | None) -> str | None:
        setattr(self, f"{name}_folded", value and value.casefold())
        return value


class UserRepository(BaseRepository[User]):
    """The accounts in one session."""

    def __init__(self, session: AsyncSession) -> None:
        super().__init__(session, User)

    async def with_email(self, email: str) -> User | None:
        """The account with this address in any case."""
        return await self.find(filters={"email_folded": email.casefold()})

    async def register(self, user: User) -> User:
        """Add an account; `ConflictException` if the address is taken."""
        try:
            return await self.add(user)
        except DuplicateException as error:
            raise ConflictException("This e-mail address is registered.") from error

    async def change(self, user: User, *, now: datetime, **changes: object) -> User:
        """Change what is given; `ConflictException` if a user name is taken."""
        if not changes:
            return user
        try:
            return await self.update(user, {**changes, "updated_at": now})
        except DuplicateException as error:
            raise ConflictException("This user name is taken.") from error

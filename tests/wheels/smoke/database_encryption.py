"""A column is text to the service and ciphertext to the database."""

from sqlalchemy import text
from sqlalchemy.orm import Mapped, mapped_column

from shared.config import DatabaseConfig
from shared.crypto import AesKeyRing
from shared.database import Base, Database, SyncRepository, UUIDKeyMixin
from shared.database.encryption import EncryptedString, use_encryption_keys


class Webhook(UUIDKeyMixin, Base):
    """A table with a secret."""

    __tablename__ = "webhook"

    secret: Mapped[str] = mapped_column(EncryptedString(bound_to_row=True))


database = Database(
    DatabaseConfig.model_validate({"url": "sqlite://"}), service_name="smoke"
)
use_encryption_keys(database, AesKeyRing.generate())
Base.metadata.create_all(database.sync_engine)
with database.sync_session() as session:
    hook = SyncRepository(session, Webhook).add(Webhook(secret="whsec"))
with database.sync_session() as session:
    stored = session.scalar(text("SELECT secret FROM webhook"))
    assert isinstance(stored, bytes)
    assert b"whsec" not in stored
    assert SyncRepository(session, Webhook).get(hook.id).secret == "whsec"
database.dispose_sync()

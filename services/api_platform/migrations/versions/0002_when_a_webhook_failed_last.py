"""When a webhook failed last."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column; of rows that fail already it is not known."""
    with op.batch_alter_table("webhooks") as webhooks:
        webhooks.add_column(
            sa.Column("last_failed_at", sa.DateTime(timezone=True), nullable=True)
        )


def downgrade() -> None:
    """Remove it."""
    with op.batch_alter_table("webhooks") as webhooks:
        webhooks.drop_column("last_failed_at")

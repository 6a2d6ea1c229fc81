"""Migrations run, and the lint finds what is wrong with them."""

import tempfile
from pathlib import Path

from sqlalchemy import MetaData

from shared.config import DatabaseConfig
from shared.database import Database
from shared.database.migrations import check, current, lint, upgrade

ENV = """
from sqlalchemy import MetaData
from shared.database.migrations import run_migrations
run_migrations(MetaData())
"""
REVISION = """
from alembic import op
import sqlalchemy as sa
revision, down_revision = "one", None

def upgrade():
    op.create_table("subject", sa.Column("id", sa.Integer))

def downgrade():
    op.drop_table("subject")
"""

database = Database(
    DatabaseConfig.model_validate({"url": "sqlite://"}), service_name="smoke"
)
with tempfile.TemporaryDirectory() as name:
    folder = Path(name)
    (folder / "versions").mkdir()
    (folder / "env.py").write_text(ENV)
    (folder / "versions" / "one.py").write_text(REVISION)
    upgrade(database, folder)
    check(database, folder)
    found = [finding.rule for finding in lint(folder, MetaData())]
assert current(database) == {"one"}
assert found == ["drift"]
database.dispose_sync()

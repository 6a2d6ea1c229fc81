"""Alembic runs this file."""

from services.api_platform._settings import NAME
from services.api_platform.models import METADATA
from shared.database.migrations import run_migrations

run_migrations(METADATA, service_name=NAME)

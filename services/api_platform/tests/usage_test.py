"""Usage on SQLite."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.api_platform.tests.usage_contract import UsageContract


class TestUsage(UsageContract):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        """An empty database in a file."""
        return f"sqlite:///{tmp_path}/test.db"

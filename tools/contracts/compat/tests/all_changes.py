"""Every change that the gate is tested on, in the order of the table."""

from __future__ import annotations

from typing import Final

from tools.contracts.compat.tests.changes_amqp import AMQP_CHANGES
from tools.contracts.compat.tests.changes_documents import DOCUMENT_CHANGES
from tools.contracts.compat.tests.changes_schemas import SCHEMA_CHANGES

CHANGES: Final = (*SCHEMA_CHANGES, *DOCUMENT_CHANGES, *AMQP_CHANGES)

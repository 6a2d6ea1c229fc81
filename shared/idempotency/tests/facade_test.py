from __future__ import annotations

import os
import subprocess
import sys
from types import ModuleType

from shared import idempotency
from shared.errors import BaseAPIException, catalogue


def test_all_is_what_is_public() -> None:
    """``__all__`` and the names one can import are the same."""
    public = {
        name
        for name, value in vars(idempotency).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }

    assert set(idempotency.__all__) == public


def test_import_needs_no_framework() -> None:
    """A worker that cleans the table has no FastAPI."""
    program = (
        "import sys; import shared.idempotency; "
        "print(sorted(set(sys.modules) & {'fastapi', 'starlette'}))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )

    assert result.stdout == "[]\n"


def test_the_errors_are_in_the_catalogue() -> None:
    """Each with the status of the IETF's draft."""
    found = {
        code: entry.status
        for code, entry in catalogue().items()
        if code.startswith("idempotency_")
    }

    assert found == {
        "idempotency_key_missing": 400,
        "idempotency_key_invalid": 400,
        "idempotency_key_reused": 422,
        "idempotency_in_progress": 409,
        "idempotency_reply_not_kept": 409,
    }


def test_the_errors_keep_their_facts_on_the_wire() -> None:
    """What a client programs against."""
    late: BaseAPIException = idempotency.IdempotencyInProgressException(2.1)
    reused = idempotency.IdempotencyKeyReusedException()

    assert late.to_problem()["retry_after"] == 3
    assert late.headers == {"Retry-After": "3"}
    assert [item["pointer"] for item in reused.to_problem()["errors"]] == [
        "/@header/idempotency-key"
    ]

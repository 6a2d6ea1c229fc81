from __future__ import annotations

import os
import subprocess
import sys
from types import ModuleType

import pytest

from shared import messaging
from shared.messaging import topology


@pytest.mark.parametrize("module", [messaging, topology])
def test_all_is_what_is_public(module: ModuleType) -> None:
    """``__all__`` and the names one can import are the same."""
    public = {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }

    assert set(module.__all__) == public


@pytest.mark.parametrize(
    "statement",
    [
        "import shared.messaging",
        "import shared.messaging.topology",
        "from shared.messaging import InMemoryBus as It; It('a', registry=[])",
    ],
)
def test_import_needs_no_broker_and_no_types_of_events(statement: str) -> None:
    """Who has events of his own does not pay for those of the platform."""
    heavy = {
        *("aio_pika", "aiormq", "fastapi", "pamqp", "sqlalchemy", "typer"),
        *("shared.events._platform", "shared.events.user"),
    }
    program = (
        f"import sys; before = set(sys.modules)\n{statement}\n"
        f"print(sorted((set(sys.modules) - before) & {heavy!r}))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )

    assert result.stdout == "[]\n"


def test_errors_are_the_kernel_s() -> None:
    """A broker that is away is a 503, not a 500."""
    assert messaging.BrokerUnavailableException().status_code == 503
    assert issubclass(messaging.EventTooLargeError, ValueError)
    assert issubclass(messaging.SubscriptionError, ValueError)

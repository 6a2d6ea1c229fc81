from __future__ import annotations

import pickle

import pytest

from shared.http_client import Fault, FaultKind


@pytest.mark.parametrize("kind", FaultKind)
def test_faults_say_what_and_why(kind: FaultKind) -> None:
    """In one line, and after a trip through another process too."""
    fault = pickle.loads(pickle.dumps(Fault(kind, "why")))

    assert str(fault) == f"{kind.value}: why"
    assert str(Fault(kind)) == kind.value
    assert fault.kind is kind

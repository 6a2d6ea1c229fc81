from __future__ import annotations

import copy
import pickle

import pytest

from shared.crypto import _errors


@pytest.mark.parametrize(
    "error",
    [
        _errors.InvalidKeyError("rule"),
        _errors.StoredHashError("rule"),
        _errors.InvalidApiKeyError("rule"),
        _errors.DecryptionError(),
        _errors.RefusedTokenError("reason"),
        _errors.WebhookVerificationError(),
        _errors.RefusedWebhookError("reason"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_survives_pickle_and_copy(error: Exception) -> None:
    """Process pools hand back the error that was raised."""
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert (type(twin), str(twin)) == (type(error), str(error))


@pytest.mark.parametrize(
    "opaque", [_errors.DecryptionError, _errors.WebhookVerificationError]
)
def test_opaque_errors_are_no_value_errors(opaque: type[Exception]) -> None:
    """``except ValueError`` around a parser does not swallow an attack."""
    assert opaque.__bases__ == (Exception,)

from __future__ import annotations

import os
import subprocess
import sys
from types import ModuleType

from shared import crypto


def test_all_is_what_is_public() -> None:
    """``__all__`` and the names one can import are the same."""
    public = {
        name
        for name, value in vars(crypto).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }

    assert set(crypto.__all__) == public
    assert len(crypto.__all__) == len(public)


def test_the_parts_work_together() -> None:
    """From a new API key to its stored hash, and to the event that tells of it."""
    api_key, secret = crypto.generate_api_key_and_secret("test")
    peppers = crypto.PepperRing.generate()
    stored = crypto.hash_api_secret(secret, peppers=peppers)
    webhook_secret = crypto.generate_webhook_secret()
    cipher = crypto.TokenCipher(crypto.AesKeyRing.generate())
    at_rest = cipher.encrypt(webhook_secret, associated_data=b"webhook.secret:1")

    sent = crypto.API_KEY_FORMAT.parse(secret)
    assert (sent.environment, sent.key_id) == ("test", api_key)
    assert crypto.verify_api_secret(secret, stored, peppers=peppers) is True
    key = cipher.decrypt_text(at_rest, associated_data=b"webhook.secret:1")
    headers = crypto.WebhookSigner(key).sign("msg_1", api_key)
    assert crypto.WebhookVerifier(webhook_secret).verify(headers, api_key)


def test_import_stays_light() -> None:
    """It brings cryptography and argon2-cffi, and no framework."""
    program = (
        "import sys; before = set(sys.modules); import shared.crypto; "
        "print(*sorted({m.partition('.')[0] for m in set(sys.modules) - before}))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )

    foreign = set(result.stdout.split()) - sys.stdlib_module_names
    assert {"argon2", "cryptography"} <= foreign
    assert foreign.isdisjoint(
        {"fastapi", "jose", "pydantic", "sqlalchemy", "starlette"}
    )

"""The edge to python-jose."""

from __future__ import annotations

import ast
import hmac
from pathlib import Path

import pytest

import shared.auth
from shared.auth import KeyRing, _jose
from shared.errors import AuthenticationException


def test_one_module_imports_python_jose() -> None:
    """Another JOSE library can take its place by a change to one file."""
    importers = set()
    for file in Path(str(shared.auth.__file__)).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in getattr(node, "names", [])]
            module = getattr(node, "module", None) or ""
            if any(name.split(".")[0] == "jose" for name in [module, *names]):
                importers.add(file.name)

    assert importers == {"_jose.py"}


def test_macs_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """How much of a forged signature is right can't be read from a clock."""
    compared = []

    def watched(expected: bytes, given: bytes) -> bool:
        compared.append((expected, given))
        return hmac.compare_digest(expected, given)

    monkeypatch.setattr(_jose, "compare_digest", watched)
    ring = KeyRing.from_secret(b"x" * 32)
    good = ring.sign(b"{}")

    assert ring.verify(good) == b"{}"
    with pytest.raises(AuthenticationException, match="Invalid token"):
        ring.verify(good[:-5] + "AAAAA"[:4] + "A")
    assert len(compared) == 2


def test_signature_of_any_length_is_only_wrong() -> None:
    """A check answers no to bytes that are no signature at all; it does not raise."""
    rsa = {"kty": "RSA", "e": "AQAB", "n": "_" * 341 + "8"}
    ec = {
        "kty": "EC",
        "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    }
    checks = [
        _jose.verifier(rsa, "RS256"),
        _jose.verifier(ec, "ES256"),
        _jose.secret_key(b"x" * 32, "HS256")[0],
    ]
    for check in checks:
        for size in (0, 1, 31, 32, 64, 65, 255, 256, 257, 5000):
            assert check(b"message", b"\x01" * size) is False

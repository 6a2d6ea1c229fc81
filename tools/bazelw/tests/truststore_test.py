"""The key store is what Java reads."""

from __future__ import annotations

import base64
import hashlib
import struct
from pathlib import Path

import pytest

from tools.bazelw import truststore


def pem(der: bytes) -> str:
    """A certificate as it stands in a bundle."""
    text = base64.encodebytes(der).decode()
    return f"-----BEGIN CERTIFICATE-----\n{text}-----END CERTIFICATE-----\n"


def test_each_certificate_is_an_entry() -> None:
    """The format of JavaKeyStore.engineLoad in OpenJDK, read back field by field."""
    first, second = b"first certificate", bytes(range(256)) * 5

    store = truststore.key_store(f"# Some CA\n{pem(first)}\ntext\n{pem(second)}")

    assert struct.unpack_from(">III", store) == (0xFEEDFEED, 2, 2)
    entry = b"\0\0\0\2" + b"\0\3ca0" + bytes(8) + b"\0\5X.509" + b"\0\0\0\x11" + first
    assert store[12 : 12 + len(entry)] == entry
    assert store.endswith(struct.pack(">I", len(second)) + second + store[-20:])


def test_check_sum_is_of_javas_default_password() -> None:
    """Java warns about any other."""
    store = truststore.key_store(pem(b"x"))
    salted = b"\0c\0h\0a\0n\0g\0e\0i\0tMighty Aphrodite" + store[:-20]

    assert store[-20:] == hashlib.sha1(salted, usedforsecurity=False).digest()


def test_same_input_same_bytes() -> None:
    """A startup option holds its path: another one would restart Bazel's server."""
    assert truststore.key_store(pem(b"x")) == truststore.key_store(pem(b"x"))


def test_users_bundle_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SSL_CERT_FILE names a company's own authority; a wrong name is no name."""
    named, usual = tmp_path / "named.pem", tmp_path / "usual.pem"
    usual.touch()
    monkeypatch.setattr(truststore, "_BUNDLES", (str(tmp_path / "gone"), str(usual)))

    assert truststore.bundle({"SSL_CERT_FILE": str(named)}) == usual

    named.touch()

    assert truststore.bundle({"SSL_CERT_FILE": str(named)}) == named
    assert truststore.bundle({}) == usual


def test_no_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then Java keeps to its own."""
    monkeypatch.setattr(truststore, "_BUNDLES", (str(tmp_path / "gone"),))

    assert truststore.bundle({}) is None

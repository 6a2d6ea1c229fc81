"""The machine's certificate authorities in the format Java reads."""

from __future__ import annotations

import hashlib
import re
import struct
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)

# The check sum of a Java key store is SHA-1 over the password in UTF-16, these words
# and the content. "changeit" is Java's own default: the content is public.
_SALT = "changeit".encode("utf-16-be") + b"Mighty Aphrodite"
_MAGIC = 0xFEEDFEED
_FORMAT = 2
_TRUSTED_CERTIFICATE = 2


def bundle(environ: Mapping[str, str]) -> Path | None:
    """The file with the machine's authorities, if it has one."""
    names = [environ.get("SSL_CERT_FILE", ""), *_BUNDLES]
    return next((Path(name) for name in names if name and Path(name).is_file()), None)


def key_store(pem_bundle: str) -> bytes:
    """A Java key store (JKS) that trusts each certificate of *pem_bundle*."""
    import ssl  # slow to load, and seldom needed

    certificates = _PEM.findall(pem_bundle)
    content = struct.pack(">III", _MAGIC, _FORMAT, len(certificates))
    for number, pem in enumerate(certificates):
        der = ssl.PEM_cert_to_DER_cert(pem)
        content += struct.pack(">I", _TRUSTED_CERTIFICATE) + _text(f"ca{number}")
        content += struct.pack(">Q", 0)  # made in 1970: same input, same bytes
        content += _text("X.509") + struct.pack(">I", len(der)) + der
    return content + hashlib.sha1(_SALT + content, usedforsecurity=False).digest()


def _text(value: str) -> bytes:
    return struct.pack(">H", len(value)) + value.encode()

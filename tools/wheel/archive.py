"""Writes a pure-Python wheel, or any zip: the same bytes for the same content.

https://packaging.python.org/specifications/binary-distribution-format
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

WHEEL = """\
Wheel-Version: 1.0
Generator: creativeflow-kernel
Root-Is-Purelib: true
Tag: py3-none-any
"""

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment a zip archive can express
_UNIX = 3
_REGULAR_FILE_644 = 0o100644 << 16


def write_wheel(
    out: Path,
    *,
    dist_info: str,
    content: Mapping[str, bytes],
    info: Mapping[str, bytes],
) -> None:
    """Write *content* and then *info*, sorted, with WHEEL and RECORD.

    Args:
        out: The wheel.
        dist_info: ``name-version.dist-info``.
        content: Path in site-packages -> bytes.
        info: Path below *dist_info* -> bytes.
    """
    meta = {f"{dist_info}/{path}": data for path, data in info.items()}
    meta[f"{dist_info}/WHEEL"] = WHEEL.encode()
    entries = sorted(content.items()) + sorted(meta.items())
    entries.append(_record(f"{dist_info}/RECORD", entries))
    write_zip(out, entries)


def write_zip(out: Path, entries: Iterable[tuple[str, bytes]]) -> None:
    """Write a zip archive whose bytes depend on nothing but *entries*.

    They are stored, not deflated: what deflate yields differs between versions of
    zlib, and with it the hash that people pin.
    """
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for path, data in entries:
            entry = zipfile.ZipInfo(path, _EPOCH)
            entry.create_system = _UNIX
            entry.external_attr = _REGULAR_FILE_644
            archive.writestr(entry, data)


def _record(path: str, entries: Iterable[tuple[str, bytes]]) -> tuple[str, bytes]:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerows((name, _digest(data), len(data)) for name, data in entries)
    rows.writerow((path, "", ""))  # it can't hold its own digest
    return path, text.getvalue().encode()


def _digest(data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest())
    return "sha256=" + digest.rstrip(b"=").decode()

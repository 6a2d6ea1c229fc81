from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import time
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.wheel.archive import write_wheel

CONTENT = {"acme/b.py": b"B = 1\n", "acme/a.py": b"", "acme/py.typed": b""}
INFO = {"METADATA": b"Name: acme\n", "licenses/LICENSE": b"MIT\n"}


def write(out: Path, content: dict[str, bytes]) -> bytes:
    """Write a wheel and return its bytes."""
    write_wheel(out, dist_info="acme-1.dist-info", content=content, info=INFO)
    return out.read_bytes()


def test_equal_content_makes_equal_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Order, clock, zone and umask of the machine leave no trace."""
    first = write(tmp_path / "1.whl", CONTENT)
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    monkeypatch.setattr(time, "time", lambda: 2e9)
    mask = os.umask(0o077)
    second = write(tmp_path / "2.whl", dict(reversed(CONTENT.items())))
    os.umask(mask)

    assert first == second


def test_the_bytes_are_what_they_were_last_year(tmp_path: Path) -> None:
    """People pin the hash; a new Python or zlib must not change it."""
    digest = hashlib.sha256(write(tmp_path / "acme.whl", CONTENT)).hexdigest()

    assert digest == "b10e6947bfeaa96da32169a8b04f0046ac427fcbc0fcec353a0ac7c8c9430152"


def test_metadata_comes_last(tmp_path: Path) -> None:
    """The format wants it there: a reader starts at the end of an archive."""
    write(tmp_path / "acme.whl", CONTENT)

    with zipfile.ZipFile(tmp_path / "acme.whl") as archive:
        assert archive.namelist() == [
            "acme/a.py",
            "acme/b.py",
            "acme/py.typed",
            "acme-1.dist-info/METADATA",
            "acme-1.dist-info/WHEEL",
            "acme-1.dist-info/licenses/LICENSE",
            "acme-1.dist-info/RECORD",
        ]


@given(
    names=st.sets(
        st.from_regex(r"[a-z][a-z, \"]{0,5}\.py", fullmatch=True), min_size=1
    ),
    data=st.binary(max_size=20),
)
@settings(deadline=None, max_examples=30)
def test_record_lists_every_entry_once_with_its_digest(
    tmp_path_factory: pytest.TempPathFactory, names: set[str], data: bytes
) -> None:
    """Installers refuse a wheel whose RECORD and content differ, odd names included."""
    out = tmp_path_factory.mktemp("wheels") / "acme.whl"
    write(out, dict.fromkeys(names, data))

    with zipfile.ZipFile(out) as archive:
        record = archive.read("acme-1.dist-info/RECORD").decode()
        expected = [
            [
                name,
                "sha256="
                + base64.urlsafe_b64encode(hashlib.sha256(archive.read(name)).digest())
                .decode()
                .rstrip("="),
                str(archive.getinfo(name).file_size),
            ]
            for name in archive.namelist()[:-1]
        ]
    assert list(csv.reader(io.StringIO(record))) == [
        *expected,
        ["acme-1.dist-info/RECORD", "", ""],
    ]

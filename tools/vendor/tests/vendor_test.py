from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.vendor import staging
from tools.vendor.tests.shop import Shop, digest, shop
from tools.vendor.vendor import main

Run = Callable[..., int]


@pytest.fixture
def stock(tmp_path: Path) -> Shop:
    """Made-up wheels."""
    folder = tmp_path / "stock"
    folder.mkdir()
    return shop(folder)


@pytest.fixture
def run(stock: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The program, started by `bazel run` in the folder ``here``."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.setenv("BUILD_WORKING_DIRECTORY", str(here))
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    return lambda *arguments: main(str(stock.index), str(stock.lock), arguments)


def names(folder: Path) -> list[str]:
    """What lies in the folder."""
    return sorted(path.name for path in folder.iterdir())


def test_an_export_is_complete(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A relative DIR is relative to the user's folder; the last line installs it."""
    code = run("//shared/dtos", "--out", "out")

    assert code == 0
    assert names(tmp_path / "here" / "out") == [
        "SHA256SUMS",
        "acme_dtos-1.2.3-py3-none-any.whl",
        "acme_errors-1.2.3-py3-none-any.whl",
        "pydantic-2.14.3-py3-none-any.whl",
        "requirements.txt",
        "sbom.cdx.json",
        "typing_extensions-4.16.0-py3-none-any.whl",
    ]
    assert capsys.readouterr().out == (
        "  acme-dtos 1.2.3\n"
        "  acme-errors 1.2.3\n"
        "2 first-party and 2 third-party wheels in out\n"
        "pip install --no-index --find-links out --require-hashes "
        "-r out/requirements.txt\n"
    )


def test_requirements_pin_every_wheel_by_hash(
    run: Run, stock: Shop, tmp_path: Path
) -> None:
    """Ours by the built file, third-party ones by all that the lock allows."""
    run("//shared/errors:handlers", "--out", "out")

    out = tmp_path / "here" / "out"
    lines = (out / "requirements.txt").read_text().splitlines()
    ours = digest(out / "acme_errors-1.2.3-py3-none-any.whl")
    assert lines[0].startswith("# Written by //tools/vendor, for Python 3.")
    assert lines[1:6] == [
        "acme-errors[fastapi]==1.2.3 \\",
        f"    --hash=sha256:{ours}",
        "pydantic==2.14.3 \\",
        f"    --hash=sha256:{'0' * 64} \\",
        f"    --hash=sha256:{digest(stock.third_party)}",
    ]


def test_first_party_only_leaves_the_rest_to_an_index(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Third-party wheels are pinned and listed, but not copied."""
    run("//shared/dtos", "--out", "out", "--first-party-only")

    out = tmp_path / "here" / "out"
    assert [name for name in names(out) if name.endswith(".whl")] == [
        "acme_dtos-1.2.3-py3-none-any.whl",
        "acme_errors-1.2.3-py3-none-any.whl",
    ]
    assert "pydantic==2.14.3" in (out / "requirements.txt").read_text()
    assert "pkg:pypi/pydantic@2.14.3" in (out / "sbom.cdx.json").read_text()
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("pip install --find-links out --require-hashes")


def test_two_exports_are_equal(run: Run, tmp_path: Path) -> None:
    """Whoever exports the same commit gets the same SHA256SUMS."""
    run("//shared/...", "--out", "one")
    run("//shared/...", "--out", "two")

    sums = [(tmp_path / "here" / n / "SHA256SUMS").read_text() for n in ("one", "two")]
    assert sums[0] == sums[1]


def test_source_date_epoch_dates_the_sbom(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The convention of reproducible-builds.org."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767323045")
    run("//shared/dtos", "--out", "out")

    document = json.loads((tmp_path / "here" / "out" / "sbom.cdx.json").read_text())
    assert document["metadata"]["timestamp"] == "2026-01-02T03:04:05+00:00"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["//shared/dtso", "--out", "out"], "//shared/dtso: no wheel ships it."),
        (["//shared/dtos"], "the following arguments are required: --out (see --help)"),
        (["--out", "out"], "the following arguments are required: TARGET (see --help)"),
        (["//shared/dtos", "--out", "out", "--fast"], "unrecognized arguments: --fast"),
        (["//shared/dtos", "--out", "../stock/index.json"], "is a file, not a folder."),
        (["//shared/dtos", "--out", "../stock"], "which this program did not write."),
        (["//shared/dtos", "--out", "../stock/index.json/x"], "json is a file, not"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(
    run: Run,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    """Exit code 2, the reason on stderr, and every folder as it was."""
    before = sorted(tmp_path.rglob("*"))

    code = run(*arguments)

    captured = capsys.readouterr()
    assert code == 2
    assert captured.out == ""
    assert captured.err.startswith("vendor: ")
    assert captured.err.count("\n") == 1
    assert message in captured.err
    assert sorted(tmp_path.rglob("*")) == before


def test_a_wheel_that_the_lock_does_not_know_is_refused(
    run: Run, stock: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What pip built from source on this machine is nobody else's pydantic."""
    stock.third_party.write_bytes(stock.third_party.read_bytes() + b"!")

    assert run("//shared/dtos", "--out", "out") == 2
    error = capsys.readouterr().err
    assert "pydantic-2.14.3-py3-none-any.whl is not a file that requirements_l" in error
    assert names(tmp_path / "here") == []


def test_a_senseless_source_date_epoch_is_named(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is set far from here, in some CI file."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")

    assert run("//shared/dtos", "--out", "out") == 2
    assert "SOURCE_DATE_EPOCH is 'yesterday', not" in capsys.readouterr().err


def test_a_full_disk_leaves_nothing_behind(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Half a folder would install half the packages."""

    def full(source: Path, folder: Path) -> None:
        raise OSError(28, "No space left on device", str(source))

    monkeypatch.setattr(staging, "copy", full)

    assert run("//shared/dtos", "--out", "out") == 2
    assert "No space left on device" in capsys.readouterr().err
    assert names(tmp_path / "here") == []


def test_help_shows_the_command(capsys: pytest.CaptureFixture[str], run: Run) -> None:
    """The first thing one asks a program."""
    with pytest.raises(SystemExit, match=r"^0$"):
        run("--help")

    assert "./bazelw run //tools/vendor -- //shared/dtos" in capsys.readouterr().out

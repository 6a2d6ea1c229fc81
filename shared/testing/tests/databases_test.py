from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from shared.testing import databases
from shared.testing.databases import TemporaryDatabase, sqlite_database


@pytest.fixture(autouse=True)
def temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Look at no other run's folders."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def path_of(url: str) -> Path:
    """Return the file behind a URL."""
    return Path(url.removeprefix("sqlite:///"))


def left_in(folder: Path) -> list[Path]:
    """Return what is there."""
    return list(folder.iterdir())


def use(url: str) -> None:
    """Write something, in WAL, and leave it there."""
    with closing(sqlite3.connect(path_of(url))) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE t (x)")
        connection.commit()


def test_exists_inside_the_block_only(temporary_folder: Path) -> None:
    """Nothing of it is left, neither its log nor its folder."""
    with sqlite_database() as url:
        use(url)
        assert path_of(url).exists()

    assert left_in(temporary_folder) == []


async def test_the_same_in_a_coroutine(temporary_folder: Path) -> None:
    """``async with``."""
    async with sqlite_database() as url:
        use(url)
        assert path_of(url).exists()

    assert left_in(temporary_folder) == []


def test_is_gone_after_a_failure(temporary_folder: Path) -> None:
    """A test that fails leaves nothing to the next one."""
    with pytest.raises(RuntimeError, match="boom"), sqlite_database():
        raise RuntimeError("boom")

    assert left_in(temporary_folder) == []


def test_each_is_another_one() -> None:
    """Tests may run side by side, and one test may use two."""
    with sqlite_database() as one, sqlite_database() as other:
        use(one)
        use(other)

    assert one != other


def test_a_folder_of_the_caller_keeps_it(tmp_path: Path) -> None:
    """Under ``tmp_path`` it can be looked at when the test has failed."""
    with sqlite_database(tmp_path / "kept") as url, sqlite_database(tmp_path) as other:
        assert path_of(url).parent == tmp_path / "kept"
        use(other)

    assert path_of(other).exists()


def test_a_killed_run_is_cleaned_up_after(temporary_folder: Path) -> None:
    """Its folder goes with the next database; one whose owner lives stays."""
    program = (
        "import tempfile, time, sys; tempfile.tempdir = sys.argv[1]\n"
        "from shared.testing.databases import sqlite_database\n"
        "with sqlite_database() as url:\n"
        "    print(url, flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(temporary_folder)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as other:
        assert other.stdout is not None
        theirs = path_of(other.stdout.readline().strip()).parent
        with sqlite_database() as url:
            seen_while_alive = theirs.exists(), path_of(url).parent.exists()
        other.send_signal(signal.SIGKILL)
        other.wait()
    with sqlite_database():
        assert not theirs.exists()

    assert seen_while_alive == (True, True)


def test_a_folder_that_is_taken_or_gone_is_not_locked(tmp_path: Path) -> None:
    """Whoever cleans and whoever makes one at the same moment never share it."""
    held = databases._lock(tmp_path)
    assert held is not None

    with closing(held):
        assert databases._lock(tmp_path) is None
    assert databases._lock(tmp_path / "gone") is None


def test_a_lock_on_a_removed_file_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cleaner of another run was between our opening and our locking."""
    monkeypatch.setattr(Path, "exists", lambda _: False)

    assert databases._lock(tmp_path) is None


def test_a_new_folder_that_was_taken_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Then another one is made."""
    real, calls = databases._lock, []

    def lock(folder: Path) -> sqlite3.Connection | None:
        calls.append(folder)
        return real(folder) if len(calls) > 1 else None

    monkeypatch.setattr(databases, "_lock", lock)
    folder, owner = databases._owned_folder()

    owner.close()
    assert folder == calls[1] != calls[0]


def test_the_base_makes_nothing() -> None:
    """It says what a database is; a kind has to say how."""
    base = TemporaryDatabase()

    with pytest.raises(NotImplementedError) as caught:
        base.__enter__()
    with pytest.raises(NotImplementedError) as caught_too:
        base.__exit__(None, None, None)

    assert (str(caught.value), str(caught_too.value)) == ("", "")

"""Requirement files, as resolvers write them and as people break them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tools.bazelw.console import Trouble
from tools.bazelw.lock import Entry, read, wheels_named_in

A, B = "a" * 64, "b" * 64


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    """A file that is not there yet."""
    return tmp_path / "requirements_lock.txt"


@pytest.mark.parametrize(
    ("text", "requirement"),
    [
        (f"alpha==1.0 --hash=sha256:{A}", "alpha==1.0"),
        (f"alpha==1.0 \\\n    --hash=sha256:{A}\n    # via beta\n", "alpha==1.0"),
        (
            f"# top\n\nal-pha_b.c==1!2.0.post1+x  --hash=sha256:{A}  # why",
            "al-pha_b.c==1!2.0.post1+x",
        ),
        (f"alpha[one, two]==1.0 \\\n --hash=sha256:{A}", "alpha[one, two]==1.0"),
        (
            f"alpha==1.0 ; python_version < '3.12' \\\n    --hash=sha256:{A}",
            "alpha==1.0 ; python_version < '3.12'",
        ),
    ],
)
def test_entry(lock: Path, text: str, requirement: str) -> None:
    """Continued lines, comments, extras and markers are read as pip reads them."""
    lock.write_text(text)

    assert read(lock) == [Entry(requirement, (A,))]


def test_marker_makes_an_entry_conditional() -> None:
    """No file may be fetched for it, and all is well."""
    assert Entry("alpha==1.0 ; sys_platform == 'win32'", (A,)).conditional
    assert not Entry("alpha==1.0", (A,)).conditional


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("alpha==1.0", r"lock.txt:1: 'alpha==1.0' has no --hash=sha256:"),
        (f"\n\na==1 --hash=md5:{A[:32]}", r"lock.txt:3: 'a==1' has no --hash=sha256:"),
        (f"a==1 --hash=sha256:{A[:-1]}", r"lock.txt:1: 'a==1' has no --hash=sha256:"),
        (
            f"a==1 \\\n  # --hash=sha256:{A}",
            r"lock.txt:1: 'a==1' has no --hash=sha256:",
        ),
        (
            f"alpha>=1.0 --hash=sha256:{A}",
            r"'alpha>=1.0' is not pinned as name==version",
        ),
        (f"alpha==1.* --hash=sha256:{A}", r"'alpha==1.\*' is not pinned"),
        (
            "--index-url https://a.invalid",
            r"'--index-url https://a.invalid' is not pinned",
        ),
        ("-e .", r"'-e .' is not pinned"),
        (
            f"a @ https://x.invalid/a.whl --hash=sha256:{A}",
            r"is not pinned as name==version",
        ),
    ],
)
def test_entry_that_says_too_little(lock: Path, text: str, message: str) -> None:
    """The place, the entry, the rule and the fix stand in one line."""
    lock.write_text(text)

    with pytest.raises(Trouble, match=message) as caught:
        read(lock)
    assert str(caught.value).endswith("write it anew: ./bazelw run //:lock")
    assert "\n" not in str(caught.value)


def test_no_file_no_entries(lock: Path) -> None:
    """Bazel tells better what is wrong with such a checkout."""
    assert read(lock) == []


def test_order_of_hashes_does_not_matter(lock: Path) -> None:
    """A resolver may write them in any order; the wheel stays the same."""
    keys = set()
    for first, second in ((A, B), (B, A)):
        lock.write_text(f"a==1 --hash=sha256:{first} --hash=sha256:{second}")
        keys |= {entry.key for entry in read(lock)}

    assert len(keys) == 1
    assert keys != {Entry("a==2", (A, B)).key}


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_is_read_or_refused(lock: Path, text: str) -> None:
    """Garbage is told with its place; nothing without a hash gets through."""
    lock.write_text(text)
    entries: list[Entry] = []
    told = f"{lock.name}:"
    try:
        entries = read(lock)
    except Trouble as trouble:
        told = str(trouble)

    assert told.startswith(f"{lock.name}:")
    assert all(entry.hashes for entry in entries)


def test_wheels_of_a_bzl_file() -> None:
    """The list in rules_python's own sources; other strings don't count."""
    starlark = f'''
    ("pypi__build", "https://h.invalid/03/build-0.9.0-py3-none-any.whl", "{A}"),
    (
        "pypi__more_itertools",
        "https://h.invalid/aa/more_itertools-8.13.0-py3-none-any.whl",
        "{B}",
    ),
    ("other", "https://h.invalid/thing-1.0.tar.gz", "{B}"),
    '''

    assert wheels_named_in(starlark) == [
        Entry("build==0.9.0", (A,)),
        Entry("more_itertools==8.13.0", (B,)),
    ]

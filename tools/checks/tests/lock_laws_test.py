from __future__ import annotations

import pytest

from tools.checks import lock_laws
from tools.checks.law import Law
from tools.checks.repository import Repository

A, B = "a" * 64, "b" * 64
LOCK = f"""\
# made by a tool
annotated-types==0.8.0 \\
    --hash=sha256:{A} \\
    --hash=sha256:{B}
    # via pydantic
colorama==0.4.6 ; sys_platform == 'win32' \\
    --hash=sha256:{A}
pydantic==2.14.0 --hash=sha256:{B}
"""


def broken(law: Law, lock: str = LOCK, asked: str = "pydantic>=2.10,<3\n") -> list[str]:
    """What the law says."""
    files = {"requirements.in": asked, "requirements_lock.txt": lock}
    return [str(finding) for finding in law(Repository(files))]


def test_a_pinned_and_hashed_lock_is_fine() -> None:
    """With markers, comments, and hashes on lines of their own or not."""
    assert broken(lock_laws.every_entry_is_pinned_by_hash) == []
    assert (
        broken(lock_laws.every_entry_is_pinned_by_hash, "--no-binary x\n" + LOCK) == []
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (f" \\\n    --hash=sha256:{A}\npydantic", "\npydantic"),
        (f"--hash=sha256:{A}\npydantic", "--hash=md5:abc\npydantic"),
        (f"--hash=sha256:{A}\npydantic", f"--hash=sha256:{A[1:]}\npydantic"),
        (f"--hash=sha256:{A}\npydantic", f"# --hash=sha256:{A}\npydantic"),
    ],
    ids=["none", "another algorithm", "cut short", "commented out"],
)
def test_an_entry_without_hash_is_named(old: str, new: str) -> None:
    """The message has the package, its version and the line where it begins."""
    assert broken(lock_laws.every_entry_is_pinned_by_hash, LOCK.replace(old, new)) == [
        (
            "requirements_lock.txt:6: [law lock] colorama==0.4.6 has no sha256 hash, "
            "so any file of that name would do. Fix: run ./bazelw run //:lock."
        )
    ]


@pytest.mark.parametrize(
    "entry", ["six>=1", "six", "six==1.*", "six==1,==2", "./folder", "six @ file:x"]
)
def test_an_entry_without_version_is_named(entry: str) -> None:
    """A range or a file is no lock, hash or not."""
    [message] = broken(
        lock_laws.every_entry_is_pinned_by_hash, f"{entry} --hash=sha256:{A}\n"
    )

    assert message == (
        f"requirements_lock.txt:1: [law lock] {entry.split()[0]} is not pinned to one "
        "version. Fix: run ./bazelw run //:lock."
    )


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("# c\nredis>=5\n", "2: [law lock] redis is not in requirements_lock.txt."),
        (
            "Pydantic>=2.15  # soon\n",
            (
                "1: [law lock] Pydantic>=2.15 is asked for, and requirements_lock.txt "
                "has 2.14.0."
            ),
        ),
        (
            "annotated_types>=0.1,\\\n<0.8\n",
            (
                "1: [law lock] annotated_types<0.8,>=0.1 is asked for, and "
                "requirements_lock.txt has 0.8.0."
            ),
        ),
    ],
)
def test_a_lock_older_than_the_wish_is_named(asked: str, message: str) -> None:
    """A requirement that was added or raised since the lock was made."""
    assert broken(lock_laws.lock_answers_what_is_asked, asked=asked) == [
        f"requirements.in:{message} Fix: run ./bazelw run //:lock."
    ]


@pytest.mark.parametrize(
    "asked", ["pydantic>=2.10,<3", "Annotated.Types[x]", "", "# nothing", "colorama\\"]
)
def test_a_lock_that_answers_is_fine(asked: str) -> None:
    """Names are compared as indexes compare them."""
    assert broken(lock_laws.lock_answers_what_is_asked, asked=asked) == []

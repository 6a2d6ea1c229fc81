from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.new_service.answers import FILE
from tools.new_service.drift import Change, changes, diff
from tools.new_service.render import digest

Files = dict[str, str]
FOLDER = "services/user_service"


def compare(made: Files, ours: Files, theirs: Files) -> list[Change]:
    """The changes of a service that was *made*, is *ours*, and would be *theirs*."""
    digests = {path: digest(text) for path, text in made.items()}
    return list(changes(digests, theirs, ours.get))


def apply(command: list[str], changed: list[Change], ours: Files, root: Path) -> Files:
    """What is in the folder after a program has applied the diff."""
    folder = root / FOLDER
    for name, text in ours.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    text = "".join(diff(change, FOLDER) for change in changed)
    done = subprocess.run(
        command, cwd=root, input=text.encode(), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode() + text
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {
        path.relative_to(folder).as_posix(): path.read_bytes().decode()
        for path in paths
    }


@pytest.mark.parametrize(
    ("made", "ours", "theirs", "state", "upstream"),
    [
        ("a", "a", "b", "the template changed", True),
        ("a", "b", "a", "edited here", False),
        ("a", "b", "c", "edited here, and the template changed", True),
        ("a", None, "a", "removed here", False),
        ("a", None, "b", "removed here", True),
        (None, None, "a", "new in the templates", True),
        (None, "b", "a", "edited here, and the template changed", True),
        ("a", "a", None, "gone from the templates", True),
    ],
)
def test_says_who_changed_what(
    made: str | None, ours: str | None, theirs: str | None, state: str, upstream: bool
) -> None:
    """The digests of what was generated tell an edit from a new template."""
    (found,) = compare(
        *({} if text is None else {"f": text} for text in (made, ours, theirs))
    )

    assert (found.state, found.upstream) == (state, upstream)


@pytest.mark.parametrize(
    ("made", "ours", "theirs"),
    [("a", "a", "a"), ("a", "b", "b"), ("a", None, None)],
)
def test_equal_files_are_no_drift(
    made: str, ours: str | None, theirs: str | None
) -> None:
    """However they came to be equal."""
    files = [{} if text is None else {"f": text} for text in (made, ours, theirs)]

    assert compare(*files) == []


def test_the_memory_drifts_with_the_templates() -> None:
    """It has their digests, so it is part of the diff."""
    (found,) = compare({}, {FILE: "old"}, {FILE: "new"})

    assert (found.state, found.upstream) == ("remembers other templates", True)


TEXTS = st.text(st.sampled_from("ab \n\r\t\x0b\x85\u2028é\\"), max_size=12)
NAMES = st.sampled_from(["app.py", "tests/app_test.py", ".env.example"])
PROGRAMS = {
    "git": ["git", "apply", "--whitespace=nowarn", "-"],
    "patch": ["patch", "--quiet", "--strip=1", "--binary"],
}


@pytest.mark.parametrize(
    "program",
    [
        pytest.param(
            name, marks=pytest.mark.skipif(not shutil.which(name), reason=f"no {name}")
        )
        for name in PROGRAMS
    ],
)
@settings(max_examples=60, deadline=None)
@given(
    ours=st.dictionaries(NAMES, TEXTS),
    theirs=st.dictionaries(NAMES, TEXTS.filter(bool)),
)
def test_applied_the_diff_leaves_no_drift(
    program: str,
    tmp_path_factory: pytest.TempPathFactory,
    ours: Files,
    theirs: Files,
) -> None:
    """For any texts, line endings and missing last newlines, new and gone files."""
    root = tmp_path_factory.mktemp("workspace")
    # A file that was emptied and is gone from the templates has no line to remove.
    ours = {path: text for path, text in ours.items() if text or path in theirs}
    changed = compare(ours, ours, theirs)
    after = apply(PROGRAMS[program], changed, ours, root) if changed else ours

    assert after == theirs
    assert compare(theirs, after, theirs) == []

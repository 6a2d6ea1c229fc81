"""How blocks say the way to run them."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs import blocks
from docs.blocks import BlockError, Way, has_in_data, is_declared, labels, steps_of

PAGE = "docs/page.md"


def fenced(language: str, code: str, comment: str = "") -> str:
    """A page of one block."""
    return f"# A page\n\n{comment}\n```{language}\n{code}\n```\n"


@pytest.mark.parametrize(
    ("text", "way", "detail"),
    [
        (fenced("python", "x = 1"), Way.PYTHON, ""),
        (fenced("python", "def test_x():\n    pass"), Way.TESTS, ""),
        (fenced("python", "class TestX:\n    pass"), Way.TESTS, ""),
        (fenced("sh", "ls"), Way.COMMANDS, ""),
        ("a\n\n    ./bazelw build //x\n", Way.COMMANDS, ""),
        (fenced("json", "{}"), Way.DATA, ""),
        (
            fenced("ts", "x", "<!-- no-run: it needs a compiler -->"),
            Way.NOT,
            "it needs a compiler",
        ),
        (fenced("ts", "x", "<!-- run-by: //a:b -->"), Way.ELSEWHERE, "//a:b"),
        (fenced("ts", "x", "<!-- file: a/b.ts -->"), Way.FILE, "a/b.ts"),
        (fenced("", "a = 1", "<!-- as: toml -->"), Way.DATA, ""),
        (fenced("sh", "ls", "<!-- a remark -->"), Way.COMMANDS, ""),
    ],
)
def test_a_block_has_a_way(text: str, way: Way, detail: str) -> None:
    """By its mark, or else by its language."""
    (step,) = steps_of(PAGE, text)

    assert (step.way, step.detail) == (way, detail)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (fenced("cobol", "x"), r"docs/page.md:5: nothing runs 'cobol'"),
        ("a\n\n    x = 1\n", r"docs/page.md:3: nothing runs code without a lang"),
        (fenced("ts", "x", "<!-- no-run: -->"), r"page.md:5: no-run needs a reason"),
        (fenced("ts", "x", "<!-- no-run: sorry -->"), r"no-run needs a reason"),
        (fenced("ts", "x", "<!-- run-by: tests -->"), r"run-by needs the label"),
        (fenced("ts", "x", "<!-- file: ../x -->"), r"file needs a path"),
        (fenced("ts", "x", "<!-- file: /x -->"), r"file needs a path"),
    ],
)
def test_a_block_without_a_way_is_told(text: str, message: str) -> None:
    """With the page and the line of its first code."""
    with pytest.raises(BlockError, match=message):
        steps_of(PAGE, text)


def test_a_shipped_page_has_its_marks_elsewhere() -> None:
    """By the first line of the block."""
    (step,) = steps_of(PAGE, fenced("ts", "// a.mts\nx"), {"// a.mts": "run-by: //a:b"})

    assert step.way is Way.ELSEWHERE


def test_a_program_has_the_lines_of_its_page() -> None:
    """So that a traceback names them."""
    text = fenced("python", "x = 1") + fenced("python", "1 / 0")

    program = blocks.program(steps_of(PAGE, text))

    assert program.splitlines()[4] == "x = 1"
    assert program.splitlines()[10] == "1 / 0"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("    ./bazelw test //a:b //c/...  # not //d\n", {"//a:b", "//c/..."}),
        ("    ./bazelw run //a -- https://x.example\n", {"//a"}),
        (fenced("sh", "echo //a"), set()),
        (fenced("starlark", 'deps = ["//a:b", ":c"]'), {"//a:b"}),
        (fenced("python", "x = '//a'"), set()),
    ],
)
def test_labels_of_commands_are_found(text: str, expected: set[str]) -> None:
    """Not those of comments, nor what only looks like one."""
    (step,) = steps_of(PAGE, text)

    assert labels(step) == expected


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A small repository, with another workspace in it."""
    for path, text in {
        "MODULE.bazel": "",
        "a/BUILD.bazel": 'kernel_library(name = "a", srcs = ["a.py"])\n'
        'kernel_test(\n    name = "t",\n    data = ["x.md", "//:README.md"],\n'
        '    deps = [":h"],\n)\n'
        'kernel_library(name = "h", data = ["h.md"])\n'
        '[kernel_schema(\n    name = m + "_schema",\n) for m in [\n    "user",\n]]\n',
        "a/a.bzl": "",
        "other/MODULE.bazel": "",
        "other/b/BUILD.bazel": 'x(name = "b")\n',
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("page", "label", "declared"),
    [
        (PAGE, "//a", True),
        (PAGE, "//a:t", True),
        (PAGE, "//a:user_schema", True),
        (PAGE, "//a:other_schema", False),
        (PAGE, "//a:lint", True),
        (PAGE, "//a:a.bzl", True),
        (PAGE, "//a/...", True),
        (PAGE, "//...", True),
        (PAGE, "//a:z", False),
        (PAGE, "//z", False),
        (PAGE, "//z/...", False),
        (PAGE, "//b", False),
        ("other/README.md", "//b", True),
        (PAGE, "//made:x", True),
    ],
)
def test_a_label_is_looked_up(
    root: Path, page: str, label: str, declared: bool
) -> None:
    """In the workspace of the page, save what the page makes itself."""
    (step,) = steps_of(page, fenced("sh", "ls"))

    assert is_declared(root, step, label, ["made"]) is declared


@pytest.mark.parametrize(
    ("test", "page", "reads"),
    [
        ("//a:t", "a/x.md", True),
        ("//a:t", "a/h.md", True),
        ("//a:t", "README.md", True),
        ("//a:t", "a/y.md", False),
        ("//a:z", "a/x.md", False),
        ("//z:t", "a/x.md", False),
    ],
)
def test_a_test_reads_what_is_in_its_data(
    root: Path, test: str, page: str, reads: bool
) -> None:
    """Or in that of a library beside it."""
    assert has_in_data(root, test, page) is reads

from __future__ import annotations

import ast
import json
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from tools.new_service import quoting

LINES = st.text(
    st.characters(exclude_categories=["C", "Z"]) | st.just(" "),
    min_size=1,
    max_size=200,
).filter(str.isprintable)
NASTY = "\"'\\{{ x }}{% raw %}${HOME}$(id)`id`#: - '''\"\"\" </script>"


@given(LINES)
@example(NASTY)
def test_python_reads_the_text_back(text: str) -> None:
    """As a literal and, wrapped, as a constant, whatever is in it."""
    constant = quoting.python_constant("TITLE", text)
    (statement,) = ast.parse(constant).body

    assert ast.literal_eval(quoting.python(text)) == text
    assert isinstance(statement, ast.Assign)
    assert ast.literal_eval(statement.value) == text
    assert max(map(len, constant.splitlines())) <= quoting.WIDTH


@given(LINES)
@example(NASTY)
def test_toml_yaml_and_json_read_the_text_back(text: str) -> None:
    """One spelling serves all three."""
    quoted = quoting.quoted(text)

    assert tomllib.loads(f"x = {quoted}") == {"x": text}
    assert yaml.safe_load(f"x: {quoted}") == {"x": text}
    assert json.loads(quoted) == text


@given(LINES)
@example(NASTY)
def test_compose_sees_no_variable(text: str) -> None:
    """Each dollar is doubled, which compose turns into one."""
    read = yaml.safe_load(quoting.compose(text))

    assert read.replace("$$", "") == text.replace("$", "")
    assert read.replace("$$", "$") == text


@given(LINES)
@example(NASTY)
def test_a_label_ends_where_it_should(text: str) -> None:
    """Inside the quotes, Docker's three special characters are escaped."""
    label = quoting.dockerfile(text)
    inner = label[1:-1].replace("\\\\", "").replace('\\"', "").replace("\\$", "")

    assert (label[0], label[-1]) == ('"', '"')
    assert not set(inner) & set('"$\\')


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("User Service", "User Service"),
        ("# not a heading", r"\# not a heading"),
        ("- not an item", r"\- not an item"),
        ("1. not an item", r"1\. not an item"),
        ("<b> [x](y) `z` *a* _b_", r"\<b\> \[x\](y) \`z\` \*a\* \_b\_"),
    ],
)
def test_markdown_shows_the_text(text: str, expected: str) -> None:
    """No mark-up comes of it."""
    assert quoting.markdown(text) == expected


def test_imports_are_wrapped_as_ruff_wraps_them() -> None:
    """One line while it fits, one name a line where it doesn't."""
    short = quoting.python_import("services.a._model", "Thing")
    long = quoting.python_import("services." + "a" * 30 + "._dependencies", "B" * 40)

    assert short == "from services.a._model import Thing"
    assert long.endswith(f"import (\n    {'B' * 40},\n)")


def test_ruff_has_nothing_to_say(ruff: Path, tmp_path: Path) -> None:
    """Accents stay as they are, look-alikes are escaped, and long lines are wrapped."""
    letters = "".join(map(chr, range(0xA1, 0x250)))
    texts = [letters[i : i + 40] for i in range(0, len(letters), 40)]
    texts += ["Ünïcode \u2013 dash", "\u0430", "日本語", NASTY, "word " * 30, "x" * 200]
    lines = [quoting.python_constant(f"T{i}", text) for i, text in enumerate(texts)]
    imports = quoting.python_import("services." + "a" * 30 + "._model", "B" * 40)
    module = tmp_path / "m.py"
    module.write_text('"""Texts."""\n\n' + "\n".join([imports, "", *lines]) + "\n")

    for command in (["check", "--ignore=F401"], ["format", "--check", "--diff"]):
        done = subprocess.run(
            [ruff, *command, "--no-cache", "--config=pyproject.toml", module],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert "\\u2013" in module.read_text()

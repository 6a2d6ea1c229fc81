"""What the templates make: files that are what their names say, and pass our lint."""

from __future__ import annotations

import ast
import builtins
import io
import keyword
import re
import subprocess
import tokenize
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tools.new_service import naming
from tools.new_service.answers import FILE, MAX_DESCRIPTION, MAX_TITLE, Answers
from tools.new_service.errors import BadInputError
from tools.new_service.render import TEMPLATES, render
from tools.new_service.tests.dockerfile import instructions

LONGEST = "a" * naming.MAX_LENGTH
NAMES = ["user-service", "ab", "a-1-b-2", "page-service"]
NAMES += [LONGEST, f"{LONGEST}-service"]
NASTY = "\"'\\{{ x }}{% raw %}${HOME}$(id)`id`#: -\"\"\"''' ü €"

TEXTS = st.text(st.characters(exclude_categories=["C", "Z"]) | st.just(" "))
FILES = render(Answers.check("user-service", 8005))


def answers(title: str, description: str) -> Answers | None:
    """The answers, None if the generator refuses them."""
    try:
        return Answers.check("user-service", 8005, title, description)
    except BadInputError:
        return None


@settings(max_examples=50, deadline=None)
@given(title=TEXTS, description=TEXTS)
@example(NASTY, NASTY)
@example("x" * MAX_TITLE, "y" * MAX_DESCRIPTION)
@example("-", "1. # *")
def test_whatever_the_title_the_files_are_read(title: str, description: str) -> None:
    """Python, YAML, TOML, Starlark and Dockerfile: the text stays text in each."""
    given_answers = answers(title, description)
    if given_answers is None:
        return
    files = render(given_answers)
    python = {n: ast.parse(text) for n, text in files.items() if n.endswith(".py")}
    compose = yaml.safe_load(files["docker-compose.service.yml"])
    memory = tomllib.loads(files[FILE])

    assert constants(python["_settings.py"])["TITLE"] == given_answers.title
    assert constants(python["_settings.py"])["DESCRIPTION"] == given_answers.description
    assert (memory["title"], memory["description"]) == (
        given_answers.title,
        given_answers.description,
    )
    labels = compose["services"]["user-service"]["labels"].values()
    assert [label.replace("$$", "$") for label in labels] == [given_answers.title]
    assert keywords(files["Dockerfile"]) == keywords(FILES["Dockerfile"])
    # What it leaves alone is the same whatever the title is.
    told = {"Dockerfile", "README.md", "_settings.py", "docker-compose.service.yml"}
    assert {n for n in files if files[n] != FILES[n]} <= {*told, FILE}


def constants(module: ast.Module) -> dict[str, object]:
    """The values that a module gives to names in capitals."""
    return {
        statement.targets[0].id: ast.literal_eval(statement.value)
        for statement in module.body
        if isinstance(statement, ast.Assign)
        and isinstance(statement.targets[0], ast.Name)
    }


def keywords(dockerfile: str) -> list[str]:
    """The instructions of a Dockerfile, without their arguments."""
    return [keyword for keyword, _ in instructions(dockerfile)]


@pytest.mark.parametrize("name", NAMES)
def test_lint_has_nothing_to_say(name: str, ruff: Path, tmp_path: Path) -> None:
    """However long or short the names are that the lines hold."""
    folder = tmp_path / "services" / name.replace("-", "_")
    for path, text in render(
        Answers.check(name, 8005, "Títle" * 12, "word " * 40)
    ).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    # Where per-file rules expect the tests to be.
    configuration = tmp_path / "pyproject.toml"
    configuration.write_text(Path("pyproject.toml").read_text())

    for command in (["check"], ["format", "--check", "--diff"]):
        done = subprocess.run(
            [ruff, *command, "--no-cache", "services"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_no_model_hides_another_name() -> None:
    """`naming` knows every class that the templates name.

    A service called `page-service` would else have a model `Page`, beside that of the
    kernel.
    """
    files = render(Answers.check("zebra-service", 8005))
    code = [text for name, text in files.items() if name.endswith(".py")]
    classes = {name for text in code for name in capitalised(text)}
    own = {name for name in classes if name.startswith("Zebra")}

    known = {*dir(builtins), *keyword.kwlist, *naming.TAKEN_CLASSES}
    assert classes - own - known == set()


def capitalised(code: str) -> Iterator[str]:
    """The names in CamelCase that a module uses, attributes left out."""
    before = ""
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        camel = re.fullmatch(r"[A-Z]+[a-z]\w*", token.string)
        if token.type == tokenize.NAME and camel and before != ".":
            yield token.string
        before = token.string


@pytest.mark.parametrize("path", sorted(FILES))
def test_a_file_ends_with_one_line_feed(path: str) -> None:
    """So that a diff of it has no remark about its end, and is never empty."""
    assert FILES[path].endswith("\n")
    assert not FILES[path].endswith("\n\n")


def test_every_template_is_used() -> None:
    """None is left out for want of its ending."""
    templates = {path.name for path in TEMPLATES.rglob("*") if path.is_file()}

    assert {name for name in templates if not name.endswith(".jinja")} == set()
    assert len(templates) == len(FILES) - 1


def test_every_test_of_a_service_is_run() -> None:
    """The laws of the repository say so; here they say it before there is a service."""
    declared = set(re.findall(r'"(tests/\w+_test\.py)"', FILES["BUILD.bazel"]))

    assert declared == {name for name in FILES if name.endswith("_test.py")}


@pytest.mark.parametrize("setting", ["SERVER_PORT", "DATABASE_URL", "SECRET_KEY"])
def test_the_example_of_settings_changes_nothing(setting: str) -> None:
    """Every line of it is a remark, so a copy of it is a start."""
    lines = FILES[".env.example"].splitlines()

    assert [line for line in lines if line and not line.startswith("#")] == []
    assert any(line.startswith(f"#{setting}=") for line in lines)

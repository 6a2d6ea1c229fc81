from __future__ import annotations

import re
from pathlib import Path

import pytest

from contracts.typescript import needs_node as module
from contracts.typescript.needs_node import needs_node, needs_package
from contracts.typescript.node import Node, NodeMissingError

REASON = "npm or tar is not on PATH"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Node:
    """Node, unpacked once."""
    return needs_node(tmp_path_factory.mktemp("node"))


@pytest.fixture
def nothing(tmp_path: Path) -> Path:
    """What the repository rule leaves where it found no npm."""
    for name in ("node", "node_modules.tar"):
        (tmp_path / name).write_text(f"missing: {REASON}\n")
    return tmp_path


def test_a_program_imports_the_locked_packages(node: Node, tmp_path: Path) -> None:
    """Wherever it stands."""
    script = tmp_path / "program.mjs"
    script.write_text(
        'import { Ajv2020 } from "ajv/dist/2020.js";\n'
        'import ts from "typescript";\n'
        "console.log(typeof Ajv2020, ts.version);\n"
    )
    done = node.run(script)

    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"function \d+\.\d+\.\d+\n", done.stdout)


def test_node_is_the_one_of_the_lock(node: Node, tmp_path: Path) -> None:
    """Whatever Node the machine has, programs run by this one."""
    script = tmp_path / "version.mjs"
    script.write_text("console.log(process.versions.node)")

    assert node.run(script).stdout.startswith("24.")


def test_common_js_finds_packages_from_anywhere(node: Node) -> None:
    """Programs that are not put into the folder have NODE_PATH."""
    environment = node.environment()

    assert (Path(environment["NODE_PATH"]) / "@asyncapi/parser").is_dir()
    assert environment["PATH"].startswith(f"{node.program.parent}")


def test_a_failing_program_says_why(node: Node, tmp_path: Path) -> None:
    """Exit code and standard error come back as they are."""
    script = tmp_path / "fails.mjs"
    script.write_text('console.error("no such luck"); process.exit(3);')
    done = node.run(script)

    assert (done.returncode, done.stderr) == (3, "no such luck\n")


def test_without_npm_the_reason_is_said(nothing: Path) -> None:
    """The files that the repository rule leaves then are understood."""
    with pytest.raises(NodeMissingError, match=REASON):
        Node.unpack(nothing / "out", repository=nothing)


@pytest.mark.parametrize(
    ("ci", "outcome"),
    [("true", pytest.fail.Exception), ("", pytest.skip.Exception)],
)
def test_a_missing_node_is_hidden_nowhere_but_on_a_desk(
    ci: str,
    outcome: type[BaseException],
    nothing: Path,
    node: Node,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """CI fails, so that a green run there has run everything."""
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(module, "_PACKAGE", nothing / "node")
    monkeypatch.setattr(module, "needs_node", lambda _: node)
    with pytest.raises(outcome, match=REASON):
        needs_package(nothing / "out")

    monkeypatch.setattr("contracts.typescript.node._of_runfiles", lambda: nothing)
    with pytest.raises(outcome, match=REASON):
        needs_node(nothing / "out")

"""Laws about Python files: facades, who owns a file, and how tests are written."""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from tools.checks.law import Finding
from tools.checks.repository import Repository, build_file

Function = ast.FunctionDef | ast.AsyncFunctionDef


def _is_test(path: str) -> bool:
    return path.endswith("_test.py")


def _is_for_tests(path: str) -> bool:
    return _is_test(path) or "tests" in PurePosixPath(path).parts


def every_test_runs(repository: Repository) -> Iterator[Finding]:
    """Every *_test.py is a source of a test target and stands where it belongs."""
    run = {
        src
        for target in repository.targets.values()
        if target.kind == "py_test"
        for src in target.srcs
    }
    # The test that runs these laws reads the graph, and so is not in it.
    run |= {
        f"{PurePosixPath(rule.file).parent}/{src}"
        for rules in repository.rules.values()
        for rule in rules
        if rule.function == "kernel_test" and "//:graphs" in rule.strings("data")
        for src in rule.strings("srcs")
    }
    for path in repository.python:
        name = PurePosixPath(path).name
        parts = PurePosixPath(path).parts
        if _is_test(path) and path not in run:
            yield Finding(
                path,
                1,
                "4",
                "No kernel_test has this file, so it never runs.",
                "declare a kernel_test for it.",
            )
        if name.startswith("test_") and "tests" in parts:
            yield Finding(
                path,
                1,
                "4",
                "A test named test_*.py is not found by kernel_test.",
                f"name it {name.removeprefix('test_').removesuffix('.py')}_test.py.",
            )
        if _is_test(path) and parts[0] == "shared" and parts[2:3] != ("tests",):
            yield Finding(
                path,
                1,
                "4",
                "A unit test of the kernel stands in tests/ of its package: one folder "
                "up, its folder would hide standard modules or be part of the wheel.",
                "move it to shared/<package>/tests/.",
            )


def every_module_has_one_owner(repository: Repository) -> Iterator[Finding]:
    """A kernel module is the source of one target: none loses it, two repeat it."""
    owners: dict[str, list[str]] = {}
    for target in repository.targets.values():
        for src in target.srcs:
            owners.setdefault(src, []).append(target.label)
    for path in repository.python:
        if not path.startswith("shared/") or _is_for_tests(path):
            continue
        found = sorted(owners.get(path, []))
        if len(found) == 1:
            continue
        yield Finding(
            path,
            1,
            "5",
            f"This module belongs to {' and '.join(found) or 'no target'}.",
            f"make it the source of one kernel_library in "
            f"{build_file(str(PurePosixPath(path).parent))}.",
        )


def _exported(statement: ast.stmt) -> list[str] | None:
    """The names of an `__all__` that is a plain list, None if it is anything else."""
    match statement:
        case ast.Assign(targets=[ast.Name("__all__")], value=value):
            pass
        case ast.AnnAssign(target=ast.Name("__all__"), value=ast.expr() as value):
            pass
        case _:
            return None
    try:
        names = ast.literal_eval(value)
    except ValueError:
        return None
    return list(names) if isinstance(names, list | tuple) else None


_ON_DEMAND = ("__getattr__", "__dir__")


@dataclass
class Facade:
    """What an __init__.py does, statement by statement."""

    imported: dict[str, int] = field(default_factory=dict)  # our names, by line
    exported: list[str] = field(default_factory=list)
    exported_at: int = 1
    other: list[int] = field(default_factory=list)  # lines of anything else

    def read(self, statement: ast.stmt) -> None:
        """Take in one statement."""
        match statement:
            case ast.ImportFrom(module=str(module), names=names, level=0):
                if module.split(".")[0] not in sys.stdlib_module_names:
                    found = [a.asname or a.name for a in names]
                    self.imported |= dict.fromkeys(found, statement.lineno)
            # Names imported when they are first asked for, by PEP 562: the type
            # checker sees the imports, and Python the function.
            case ast.If(test=ast.Name("TYPE_CHECKING"), body=body, orelse=orelse) if (
                all(isinstance(part, ast.ImportFrom) for part in body)
                and all(
                    isinstance(part, ast.FunctionDef) and part.name in _ON_DEMAND
                    for part in orelse
                )
            ):
                for part in body:
                    self.read(part)
            case ast.Assign(targets=[ast.Name(name)], value=ast.Dict()) if re.match(
                "_[^_]", name
            ):
                pass  # where those names are
            case _ if (listed := _exported(statement)) is not None:
                self.exported += listed
                self.exported_at = statement.lineno
            case _:
                self.other.append(statement.lineno)


def facades_only_re_export(repository: Repository) -> Iterator[Finding]:
    """An __init__.py imports, lists it all in __all__, and does nothing else."""
    for path, tree in repository.python.items():
        if not path.startswith("shared/") or not path.endswith("/__init__.py"):
            continue
        facade = Facade()
        for statement in tree.body[ast.get_docstring(tree) is not None :]:
            facade.read(statement)
        imported, exported = facade.imported, facade.exported
        exported_at = facade.exported_at
        for line in facade.other:
            yield Finding(
                path,
                line,
                "facade",
                "A facade holds `from` imports, a literal __all__ and a docstring, "
                "and this is something else.",
                "move it to a private module.",
            )
        if hidden := sorted(imported.keys() - set(exported)):
            yield Finding(
                path,
                imported[hidden[0]],
                "facade",
                f"Imported and not in __all__: {', '.join(hidden)}.",
                "add it to __all__, or import it where it is used.",
            )
        if unknown := sorted(set(exported) - imported.keys()):
            yield Finding(
                path,
                exported_at,
                "facade",
                f"In __all__ and not imported: {', '.join(unknown)}.",
                "import it or take it out.",
            )
        if twice := sorted({n for n in exported if exported.count(n) > 1}):
            yield Finding(
                path,
                exported_at,
                "facade",
                f"Twice in __all__: {', '.join(twice)}.",
                "keep one.",
            )


def _functions(tree: ast.AST) -> Iterator[Function]:
    for node in ast.walk(tree):
        if isinstance(node, Function):
            yield node


def _collected(body: list[ast.stmt]) -> Iterator[Function]:
    """The test functions that pytest finds: of the module and of its classes."""
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from _collected(node.body)
        elif isinstance(node, Function) and node.name.startswith("test"):
            yield node


def tests_state_their_rule(repository: Repository) -> Iterator[Finding]:
    """Each test function has a docstring."""
    for path, tree in repository.python.items():
        if not _is_test(path):
            continue
        for function in _collected(tree.body):
            if not ast.get_docstring(function):
                yield Finding(
                    path,
                    function.lineno,
                    "test style",
                    f"{function.name} does not say which rule it holds.",
                    "add a docstring of one sentence.",
                )


# What Python raises without a message, so that there is nothing to match.
_SILENT = {"asyncio.CancelledError", "KeyboardInterrupt", "StopAsyncIteration"}
_SILENT |= {"GeneratorExit", "StopIteration"}


def _is_raises(call: ast.Call) -> bool:
    if ast.unparse(call.func) not in ("pytest.raises", "raises"):
        return False
    return not (call.args and ast.unparse(call.args[0]) in _SILENT)


def _examined(function: Function) -> set[str]:
    """The variables whose .value, .match or .exconly the function uses."""
    return {
        node.value.id
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.attr in ("value", "match", "exconly")
    }


def raises_says_what_it_expects(repository: Repository) -> Iterator[Finding]:
    """pytest.raises has match=, or the test looks at what was raised."""
    for path, tree in repository.python.items():
        if not _is_for_tests(path):
            continue
        fine = {
            item.context_expr
            for function in _functions(tree)
            for node in ast.walk(function)
            if isinstance(node, ast.With | ast.AsyncWith)
            for item in node.items
            if isinstance(item.optional_vars, ast.Name)
            and item.optional_vars.id in _examined(function)
        }
        for call in ast.walk(tree):
            if not isinstance(call, ast.Call) or not _is_raises(call) or call in fine:
                continue
            if any(k.arg in ("match", "check") for k in call.keywords):
                continue
            yield Finding(
                path,
                call.lineno,
                "test style",
                f"{ast.unparse(call)} passes when the code fails for another reason.",
                "add match=, or look at the .value of what was raised.",
            )


def asserts_are_unconditional(repository: Repository) -> Iterator[Finding]:
    """No assert holds an `a if c else b`, one side of which goes unchecked."""
    for path, tree in repository.python.items():
        if not _is_for_tests(path):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Assert) and any(
                isinstance(part, ast.IfExp) for part in ast.walk(node.test)
            ):
                yield Finding(
                    path,
                    node.lineno,
                    "test style",
                    "An assert with a condition checks one side only.",
                    "parametrize, one plain == each.",
                )


def type_ignores_name_their_error(repository: Repository) -> Iterator[Finding]:
    """`type: ignore` has a code, so that it hides one error and no other."""
    for path in repository.python:
        reader = io.StringIO(repository.files[path]).readline
        for token in tokenize.generate_tokens(reader):
            bare = re.match(r"#\s*type:\s*ignore(?!\s*\[\w)", token.string)
            if token.type == tokenize.COMMENT and bare:
                yield Finding(
                    path,
                    token.start[0],
                    "types",
                    "A type: ignore without a code hides every error there.",
                    "name the code: ignore[the-code].",
                )


LAWS = (
    every_test_runs,
    every_module_has_one_owner,
    facades_only_re_export,
    tests_state_their_rule,
    raises_says_what_it_expects,
    asserts_are_unconditional,
    type_ignores_name_their_error,
)

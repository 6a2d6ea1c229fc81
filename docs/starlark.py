"""Evaluates snippets of BUILD files with the signatures of the repository's macros.

Starlark of this kind is Python too. Nothing is built: a macro checks the names of its
arguments, and `load` that the file has what it is asked for.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

_MACROS = ("tools/bazel/python.bzl", "tools/bazel/private/wheel.bzl")


class SnippetError(ValueError):
    """A snippet that Bazel would refuse; the text says why."""


def evaluate(root: Path, code: str) -> list[str]:
    """Run the snippet *code* against the macros of the repository at *root*.

    Returns:
        The macros it called, in order.

    Raises:
        SnippetError: It is no Starlark, or calls something as it can't be called.
    """
    called: list[str] = []
    names: dict[str, object] = {
        function.name: _stub(function, called)
        for path in _MACROS
        for function in _functions(root / path)
        if not function.name.startswith("_")
    }

    def load(file: str, *wanted: str) -> None:
        folder, _, name = file.removeprefix("//").partition(":")
        text = (root / folder / name).read_text() if file.startswith("//") else ""
        for symbol in wanted:
            if f"def {symbol}(" not in text and f"\n{symbol} = " not in text:
                raise SnippetError(f"{file} has no {symbol}.")

    names |= {"load": load, "glob": lambda patterns, **_: patterns}
    try:
        exec(compile(code, "BUILD", "exec"), names)  # noqa: S102 - our own pages
    except SnippetError:
        raise
    except Exception as error:
        raise SnippetError(f"{type(error).__name__}: {error}") from error
    return called


def _functions(path: Path) -> list[ast.FunctionDef]:
    tree = ast.parse(path.read_text())
    return [node for node in tree.body if isinstance(node, ast.FunctionDef)]


def _stub(function: ast.FunctionDef, called: list[str]) -> Callable[..., None]:
    names = [argument.arg for argument in function.args.args]
    required = names[: len(names) - len(function.args.defaults)]

    def stub(*given: object, **named: object) -> None:
        called.append(function.name)
        missing = [n for n in required[len(given) :] if n not in named]
        unknown = [n for n in named if n not in names]
        if missing:
            raise SnippetError(f"{function.name} needs {', '.join(missing)}.")
        if unknown and function.args.kwarg is None:
            raise SnippetError(f"{function.name} takes no {', '.join(unknown)}.")

    return stub

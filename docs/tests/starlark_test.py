"""Snippets of BUILD files."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.starlark import SnippetError, evaluate

ROOT = Path.cwd()


def test_a_snippet_calls_macros() -> None:
    """As in a BUILD file, with `load` or without."""
    code = (
        'load("//tools/bazel:python.bzl", "kernel_library")\n'
        'kernel_library(name = "x", srcs = ["x.py"], visibility = ["//a"])\n'
        "kernel_package()\n"
    )

    assert evaluate(ROOT, code) == ["kernel_library", "kernel_package"]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ('kernel_library(name = "x")', "kernel_library needs srcs"),
        ("kernel_package(name = 1)", "kernel_package takes no name"),
        ('kernel_libary(name = "x")', "NameError: name 'kernel_libary'"),
        ('load("//tools/bazel:python.bzl", "x")', "python.bzl has no x"),
        ("deps = [", "SyntaxError"),
    ],
)
def test_what_bazel_would_refuse_is_refused(code: str, message: str) -> None:
    """With its name."""
    with pytest.raises(SnippetError, match=message):
        evaluate(ROOT, code)

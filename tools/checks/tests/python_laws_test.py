from __future__ import annotations

import pytest

from tools.checks import python_laws
from tools.checks.law import Law
from tools.checks.repository import Repository, Target


def broken(law: Law, path: str, text: str = "", *targets: Target) -> list[str]:
    """What the law says of one file, without its path and the fix."""
    findings = law(Repository({path: text}, targets))
    prefix = f"{path}:"
    return [str(f).partition(" Fix: ")[0].removeprefix(prefix) for f in findings]


def runs(*srcs: str, kind: str = "py_test", name: str = "t") -> Target:
    """A target of these sources."""
    return Target(label=f"//shared/x:{name}", kind=kind, srcs=srcs)


@pytest.mark.parametrize("kind", ["py_library", "py_binary"])
def test_a_test_that_is_no_test_target_is_named(kind: str) -> None:
    """A library of that name looks like a test and never runs."""
    path = "shared/x/tests/a_test.py"

    assert broken(python_laws.every_test_runs, path, "", runs(path, kind=kind)) == [
        "1: [law 4] No kernel_test has this file, so it never runs."
    ]
    assert broken(python_laws.every_test_runs, path, "", runs(path)) == []


def test_the_test_of_the_laws_counts_by_its_rule() -> None:
    """It reads the graph, so the graph can't have it."""
    rule = 'kernel_test(name = "t", srcs = ["tests/a_test.py"], data = ["{}"])'
    path = "x/tests/a_test.py"
    reads, reads_not = (
        Repository({path: "", "x/BUILD.bazel": rule.format(data)})
        for data in ("//:graphs", "//:tree")
    )

    assert list(python_laws.every_test_runs(reads)) == []
    assert [f.file for f in python_laws.every_test_runs(reads_not)] == [path]


def test_a_test_under_pytests_other_name_is_named() -> None:
    """kernel_test runs *_test.py, so test_*.py would be forgotten."""
    path = "tools/x/tests/test_a.py"

    assert broken(python_laws.every_test_runs, path) == [
        "1: [law 4] A test named test_*.py is not found by kernel_test."
    ]


@pytest.mark.parametrize("path", ["shared/a_test.py", "shared/x/a_test.py"])
def test_a_unit_test_stands_in_tests(path: str) -> None:
    """Directly in shared/ it would even find our logging for the standard one."""
    assert broken(python_laws.every_test_runs, path, "", runs(path)) == [
        (
            "1: [law 4] A unit test of the kernel stands in tests/ of its package: one "
            "folder up, its folder would hide standard modules or be part of the wheel."
        )
    ]


@pytest.mark.parametrize(
    ("targets", "owners"),
    [
        ([], "no target"),
        (
            [
                runs("shared/x/m.py", kind="py_library", name="m"),
                runs("shared/x/m.py", kind="py_library", name="all"),
            ],
            "//shared/x:all and //shared/x:m",
        ),
    ],
)
def test_a_module_belongs_to_one_target(targets: list[Target], owners: str) -> None:
    """Without one it is lost, with two it is there twice."""
    path = "shared/x/m.py"

    assert broken(python_laws.every_module_has_one_owner, path, "", *targets) == [
        f"1: [law 5] This module belongs to {owners}."
    ]


@pytest.mark.parametrize(
    "path", ["shared/x/m.py", "shared/x/tests/conftest.py", "tools/x/m.py"]
)
def test_an_owned_module_and_files_of_tests_are_fine(path: str) -> None:
    """Several tests may share a conftest.py."""
    owner = runs("shared/x/m.py")

    assert broken(python_laws.every_module_has_one_owner, path, "", owner) == []


FACADE = '''\
"""Doc."""

from __future__ import annotations

from shared.x._a import A
from shared.x._b import b as B

__all__ = ["A", "B"]
'''


def test_a_facade_re_exports() -> None:
    """Docstring, imports, __all__."""
    typed = FACADE.replace("__all__ =", "__all__: list[str] =")

    for text in (FACADE, typed, ""):
        assert (
            broken(python_laws.facades_only_re_export, "shared/x/__init__.py", text)
            == []
        )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"A", ', "", "5: [law facade] Imported and not in __all__: A."),
        ('"B"]', '"B", "C"]', "8: [law facade] In __all__ and not imported: C."),
        ('"B"]', '"B", "A"]', "8: [law facade] Twice in __all__: A."),
    ],
)
def test_all_is_what_the_facade_imports(old: str, new: str, message: str) -> None:
    """Nothing less, nothing more, nothing twice."""
    text = FACADE.replace(old, new)

    assert broken(python_laws.facades_only_re_export, "shared/x/__init__.py", text) == [
        message
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "x = 1",
        "def f(): pass",
        "import os",
        "__all__ += names",
        "__all__ = [*names]",
        "__all__ = 5",
        "__all__ = {}",
        "if True: pass",
        "if TYPE_CHECKING: x = 1",
        "if TYPE_CHECKING:\n    from a import A\nelse: x = 1",
        "if TYPE_CHECKING:\n    from a import A\nelse:\n    def f(): pass",
        "if not TYPE_CHECKING:\n    def __getattr__(name): pass",
        "def __getattr__(name): pass",
        "_x = f()",
        "from . import _a",
        "x: int",
    ],
)
def test_a_facade_does_nothing_else(statement: str) -> None:
    """Code in a facade runs for everyone who imports any part of the package."""
    text = FACADE + statement + "\n"

    assert broken(python_laws.facades_only_re_export, "shared/x/__init__.py", text) == [
        (
            "9: [law facade] A facade holds `from` imports, a literal __all__ and a "
            "docstring, and this is something else."
        )
    ]


LAZY = """\
from importlib import import_module
from typing import TYPE_CHECKING

from shared.x._a import A

if TYPE_CHECKING:
    from shared.x.b import B
else:

    def __getattr__(name): ...
    def __dir__(): ...


__all__ = ["A", "B"]

_MODULES = {"B": "b"}
"""


def test_a_facade_may_import_on_demand() -> None:
    """What the type checker is shown is exported like the rest."""
    path = "shared/x/__init__.py"
    short = LAZY.replace(', "B"]', "]")

    assert broken(python_laws.facades_only_re_export, path, LAZY) == []
    assert broken(python_laws.facades_only_re_export, path, short) == [
        "7: [law facade] Imported and not in __all__: B."
    ]


def test_other_files_are_no_facades() -> None:
    """A module may hold code, and so may an __init__.py outside the kernel."""
    for path in ("shared/x/m.py", "tools/x/__init__.py"):
        assert broken(python_laws.facades_only_re_export, path, "x = 1\n") == []


TESTS = '''\
class TestA:
    def test_a(self):
        """Rule."""

    async def test_b(self):
        pass

def helper():
    def test_inner():
        pass

def test_c():
    pass
'''


def test_tests_say_their_rule() -> None:
    """Functions and methods that pytest finds, and no others."""
    assert broken(python_laws.tests_state_their_rule, "a/tests/x_test.py", TESTS) == [
        "5: [law test style] test_b does not say which rule it holds.",
        "12: [law test style] test_c does not say which rule it holds.",
    ]
    assert broken(python_laws.tests_state_their_rule, "a/tests/x.py", TESTS) == []


@pytest.mark.parametrize(
    "body",
    [
        "with pytest.raises(ValueError): f()",
        "with raises(ValueError) as e: f()",
        "async with g(), h() as e: e.value\n  pytest.raises(ValueError, f)",
        "with pytest.raises(ValueError) as e: f()\n  other.value",
        "with pytest.raises(ValueError) as e: f()\n  assert e.type",
    ],
)
def test_raises_without_a_message_is_named(body: str) -> None:
    """Any error of that class would pass."""
    text = f"def test_a():\n  {body}\n"
    [message] = broken(
        python_laws.raises_says_what_it_expects, "a/tests/x_test.py", text
    )

    assert "raises(ValueError" in message
    assert message.endswith("passes when the code fails for another reason.")


@pytest.mark.parametrize(
    "body",
    [
        "with pytest.raises(ValueError, match='x'): f()",
        "with pytest.raises(ValueError, check=g): f()",
        "with pytest.raises(ValueError) as e: f()\n  assert e.value.code == 1",
        "with pytest.raises(ValueError) as e: f()\n  e.match('x')",
        "with pytest.raises(KeyboardInterrupt): f()",
        "raise ValueError",
    ],
)
def test_raises_that_looks_at_the_error_is_fine(body: str) -> None:
    """By pattern, by function, or at the value."""
    text = f"def test_a():\n  {body}\n"

    assert (
        broken(python_laws.raises_says_what_it_expects, "a/tests/x_test.py", text) == []
    )
    assert broken(python_laws.raises_says_what_it_expects, "a/x.py", text) == []


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("assert a == b if c else d", [1]),
        ("\nassert f(x if y else z)", [2]),
        ("assert a == b, x if y else z", []),
        ("a = b if c else d", []),
    ],
)
def test_a_condition_in_an_assert_is_named(text: str, lines: list[int]) -> None:
    """In what is checked; the message may be chosen as one likes."""
    assert broken(python_laws.asserts_are_unconditional, "a/tests/helper.py", text) == [
        f"{line}: [law test style] An assert with a condition checks one side only."
        for line in lines
    ]
    assert broken(python_laws.asserts_are_unconditional, "a/x.py", text) == []


@pytest.mark.parametrize(
    ("line", "bare"),
    [
        ("x = 1  # type: ignore", True),
        ("x = 1  # type:ignore  # why", True),
        ("x = 1  # type: ignore[]", True),
        ("x = 1  # type: ignore[arg-type]", False),
        ("x = '# type: ignore'", False),
        ("x = 1  # no type: ignore", False),
    ],
)
def test_a_type_ignore_names_its_error(line: str, bare: bool) -> None:
    """A bare one hides whatever comes later too."""
    found = broken(python_laws.type_ignores_name_their_error, "a/x.py", f"\n{line}\n")

    assert (
        found
        == ["2: [law types] A type: ignore without a code hides every error there."]
        * bare
    )

from __future__ import annotations

import pytest

from tools.checks import build_laws
from tools.checks.law import Law
from tools.checks.repository import Repository

LOAD = 'load("//tools/bazel:python.bzl", "kernel_library", "kernel_package")\n'
END = "kernel_package()\n"
ERRORS = """\
package(default_visibility = ["//visibility:private"])
kernel_library(
    name = "errors",
    srcs = ["__init__.py"],
    visibility = ["//visibility:public"],
)
kernel_wheel(name = "wheel")
"""


def broken(law: Law, **files: str) -> list[str]:
    """What the law says of these files, without the fix; __ in a name is a slash."""
    return [
        str(finding).partition(" Fix: ")[0]
        for finding in law(
            Repository({k.replace("__", "/"): v for k, v in files.items()})
        )
    ]


def build(text: str) -> dict[str, str]:
    """A repository of one BUILD file, x/BUILD.bazel."""
    return {"x__BUILD.bazel": text}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            LOAD + 'load("@rules_python//python:defs.bzl", "py_library")\n',
            (
                "x/BUILD.bazel:2: [law build] A BUILD file loads "
                "@rules_python//python:defs.bzl; the one file that knows which rules "
                "build us is //tools/bazel:python.bzl."
            ),
        ),
        (
            LOAD + '\npy_test(name = "a")\n',
            "x/BUILD.bazel:3: [law build] py_test bypasses pytest, lint and types.",
        ),
    ],
)
def test_a_build_file_is_written_in_the_macros(text: str, message: str) -> None:
    """Another load, and a rule that Bazel knows without one, are named."""
    assert broken(build_laws.written_in_the_macros, **build(text)) == [message]


def test_a_build_file_in_the_macros_is_fine() -> None:
    """Plain rules that are not Python's need no macro."""
    text = LOAD + 'genrule(name = "g")\nkernel_library(name = "x")\n'

    assert broken(build_laws.written_in_the_macros, **build(text)) == []


def test_the_other_name_of_a_build_file_is_refused() -> None:
    """Bazel reads both, and prefers BUILD.bazel where both are."""
    assert broken(build_laws.written_in_the_macros, x__BUILD=LOAD) == [
        "x/BUILD:1: [law build] A file named BUILD is not read by these checks."
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (LOAD, 1),
        (LOAD + END + 'kernel_library(name = "late")\n', 3),
        ("", 1),
    ],
)
def test_kernel_package_stands_last(text: str, line: int) -> None:
    """What is below it would escape lint, types and laws."""
    assert broken(build_laws.ends_with_kernel_package, **build(text)) == [
        (
            f"x/BUILD.bazel:{line}: [law build] The last line is not kernel_package(), "
            "so lint, types and these checks miss what stands here."
        )
    ]
    assert broken(build_laws.ends_with_kernel_package, **build(text + END)) == []


def test_the_hub_is_named_in_one_place() -> None:
    """A package is depended on by its alias; a page may speak of the hub."""
    text = f'deps = ["@{build_laws.HUB}//pydantic"]\n'
    files = dict.fromkeys(
        (
            "MODULE.bazel",
            "third_party__BUILD.bazel",
            "tools__bazel__pip.bzl",
            "docs__a.md",
            "shared__x__BUILD.bazel",
        ),
        text,
    )

    assert broken(build_laws.hub_is_named_in_one_place, **files) == [
        (
            f"shared/x/BUILD.bazel:1: [law build] @{build_laws.HUB} is named outside "
            "third_party/."
        )
    ]


def package(build_file: str) -> dict[str, str]:
    """The package shared/errors with this BUILD file."""
    names = ["README.md", "__init__.py", "py.typed"]
    return {f"shared/errors/{n}": "" for n in names} | {
        "shared/errors/BUILD.bazel": build_file
    }


def shape(files: dict[str, str]) -> list[str]:
    """What the law on the shape of a package says."""
    findings = build_laws.package_shape(Repository(files))
    return [str(finding).partition(" Fix: ")[0] for finding in findings]


def test_a_complete_package_is_fine() -> None:
    """Facade, README, marker, wheel."""
    assert shape(package(ERRORS)) == []


@pytest.mark.parametrize(
    ("file", "purpose"),
    [
        ("README.md", "says in ten lines what it is for"),
        ("__init__.py", "is its facade"),
        ("py.typed", "tells type checkers to read it"),
    ],
)
def test_a_missing_file_is_named(file: str, purpose: str) -> None:
    """With what it would be good for."""
    files = package(ERRORS)
    del files[f"shared/errors/{file}"]

    assert shape(files) == [
        f"shared/errors/{file}:1: [law 5] shared/errors has no {file}, which {purpose}."
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("__init__.py", "errors.py", ":2: [law 5] //shared/errors is not the facade."),
        ('"errors"', '"other"', ":1: [law 5] //shared/errors is not the facade."),
        ("public", "private", ":2: [law 5] //shared/errors is not public."),
        (
            "kernel_wheel",
            "filegroup",
            (
                ":1: [law 5] shared/errors can't be installed outside the monorepo: no "
                ":wheel."
            ),
        ),
    ],
)
def test_a_package_that_others_cannot_use_is_named(
    old: str, new: str, message: str
) -> None:
    """The facade has the folder's name and is public, and there is a wheel."""
    assert shape(package(ERRORS.replace(old, new))) == [
        f"shared/errors/BUILD.bazel{message}"
    ]


@pytest.mark.parametrize(
    ("rule", "visibility"),
    [
        ('kernel_library(name = "_m", visibility = ["//a:b"])', "//a:b"),
        ('kernel_test(name = "tests/m_test", visibility = ["//a:b"])', "//a:b"),
        (
            (
                'package(default_visibility = ["//visibility:public"])\n'
                'kernel_library(name = "_m")'
            ),
            "//visibility:public",
        ),
    ],
)
def test_private_targets_stay_private(rule: str, visibility: str) -> None:
    """An underscore is a promise, whichever way it is broken."""
    line = rule.count("\n") + 1
    name = "tests/m_test" if "tests/" in rule else "_m"
    files = {"shared/x/BUILD.bazel": rule + "\n"}
    findings = build_laws.private_stays_private(Repository(files))

    assert [str(f).partition(" Fix: ")[0] for f in findings] == [
        (
            f"shared/x/BUILD.bazel:{line}: [law 5] //shared/x:{name} is private by its "
            f"name and visible to {visibility}."
        )
    ]


@pytest.mark.parametrize(
    "rule",
    [
        'kernel_library(name = "_m")',
        'kernel_library(name = "user", visibility = ["//visibility:public"])',
        'kernel_library(name = "_m", visibility = ["//visibility:private"])',
    ],
)
def test_public_modules_may_be_public(rule: str) -> None:
    """Private is the default, and a module target may be for everyone."""
    files = {"shared/x/BUILD.bazel": rule, "tools/x/BUILD.bazel": rule}

    assert list(build_laws.private_stays_private(Repository(files))) == []


def test_shared_has_no_python_of_its_own() -> None:
    """Neither an __init__.py nor a test; its BUILD file is fine."""
    files = {f"shared/{n}": "" for n in ("__init__.py", "BUILD.bazel", "x/__init__.py")}
    [finding] = build_laws.shared_is_a_namespace(Repository(files))

    assert str(finding) == (
        "shared/__init__.py:1: [law 5] shared/__init__.py would belong to every wheel "
        "at once. Fix: move it into a package."
    )


def aliases(third_party: str, asked: str, used: str) -> list[str]:
    """What the law on aliases says."""
    files = {
        "third_party/BUILD.bazel": third_party,
        "requirements.in": asked,
        "shared/x/BUILD.bazel": "".join(
            f'kernel_library(deps = ["//third_party:{name}"])\n'
            for name in used.split()
        ),
    }
    findings = build_laws.third_party_aliases(Repository(files))
    return [str(finding).partition(" Fix: ")[0] for finding in findings]


THIRD_PARTY = """\
_RUNTIME = [
    "pydantic",  # models
]

[
    alias(name = name, actual = "@hub//" + name)
    for name in _RUNTIME + [
        # Tests
        "python_jose",  # tokens
    ]
]

# The linter.
alias(
    name = "ruff_wheel",
    actual = "@hub//ruff:whl",
)
"""
ASKED = "pydantic>=2\npython-jose[cryptography]>=3\nruff\n"
USED = "pydantic python_jose ruff_wheel"


def test_aliases_with_reason_use_and_requirement_are_fine() -> None:
    """In a list, in a list by name, and as a rule of its own."""
    assert aliases(THIRD_PARTY, ASKED, USED) == []


@pytest.mark.parametrize(
    ("third_party", "asked", "used", "message"),
    [
        (
            THIRD_PARTY.replace("  # models", ""),
            ASKED,
            USED,
            (
                "third_party/BUILD.bazel:2: [law third party] Nothing says why "
                "pydantic is here."
            ),
        ),
        (
            THIRD_PARTY.replace("  # tokens", ""),
            ASKED,
            USED,
            (
                "third_party/BUILD.bazel:9: [law third party] Nothing says why "
                "python_jose is here."
            ),
        ),
        (
            THIRD_PARTY.replace("# The linter.", ""),
            ASKED,
            USED,
            (
                "third_party/BUILD.bazel:14: [law third party] Nothing says why "
                "ruff_wheel is here."
            ),
        ),
        (
            THIRD_PARTY,
            ASKED,
            "pydantic python_jose_extra ruff_wheel",
            (
                "third_party/BUILD.bazel:9: [law third party] No BUILD file uses "
                "//third_party:python_jose."
            ),
        ),
        (
            THIRD_PARTY,
            ASKED.replace("ruff", "# ruff"),
            USED,
            (
                "third_party/BUILD.bazel:14: [law third party] ruff is not in "
                "requirements.in, so nobody chose it."
            ),
        ),
        (
            THIRD_PARTY,
            ASKED + "redis\n",
            USED,
            (
                "requirements.in:4: [law third party] redis has no alias, so no target "
                "can use it."
            ),
        ),
    ],
)
def test_an_alias_without_one_of_them_is_named(
    third_party: str, asked: str, used: str, message: str
) -> None:
    """Reason, use, requirement; and a requirement without an alias."""
    assert aliases(third_party, asked, used) == [message]

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tools.bazel import strict_deps
from tools.bazel.strict_deps import Dep, Spec

PYPI = "../hub_{0}/site-packages/"
NAMES = st.from_regex(r"[a-z][a-z0-9]{0,6}", fullmatch=True).map(lambda n: f"m_{n}")


def first_party(label: str, *modules: str, runtime: bool = False) -> Dep:
    """A dep of this repository that owns *modules*."""
    return Dep(label=label, foreign=False, modules=[*modules], runtime=runtime)


def third_party(name: str, *modules: str, runtime: bool = False) -> Dep:
    """A distribution that unpacks to *modules*."""
    files = [PYPI.format(name) + module for module in modules]
    return Dep(
        label=f"//third_party:{name}", foreign=True, modules=files, runtime=runtime
    )


ERRORS = first_party("//shared/errors:errors", "shared/errors/__init__.py")
HANDLERS = first_party("//shared/errors:handlers", "shared/errors/handlers.py")
JOSE = third_party("python_jose", "jose/__init__.py", "jose/jwt.py")


class Target:
    """A target whose sources lie in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def check(
        self,
        sources: dict[str, str],
        *deps: Dep,
        behind: tuple[Dep, ...] = (),
    ) -> list[str]:
        """Check *sources* against *deps*; *behind* are reached through them."""
        srcs = []
        for runfile, text in sources.items():
            path = self.folder / runfile
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            srcs.append(strict_deps.Source(path=str(path), runfile=runfile))
        reached = [
            m for dep in (*deps, *behind) if not dep["foreign"] for m in dep["modules"]
        ]
        names = [dep["label"].partition(":")[2] for dep in deps if dep["foreign"]]
        spec = Spec(
            label="//shared/x:x",
            build_file="shared/x/BUILD.bazel",
            workspace="_main",
            roots=[PYPI.format(name)[3:-1] for name in names],
            srcs=srcs,
            deps=list(deps),
            transitive=[*sources, *reached],
        )
        return [
            message.replace(f"{self.folder}/", "")
            for message in strict_deps.check(spec)
        ]

    def one(self, source: str, *deps: Dep, behind: tuple[Dep, ...] = ()) -> list[str]:
        """Check a target of one module, shared/x/m.py."""
        return self.check({"shared/x/m.py": source}, *deps, behind=behind)


@pytest.fixture
def target(tmp_path: Path) -> Target:
    """A target to check."""
    return Target(tmp_path)


def missing(statement: str, line: int, owner: str, file: str = "shared/x/m.py") -> str:
    """The message for an import without a dep."""
    return (
        f"{file}:{line}: [law 3] `{statement}` is not covered by a direct dep of "
        f"//shared/x:x. Fix: add the target that owns {owner} to its deps in "
        "shared/x/BUILD.bazel."
    )


def unused(label: str) -> str:
    """The message for a dep without an import."""
    return (
        f"shared/x/BUILD.bazel: [law 3] //shared/x:x has the dep {label}, which no "
        "source of it imports. Fix: remove it, or list it in runtime_deps if the code "
        "needs it without importing it."
    )


@pytest.mark.parametrize(
    "source",
    [
        "import shared.errors",
        "import shared.errors as e",
        "from shared import errors",
        "from shared.errors import NotFoundException",
        "from shared.errors import *",
        "from ..errors import NotFoundException",
        "from .. import errors",
        "def f():\n    from shared import errors",
    ],
)
def test_every_spelling_of_an_import_is_covered_by_the_owner(
    source: str, target: Target
) -> None:
    """One dep covers a module however it is imported."""
    assert target.one(source, ERRORS) == []


@pytest.mark.parametrize(
    ("source", "statement", "line", "owner"),
    [
        ("import shared.errors", "import shared.errors", 1, "shared.errors"),
        (
            "\nfrom shared import errors",
            "from shared import errors",
            2,
            "shared.errors",
        ),
        (
            "from shared.errors import X",
            "from shared.errors import X",
            1,
            "shared.errors",
        ),
        ("from ..errors import X", "from shared.errors import X", 1, "shared.errors"),
        ("import numpy.linalg", "import numpy.linalg", 1, "numpy.linalg"),
        ("import os, requests", "import requests", 1, "requests"),
    ],
)
def test_an_import_without_a_dep_is_named_with_file_line_and_owner(
    source: str, statement: str, line: int, owner: str, target: Target
) -> None:
    """What is reached only through another dep is not declared."""
    assert target.one(source, behind=(ERRORS,)) == [missing(statement, line, owner)]


def test_a_module_behind_the_facade_needs_its_own_dep(target: Target) -> None:
    """`from package import module` is an import of the module."""
    source = "from shared.errors import handlers"

    assert target.one(source, ERRORS, HANDLERS) == [unused(ERRORS["label"])]
    assert target.one(source, ERRORS, behind=(HANDLERS,)) == [
        missing(source, 1, "shared.errors.handlers"),
        unused(ERRORS["label"]),
    ]


def test_a_private_module_is_no_cover_for_its_facade(target: Target) -> None:
    """Without the facade's target there is no __init__.py to re-export anything."""
    private = first_party("//shared/errors:_e", "shared/errors/_e.py")

    assert target.one("from shared.errors import X", private) == [
        missing("from shared.errors import X", 1, "shared.errors"),
        unused(private["label"]),
    ]


@pytest.mark.parametrize(
    "source",
    [
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import shared.errors",
        "try:\n\n    import shared.errors\nexcept ImportError:\n    pass",
    ],
    ids=["TYPE_CHECKING", "optional"],
)
def test_a_guarded_import_counts(source: str, target: Target) -> None:
    """The type checker needs the first, and the second is two targets in one."""
    assert target.one(source, ERRORS) == []
    assert target.one(source) == [missing("import shared.errors", 3, "shared.errors")]


def test_the_standard_library_needs_no_dep(target: Target) -> None:
    """Neither do names that a module of ours has too."""
    assert (
        target.one("import logging.handlers\nfrom __future__ import annotations") == []
    )


def test_a_string_for_importlib_is_not_an_import(target: Target) -> None:
    """What it names is a runtime dep."""
    plugin = third_party("orjson", "orjson/__init__.py", runtime=True)

    assert (
        target.one("import importlib\nimportlib.import_module('orjson')", plugin) == []
    )


@pytest.mark.parametrize(
    "source",
    ["import jose", "from jose import jwt", "import jose.backends.rsa_backend"],
)
def test_a_distribution_covers_the_modules_it_unpacks_to(
    source: str, target: Target
) -> None:
    """The name on the index need not be the name of the module."""
    assert target.one(source, JOSE) == []
    assert target.one("import python_jose", JOSE) == [
        missing("import python_jose", 1, "python_jose"),
        unused(JOSE["label"]),
    ]


def test_compiled_modules_count(target: Target) -> None:
    """A wheel may hold nothing but an extension module."""
    dep = third_party("fast", "fast.cpython-311-x86_64-linux-gnu.so")

    assert target.one("import fast", dep) == []


@pytest.mark.parametrize(
    "layout",
    [("{0}/__init__.py",), ("{0}/a.py", "{0}/b/__init__.py")],
    ids=["with __init__", "without"],
)
def test_distributions_that_share_a_namespace_are_kept_apart(
    layout: tuple[str, ...], target: Target
) -> None:
    """An import is covered by the distribution that holds it, not by a neighbour."""
    auth = third_party("google_auth", *(f.format("google/auth") for f in layout))
    cloud = third_party("google_cloud", *(f.format("google/cloud") for f in layout))

    assert target.one("from google import auth", auth, cloud) == [
        unused(cloud["label"])
    ]
    assert target.one("import google.cloud.a", auth, cloud) == [unused(auth["label"])]


def test_an_old_style_namespace_does_not_swallow_its_parts(target: Target) -> None:
    """A distribution that owns `ns` itself does not cover another's `ns.part`."""
    base = third_party("ns", "ns/__init__.py")
    part = third_party("ns_part", "ns/part/__init__.py")

    assert target.one("import ns.part.deep", base, part) == [unused(base["label"])]


def test_a_stub_package_covers_no_import(target: Target) -> None:
    """Stubs are for the type checker, which has them; they are no dep of a library."""
    stubs = third_party("types_python_jose", "jose-stubs/jwt.pyi")

    assert target.one("import jose.jwt", stubs) == [
        missing("import jose.jwt", 1, "jose.jwt"),
        unused(stubs["label"]),
    ]


def test_an_unused_dep_is_named(target: Target) -> None:
    """A dep that no source imports is more than the target needs."""
    assert target.one("x = 1\n", ERRORS, JOSE) == [
        unused(ERRORS["label"]),
        unused(JOSE["label"]),
    ]


def test_a_runtime_dep_may_stay_unimported(target: Target) -> None:
    """email-validator works behind pydantic, unseen."""
    dep = third_party("email_validator", "email_validator/__init__.py", runtime=True)

    assert target.one("x = 1\n", dep) == []


def test_sources_of_one_target_import_each_other(target: Target) -> None:
    """A test and its conftest.py are one target."""
    sources = {
        "shared/x/tests/conftest.py": "import jose",
        "shared/x/tests/a_test.py": "from shared.x.tests.conftest import key",
    }

    assert target.check(sources, JOSE) == []


def test_the_helper_of_another_test_is_a_target(target: Target) -> None:
    """It lies in the same folder, and is not there unless declared."""
    helper = first_party("//shared/x:tests/vectors", "shared/x/tests/vectors.py")
    source = {"shared/x/tests/a_test.py": "from shared.x.tests import vectors"}

    assert target.check(source, helper) == []
    assert target.check(source) == [
        missing(
            "from shared.x.tests import vectors",
            1,
            "shared.x.tests",
            "shared/x/tests/a_test.py",
        )
    ]


def test_a_relative_import_in_a_facade_starts_from_its_own_folder(
    target: Target,
) -> None:
    """In __init__.py one dot is the package itself."""
    private = first_party("//shared/x:_m", "shared/x/_m.py")

    assert target.check({"shared/x/__init__.py": "from ._m import X"}, private) == []


def test_a_file_that_is_not_python_is_one_message(target: Target) -> None:
    """The message has the place, and no traceback."""
    [message] = target.one("x = 1\ndef f(:\n")

    assert message.startswith("shared/x/m.py:2: [law 3] is not Python: ")
    assert message.endswith(". Fix: correct the syntax.")


@given(imported=st.sets(NAMES), declared=st.sets(NAMES))
@settings(
    deadline=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_the_messages_are_the_difference(
    imported: set[str], declared: set[str], target: Target
) -> None:
    """Nothing is said exactly where imports and deps agree."""
    source = "\n".join(f"import {name}" for name in sorted(imported))
    deps = [third_party(name, f"{name}.py") for name in sorted(declared)]

    assert target.one(source, *deps) == [
        missing(f"import {name}", line, name)
        for line, name in enumerate(sorted(imported), 1)
        if name not in declared
    ] + [unused(f"//third_party:{name}") for name in sorted(declared - imported)]


@pytest.mark.parametrize(
    ("runfile", "roots", "name"),
    [
        ("_main/shared/a.py", ["_main"], "shared.a"),
        ("_main/shared/a/__init__.py", ["_main"], "shared.a"),
        ("_main/src/a.py", ["_main/src", "_main"], "a"),
        ("hub_x/site-packages/x-1.0.dist-info/y.py", ["hub_x/site-packages"], None),
        ("elsewhere/a.py", ["_main"], None),
    ],
)
def test_a_file_is_imported_by_its_path_below_a_root(
    runfile: str, roots: list[str], name: str | None
) -> None:
    """The longest root of sys.path decides, and no other."""
    assert strict_deps.module_name(runfile, roots) == name


@pytest.mark.parametrize(
    ("dep", "code", "written"), [(ERRORS, 0, True), (HANDLERS, 1, False)]
)
def test_the_program_writes_its_mark_only_when_all_is_well(
    dep: Dep, code: int, written: bool, tmp_path: Path
) -> None:
    """Bazel sees a failed action, and the messages on standard error."""
    (tmp_path / "m.py").write_text("import shared.errors\n")
    spec = Spec(
        label="//shared/x:x",
        build_file="shared/x/BUILD.bazel",
        workspace="_main",
        roots=[],
        srcs=[{"path": str(tmp_path / "m.py"), "runfile": "shared/x/m.py"}],
        deps=[dep],
        transitive=["shared/x/m.py", *dep["modules"]],
    )
    (tmp_path / "given.json").write_text(json.dumps(spec))
    done = subprocess.run(
        [sys.executable, strict_deps.__file__, "given.json", "done"],
        cwd=tmp_path,
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == code
    assert (tmp_path / "done").exists() is written
    assert done.stderr.count("[law 3]") == 2 * code

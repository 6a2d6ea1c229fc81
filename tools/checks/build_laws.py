"""Laws about BUILD files and about the shape of a package."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from packaging.utils import canonicalize_name

from tools.checks.law import Finding
from tools.checks.lock_laws import requirements
from tools.checks.repository import Repository, Rule, build_file, strings_in

MACROS = "//tools/bazel:python.bzl"
HUB = "creativeflow_kernel_pypi"
_PUBLIC = "//visibility:public"
_PRIVATE = "//visibility:private"
_ALIASES = "third_party/BUILD.bazel"


def _is_bazel_file(path: str) -> bool:
    name = PurePosixPath(path).name
    return name.endswith((".bzl", ".bazel")) or name in ("BUILD", "WORKSPACE")


def written_in_the_macros(repository: Repository) -> Iterator[Finding]:
    """A BUILD file loads python.bzl only, and declares Python by its macros."""
    for path, rules in repository.rules.items():
        if PurePosixPath(path).name == "BUILD":
            yield Finding(
                path,
                1,
                "build",
                "A file named BUILD is not read by these checks.",
                "name it BUILD.bazel.",
            )
        for rule in rules:
            loaded = [text for text, _ in strings_in(rule.call)][:1]
            if rule.function == "load" and loaded != [MACROS]:
                yield Finding(
                    path,
                    rule.line,
                    "build",
                    f"A BUILD file loads {loaded[0]}; the one file that knows which "
                    f"rules build us is {MACROS}.",
                    "use a kernel_* macro, or add one there.",
                )
            if rule.function in ("py_library", "py_binary", "py_test"):
                macro = rule.function.replace("py_", "kernel_")
                yield Finding(
                    path,
                    rule.line,
                    "build",
                    f"{rule.function} bypasses pytest, lint and types.",
                    f"use {macro}.",
                )


def ends_with_kernel_package(repository: Repository) -> Iterator[Finding]:
    """kernel_package() stands last: what is declared below it escapes every check."""
    for path, tree in repository.build_files.items():
        match tree.body[-1:]:
            case [ast.Expr(ast.Call(func=ast.Name("kernel_package")))]:
                continue
        last = tree.body[-1].lineno if tree.body else 1
        yield Finding(
            path,
            last,
            "build",
            "The last line is not kernel_package(), so lint, types and these checks "
            "miss what stands here.",
            "end the file with kernel_package().",
        )


def hub_is_named_in_one_place(repository: Repository) -> Iterator[Finding]:
    """Only third_party/ and the set-up name the pip hub."""
    allowed = ("third_party/", "tools/bazel/", "MODULE.bazel", "WORKSPACE")
    for path, text in repository.files.items():
        if not _is_bazel_file(path) or path.startswith(allowed):
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if HUB in line:
                yield Finding(
                    path,
                    number,
                    "build",
                    f"@{HUB} is named outside third_party/.",
                    "depend on the alias in //third_party.",
                )


def _visibility(repository: Repository, rule: Rule) -> list[str]:
    if any(k.arg == "visibility" for k in rule.call.keywords):
        return rule.strings("visibility")
    for other in repository.rules[rule.file]:
        if other.function == "package":
            return other.strings("default_visibility")
    return [_PRIVATE]


def package_shape(repository: Repository) -> Iterator[Finding]:
    """A kernel package has a facade, a README, a type marker and a wheel."""
    for folder in repository.kernel_packages:
        name = folder.partition("/")[2]
        place = build_file(folder)
        wanted = {
            "BUILD.bazel": "declares its targets",
            "README.md": "says in ten lines what it is for",
            "__init__.py": "is its facade",
            "py.typed": "tells type checkers to read it",
        }
        for file, purpose in wanted.items():
            if f"{folder}/{file}" not in repository.files:
                yield Finding(
                    f"{folder}/{file}",
                    1,
                    "5",
                    f"{folder} has no {file}, which {purpose}.",
                    "add it.",
                )
        facade = repository.rule(f"//{folder}:{name}")
        if facade is None or facade.strings("srcs") != ["__init__.py"]:
            yield Finding(
                place,
                facade.line if facade else 1,
                "5",
                f"//{folder} is not the facade.",
                f'declare a kernel_library "{name}" with srcs ["__init__.py"].',
            )
        elif _visibility(repository, facade) != [_PUBLIC]:
            yield Finding(
                place,
                facade.line,
                "5",
                f"//{folder} is not public.",
                f'add visibility = ["{_PUBLIC}"].',
            )
        wheel = repository.rule(f"//{folder}:wheel")
        if wheel is None or wheel.function != "kernel_wheel":
            yield Finding(
                place,
                1,
                "5",
                f"{folder} can't be installed outside the monorepo: no :wheel.",
                "add a kernel_wheel.",
            )


def private_stays_private(repository: Repository) -> Iterator[Finding]:
    """Facade, glue and module targets are public; `_` targets and tests never."""
    for path, rules in repository.rules.items():
        if not path.startswith("shared/"):
            continue
        for rule in rules:
            private = rule.name.startswith(("_", "tests/"))
            if rule.function not in ("kernel_library", "kernel_test") or not private:
                continue
            if (visibility := _visibility(repository, rule)) != [_PRIVATE]:
                label = f"//{PurePosixPath(path).parent}:{rule.name}"
                yield Finding(
                    path,
                    rule.line,
                    "5",
                    f"{label} is private by its name and visible to "
                    f"{', '.join(visibility)}.",
                    f"remove its visibility; let the package default to {_PRIVATE}.",
                )


def shared_is_a_namespace(repository: Repository) -> Iterator[Finding]:
    """shared/ holds no Python of its own: every wheel adds a folder to it."""
    for path in repository.files:
        folder, _, name = path.rpartition("/")
        if folder == "shared" and name.endswith((".py", ".pyi", "py.typed")):
            yield Finding(
                path,
                1,
                "5",
                f"{path} would belong to every wheel at once.",
                "move it into a package.",
            )


def _comment_lines(text: str) -> tuple[set[int], set[int]]:
    """The lines that end in a comment, and those that are nothing else."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    comments = [t for t in tokens if t.type == tokenize.COMMENT]
    full = {t.start[0] for t in comments if t.line.lstrip().startswith("#")}
    return {t.start[0] for t in comments} - full, full


def third_party_aliases(repository: Repository) -> Iterator[Finding]:
    """Each alias says why it is here, is used, and is asked for in requirements.in."""
    text = repository.files.get(_ALIASES, "")
    beside, above = _comment_lines(text)
    asked = {canonicalize_name(r.name): line for line, r in requirements(repository)}
    elsewhere = "\n".join(
        content
        for path, content in repository.files.items()
        if _is_bazel_file(path) and not path.startswith("third_party/")
    )
    aliases = list(_aliases(repository.build_files.get(_ALIASES, ast.Module([], []))))
    for alias, distribution, line, literal in aliases:
        if line not in beside and not (literal and line - 1 in above):
            yield Finding(
                _ALIASES,
                line,
                "third party",
                f"Nothing says why {alias} is here.",
                "add a comment with the reason on its line.",
            )
        if not re.search(rf"//third_party:{re.escape(alias)}\b", elsewhere):
            yield Finding(
                _ALIASES,
                line,
                "third party",
                f"No BUILD file uses //third_party:{alias}.",
                "remove it here and in requirements.in.",
            )
        if canonicalize_name(distribution) not in asked:
            yield Finding(
                _ALIASES,
                line,
                "third party",
                f"{distribution} is not in requirements.in, so nobody chose it.",
                "ask for it there, and run ./bazelw run //:lock.",
            )
    named = {canonicalize_name(distribution) for _, distribution, _, _ in aliases}
    for distribution, line in asked.items():
        if distribution not in named:
            yield Finding(
                "requirements.in",
                line,
                "third party",
                f"{distribution} has no alias, so no target can use it.",
                f"add one to {_ALIASES}, or remove the line.",
            )


def _aliases(tree: ast.Module) -> Iterator[tuple[str, str, int, bool]]:
    """Name, distribution and line of every alias, and whether it is written out.

    The others are entries of a list that a comprehension goes through.
    """
    lists = {
        node.targets[0].id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    for node in ast.walk(tree):
        match node:
            case ast.ListComp(
                elt=ast.Call(func=ast.Name("alias")),
                generators=[ast.comprehension(iter=names)],
            ):
                for text, line in _listed(names, lists):
                    yield text, text, line, False
            case ast.Call(func=ast.Name("alias"), keywords=keywords):
                values = {k.arg: k.value for k in keywords}
                match values:
                    case {"name": ast.Constant(name), "actual": ast.Constant(actual)}:
                        distribution = str(actual).partition("//")[2].partition(":")[0]
                        yield str(name), distribution, node.lineno, True


def _listed(node: ast.expr, lists: Mapping[str, ast.expr]) -> Iterator[tuple[str, int]]:
    """The strings of a list that may be a sum of lists, some of them by name."""
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and part.id in lists:
            yield from strings_in(lists[part.id])
    yield from strings_in(node)


LAWS = (
    written_in_the_macros,
    ends_with_kernel_package,
    hub_is_named_in_one_place,
    package_shape,
    private_stays_private,
    shared_is_a_namespace,
    third_party_aliases,
)

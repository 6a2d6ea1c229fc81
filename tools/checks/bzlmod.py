"""Builds and tests the repository in bzlmod mode, from modules on this machine.

    python3 tools/checks/bzlmod.py --rules-python CHECKOUT

CI reaches package mirrors and no module registry, so it builds from WORKSPACE. This
program shows that MODULE.bazel works too: rules_python is a checkout, any other module
of the graph is looked for among those that a distribution's Bazel comes with, and one
that is found nowhere is replaced by an empty one, which does where a module is named by
another but not used. docs/bazel-modes.md says what passed, and when.
"""

from __future__ import annotations

import argparse
import ast
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

BUILTIN = "embedded_tools"  # the module bazel_tools, below a distribution's folder


@dataclass
class Extension:
    """A module extension as a MODULE.bazel uses it."""

    owner: str  # the module it comes from
    file: str
    name: str
    repositories: list[str] = field(default_factory=list)


@dataclass
class Module:
    """What one MODULE.bazel says about other modules."""

    name: str = ""
    version: str = "unknown"
    needs: list[str] = field(default_factory=list)
    extensions: list[Extension] = field(default_factory=list)


def read_module(path: Path) -> Module:
    """Read a MODULE.bazel, whose syntax is Python's.

    Dev dependencies are left out: they count in the root module only, which has none.
    """
    module = Module()
    variables: dict[str, Extension] = {}
    for statement in ast.parse(path.read_text(), str(path)).body:
        match statement:
            case ast.Expr(ast.Call(func=ast.Name("module"), keywords=keywords)):
                values = _strings(keywords)
                module.name = values.get("name", "")
                module.version = values.get("version", module.version)
            case ast.Expr(ast.Call(func=ast.Name("bazel_dep"), keywords=keywords)):
                if not any(k.arg == "dev_dependency" for k in keywords):
                    module.needs.append(_strings(keywords)["name"])
            case ast.Assign(
                targets=[ast.Name(variable)],
                value=ast.Call(
                    func=ast.Name("use_extension"),
                    args=[ast.Constant(str(label)), ast.Constant(str(name))],
                ),
            ):
                owner, _, file = label.lstrip("@").partition("//")
                folder, _, base = file.rpartition(":")
                file = f"{folder}/{base}".lstrip("/")
                variables[variable] = Extension(owner or module.name, file, name)
            case ast.Expr(
                ast.Call(
                    func=ast.Name("use_repo"),
                    args=[ast.Name(variable), *names],
                    keywords=named,
                )
            ) if variable in variables:
                variables[variable].repositories += [
                    *(str(n.value) for n in names if isinstance(n, ast.Constant)),
                    *_strings(named).values(),
                ]
    module.extensions = list(variables.values())
    return module


def _strings(keywords: Iterable[ast.keyword]) -> dict[str, str]:
    return {
        k.arg: k.value.value
        for k in keywords
        if k.arg
        and isinstance(k.value, ast.Constant)
        and isinstance(k.value.value, str)
    }


def find_modules(folder: Path) -> dict[str, Path]:
    """Map module names to folders, for every MODULE.bazel up to two levels down."""
    files = [*folder.glob("*/MODULE.bazel"), *folder.glob("*/*/MODULE.bazel")]
    return {name: f.parent for f in files if (name := read_module(f).name)}


def resolve(
    roots: Sequence[Path], found: Mapping[str, Path]
) -> tuple[dict[str, Path], list[str], list[Extension]]:
    """Walk the module graph from the MODULE.bazel files *roots*.

    Returns:
        The folders of the modules that are found, the names of those that are not, and
        the extensions those would have to define.
    """
    here: dict[str, Path] = {}
    missing: list[str] = []
    extensions: list[Extension] = []
    queue = list(roots)
    while queue:
        module = read_module(queue.pop(0))
        extensions += module.extensions
        for name in module.needs:
            if name in here or name in missing:
                continue
            if name in found:
                here[name] = found[name]
                queue.append(found[name] / "MODULE.bazel")
            else:
                missing.append(name)
    return here, missing, [e for e in extensions if e.owner in missing]


_EXTENSION = """\
def _repository_impl(rctx):
    rctx.file("BUILD.bazel", "")

_repository = repository_rule(implementation = _repository_impl)

def _extension_impl(_ctx):
    for name in {repositories}:
        _repository(name = name)

{name} = module_extension(implementation = _extension_impl)
"""


def write_empty(folder: Path, name: str, extensions: Iterable[Extension]) -> None:
    """Write a module that defines nothing but *extensions*, with empty repositories."""
    folder.mkdir(parents=True)
    (folder / "MODULE.bazel").write_text(f'module(name = "{name}")\n')
    (folder / "BUILD.bazel").touch()
    for extension in extensions:
        file = folder / extension.file
        file.parent.mkdir(parents=True, exist_ok=True)
        (file.parent / "BUILD.bazel").touch()
        file.write_text(
            _EXTENSION.format(
                name=extension.name,
                repositories=str(extension.repositories).replace("'", '"'),
            )
        )


def flags(root: Path, rules_python: Path, modules: Path, scratch: Path) -> list[str]:
    """Write the empty modules to *scratch* and return the flags that use them all."""
    found = find_modules(modules) | {"rules_python": rules_python}
    builtin = [p] if (p := modules / BUILTIN / "MODULE.bazel").is_file() else []
    here, missing, extensions = resolve([root / "MODULE.bazel", *builtin], found)
    for name in missing:
        write_empty(scratch / name, name, [e for e in extensions if e.owner == name])
    registry = scratch / "registry"  # an empty one: nothing may be looked up elsewhere
    registry.mkdir()
    folders = here | {name: scratch / name for name in missing}
    versions = {
        name: read_module(path / "MODULE.bazel").version for name, path in here.items()
    }
    print("modules here: " + ", ".join(f"{n} {v}" for n, v in sorted(versions.items())))
    print("empty ones: " + ", ".join(sorted(missing)))
    return [
        "--enable_bzlmod",
        "--noenable_workspace",
        "--lockfile_mode=off",
        f"--registry={registry.as_uri()}",
        *(f"--override_module={n}={path}" for n, path in sorted(folders.items())),
    ]


def _install_base(bazel: Sequence[str], root: Path) -> Path:
    """Where Bazel and, in a distribution's package, the modules it comes with are."""
    told = subprocess.run(
        [*bazel, "info", "install_base"], cwd=root, stdout=subprocess.PIPE, check=True
    )
    return Path(told.stdout.decode().strip())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `build` and `test`; return the exit code of the first that fails."""
    parser = argparse.ArgumentParser(
        description="Builds and tests in bzlmod mode from modules on this machine."
    )
    parser.add_argument("--rules-python", type=Path, required=True, metavar="CHECKOUT")
    parser.add_argument(
        "--modules",
        type=Path,
        metavar="FOLDER",
        help="where the other modules are, at most two levels down (default: where "
        "Bazel itself is installed)",
    )
    parser.add_argument(
        "--bazel",
        default=os.environ.get("KERNEL_BAZEL", "./bazelw"),
        metavar="COMMAND",
        help="with startup options, if any (default: $KERNEL_BAZEL, else ./bazelw)",
    )
    parser.add_argument(
        "--repository",
        type=Path,
        default=os.environ.get("BUILD_WORKSPACE_DIRECTORY", "."),
        metavar="FOLDER",
        help="the repository (default: the current folder)",
    )
    parser.add_argument("--target", default="//...", help="(default: //...)")
    parser.add_argument(
        "flag", nargs="*", help="more flags for both commands, after --"
    )
    options = parser.parse_args(arguments)
    for folder in (options.rules_python, options.repository):
        if not (folder / "MODULE.bazel").is_file():
            parser.error(f"{folder} holds no MODULE.bazel")
    bazel = shlex.split(options.bazel)
    modules = options.modules or _install_base(bazel, options.repository)
    if not modules.is_dir():
        parser.error(f"{modules} is not a folder")

    with tempfile.TemporaryDirectory(prefix="bzlmod-") as scratch:
        shared = flags(
            options.repository,
            options.rules_python.resolve(),
            modules.resolve(),
            Path(scratch),
        )
        for command in ("build", "test"):
            code = subprocess.run(
                [*bazel, command, *shared, *options.flag, options.target],
                cwd=options.repository,
                check=False,
            ).returncode
            if code:
                print(f"bazel {command} failed with exit code {code}", file=sys.stderr)
                return code
    return 0


if __name__ == "__main__":
    sys.exit(main())

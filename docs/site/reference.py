"""The API reference: one page a public module, written from the modules themselves.

A module is public if its name has no underscore before it; its names are those of
``__all__``, or those it defines. Each name has one home. Where another module
re-exports it, that page says so and leads there.
"""

from __future__ import annotations

import ast
import enum
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import FunctionType

FOLDER = "reference"

_HEAD = """\
{title}
{line}

.. py:module:: {module}

{about}

{readme}
"""


@dataclass(frozen=True)
class Module:
    """A public module: its source and its public names, in the order it gives them."""

    name: str
    tree: ast.Module
    is_facade: bool

    @property
    def package(self) -> str:
        """``shared.errors`` for ``shared.errors`` and ``shared.errors.handlers``."""
        return ".".join(self.name.split(".")[:2])

    @property
    def names(self) -> tuple[str, ...]:
        """What ``__all__`` has, or what is defined here without an underscore."""
        defined = dict(_assigned(self.tree))
        if "__all__" in defined:
            return tuple(ast.literal_eval(defined["__all__"]))
        found = [
            node.name
            for node in self.tree.body
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        ]
        return tuple(n for n in [*defined, *found] if not n.startswith("_"))

    def origin(self, name: str) -> tuple[str, str]:
        """The module that *name* is imported from, and its name there."""
        for node in self.tree.body:
            if isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    if (alias.asname or alias.name) == name:
                        return node.module, alias.name
        return self.name, name


def _assigned(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    for node in tree.body:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    yield target.id, node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id, node.value or ast.Constant(None)


def modules(root: Path) -> list[Module]:
    """The public modules below ``shared/``, facades before their glue."""
    found = []
    for facade in sorted(root.glob("shared/*/__init__.py")):
        package = f"shared.{facade.parent.name}"
        found.append(Module(package, ast.parse(facade.read_text()), True))
        for path in sorted(facade.parent.glob("*.py")):
            if not path.name.startswith("_"):
                tree = ast.parse(path.read_text())
                found.append(Module(f"{package}.{path.stem}", tree, False))
    return found


def homes(found: list[Module]) -> Mapping[tuple[str, str], str]:
    """For each public name as (module, name), the module whose page describes it."""
    public = {module.name: module for module in found}

    def source(module: str, name: str) -> tuple[str, str]:
        known = public.get(module)
        if known is None:
            return module, name
        origin = known.origin(name)
        return origin if origin == (module, name) else source(*origin)

    listed = {m.name: {name: source(m.name, name) for name in m.names} for m in found}
    described: dict[tuple[str, str], str] = {}
    for module in found:
        for where, original in listed[module.name].values():
            # Of its own package: what a public module defines, its facade re-exports.
            if where == module.name or (
                where not in public and where.startswith(f"{module.package}.")
            ):
                described.setdefault((where, original), module.name)
    return {
        (module, name): described.get(origin, module)
        for module, names in listed.items()
        for name, origin in names.items()
    }


def re_exported(root: Path) -> tuple[str, ...]:
    """The full names of what is described on another page."""
    return tuple(
        f"{module}.{name}"
        for (module, name), home in homes(modules(root)).items()
        if home != module
    )


def pages(root: Path) -> Iterator[tuple[str, str]]:
    """The reST of each module's page, by the module's name."""
    found = modules(root)
    home = homes(found)
    for module in found:
        parts = [_head(root, module)]
        if module.names:
            parts.append(_overview(module))
        for name in module.names:
            elsewhere = home[module.name, name]
            parts.append(
                _described(module.name, name)
                if elsewhere == module.name
                else _re_exported(module, name, elsewhere)
            )
        yield module.name, "\n".join(parts)


def _head(root: Path, module: Module) -> str:
    folder = module.package.replace(".", "/")
    name = module.name.removeprefix(f"{module.package}").lstrip(".")
    target = f"//{folder}:{name}" if name else f"//{folder}"
    text = (root / folder / "BUILD.bazel").read_text()
    own = f'name = "{name or folder.rpartition("/")[2]}"' in text
    told = [f"Target ``{target}``."] if own else []
    if (root / folder / "README.md").is_file():
        told.append(f":doc:`{module.package} in words </{folder}/README>`.")
    return _HEAD.format(
        title=module.name,
        line="=" * len(module.name),
        module=module.name,
        about=inspect.cleandoc(ast.get_docstring(module.tree) or ""),
        readme=" ".join(told),
    )


def _overview(module: Module) -> str:
    rows = "".join(
        f"   * - :py:obj:`{name} <{module.name}.{name}>`\n"
        f"     - {_first_sentence(value)}\n"
        for name in module.names
        for value in [getattr(import_module(module.name), name)]
    )
    return f".. list-table::\n   :widths: auto\n\n{rows}"


def _first_sentence(value: object) -> str:
    if _kind(value) == "data":
        return ""
    text = inspect.cleandoc(value.__doc__ or "")
    return " ".join(text.partition("\n\n")[0].split())


def _kind(value: object) -> str:
    if inspect.isclass(value):
        return "exception" if issubclass(value, BaseException) else "class"
    return "function" if inspect.isroutine(value) else "data"


def _described(module: str, name: str) -> str:
    value = getattr(import_module(module), name)
    kind = _kind(value)
    if kind == "data":
        return _constant(module, name)
    options = []
    if kind in ("class", "exception"):
        options = [":show-inheritance:"]
        if not hasattr(value, "model_fields"):
            options.append(":members:")
        elif own := ", ".join(_own_methods(value)):
            options.append(f":members: {own}")
        if _shows_everything(value):
            options.append(":undoc-members:")
    lines = "".join(f"   {option}\n" for option in options)
    return f".. auto{kind}:: {module}.{name}\n{lines}"


def _constant(module: str, name: str) -> str:
    about = "\n".join(f"   {line}" for line in _assignment(module, name))
    return f".. py:data:: {name}\n   :module: {module}\n\n{about}\n"


def _assignment(module: str, name: str) -> list[str]:
    """The comment above a constant or a type alias, and what it is set to."""
    source = inspect.getsource(import_module(module)).splitlines()
    for node in ast.parse("\n".join(source)).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return _assignment(node.module, alias.name)
        if _assigns(node, name):
            first = node.lineno - 1
            above: list[str] = []
            while first and source[first - 1].startswith("#"):
                first -= 1
                above.insert(0, source[first].lstrip("#: "))
            code = source[node.lineno - 1 : node.end_lineno]
            shown = code if len(code) <= _LONGEST else [*code[:_LONGEST], "..."]
            return [
                *above,
                "",
                ".. code-block:: python",
                "",
                *(f"   {line}" for line in shown),
                "",
            ]
    return []


_LONGEST = 12  # lines of a constant that are worth showing


def _assigns(node: ast.stmt, name: str) -> bool:
    targets: list[ast.expr] = []
    if isinstance(node, ast.AnnAssign):
        targets = [node.target]
    elif isinstance(node, ast.Assign):
        targets = node.targets
    return any(isinstance(t, ast.Name) and t.id == name for t in targets)


def _own_methods(model: type) -> list[str]:
    """What a pydantic model can do besides what all of them can."""
    return [
        name
        for name, value in vars(model).items()
        if not name.startswith(("_", "model_"))
        and isinstance(value, FunctionType | classmethod | staticmethod | property)
        and value.__doc__
    ]


def _shows_everything(value: object) -> bool:
    """Whether a class is what its members are, with a docstring or without."""
    return (
        inspect.isclass(value)
        and not hasattr(value, "model_fields")
        and (issubclass(value, enum.Enum | tuple | dict) or _is_protocol(value))
    )


def _is_protocol(value: type) -> bool:
    return bool(getattr(value, "_is_protocol", False))


def _re_exported(module: Module, name: str, home: str) -> str:
    kind = _kind(getattr(import_module(module.name), name))
    original = module.origin(name)[1]
    return f".. py:{kind}:: {name}\n\n   The same as :py:obj:`{home}.{original}`.\n"

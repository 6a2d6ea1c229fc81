"""What Sphinx needs to be told about the kernel's Python."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from typing import Any, Generic, Protocol

from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.ext.napoleon import Config
from sphinx.ext.napoleon.docstring import GoogleDocstring

_NAPOLEON = Config(
    napoleon_numpy_docstring=False,
    napoleon_use_ivar=True,
    napoleon_custom_sections=[("Keys", "params_style")],
)

# What a command line says about an argument, and shows as its place in memory.
_ANNOTATED = re.compile(r"~?(?:\w+\.)*Annotated\[(.*?), <[^<>]* object at 0x\w+>\]")

_MARKUP = re.compile(r"[*|\\]")

# What every class of a kind has, and what says nothing about this one.
_PLAIN = (object, Generic, Protocol)


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx, which finds this module by its name."""
    app.connect("autodoc-process-signature", _signature)
    app.connect("autodoc-process-bases", _bases)
    app.connect("autodoc-process-docstring", _docstring)
    app.connect("missing-reference", _in_signature)
    app.connect("env-updated", _prefer_homes)
    app.add_config_value("kernel_re_exported", (), "env", (tuple,))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _is_model(value: object) -> bool:
    return inspect.isclass(value) and hasattr(value, "model_fields")


def _signature(
    _app: Sphinx,
    _what: str,
    _name: str,
    value: object,
    _options: object,
    text: str | None,
    returned: str | None,
) -> tuple[str, str | None] | None:
    if _is_model(value):
        return "", None  # its fields are a table; a signature would fill a screen
    if text and " object at 0x" in text:
        return _ANNOTATED.sub(r"\1", text), returned
    return None


def _bases(
    _app: Sphinx, _name: str, _class: object, _options: object, bases: list[object]
) -> None:
    bases[:] = dict.fromkeys(public for base in bases for public in _public(base))


def _public(base: object) -> Iterator[object]:
    """The base itself, or those behind it where its name is private or made up."""
    made = getattr(base, "__pydantic_generic_metadata__", {}).get("origin")
    origin = made or getattr(base, "__origin__", None) or base
    if origin in _PLAIN:
        return
    if getattr(origin, "__name__", "").startswith("_"):
        for further in getattr(origin, "__bases__", ()):
            yield from _public(further)
    else:
        yield origin


def _prefer_homes(app: Sphinx, env: BuildEnvironment) -> None:
    """Let a name without a module mean the one on the page that describes it."""
    known = env.domains.python_domain.objects
    for name in app.config.kernel_re_exported:
        known[name] = known[name]._replace(aliased=True)


def _in_signature(
    _app: Sphinx, _env: BuildEnvironment, node: pending_xref, shown: Any
) -> Any:
    """Show a type in a signature as text where it has no page.

    It may be private, or another package's; nobody wrote it down as a link. What
    somebody did write down is a role, which says whether to warn, and fails the build.
    """
    return None if "refwarn" in node else shown


def _docstring(
    _app: Sphinx,
    what: str,
    _name: str,
    value: object,
    _options: object,
    lines: list[str],
) -> None:
    if what not in ("attribute", "property"):
        # Of an attribute, "Seconds: how long." would be taken for type and meaning.
        text = GoogleDocstring(lines, _NAPOLEON)  # type: ignore[arg-type] # as in Sphinx
        lines[:] = str(text).splitlines()
    if inspect.isclass(value) and _is_model(value):
        lines += _fields(value)


def _fields(model: type) -> Iterator[str]:
    annotations = _annotations(model)
    fields: dict[str, Any] = vars(model).get("__pydantic_fields__", {})
    if fields:
        yield from ("", ".. list-table::", "   :header-rows: 1", "   :widths: auto", "")
        yield from _row("field", "type", "default", "what")
    for name, field in fields.items():
        yield from _row(
            f"``{name}``",
            f"``{annotations.get(name, 'object')}``",
            "required" if field.is_required() else f"``{_default(field)}``",
            _MARKUP.sub(r"\\\g<0>", " ".join((field.description or "").split())),
        )
    yield ""


def _row(*cells: str) -> Iterator[str]:
    for number, cell in enumerate(cells):
        yield f"   {'  ' if number else '* '}- {cell}".rstrip()


def _default(field: Any) -> str:
    if field.default_factory is not None:
        name = getattr(field.default_factory, "__name__", "made")
        return "made anew" if name == "<lambda>" else f"{name.lstrip('_')}()"
    default = field.default
    return str(getattr(default, "value", None) or repr(default))


def _annotations(model: type) -> dict[str, str]:
    """The types of a model's fields as they are written in its source."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if not base.__module__.startswith(("shared.", "examples.")):
            continue
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(base)))
        except (OSError, TypeError):  # made by a call, as generic models are
            continue
        (definition,) = tree.body
        if isinstance(definition, ast.ClassDef):
            found |= {
                node.target.id: ast.unparse(node.annotation)
                for node in definition.body
                if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
            }
    return found

"""The settings of a model as ``.env.example`` and as a Markdown table.

Private: import these names from ``shared.config``.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, Secret, SecretBytes, SecretStr

from shared.config._decode import is_list, is_object
from shared.config._section import masked
from shared.config._settings import ServiceConfig
from shared.config._sources import SECRETS_DIR
from shared.config._tree import Setting, settings_of, without_none
from shared.config._urls import HIDDEN, SecretUrl

_PLAIN = re.compile(r"[A-Za-z0-9_./:@,+*%?&=<>\[\]-]*")
_TYPES = {bool: "true or false", int: "integer", float: "number", str: "text"}
_BOUNDS = (
    ("ge", "at least {}"),
    ("gt", "more than {}"),
    ("le", "at most {}"),
    ("lt", "less than {}"),
    ("min_length", "{} or more long"),
    ("max_length", "{} or less long"),
    ("multiple_of", "a multiple of {}"),
)
# The variables that are no field: which services and features there are, is open.
_OPEN_ENDED = (
    (
        "OTHER_SERVICE_URL",
        "URL",
        "http://localhost:8001",
        'config.service_url("other-service"). Any name ending in _SERVICE_URL.',
    ),
    (
        "FEATURE_NEW_EDITOR",
        "true or false",
        "true",
        'config.feature("new-editor"). Any name beginning with FEATURE_.',
    ),
    (
        SECRETS_DIR,
        "path",
        "/run/secrets",
        "Directory with a file for each secret, named like its variable.",
    ),
)


def render_env_example(model: type[ServiceConfig] = ServiceConfig) -> str:
    """Return a ``.env.example`` for *model*: every setting with what it is for.

    What has a default is commented out and shows it; what is required stands empty.
    The same model gives the same text.
    """
    lines = [
        "# Copy this file to .env and fill in what differs. The environment wins over",
        "# .env, .env over the directory of secrets. In each of them a name with the",
        "# service's prefix wins: SUBJECT_SERVICE_DATABASE_URL over DATABASE_URL.",
    ]
    for title, settings in _groups(model):
        lines += ["", f"# --- {title}"]
        for setting in settings:
            shown = default_text(setting) or _example(setting)
            lines += ["", *_comment(f"{_purpose(setting)} ({_facts(setting)})")]
            if setting.is_required:
                lines.append(f"{setting.name}=")
            else:
                lines.append(f"#{setting.name}={_quoted(shown)}")
    lines += ["", "# --- Other services, features, secrets"]
    for name, kind, example, purpose in _OPEN_ENDED:
        lines += ["", *_comment(f"{purpose} ({kind})"), f"#{name}={example}"]
    return "\n".join([*lines, ""])


def render_markdown(model: type[ServiceConfig] = ServiceConfig) -> str:
    """Return the settings of *model* as a Markdown table, one row a variable.

    The same model gives the same text.
    """
    rows = [("variable", "what", "type", "default")]
    for _, settings in _groups(model):
        for setting in settings:
            rows.append(
                (
                    ", ".join(f"`{name}`" for name in setting.names),
                    _purpose(setting),
                    type_text(setting),
                    _default_cell(setting),
                )
            )
    for name, kind, example, purpose in _OPEN_ENDED:
        rows.append((f"`{name}`", f"{purpose} Example: `{example}`", kind, ""))
    head, *body = [f"| {' | '.join(map(_cell, row))} |" for row in rows]
    return "\n".join([head, "|---|---|---|---|", *body, ""])


def type_text(setting: Setting) -> str:
    """What to write, for people: ``integer, at least 1``."""
    annotation = without_none(setting.field.annotation)
    notes = [
        text.format(bound)
        for name, text in _BOUNDS
        for note in setting.field.metadata
        if (bound := getattr(note, name, None)) is not None
    ]
    kind = "URL" if setting.name.endswith("_URL") else _kind(annotation)
    return ", ".join([kind, *notes])


def default_text(setting: Setting) -> str:
    """The default as one writes it in ``.env``; empty if there is none to write."""
    if setting.has_default:
        return value_text(setting, setting.default)
    return setting.unset or ""


def value_text(setting: Setting, value: Any) -> str:
    """*value* of *setting* as one writes it in ``.env``, without what is secret."""
    return plain_text(masked(setting.path[-1], value))


def plain_text(value: Any) -> str:
    """A value that hides nothing any more, as one writes it in ``.env``."""
    if value is None:
        return ""
    if isinstance(value, SecretStr | SecretBytes):
        return HIDDEN if value.get_secret_value() else ""
    if isinstance(value, Enum):
        return plain_text(value.value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, BaseModel):
        return value.model_dump_json()
    if isinstance(value, Mapping):
        return json.dumps({str(key): plain_text(value[key]) for key in value})
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        items = [plain_text(item) for item in value]
        # A set has no order of its own.
        return ",".join(sorted(items) if isinstance(value, set | frozenset) else items)
    return str(value)


def _groups(model: type[ServiceConfig]) -> Iterator[tuple[str, list[Setting]]]:
    """The settings by section: of the root, of the service's own, of the sections."""
    groups: dict[tuple[str, ...], list[Setting]] = {}
    for setting in settings_of(model):
        where = setting.path[:-1]
        if not where:
            where = ("",) if setting.path[0] in ServiceConfig.model_fields else ("", "")
        groups.setdefault(where, []).append(setting)
    for where in sorted(groups, key=lambda where: where[0] != ""):
        yield _title(where, groups[where][0]), groups[where]


def _title(where: tuple[str, ...], first: Setting) -> str:
    if where == ("",):
        return "The service"
    if where == ("", ""):
        return "Settings of its own"
    document = inspect.cleandoc(first.section.__doc__ or "")
    return document.partition("\n\n")[0].replace("\n", " ") or ".".join(where)


def _purpose(setting: Setting) -> str:
    text = setting.field.description or ".".join(setting.path)
    return " ".join(text.split())


def _facts(setting: Setting) -> str:
    facts = [type_text(setting)]
    if setting.is_required:
        facts.append("required")
    if (example := _example(setting)) and default_text(setting):
        facts.append(f"such as {example}")
    return "; ".join(facts)


def _example(setting: Setting) -> str:
    examples = setting.field.examples or []
    return plain_text(examples[0]) if examples else ""


def _default_cell(setting: Setting) -> str:
    if setting.is_required:
        return "required"
    text = default_text(setting)
    return f"`{text}`" if text else ""


def _kind(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return f"one of {', '.join(map(plain_text, get_args(annotation)))}"
    if is_list(annotation):
        items = [each for each in get_args(annotation) if each is not ...]
        return f"list of {_kind(without_none(items[0]))}" if items else "list"
    if is_object(annotation):
        return "JSON object"
    if annotation is Any or not isinstance(annotation, type):
        return "text"
    if issubclass(annotation, Enum):
        return f"one of {', '.join(plain_text(member) for member in annotation)}"
    if issubclass(annotation, SecretUrl) or annotation.__name__.endswith("Url"):
        return "URL"
    if issubclass(annotation, SecretStr | SecretBytes | Secret):
        return "secret"
    return _TYPES.get(annotation, annotation.__name__.lower())


def _comment(text: str) -> Iterator[str]:
    line = "#"
    for word in text.split():
        if len(line) + len(word) >= 88 and line != "#":
            yield line
            line = "#"
        line += f" {word}"
    yield line


def _quoted(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    escaped = text.replace("\\", "\\\\")
    if "\n" in text:  # a second line would not be commented out with the first
        return '"{}"'.format(escaped.replace('"', '\\"').replace("\n", "\\n"))
    return "'{}'".format(escaped.replace("'", "\\'"))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")

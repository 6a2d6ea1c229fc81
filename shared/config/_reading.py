"""Everything that is known about the settings of a service before they are checked.

Private: used by ``shared.config`` only.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as slot
from pathlib import Path
from types import EllipsisType
from typing import Any

from pydantic import BaseModel

from shared.config._decode import NotDecodableError, decode
from shared.config._errors import ConfigurationProblem
from shared.config._names import (
    candidates,
    feature_of,
    pointed,
    prefix_of,
    service_of,
)
from shared.config._sources import (
    DEFAULT_ENV_FILE,
    DEFAULT_SECRETS_DIR,
    SECRETS_DIR,
    Found,
    Source,
    env_file,
    environment,
    secrets_directory,
)
from shared.config._tree import (
    FEATURES,
    SERVICE_NAME,
    SERVICE_URLS,
    section_type,
    settings_of,
)
from shared.config._tree import (
    Path as TreePath,
)
from shared.config._unknown import Known, unknown_names

Place = Path | str | EllipsisType | None


@dataclass(slots=True)
class Reading:
    """What was found, as a tree for the model, and what is wrong already."""

    tree: dict[str, Any] = slot(repr=False)
    found: dict[TreePath, Found] = slot(default_factory=dict)
    told: set[TreePath] = slot(default_factory=set)  # by a problem, and so not in tree
    problems: list[ConfigurationProblem] = slot(default_factory=list)
    notes: list[ConfigurationProblem] = slot(default_factory=list)


def read(
    service_name: str,
    model: type[BaseModel],
    *,
    environ: Mapping[str, str] | None,
    env_file: Place,
    secrets_dir: Place,
) -> Reading:
    """Read what is set for *model* from all sources, best first."""
    reading = Reading({SERVICE_NAME: service_name})
    prefix = prefix_of(service_name)
    sources = _sources(prefix, environ, env_file, secrets_dir, reading.problems)
    for setting in settings_of(model):
        count = len(reading.problems)
        found = _first(sources, candidates(prefix, setting.names), reading.problems)
        if found is not None:
            _put(reading, setting.path, found, setting.field.annotation)
        if len(reading.problems) > count:
            reading.told.add(setting.path)
    for path, variable in _open_ended(Known(model, prefix), sources).items():
        found = _first(sources, candidates(prefix, (variable,)), reading.problems)
        if found is not None:
            _put(reading, path, found, str)
    _keep_defaults(model, reading.tree)
    unknown = unknown_names(model, prefix, sources, reading.found)
    reading.problems += unknown.problems
    reading.notes += unknown.notes
    return reading


def _sources(
    prefix: str,
    environ: Mapping[str, str] | None,
    file: Place,
    directory: Place,
    problems: list[ConfigurationProblem],
) -> list[Source]:
    sources = [environment(os.environ if environ is None else environ)]
    if isinstance(file, EllipsisType):
        file = DEFAULT_ENV_FILE if DEFAULT_ENV_FILE.is_file() else None
    if file is not None:
        sources.append(env_file(Path(file), problems))
    if isinstance(directory, EllipsisType):
        named = _first(sources, candidates(prefix, (SECRETS_DIR,)), problems)
        directory = named.value if named else _default_directory()
    if directory is not None:
        sources.append(secrets_directory(Path(directory), problems))
    return sources


def _default_directory() -> Path | None:
    return DEFAULT_SECRETS_DIR if DEFAULT_SECRETS_DIR.is_dir() else None


def _first(
    sources: list[Source],
    names: tuple[str, ...],
    problems: list[ConfigurationProblem],
) -> Found | None:
    for source in sources:
        found = source.find(names, problems)
        if found is not None:
            return found
    return None


def _put(reading: Reading, path: TreePath, found: Found, annotation: Any) -> None:
    try:
        value = decode(annotation, found.value)
    except NotDecodableError as error:
        reading.problems.append(
            ConfigurationProblem(found.name, error.rule, error.advice, found.origin)
        )
        return
    node = reading.tree
    for step in path[:-1]:
        node = node.setdefault(step, {})
    node[path[-1]] = value
    reading.found[path] = found


def _open_ended(known: Known, sources: list[Source]) -> dict[TreePath, str]:
    """The variables whose names say which service or feature they are about."""
    variables: dict[TreePath, str] = {}
    for source in sources:
        for name in source.origins:
            for variable in _forms(known, name):
                if service := service_of(variable):
                    variables[SERVICE_URLS, service] = variable
                    break
                if variable in known.all or known.declares(name):
                    continue  # a switch would be the second reading of it
                if known.is_orchestrators(name, source):
                    continue
                if feature := feature_of(variable):
                    variables[FEATURES, feature] = variable
                    break
    return dict(sorted(variables.items()))


def _forms(known: Known, name: str) -> Iterator[str]:
    """What *name* may be: for this service, for all, and the file of either."""
    for variable in (name.removeprefix(known.prefix), name):
        if variable not in known.all:
            yield pointed(variable)
        yield variable


def _keep_defaults(model: type[BaseModel], tree: dict[str, Any]) -> None:
    """Fill the sections of *tree* from the defaults of *model*.

    ``server: ServerConfig = ServerConfig(port=8005)`` means 8005 also where only the
    host is set.
    """
    for name, field in model.model_fields.items():
        section = section_type(field)
        if section is not None and field.is_required():
            tree.setdefault(name, {})  # so that each missing setting of it is told
        given = tree.get(name)
        if isinstance(given, dict) and isinstance(field.default, BaseModel):
            _fill(given, field.default)
        elif isinstance(given, dict) and section is not None:
            _keep_defaults(section, given)


def _fill(given: dict[str, Any], default: BaseModel) -> None:
    for name, value in default:
        if name in default.model_fields_set:
            given.setdefault(name, value)
        if isinstance(value, BaseModel) and isinstance(given.get(name), dict):
            _fill(given[name], value)

"""Loading a configuration: read, check, tell all problems at once.

Private: import these names from ``shared.config``.
"""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, overload

from pydantic import BaseModel, ValidationError

from shared.config._errors import ConfigurationError, ConfigurationProblem
from shared.config._keys import is_service_name
from shared.config._production import WEAK
from shared.config._reading import Place, Reading, read
from shared.config._refusals import refusals
from shared.config._settings import ServiceConfig
from shared.config._tree import section_type

C = TypeVar("C", bound=ServiceConfig)

_log = logging.getLogger("shared.config")
_cache: dict[tuple[str, type[ServiceConfig]], ServiceConfig] = {}
_lock = threading.RLock()  # a model's own check may ask for a configuration


@overload
def get_config(service_name: str) -> ServiceConfig: ...
@overload
def get_config(service_name: str, model: type[C]) -> C: ...
def get_config(
    service_name: str, model: type[ServiceConfig] = ServiceConfig
) -> ServiceConfig:
    """Return the configuration of a service, read once from where it is set.

    Later calls return the same object, in any thread; ``clear_config_cache()`` makes
    the next one read again. What is wrong is not remembered.

    Args:
        service_name: Such as ``subject-service``. ``SUBJECT_SERVICE_DATABASE_URL`` is
            then preferred to ``DATABASE_URL``.
        model: A subclass of ``ServiceConfig`` with settings of the service's own.

    Raises:
        ConfigurationError: Settings are missing, wrong or unknown: all at once.
    """
    with _lock:
        config = _cache.get((service_name, model))
        if config is None:
            config = _cache[service_name, model] = load_config(service_name, model)
        return config


def clear_config_cache() -> None:
    """Make the next ``get_config`` read again; for tests."""
    with _lock:
        _cache.clear()


@overload
def load_config(
    service_name: str,
    *,
    environ: Mapping[str, str] | None = ...,
    env_file: Place = ...,
    secrets_dir: Place = ...,
) -> ServiceConfig: ...
@overload
def load_config(
    service_name: str,
    model: type[C],
    *,
    environ: Mapping[str, str] | None = ...,
    env_file: Place = ...,
    secrets_dir: Place = ...,
) -> C: ...
def load_config(
    service_name: str,
    model: type[ServiceConfig] = ServiceConfig,
    *,
    environ: Mapping[str, str] | None = None,
    env_file: Place = ...,
    secrets_dir: Place = ...,
) -> ServiceConfig:
    """Read the configuration of a service now, without a cache.

    Sources, best first: the environment, ``.env``, the directory of secrets, defaults.
    In each of them the name with the service's prefix wins over the flat one.

    Args:
        service_name: As in ``get_config``.
        model: As in ``get_config``.
        environ: Read instead of ``os.environ``.
        env_file: ``...`` is ``.env`` in the working directory if it is there, None no
            file at all.
        secrets_dir: ``...`` is what ``SECRETS_DIR`` says, or ``/run/secrets`` if it is
            there; None no directory at all.

    Raises:
        ConfigurationError: As in ``get_config``.
        TypeError: The model itself is wrong, such as two settings with one variable.
    """
    config, reading = examine(
        service_name,
        model,
        environ=environ,
        env_file=env_file,
        secrets_dir=secrets_dir,
    )
    for note in reading.notes:
        _log.warning("%s", note)
    if config is None:
        raise ConfigurationError(service_name, reading.problems)
    return config


def examine(
    service_name: str,
    model: type[C],
    *,
    environ: Mapping[str, str] | None,
    env_file: Place,
    secrets_dir: Place,
) -> tuple[C | None, Reading]:
    """The configuration, if nothing is wrong, and all that was found on the way."""
    if not is_service_name(service_name):
        problem = ConfigurationProblem(
            "service_name",
            "The name of a service is lower-case letters, digits and single hyphens, "
            "63 at most, and begins with a letter.",
            "Write it like subject-service.",
        )
        return None, Reading({}, problems=[problem])
    reading = read(
        service_name,
        model,
        environ=environ,
        env_file=env_file,
        secrets_dir=secrets_dir,
    )
    config, wrong = _build(model, reading)
    reading.problems += wrong
    return (None if reading.problems else config), reading


def _build(
    model: type[C], reading: Reading
) -> tuple[C | None, list[ConfigurationProblem]]:
    # Every problem leaves as a value: an exception raised in here would carry the one
    # before it as its context, and with it the values.
    try:
        return model(**reading.tree), []
    except ValidationError as error:
        problems = [*refusals(model, reading, error)]
        told = {problem.name for problem in problems}
        right = _without(reading.tree, [each["loc"] for each in error.errors()])
        weak = _weak_settings(model, reading, right)
        return None, problems + [each for each in weak if each.name not in told]
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        problem = ConfigurationProblem(
            model.__name__,
            f"Its own check stopped with {type(error).__name__} in "
            f"{Path(place.filename).name}, line {place.lineno}.",
            "Let it raise ValueError for a wrong value.",
        )
        return None, [problem]


def _weak_settings(
    model: type[BaseModel], reading: Reading, right: dict[str, Any]
) -> list[ConfigurationProblem]:
    """What is too weak among the settings that are *right* by themselves.

    Checks of the whole run only where no part is wrong, so the rest is built alone.
    """
    known: dict[str, Any] = {}
    for name, field in ServiceConfig.model_fields.items():
        section, value = section_type(field), right.get(name)
        if section is not None and value is not None:
            known[name] = {
                key: value[key] for key in section.model_fields if key in value
            }
        elif value is not None:
            known[name] = value
    try:
        ServiceConfig(**known)
    except ValidationError as error:
        if [each["type"] for each in error.errors()] == [WEAK]:
            return [*refusals(model, reading, error)]
    return []


def _without(tree: Mapping[str, Any], wrong: list[tuple[int | str, ...]]) -> Any:
    """*tree* without the branches at the locations *wrong*."""
    kept: dict[str, Any] = {}
    for name, value in tree.items():
        below = [location[1:] for location in wrong if location[:1] == (name,)]
        if isinstance(value, dict) and () not in below:
            kept[name] = _without(value, below)
        elif not below:
            kept[name] = value
    return kept

"""Which setting has which value, and why: for people in front of a service.

Private: import these names from ``shared.config``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce

from shared.config._errors import ConfigurationError, ConfigurationProblem
from shared.config._load import examine
from shared.config._names import FEATURE_PREFIX, prefix_of, url_variable
from shared.config._reading import Place, Reading
from shared.config._render import plain_text, type_text, value_text
from shared.config._settings import ServiceConfig
from shared.config._tree import FEATURES, SERVICE_URLS, Path, settings_of


@dataclass(frozen=True, slots=True)
class ExplainedSetting:
    """A setting as a service would get it.

    Args:
        name: Its variable.
        path: Where it is in the tree: ``database.pool_size``.
        value: As one writes it in ``.env``; masked if it is secret, empty if unset.
        type: What may be written.
        origin: Where the value comes from: ``environment``, ``.env line 3``, ``file
            /run/secrets/secret_key``, ``default``.
        variable: The name under which it was found there, which may have the service's
            prefix; None for a default.
    """

    name: str
    path: str
    value: str
    type: str
    origin: str
    variable: str | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """All settings of a service, and what is odd without being wrong."""

    settings: tuple[ExplainedSetting, ...]
    notes: tuple[ConfigurationProblem, ...]


def explain_config(
    service_name: str,
    model: type[ServiceConfig] = ServiceConfig,
    *,
    environ: Mapping[str, str] | None = None,
    env_file: Place = ...,
    secrets_dir: Place = ...,
) -> Explanation:
    """Return every setting of a service with its masked value and its origin.

    Args:
        service_name: As in ``load_config``.
        model: As in ``load_config``.
        environ: As in ``load_config``.
        env_file: As in ``load_config``.
        secrets_dir: As in ``load_config``.

    Raises:
        ConfigurationError: As in ``load_config``.
    """
    config, reading = examine(
        service_name,
        model,
        environ=environ,
        env_file=env_file,
        secrets_dir=secrets_dir,
    )
    if config is None:
        raise ConfigurationError(service_name, reading.problems)
    settings = (*_fields(config, reading), *_open_ended(config, reading))
    return Explanation(settings, tuple(reading.notes))


def _fields(config: ServiceConfig, reading: Reading) -> Iterator[ExplainedSetting]:
    for setting in settings_of(type(config)):
        value: object = reduce(getattr, setting.path, config)
        text = value_text(setting, value)
        yield _explained(reading, setting.path, setting.name, text, type_text(setting))


def _open_ended(config: ServiceConfig, reading: Reading) -> Iterator[ExplainedSetting]:
    for service, url in config.service_urls.items():
        name = url_variable(service) or service
        yield _explained(reading, (SERVICE_URLS, service), name, url, "URL")
    for feature, on in config.features.items():
        name = FEATURE_PREFIX + prefix_of(feature)[:-1]
        path = (FEATURES, feature)
        yield _explained(reading, path, name, plain_text(on), "true or false")


def _explained(
    reading: Reading, path: Path, name: str, value: str, kind: str
) -> ExplainedSetting:
    found = reading.found.get(path)
    return ExplainedSetting(
        name=name,
        path=".".join(path),
        value=value,
        type=kind,
        origin=found.origin if found else "default",
        variable=found.name if found else None,
    )

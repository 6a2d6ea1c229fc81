"""What pydantic refused, as problems of variables; without a value, or a piece of one.

Private: used by ``shared.config`` only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pydantic import BaseModel, ValidationError

from shared.config._errors import ConfigurationProblem
from shared.config._production import WEAK
from shared.config._reading import Reading
from shared.config._sources import Found
from shared.config._tree import Path, Setting, settings_of
from shared.config._urls import OURS, mask_url, passwords_of
from shared.errors import ValidationException

_GENERIC = "The value is not valid."
_WHERE = "Set it in the environment, in .env, or as a file in the directory of secrets."
_PIECE = 4  # letters of a secret in a row that a message may not have


def refusals(
    model: type[BaseModel], reading: Reading, error: ValidationError
) -> Iterator[ConfigurationProblem]:
    """Yield a problem for each error that was not told when the settings were read."""
    found = reading.found
    errors = error.errors(include_url=False)
    details = ValidationException(errors).to_problem()["errors"]
    for each, item in zip(errors, details, strict=False):
        location = each["loc"]
        if location in reading.told:
            continue
        context = each.get("ctx", {})
        if each["type"] == WEAK:
            for weak in context["weaknesses"]:
                yield _problem(model, found, weak.path, weak.rule, weak.advice)
        elif each["type"] == OURS:
            named = (*location, context["field"]) if context["field"] else location
            rule = _entry(model, location) + context["rule"]
            yield _problem(model, found, named, rule, context["advice"])
        elif each["type"] == "missing":
            rule = "Is required and not set."
            yield _problem(model, found, location, rule, _WHERE)
        else:
            rule = item["detail"]
            if _shows_secret(model, found, location, rule):
                rule = _GENERIC
            rule = _entry(model, location) + _sentence(rule)
            advice = _correct(model, location)
            yield _problem(model, found, location, rule, advice)


def _problem(
    model: type[BaseModel],
    found: Mapping[Path, Found],
    location: Sequence[str | int],
    rule: str,
    advice: str,
) -> ConfigurationProblem:
    for path, source in found.items():
        if path == tuple(location[: len(path)]):
            return ConfigurationProblem(source.name, rule, advice, source.origin)
    setting = _setting(model, location)
    if setting is not None:
        return ConfigurationProblem(setting.name, rule, advice)
    # A check of a section or of the whole model.
    name = ".".join(map(str, location)) or model.__name__
    return ConfigurationProblem(name, rule, advice)


def _setting(model: type[BaseModel], location: Sequence[str | int]) -> Setting | None:
    for setting in settings_of(model):
        if setting.path == tuple(location[: len(setting.path)]):
            return setting
    return None


def _entry(model: type[BaseModel], location: Sequence[str | int]) -> str:
    """Which entry of a list it is, for people, who count from 1."""
    setting = _setting(model, location)
    rest = location[len(setting.path) :] if setting else ()
    return f"Entry {rest[0] + 1}: " if rest and isinstance(rest[0], int) else ""


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _correct(model: type[BaseModel], location: Sequence[str | int]) -> str:
    setting = _setting(model, location)
    if setting is None or setting.is_required:
        return "Correct it."
    return "Correct it, or remove it for the default."


def _shows_secret(
    model: type[BaseModel],
    found: Mapping[Path, Found],
    location: Sequence[str | int],
    message: str,
) -> bool:
    """Whether *message*, which a service's author wrote, has a piece of a secret."""
    secret = {setting.path for setting in settings_of(model) if setting.is_secret}
    folded = message.casefold()
    for path, source in found.items():
        # Of all settings: a validator sees those before its own.
        texts = [*passwords_of(source.value)]
        shared = min(len(path), len(location))
        is_near = path[:shared] == tuple(location[:shared])
        # Words of another setting's URL beside its password may well be in a message.
        if path in secret or (is_near and mask_url(source.value) != source.value):
            texts.append(source.value)
        if any(piece in folded for text in texts for piece in _pieces(text)):
            return True
    return False


def _pieces(text: str) -> Iterator[str]:
    text = text.casefold()
    return (text[i : i + _PIECE] for i in range(len(text) - _PIECE + 1))

"""The settings of a model: every leaf of its tree, with its variable.

Private: used by ``shared.config`` only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, Secret, SecretBytes, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from shared.config._section import Env, is_secret_name

Path = tuple[str, ...]

# The root's fields that are no variable of their own: the name is an argument, the two
# mappings hold as many variables as there are.
SERVICE_NAME = "service_name"
SERVICE_URLS = "service_urls"
FEATURES = "features"
_NO_VARIABLE = frozenset([SERVICE_NAME, SERVICE_URLS, FEATURES])


@dataclass(frozen=True, slots=True)
class Setting:
    """One leaf: where it is in the tree, and its variable with other names for it."""

    path: Path
    names: tuple[str, ...]
    field: FieldInfo
    section: type[BaseModel]
    default: Any  # PydanticUndefined where there is none, or it is made when needed
    unset: str | None = None  # what documentation says instead

    @property
    def name(self) -> str:
        """Its variable."""
        return self.names[0]

    @property
    def is_required(self) -> bool:
        """Whether a service does not start without it."""
        return self.field.is_required() and self.unset is None and not self.has_default

    @property
    def has_default(self) -> bool:
        """Whether `default` is one."""
        return self.default is not PydanticUndefined

    @property
    def is_secret(self) -> bool:
        """Whether its value is never shown, by its type or by its name."""
        return _holds_secret(self.field.annotation) or is_secret_name(self.path[-1])


@cache
def settings_of(model: type[BaseModel]) -> tuple[Setting, ...]:
    """Every setting of *model*, in the order in which it declares them.

    Raises:
        TypeError: The model can't be read from variables; a mistake in its code.
    """
    found = tuple(_walk(model, ()))
    taken: dict[str, Setting] = {}
    for setting in found:
        for name in setting.names:
            if other := taken.get(name):
                raise TypeError(
                    f"{model.__name__} reads {name} twice: as "
                    f"{'.'.join(other.path)} and as {'.'.join(setting.path)}. "
                    'Drop one, or name it with Annotated[..., Env("NAME")].'
                )
            taken[name] = setting
    return found


def without_none(annotation: Any) -> Any:
    """*annotation* without ``| None``, if one type is left then."""
    if get_origin(annotation) in (Union, UnionType):
        left = [part for part in get_args(annotation) if part is not NoneType]
        if len(left) == 1:
            return bare(left[0])
    return bare(annotation)


def bare(annotation: Any) -> Any:
    """*annotation* without the notes of ``Annotated``."""
    while hasattr(annotation, "__metadata__"):
        annotation = annotation.__origin__
    return annotation


def _walk(
    model: type[BaseModel], path: Path, defaults: BaseModel | None = None
) -> Iterator[Setting]:
    for name, field in model.model_fields.items():
        here = (*path, name)
        if not path and name in _NO_VARIABLE:
            continue
        if field.alias is not None or field.validation_alias is not None:
            raise TypeError(
                f"{model.__name__}.{name} has an alias. Name the variable of a setting "
                'with Annotated[..., Env("NAME")].'
            )
        default = field.default if defaults is None else getattr(defaults, name)
        section = section_type(field)
        if section is not None:
            given = default if isinstance(default, section) else None
            yield from _walk(section, here, given)
        else:
            env = _env(field) or Env("_".join(here).upper())
            yield Setting(here, env.names, field, model, default, env.unset)


def section_type(field: FieldInfo) -> type[BaseModel] | None:
    """The model whose fields are settings of their own, if the field is a section."""
    annotation = bare(field.annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return None


def _env(field: FieldInfo) -> Env | None:
    return next((note for note in field.metadata if isinstance(note, Env)), None)


def _holds_secret(annotation: Any) -> bool:
    annotation = bare(annotation)
    if isinstance(annotation, type) and issubclass(
        annotation, SecretStr | SecretBytes | Secret
    ):
        return True
    return any(map(_holds_secret, get_args(annotation)))

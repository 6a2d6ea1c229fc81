"""Which variables exist, and what they are called.

Private: used by ``shared.config`` only.
"""

from __future__ import annotations

import re

FILE_SUFFIX = "_FILE"
FEATURE_PREFIX = "FEATURE_"

_URL = re.compile(r"(?P<name>[A-Z][A-Z0-9_]*_SERVICE)_URL")
_FEATURE = re.compile(r"FEATURE_(?P<name>[A-Z0-9][A-Z0-9_]*)")


def prefix_of(service_name: str) -> str:
    """What stands before a variable that is meant for one service alone."""
    return service_name.upper().replace("-", "_") + "_"


def service_of(variable: str) -> str | None:
    """The service whose URL is in *variable*, if any."""
    match = _URL.fullmatch(variable)
    return match and _kebab(match["name"])


def url_variable(service_name: str) -> str | None:
    """The variable that holds the URL of a service, if it can have one."""
    variable = prefix_of(service_name) + "URL"
    return variable if service_of(variable) == service_name else None


def feature_of(variable: str) -> str | None:
    """The feature that *variable* turns on or off, if any."""
    match = _FEATURE.fullmatch(variable)
    return match and _kebab(match["name"])


def _kebab(name: str) -> str:
    return name.lower().replace("_", "-")


def pointed(variable: str) -> str:
    """The variable whose value is in the file that *variable* names, if it does."""
    return variable.removesuffix(FILE_SUFFIX)


def candidates(prefix: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """The names to look under, best first: the service's own, then everybody's."""
    return (prefix + names[0], *names)

"""Which ports the services and servers of a repository listen on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tools.new_service.answers import FILE, MAX_PORT, Remembered
from tools.new_service.errors import BadInputError
from tools.new_service.files import read_file

_COMPOSE = ("docker-compose*.y*ml", "compose*.y*ml")


def taken_ports(root: Path) -> dict[int, str]:
    """Each port that somebody has, and the file that says so.

    Raises:
        BadInputError: One of those files can't be read.
    """
    taken: dict[int, str] = {}
    for path in sorted((root / "services").glob(f"*/{FILE}")):
        place = str(path.relative_to(root))
        remembered = Remembered.from_toml(read_file(root, place) or "", place)
        taken.setdefault(remembered.answers.port, place)
    for folder in (root, *sorted((root / "services").glob("*/"))):
        for path in sorted({p for glob in _COMPOSE for p in folder.glob(glob)}):
            place = str(path.relative_to(root))
            for port in _published(read_file(root, place) or "", place):
                taken.setdefault(port, place)
    return taken


def _published(text: str, place: str) -> Iterator[int]:
    """The ports of the host in a compose file."""
    try:
        # Nothing but strings, lists and mappings: YAML 1.1 reads 8005:22 as a number.
        document = yaml.load(text, yaml.BaseLoader)  # noqa: S506 - the safest of all
    except yaml.YAMLError as error:
        raise BadInputError(
            f"{place} is not YAML, so the ports in it are unknown: correct it first."
        ) from error
    for service in _mapping(_mapping(document).get("services")).values():
        entries = _mapping(service).get("ports")
        for entry in entries if isinstance(entries, list) else ():
            yield from _host_ports(entry)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _host_ports(entry: Any) -> Iterator[int]:
    """The host's side of `127.0.0.1:8005:8005`, in each form that compose knows."""
    if isinstance(entry, dict):
        host = str(entry.get("published", ""))
    else:
        # ${PORT:-8005} is 8005 unless somebody says otherwise.
        plain = re.sub(r"\$\{\w+:?-([^}]*)\}", r"\1", str(entry))
        *_, host = plain.partition("/")[0].split(":")[:-1] or [""]
    if found := re.fullmatch(r"(\d+)(?:-(\d+))?", host):
        first, last = int(found[1]), int(found[2] or found[1])
        yield from range(first, min(last, MAX_PORT) + 1)

"""Puts a service into the workspace, whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tools.new_service.answers import FILE, Answers, Remembered
from tools.new_service.errors import BadInputError, GeneratorError
from tools.new_service.files import read_file
from tools.new_service.naming import Names
from tools.new_service.ports import taken_ports

_MARK = "tools/bazel/python.bzl"


def folder_of(names: Names) -> str:
    """Where the service stands, relative to the root."""
    return f"services/{names.package}"


def check_root(root: Path) -> Path:
    """Return *root*.

    Raises:
        GeneratorError: It is not a checkout of this repository.
    """
    if not (root / _MARK).is_file():
        raise GeneratorError(
            f"{root} has no {_MARK}, so it is not this repository: run "
            "./bazelw run //tools/new_service in a checkout of it."
        )
    return root


def check_free(root: Path, answers: Answers) -> None:
    """Raise if the folder or the port of the service is somebody else's.

    Raises:
        GeneratorError: It says whose.
    """
    folder = folder_of(answers.names)
    if os.path.lexists(root / folder):
        raise GeneratorError(
            f"{folder} exists already, and nothing in it is overwritten: choose "
            "another name, or compare it with the templates: drift "
            f"{answers.names.service}."
        )
    if owner := taken_ports(root).get(answers.port):
        raise GeneratorError(
            f"Port {answers.port} is taken by {owner}: choose another one."
        )


def write(root: Path, answers: Answers, files: Mapping[str, str]) -> None:
    """Write all the files, or none.

    Raises:
        GeneratorError: The folder or the port is taken, or the disk says no.
    """
    check_free(root, answers)
    target = root / folder_of(answers.names)
    try:
        target.parent.mkdir(exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".new_service.", dir=target.parent))
        try:
            fresh = scratch / target.name
            for name, text in files.items():
                path = fresh / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8", newline="\n")
            fresh.rename(target)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
            _remove_if_empty(target.parent)
    except OSError as error:
        reason = error.strerror or str(error)
        raise GeneratorError(
            f"cannot write {folder_of(answers.names)}: {reason}. Nothing is left of it."
        ) from error


def _remove_if_empty(folder: Path) -> None:
    """The services/ that we made for a service that did not come."""
    try:
        folder.rmdir()
    except OSError:
        return


def remembered(root: Path, names: Names) -> Remembered:
    """What a service says of itself.

    Raises:
        BadInputError: There is no such service, or it says nothing that can be read.
    """
    folder = folder_of(names)
    place = f"{folder}/{FILE}"
    if not (root / folder).is_dir():
        raise BadInputError(f"There is no {folder}.")
    text = read_file(root, place)
    if text is None:
        raise BadInputError(
            f"{place} does not exist, so the answers given for this service are "
            "unknown: it was not generated, or the file was removed."
        )
    found = Remembered.from_toml(text, place)
    if found.answers.names != names:
        raise BadInputError(
            f"{place} says that the service is {found.answers.names.service}."
        )
    return found

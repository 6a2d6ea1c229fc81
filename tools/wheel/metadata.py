"""The METADATA file of a wheel (core metadata 2.4).

https://packaging.python.org/specifications/core-metadata
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from packaging.requirements import Requirement


def core_metadata(
    *,
    name: str,
    version: str,
    summary: str,
    project: Mapping[str, Any],
    requirements: Iterable[Requirement],
    extras: Iterable[str],
    license_file: str,
    readme: str,
) -> str:
    """Compose the file.

    Args:
        name: Of the distribution.
        version: Of the distribution.
        summary: One line for an index.
        project: The ``[project]`` table of pyproject.toml. What all distributions share
            is taken from it: authors, license, classifiers, requires-python.
        requirements: Become Requires-Dist, in this order.
        extras: Become Provides-Extra, in this order.
        license_file: Its path below ``licenses/``.
        readme: The long description, Markdown.
    """
    fields = [
        ("Metadata-Version", "2.4"),
        ("Name", name),
        ("Version", version),
        ("Summary", summary),
    ]
    for author in project.get("authors", ()):
        if "email" in author:
            fields.append(("Author-email", f"{author['name']} <{author['email']}>"))
        else:
            fields.append(("Author", author["name"]))
    fields += [
        ("License-Expression", project["license"]),
        ("License-File", license_file),
        *(("Classifier", entry) for entry in project.get("classifiers", ())),
        ("Requires-Python", project["requires-python"]),
        *(("Provides-Extra", extra) for extra in extras),
        *(("Requires-Dist", str(requirement)) for requirement in requirements),
        ("Description-Content-Type", "text/markdown"),
    ]
    head = "".join(f"{key}: {value}\n" for key, value in fields)
    return f"{head}\n{readme}"

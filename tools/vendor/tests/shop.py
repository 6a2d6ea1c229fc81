"""A small stock of made-up wheels, with their index and lock."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.wheel.archive import write_wheel


def wheel(
    folder: Path,
    name: str,
    version: str,
    *requires: str,
    extras: tuple[str, ...] = (),
    fields: str = "License-Expression: MIT\n",
) -> Path:
    """Write a wheel that holds one module, and return its path."""
    stem = f"{name.replace('-', '_')}-{version}"
    lines = [f"Requires-Dist: {line}\n" for line in requires]
    lines += [f"Provides-Extra: {extra}\n" for extra in extras]
    head = f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n"
    out = folder / f"{stem}-py3-none-any.whl"
    write_wheel(
        out,
        dist_info=f"{stem}.dist-info",
        content={f"{name.replace('-', '_')}.py": b"VALUE = 1\n"},
        info={"METADATA": f"{head}{fields}{''.join(lines)}\n".encode()},
    )
    return out


def target(label: str, *needs: str) -> dict[str, Any]:
    """Describe a target as distribution.bzl does."""
    package = label.removeprefix("//").partition(":")[0]
    return {
        "label": label,
        "package": package,
        "build_file": f"{package}/BUILD.bazel",
        "needs": needs,
        "requires": [],
    }


def entry(
    path: str, name: str, label: str, roots: Mapping[str, list[str]], **more: object
) -> dict[str, object]:
    """Describe a distribution as distribution.bzl does."""
    package = label.removeprefix("//").partition(":")[0]
    return {
        "distribution": name,
        "label": label,
        "packages": [package],
        "roots": roots,
        "umbrella": False,
        "version": "1.2.3",
        "wheel": path,
        **more,
    }


TARGETS = [
    target("//shared/errors:errors", "//shared/errors:_core"),
    target("//shared/errors:_core"),
    target("//shared/errors:handlers", "//shared/errors:errors"),
    target("//shared/dtos:dtos", "//shared/dtos:user"),
    target("//shared/dtos:user", "//shared/errors:errors"),
    target("//shared/dtos:orphan"),
]

ERRORS = {"": ["//shared/errors:errors"], "fastapi": ["//shared/errors:handlers"]}
DTOS = {"": ["//shared/dtos:dtos"]}


def index(errors: str = "", dtos: str = "", umbrella: str = "") -> dict[str, Any]:
    """Compose what kernel_wheel_index writes, with the paths of three wheels."""
    both = {"": [*ERRORS[""], *DTOS[""]], "fastapi": ERRORS["fastapi"]}
    return {
        "distributions": [
            entry(errors, "acme-errors", "//shared/errors:wheel", ERRORS),
            entry(dtos, "acme-dtos", "//shared/dtos:wheel", DTOS),
            entry(
                umbrella,
                "acme-all",
                "//shared:umbrella",
                both,
                umbrella=True,
                packages=["shared/errors", "shared/dtos"],
            ),
        ],
        "targets": TARGETS,
        "third_party": [],
    }


@dataclass(frozen=True)
class Shop:
    """Where the stock lies."""

    index: Path
    lock: Path
    third_party: Path


def shop(folder: Path) -> Shop:
    """Stock *folder* with three first-party and two third-party wheels."""
    pydantic = wheel(folder, "pydantic", "2.14.3", "typing-extensions>=4")
    typing = wheel(folder, "typing-extensions", "4.16.0")
    fastapi = 'pydantic; extra == "fastapi"'
    document = index(
        errors=str(wheel(folder, "acme-errors", "1.2.3", fastapi, extras=("fastapi",))),
        dtos=str(wheel(folder, "acme-dtos", "1.2.3", "acme-errors~=1.2.3", "pydantic")),
        umbrella=str(wheel(folder, "acme-all", "1.2.3", fastapi, extras=("fastapi",))),
    )
    document["third_party"] = [str(pydantic), str(typing)]
    listed = folder / "index.json"
    listed.write_text(json.dumps(document))
    lock = folder / "requirements_lock.txt"
    lock.write_text(
        "".join(
            f"{name}=={version} --hash=sha256:{'0' * 64} --hash=sha256:{digest(path)}\n"
            for name, version, path in [
                ("pydantic", "2.14.3", pydantic),
                ("typing-extensions", "4.16.0", typing),
            ]
        )
    )
    return Shop(index=listed, lock=lock, third_party=pydantic)


def digest(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()

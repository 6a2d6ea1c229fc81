"""Node, and the npm packages of package-lock.json, in a folder of one's own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

MISSING: Final = "missing: "
"""How a file begins that says why it is not what its name says."""

_REPOSITORY: Final = "*creativeflow_kernel_npm"


class NodeMissingError(Exception):
    """There is no Node here, or not its packages. The message says what is missing."""


@dataclass(frozen=True)
class Node:
    """Node, and a folder in which programs find the packages.

    A module is looked for in ``node_modules`` beside and above the file that imports
    it, so a program has to stand in the folder: `run` puts it there.
    """

    program: Path
    folder: Path

    @classmethod
    def unpack(cls, folder: Path, *, repository: Path | None = None) -> Self:
        """Unpack the packages into *folder*, which takes about a second.

        Args:
            folder: Gets ``node_modules``.
            repository: What tools/bazel/npm.bzl made; that of the runfiles, unless
                told.

        Raises:
            NodeMissingError: There was no npm when it was made.
        """
        repository = repository or _of_runfiles()
        packages = repository / "node_modules.tar"
        refuse_note(packages)
        modules = folder / "node_modules"
        modules.mkdir(parents=True)
        # Python's own module takes three times as long.
        command = ["tar", "-C", str(modules), "-xf", str(packages)]
        subprocess.run(command, check=True)  # noqa: S603 - of the build
        return cls((repository / "node").resolve(), folder.resolve())

    def put(self, source: Path) -> Path:
        """Copy a file into the folder, and return where it is."""
        return Path(shutil.copyfile(source, self.folder / source.name))

    def environment(self) -> dict[str, str]:
        """The environment of this process, with ``node`` and ``NODE_PATH``.

        Only CommonJS asks ``NODE_PATH``; ``import`` does not.
        """
        modules = self.folder / "node_modules"
        path = f"{self.program.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        return os.environ | {"PATH": path, "NODE_PATH": str(modules)}

    def command(self, script: Path, *arguments: str | Path) -> list[str]:
        """The command that runs *script*, which is put into the folder."""
        return [str(self.program), str(self.put(script)), *map(str, arguments)]

    def run(
        self,
        script: Path,
        *arguments: str | Path,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run *script* to its end and capture what it prints. Its exit code may be any.

        Args:
            script: An ECMAScript module, wherever it is.
            arguments: For it. Paths are relative to the current folder.
            env: More variables.
        """
        return subprocess.run(  # noqa: S603 - programs of this repository
            self.command(script, *arguments),
            env=self.environment() | dict(env or {}),
            capture_output=True,
            text=True,
            check=False,
        )


def refuse_note(path: Path) -> None:
    """Do nothing, unless *path* is a note of what is missing.

    Raises:
        NodeMissingError: With what it says.
    """
    with path.open("rb") as file:
        if file.read(len(MISSING)) == MISSING.encode():
            raise NodeMissingError(path.read_text().removeprefix(MISSING).strip())


def _of_runfiles() -> Path:
    (repository,) = Path(__file__).parents[3].glob(_REPOSITORY)
    return repository

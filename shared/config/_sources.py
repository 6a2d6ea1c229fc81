"""Where settings are set: the environment, ``.env``, and a directory of secrets.

Each source tells which names it has; the first that has one of a setting's names wins.
What is empty is not set, and blanks around a value don't belong to it.

Private: used by ``shared.config`` only.
"""

from __future__ import annotations

import errno
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from shared.config._dotenv import Assignment, read_dotenv
from shared.config._errors import ConfigurationProblem
from shared.config._names import FILE_SUFFIX

SECRETS_DIR = "SECRETS_DIR"
DEFAULT_SECRETS_DIR = Path("/run/secrets")
DEFAULT_ENV_FILE = Path(".env")

_MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Found:
    """The text of a setting, the name it stands under, and where."""

    name: str
    value: str = field(repr=False)
    origin: str


@dataclass(frozen=True, slots=True)
class Source:
    """Some names with their texts or files.

    Args:
        origins: Where each of its names is.
        values: The texts of names.
        files: The files that hold them, for the others.
        broken: What is wrong with a name, to be told if it is looked for.
        is_ours: Nobody but this service puts names there.
    """

    origins: Mapping[str, str]
    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    files: Mapping[str, Path] = field(default_factory=dict)
    broken: Mapping[str, ConfigurationProblem] = field(default_factory=dict)
    is_ours: bool = True

    def find(
        self, names: Iterable[str], problems: list[ConfigurationProblem]
    ) -> Found | None:
        """The first of *names* that it has; *problems* gets what can't be read."""
        for name in names:
            found = self._one(name, problems)
            if found is not None:
                return found
        return None

    def _one(self, name: str, problems: list[ConfigurationProblem]) -> Found | None:
        pointer = name + FILE_SUFFIX
        if bad := self.broken.get(name) or self.broken.get(pointer):
            problems.append(bad)
            return None
        if name in self.files:
            return _from_file(name, self.files[name], self.origins[name], problems)
        value = self.values.get(name, "").strip()
        path = self.values.get(pointer, "").strip()
        if value and path:
            problems.append(
                ConfigurationProblem(
                    pointer,
                    f"Is set, and so is {name}.",
                    "Remove one of the two.",
                    self.origins[pointer],
                )
            )
        if value:
            return Found(name, value, self.origins[name])
        if path:
            origin = f"file named in the {self.origins[pointer]}"
            return _from_file(pointer, Path(path), origin, problems)
        return None


def environment(environ: Mapping[str, str]) -> Source:
    """The variables of the process."""
    return Source(
        origins=dict.fromkeys(environ, "environment"),
        values=environ,
        is_ours=False,
    )


def env_file(path: Path, problems: list[ConfigurationProblem]) -> Source:
    """The lines of ``.env``."""
    text = _read(path, str(path), "", problems)
    origins: dict[str, str] = {}
    values: dict[str, str] = {}
    broken: dict[str, ConfigurationProblem] = {}
    for entry in read_dotenv(text or ""):
        origin = f"{path} line {entry.line}"
        if entry.name is None:
            problems.append(ConfigurationProblem(origin, entry.rule, entry.advice))
            continue
        if isinstance(entry, Assignment):
            values[entry.name] = entry.value
        else:
            broken[entry.name] = ConfigurationProblem(
                entry.name, entry.rule, entry.advice, origin
            )
        if first := origins.get(entry.name):
            broken[entry.name] = ConfigurationProblem(
                entry.name,
                f"Is set twice, the first time in {first}.",
                "Remove one of the two.",
                origin,
            )
        origins[entry.name] = origin
    return Source(origins=origins, values=values, broken=broken)


def secrets_directory(path: Path, problems: list[ConfigurationProblem]) -> Source:
    """The files of a directory, named like variables, in upper or lower case."""
    files: dict[str, Path] = {}
    broken: dict[str, ConfigurationProblem] = {}
    for file in _files(path, problems):
        name = file.name.upper()
        if name in files:
            broken[name] = ConfigurationProblem(
                name,
                f"Is there twice, as {files[name].name} and as {file.name}.",
                "Remove one of the two.",
                str(path),
            )
        files[name] = file
    return Source(
        origins={name: f"file {file}" for name, file in files.items()},
        files=files,
        broken=broken,
    )


def _files(path: Path, problems: list[ConfigurationProblem]) -> Iterator[Path]:
    try:
        # Kubernetes keeps the versions of a volume in ..data and its like.
        shown = (file for file in sorted(path.iterdir()) if file.name[0] != ".")
        yield from [file for file in shown if _is_file(file)]
    except (OSError, ValueError) as error:  # a NUL in the path is a ValueError
        shown_path = str(path)
        if not shown_path.isprintable():
            shown_path = ascii(shown_path)
        problems.append(_unreadable(SECRETS_DIR, shown_path, error))


def _is_file(path: Path) -> bool:
    # Not Path.is_file: on newer Pythons it is false where the directory can't be
    # searched, and all secrets would be gone without a word.
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP, errno.ENOTDIR):
            return False  # a link to nothing, or gone by now
        raise


def _from_file(
    name: str, path: Path, origin: str, problems: list[ConfigurationProblem]
) -> Found | None:
    text = _read(path, name, origin, problems)
    value = (text or "").strip()
    return Found(name, value, origin) if value else None


def _read(
    path: Path, name: str, origin: str, problems: list[ConfigurationProblem]
) -> str | None:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # a NUL in the path is a ValueError
        problems.append(_unreadable(name, origin, error))
        return None
    if len(content) > _MAX_BYTES:
        rule = f"The file is larger than {_MAX_BYTES:,} bytes."
        problems.append(
            ConfigurationProblem(name, rule, "Is it the right file?", origin)
        )
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        rule = "The file is not UTF-8 text."
    problems.append(ConfigurationProblem(name, rule, "Save it as UTF-8.", origin))
    return None


def _unreadable(name: str, origin: str, error: Exception) -> ConfigurationProblem:
    # Not the error's own text: it has the path, which may be a secret by mistake.
    reason = error.strerror if isinstance(error, OSError) else "it is no path"
    return ConfigurationProblem(
        name,
        f"Can't be read: {reason or type(error).__name__}.",
        "Correct the path, or the rights of the file.",
        origin,
    )

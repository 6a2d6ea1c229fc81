"""Laws about any committed text: machine paths, registry hosts, versions."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch

from tools.checks.law import Finding
from tools.checks.repository import Repository

# Written so that this file does not break its own laws.
_HOSTS = [
    words.replace(" ", ".")
    for words in (
        "pypi org",
        "pythonhosted org",
        "conda anaconda org",
        "registry npmjs org",
        "registry yarnpkg com",
        "deb debian org",
        "security debian org",
        "snapshot debian org",
        "archive ubuntu com",
        "ports ubuntu com",
        "security ubuntu com",
        "dl-cdn alpinelinux org",
        "bcr bazel build",
        "mirror bazel build",
        "repo maven apache org",
        "repo1 maven org",
        "proxy golang org",
        "crates io",
        "rubygems org",
        "ghcr io",
        "docker io",
        "quay io",
    )
]
_FOLDERS = ("root", "home", "work", "tmp", "Users", "private/var")
_HOST = re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, _HOSTS))})\b")
_PATH = re.compile(
    rf"(?:(?<=file://)|(?<![\w.~/}})-]))/(?:{'|'.join(_FOLDERS)})/[^\s\"'`):]*"
)

# Files in which the text is no machine path, with the reason. One that is not needed
# any more breaks the law too.
PATHS_ALLOWED: Mapping[str, str] = {
    "tools/bazelw/tests/settings_test.py": "the home folder of nobody, in a test",
}
HOSTS_ALLOWED: Mapping[str, str] = {}

_BAZEL = re.compile(r"\bBazel (\d+\.\d+\.\d+)\b")
_MODES = "docs/bazel-modes.md"


def _search(
    repository: Repository,
    pattern: re.Pattern[str],
    allowed: Mapping[str, str],
    message: str,
    fix: str,
) -> Iterator[Finding]:
    used = set()
    for path, text in repository.files.items():
        for number, line in enumerate(text.splitlines(), 1):
            for found in pattern.findall(line):
                excused = [glob for glob in allowed if fnmatch(path, glob)]
                used.update(excused)
                if not excused:
                    yield Finding(path, number, "text", message.format(found), fix)
    for glob in sorted(allowed.keys() - used):
        yield Finding(
            "tools/checks/text_laws.py",
            1,
            "text",
            f"The exception for {glob} is not needed.",
            "remove it.",
        )


def no_machine_paths(
    repository: Repository, allowed: Mapping[str, str] = PATHS_ALLOWED
) -> Iterator[Finding]:
    """No file names a folder of the machine it was written on."""
    yield from _search(
        repository,
        _PATH,
        allowed,
        "{0} is a path of one machine.",
        "make it relative, or take it from the environment.",
    )


def no_registry_hosts(
    repository: Repository, allowed: Mapping[str, str] = HOSTS_ALLOWED
) -> Iterator[Finding]:
    """No file names a package index: each machine has its own."""
    yield from _search(
        repository,
        _HOST,
        allowed,
        "{0} is a registry, and many machines have another.",
        "leave it to the settings of pip, npm or apt.",
    )


def _first(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.MULTILINE)
    return found[1] if found else "missing"


def one_version(repository: Repository) -> Iterator[Finding]:
    """Bazel's module, the wheels and pyproject.toml have the same version."""
    source = "tools/bazel/version.bzl"
    wheels = _first(r'^VERSION = "([^"]*)"', repository.files.get(source, ""))
    module = _first(r'^ *version = "([^"]*)"', repository.files.get("MODULE.bazel", ""))
    project = tomllib.loads(repository.files.get("pyproject.toml", ""))
    metadata = project.get("project", {})
    umbrella = metadata.get("version", "missing")
    if "version" in metadata.get("dynamic", ()):
        hatch = project.get("tool", {}).get("hatch", {}).get("version", {})
        umbrella = wheels if hatch.get("path") == source else "missing"
    for file, version in (("MODULE.bazel", module), ("pyproject.toml", umbrella)):
        if version != wheels or version == "missing":
            yield Finding(
                file,
                1,
                "version",
                f"The version is {version} here and {wheels} in {source}.",
                "make them equal.",
            )


def docs_name_our_bazel(repository: Repository) -> Iterator[Finding]:
    """Every Bazel version in the docs is that of .bazelversion."""
    ours = repository.files.get(".bazelversion", "").strip()
    for path, text in repository.files.items():
        if not path.endswith(".md") or path == "CHANGELOG.md":
            continue
        for number, line in enumerate(text.splitlines(), 1):
            for version in _BAZEL.findall(line):
                if version != ours:
                    yield Finding(
                        path,
                        number,
                        "version",
                        f"Bazel {version} is not the {ours} of .bazelversion.",
                        "name that version, or none.",
                    )
    if f"Bazel {ours}" not in repository.files.get(_MODES, ""):
        yield Finding(
            _MODES,
            1,
            "version",
            f"The page does not say what passed with Bazel {ours}.",
            "run tools/checks/bzlmod.py and write it down.",
        )


LAWS = (no_machine_paths, no_registry_hosts, one_version, docs_name_our_bazel)

from __future__ import annotations

from collections.abc import Iterable

import pytest

from tools.checks import text_laws
from tools.checks.law import Finding
from tools.checks.repository import Repository


def said(findings: Iterable[Finding]) -> list[str]:
    """Findings without their fix."""
    return [str(finding).partition(" Fix: ")[0] for finding in findings]


def path(spaced: str) -> str:
    """Write " home x" for a path, so that this file keeps the law it tests."""
    return spaced.replace(" ", "/")


def host(spaced: str) -> str:
    """Write "pypi org" for a host, likewise."""
    return spaced.replace(" ", ".")


@pytest.mark.parametrize(
    "found",
    [
        path(" root .cache x"),
        path(" home ann src"),
        path(" work main"),
        path(" tmp bz"),
    ],
)
@pytest.mark.parametrize("around", ["cd {}", 'p = "{}"', "a={}:b", "file://{}", "({})"])
def test_a_machine_path_is_named(found: str, around: str) -> None:
    """Wherever it stands in a line, with the line."""
    files = {"docs/a.md": "\n" + around.format(found) + "\n"}

    assert said(text_laws.no_machine_paths(Repository(files), {})) == [
        f"docs/a.md:2: [law text] {found} is a path of one machine."
    ]


@pytest.mark.parametrize(
    "line",
    [
        "https://example.com" + path(" home page"),
        "docs" + path(" work plan.md"),
        "~" + path(" work x"),
        "$HOME" + path(" work x"),
        "${HOME}" + path(" work x"),
        path(" workspace x"),
        path(" usr bin python3"),
    ],
)
def test_other_paths_are_fine(line: str) -> None:
    """Relative ones, routes of a URL, and what every machine has."""
    assert said(text_laws.no_machine_paths(Repository({"a.md": line}), {})) == []


@pytest.mark.parametrize(
    "found",
    ["pypi org", "test pypi org", "files pythonhosted org", "registry npmjs org"],
)
def test_a_registry_is_named(found: str) -> None:
    """With its subdomains, in a URL or alone."""
    files = {"a.md": f"x\nsee https://{host(found)}/simple and {host(found)}\n"}

    assert [
        line.split()[0]
        for line in said(text_laws.no_registry_hosts(Repository(files), {}))
    ] == [
        "a.md:2:",
        "a.md:2:",
    ]


@pytest.mark.parametrize("line", ["pypi_name", "mypypi-org", "example.org", "x.iotest"])
def test_other_hosts_are_fine(line: str) -> None:
    """Words that hold a part of one."""
    assert said(text_laws.no_registry_hosts(Repository({"a.md": line}), {})) == []


def test_an_exception_covers_its_files_and_must_be_needed() -> None:
    """Exceptions are by file, and one that covers nothing breaks the law itself."""
    files = {"a/x.md": path(" tmp x"), "b.md": path(" tmp y")}
    allowed = {"a/*": "a sample", "c.md": "gone"}

    assert said(text_laws.no_machine_paths(Repository(files), allowed)) == [
        f"b.md:1: [law text] {path(' tmp y')} is a path of one machine.",
        "tools/checks/text_laws.py:1: [law text] The exception for c.md is not needed.",
    ]


VERSION = 'VERSION = "0.1.0"\n'
MODULE = 'module(\n    name = "k",\n    version = "0.1.0",\n)\n'
STATIC = '[project]\nversion = "0.1.0"\n'
DYNAMIC = (
    '[project]\ndynamic = ["version"]\n'
    '[tool.hatch.version]\npath = "tools/bazel/version.bzl"\n'
)


def versions(version: str, module: str, project: str) -> list[str]:
    """What the law on versions says."""
    files = {
        "tools/bazel/version.bzl": version,
        "MODULE.bazel": module,
        "pyproject.toml": project,
    }
    return said(text_laws.one_version(Repository(files)))


@pytest.mark.parametrize("project", [STATIC, DYNAMIC])
def test_one_version_is_fine(project: str) -> None:
    """Written in pyproject.toml, or taken from where the wheels have it."""
    assert versions(VERSION, MODULE, project) == []


@pytest.mark.parametrize(
    ("version", "module", "project", "message"),
    [
        (VERSION, MODULE.replace("1.0", "2.0"), STATIC, "MODULE.bazel:1: 0.2.0 0.1.0"),
        (
            VERSION,
            MODULE,
            STATIC.replace("1.0", "2.0"),
            "pyproject.toml:1: 0.2.0 0.1.0",
        ),
        (VERSION, "module()", STATIC, "MODULE.bazel:1: missing 0.1.0"),
        (VERSION, MODULE, "", "pyproject.toml:1: missing 0.1.0"),
        (
            VERSION,
            MODULE,
            DYNAMIC.replace("bazel", "x"),
            "pyproject.toml:1: missing 0.1.0",
        ),
    ],
)
def test_two_versions_are_named(
    version: str, module: str, project: str, message: str
) -> None:
    """The file that differs, its version and ours."""
    place, found, ours = message.split()

    assert versions(version, module, project) == [
        (
            f"{place} [law version] The version is {found} here and {ours} in "
            "tools/bazel/version.bzl."
        )
    ]


def test_no_version_anywhere_is_no_agreement() -> None:
    """Two files that both lack it are both named."""
    assert len(versions("", "", "")) == 2


def test_the_docs_name_the_pinned_bazel() -> None:
    """Another version in the docs is stale; the change log may tell of old ones."""
    files = {
        ".bazelversion": "7.7.1\n",
        "README.md": "Bazel 7.7.1, or Bazel 8\nBazel 7.6.0\n",
        "CHANGELOG.md": "Bazel 6.5.0\n",
        "docs/bazel-modes.md": "passed with Bazel 7.7.1\n",
        "a.py": "# Bazel 6.0.0\n",
    }

    assert said(text_laws.docs_name_our_bazel(Repository(files))) == [
        "README.md:2: [law version] Bazel 7.6.0 is not the 7.7.1 of .bazelversion."
    ]


def test_a_page_without_our_bazel_is_named() -> None:
    """After a new .bazelversion the bzlmod mode must be tried again."""
    repository = Repository({".bazelversion": "7.7.1\n"})

    assert said(text_laws.docs_name_our_bazel(repository)) == [
        (
            "docs/bazel-modes.md:1: [law version] The page does not say what passed "
            "with Bazel 7.7.1."
        )
    ]

"""What docs/aurora-equivalents.md, docs/servers.md and the base image name exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

PAGES = [Path("docs/aurora-equivalents.md"), Path("docs/servers.md")]
EQUIVALENTS = PAGES[0].read_text()

# "here" is the second column; the first is another repository's.
ROWS = [line.split(" | ") for line in EQUIVALENTS.splitlines() if line[:2] == "| "]
HERE = " ".join(" ".join(row[1:]) for row in ROWS)
IMAGE = Path("tools/new_service/templates/Dockerfile.base").read_text()
TARGETS = sorted(set(re.findall(r"//[\w/]+(?::\w+)?", EQUIVALENTS + IMAGE)))
PATHS = sorted(
    set(re.findall(r"`((?:docs|shared|tools|tests)/[\w./-]+)`", HERE))
    | set(re.findall(r"`([\w.-]+\.(?:yml|txt|in))`", HERE))
)


@pytest.mark.parametrize("target", TARGETS)
def test_the_target_is_declared(target: str) -> None:
    """In the BUILD file of its folder, under its name."""
    folder, _, name = target.removeprefix("//").partition(":")
    build = (Path(folder) / "BUILD.bazel").read_text()

    assert f'name = "{name or Path(folder).name}"' in build


@pytest.mark.parametrize("path", PATHS)
def test_the_path_exists(path: str) -> None:
    """As a file or a folder."""
    assert Path(path).exists()


def test_something_was_found() -> None:
    """A page in another form would make the tests above empty."""
    assert {"//shared/base_app", "//shared/config:explain"} <= {*TARGETS}
    assert {"tools/new_service/", "docker-compose.yml"} <= {*PATHS}


@pytest.mark.parametrize(
    "link",
    sorted(
        {
            (page, target)
            for page in PAGES
            for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
        }
    ),
    ids=lambda link: link[1],
)
def test_the_link_leads_somewhere(link: tuple[Path, str]) -> None:
    """Relative to the page that has it."""
    page, target = link

    assert (page.parent / target).exists()


def test_the_ports_of_the_page_are_those_of_the_file() -> None:
    """docs/servers.md names every variable that moves a port."""
    compose = yaml.safe_load(Path("docker-compose.yml").read_text())
    ports = " ".join(p for s in compose["services"].values() for p in s["ports"])
    variables = re.findall(r"\$\{(\w+):-", ports)

    assert len(variables) == 4
    assert [v for v in variables if v not in PAGES[1].read_text()] == []

"""The page as text: complete, well-formed, alone, and safe."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from docs.catalogue.contents import contents_of
from docs.catalogue.page import render
from docs.catalogue.parts import anchor
from docs.catalogue.schemas import PATTERNS
from docs.catalogue.tests import sample
from docs.catalogue.tests.markup import Page
from tools.contracts.bundle import Bundle

CURRENT: Final = Path("contracts/current")


@pytest.fixture(name="bundle", params=["sample", "current"], scope="module")
def _bundle(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Bundle:
    bundles = {
        "sample": lambda: sample.bundle(tmp_path_factory.mktemp("bundle")),
        "current": lambda: Bundle.load(CURRENT, "worktree"),
    }
    return bundles[request.param]()


@pytest.fixture(name="source", scope="module")
def _source(bundle: Bundle) -> str:
    return render(contents_of(bundle), sample.PACKAGES)


@pytest.fixture(name="page", scope="module")
def _page(source: str) -> Page:
    return Page(source)


def test_everything_in_the_manifest_is_in_the_page(bundle: Bundle, page: Page) -> None:
    """Events, DTOs and services by name, and with them where they come from."""
    manifest = bundle.manifest
    wanted = {f"event-{name}" for name in manifest["events"]}
    wanted |= {f"dto-{name}" for name in manifest["dtos"]}
    wanted |= {anchor("service", name) for name in manifest["services"]}
    targets = {entry["target"] for entry in manifest["dtos"].values()}
    targets |= {entry["target"] for entry in manifest["events"].values()}

    assert wanted
    assert wanted <= set(page.ids)
    assert {target for target in targets if target not in page.text} == set()


def test_every_member_description_and_example_is_in_the_page(
    bundle: Bundle, page: Page
) -> None:
    """Of every schema that the manifest lists."""
    manifest = bundle.manifest
    schemas = [bundle.documents[dto["schema"]] for dto in manifest["dtos"].values()]
    for event in manifest["events"].values():
        for version in event["versions"].values():
            schemas += bundle.documents[version["schema"]]["$defs"].values()
    wanted = set()
    for schema in schemas:
        wanted |= set(schema.get("properties", ()))
        wanted |= {json.dumps(value) for value in schema.get("enum", ())}
        described = " ".join(schema.get("description", "").replace("`", "").split())
        wanted.add(described)

    assert {each for each in wanted if each not in page.text} == set()
    assert page.text.count("Example of ") >= len(manifest["dtos"]) - 8


def test_every_code_queue_and_operation_is_in_the_page(
    bundle: Bundle, page: Page
) -> None:
    """Each has its place, and is found by its name."""
    errors = bundle.documents["errors.json"]
    codes = [entry["code"] for entry in errors["kernel"]]
    codes += [entry["code"] for each in errors["services"].values() for entry in each]
    channels = bundle.documents["asyncapi.json"]["channels"].values()
    addresses = [channel["address"] for channel in channels]
    operations = [
        operation["operationId"]
        for service in bundle.manifest["services"].values()
        for item in bundle.documents[service["openapi"]]["paths"].values()
        for method, operation in item.items()
        if method != "parameters"
    ]

    names = [*codes, *addresses, *operations]
    assert min(map(len, (codes, addresses, operations))) > 0
    assert [name for name in names if name not in page.text] == []


def test_rules_of_code_are_listed(bundle: Bundle, page: Page) -> None:
    """A reader in another language learns what its schemas leave out."""
    by = {name for rule in bundle.manifest["validated_by"] for name in rule["by"]}

    assert by
    assert {name for name in by if name not in page.text} == set()


def test_the_page_is_well_formed(page: Page) -> None:
    """Every tag is closed where it should be, and every id is there once."""
    twice = [each for each, count in Counter(page.ids).items() if count > 1]

    assert page.mistakes == []
    assert twice == []


def test_every_link_leads_somewhere_in_the_page(page: Page) -> None:
    """Nothing leads out of it."""
    wanted = {link for link in page.links if link != "data:,"}

    assert wanted
    assert {link for link in wanted if not link.startswith("#")} == set()
    assert {link.removeprefix("#") for link in wanted} <= set(page.ids)


def test_what_refers_to_a_part_finds_it(page: Page) -> None:
    """Labels, descriptions and search index name ids that are there."""
    naming = ("aria-labelledby", "aria-describedby", "for", "data-for", "data-of")
    wanted = {
        each
        for _, name, value in page.attributes
        if name in naming
        for each in value.split()
    }

    assert wanted <= set(page.ids)


def test_the_page_asks_for_nothing(source: str, page: Page) -> None:
    """No file, no font, no address: it has all that it needs."""
    outside = {"src", "srcset", "data", "action", "poster", "background", "ping"}
    found = [each for each in page.attributes if each[1] in outside]

    assert found == []
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest|import\(", source)
    assert page.tags.count("link") == 1  # the icon, which is empty


def test_the_policy_allows_the_own_script_and_styles_only(source: str) -> None:
    """The digests in the page are those of what stands in it."""
    (policy,) = re.findall(r'Security-Policy" content="([^"]*)"', source)
    parts = re.findall(r"<(script|style)>(.*?)</\1>", source, re.DOTALL)
    digests = {
        (kind, base64.b64encode(hashlib.sha256(text.encode()).digest()).decode())
        for kind, text in parts
    }
    allowed = {
        (kind, digest)
        for kind in ("script", "style")
        for digest in re.findall(
            r"'sha256-([^']*)'",
            re.findall(rf"{kind}-src ([^;]*)", html.unescape(policy))[0],
        )
    }

    assert html.unescape(policy).startswith("default-src 'none'; ")
    assert digests == allowed
    assert [kind for kind, _ in parts].count("script") == 1


def test_text_is_shown_and_not_run(tmp_path: Path) -> None:
    """A description with markup in it is read as it was written."""
    page = Page(render(contents_of(sample.bundle(tmp_path)), sample.PACKAGES))

    assert sample.HOSTILE in page.text
    assert page.tags.count("script") == 1


def test_code_in_descriptions_is_marked(tmp_path: Path) -> None:
    """Backticks are how docstrings mark it."""
    source = render(contents_of(sample.bundle(tmp_path)), sample.PACKAGES)

    assert "Of the <code>bulb</code>." in source


def test_every_picture_and_index_names_all_packages(page: Page) -> None:
    """In the picture, in the index, and as an entry."""
    for package in sample.PACKAGES:
        assert f"package-{package.name}" in page.ids
        assert page.links.count(f"#package-{package.name}") >= 2


def test_the_page_is_the_same_in_every_process(tmp_path: Path) -> None:
    """Python gives sets another order in each; the page has none of it."""
    program = (
        "import sys, hashlib, pathlib\n"
        "from docs.catalogue.tests import sample\n"
        "from docs.catalogue.contents import contents_of\n"
        "from docs.catalogue.page import render\n"
        "bundle = sample.bundle(pathlib.Path(sys.argv[1]))\n"
        "page = render(contents_of(bundle), sample.PACKAGES)\n"
        "print(hashlib.sha256(page.encode()).hexdigest())\n"
    )
    path = os.pathsep.join(map(os.path.abspath, filter(None, sys.path)))
    digests = {
        subprocess.run(
            [sys.executable, "-P", "-c", program, str(tmp_path)],
            env={"PYTHONPATH": path, "PYTHONHASHSEED": str(seed)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in (1, 2, 3)
    }

    assert len(digests) == 1


def test_patterns_with_words_are_in_use() -> None:
    """Words for a pattern that no schema has any more are no help."""
    texts = [path.read_text() for path in CURRENT.rglob("*.schema.json")]
    every = "\n".join(texts)

    assert [each for each in PATTERNS if json.dumps(each) not in every] == []

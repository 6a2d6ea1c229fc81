"""The picture of the kernel."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from docs.catalogue.graph import draw, reduced
from docs.catalogue.packages import Package
from docs.catalogue.tests.sample import PACKAGES

SVG = "{http://www.w3.org/2000/svg}"


def package(name: str, floor: int, *needs: str, glue: str = "") -> Package:
    """A package without targets."""
    return Package(name, floor, frozenset(needs), frozenset(glue.split()))


def test_a_need_that_follows_from_others_is_no_line() -> None:
    """The picture shows the fewest lines from which all needs follow."""
    packages = [package("a", 2, "b", "c"), package("b", 1, "c"), package("c", 0)]

    assert reduced(packages) == ({("a", "b"), ("b", "c")}, set())


def test_a_need_of_a_facade_does_not_follow_from_glue() -> None:
    """Whoever takes `a` alone gets `c`, and `b` without its glue brings none."""
    packages = [
        package("a", 2, "b", "c"),
        package("b", 1, glue="c"),
        package("c", 0),
    ]

    assert reduced(packages) == ({("a", "b"), ("a", "c")}, {("b", "c")})


def test_a_need_of_glue_follows_from_anything() -> None:
    """It is the fainter one: every other way explains it."""
    packages = [package("a", 2, "b", glue="c"), package("b", 1, glue="c")]
    packages.append(package("c", 0))

    assert reduced(packages) == ({("a", "b")}, {("b", "c")})


def test_the_picture_has_all_packages_and_lines() -> None:
    """It is XML, with a box for each package, also for those beside the floors."""
    root = ElementTree.fromstring(draw(PACKAGES))  # noqa: S314  # drawn here
    texts = {element.text for element in root.iter(f"{SVG}text")}
    lines = [element.get("class") for element in root.iter(f"{SVG}path")]

    assert {package.name for package in PACKAGES} <= texts
    assert {"floor 0", "floor 1", "floor 6"} <= texts
    assert lines.count("edge") == 2
    assert lines.count("edge glue") == 1


def test_the_picture_says_what_it_shows() -> None:
    """To those who can't see it: a title, a description, a label for each box."""
    root = ElementTree.fromstring(draw(PACKAGES))  # noqa: S314
    ids = (root.get("aria-labelledby") or "").split()
    labels = {element.get("aria-label") for element in root.iter(f"{SVG}g")}

    title, description = (root.findtext(f".//*[@id='{each}']") for each in ids)
    assert title == "Packages of the kernel by floor"
    assert (description or "").endswith("logging, errors, app, testing.")
    assert "shared/app, floor 6: needs errors, logging" in labels
    assert "shared/testing, for the tests of all floors" in labels


def test_boxes_lead_where_the_page_wants_it() -> None:
    """Links are escaped, and there are none unless they are asked for."""
    linked = draw(PACKAGES, link=lambda name: f'#{name}"&')

    assert "href='#app\"&amp;'" in linked
    assert "<a " not in draw(PACKAGES)


def test_lines_lead_down() -> None:
    """Each ends below its start."""
    starts_and_ends = re.findall(
        r'class="edge[^"]*" d="M\S+ (\S+)[^"]* (\S+)"/>', draw(PACKAGES)
    )

    assert len(starts_and_ends) == 3
    assert all(float(start) < float(end) for start, end in starts_and_ends)


def test_no_package_is_no_error() -> None:
    """A bundle can be drawn where there is no graph."""
    assert draw([]).startswith("<svg")

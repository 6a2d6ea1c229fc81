"""Diagrams as SVG."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from docs.site.mermaid import MermaidError, draw

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> dict[str, tuple[float, float]]:
    """Where each text of the picture stands."""
    return {
        element.text or "": (float(element.attrib["x"]), float(element.attrib["y"]))
        for element in ET.fromstring(svg).iter(f"{SVG}text")  # noqa: S314 - our own
    }


@pytest.mark.parametrize(("direction", "sign"), [("TD", 1), ("BT", -1)])
def test_arrows_lead_the_way_that_is_asked_for(direction: str, sign: int) -> None:
    """TD is downwards, BT upwards, and a row holds what is equally far."""
    at = texts(draw(f"graph {direction}\n a --> b\n a --> c\n b --> d\n c --> d"))

    assert sign * at["a"][1] < sign * at["b"][1] < sign * at["d"][1]
    assert at["b"][1] == at["c"][1]


def test_a_label_has_lines_and_an_arrow_words() -> None:
    """`<br>` breaks a line; what XML reserves is written as text."""
    svg = draw('graph TD\n a["One & two<br>three"] -->|asks| b["<b>"]')

    assert {"One & two", "three", "asks", "<b>"} <= texts(svg).keys()
    assert "a leads to b" in svg


def test_messages_stand_in_their_order() -> None:
    """From top to bottom, between their participants."""
    at = texts(
        draw(
            "sequenceDiagram\n participant A as Caller\n participant B\n"
            " A->>B: first\n B-->>A: second\n Note over A,B: third\n B->>B: fourth"
        )
    )

    order = ["first", "second", "third", "fourth"]
    assert sorted(order, key=lambda text: at[text][1]) == order
    assert at["Caller"][0] < at["first"][0] < at["B"][0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not ''"),
        ("pie\n a: 1", "not 'pie'"),
        ("graph TD\n a ~~> b", "can't draw 'a ~~> b'"),
        ("graph TD\n a --> b\n b --> a", "in a circle"),
        ("sequenceDiagram\n A->>B: x", "No participant is called A, B"),
    ],
)
def test_what_is_not_drawn_is_refused(text: str, message: str) -> None:
    """With the line, so that a page's author finds it."""
    with pytest.raises(MermaidError, match=message.replace("|", r"\|")):
        draw(text)

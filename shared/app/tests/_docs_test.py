"""The page of the documentation: whole, self-contained, and usable by everybody."""

from __future__ import annotations

import re
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from html.parser import HTMLParser

import pytest
from starlette.testclient import TestClient

from shared.app import Service
from shared.app._docs import docs_page

Make = Callable[..., Service]


class Page(HTMLParser):
    """The tags of the page, and the text in its script and style."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inline: dict[str, str] = {}
        self._inside = ""
        self.feed(docs_page().html.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag

    def handle_data(self, data: str) -> None:
        if self._inside in ("script", "style"):
            self.inline[self._inside] = self.inline.get(self._inside, "") + data

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""


def test_nothing_comes_from_elsewhere() -> None:
    """No address of another host, in markup, style or script."""
    html = docs_page().html.decode()
    addresses = re.findall(r"""(?:https?:)?//[\w.]+""", html)
    links = [a["href"] for _, a in Page().tags if a.get("href")]

    assert set(addresses) <= {"https://example.com"}  # an example of a URI
    assert set(links) == {"#operations", "data:,", "openapi.json"}
    assert not any("src" in attributes for _, attributes in Page().tags)


def test_the_policy_lets_just_this_page_run() -> None:
    """Its script and its style, by their hashes; requests to its own origin."""
    page, policy = Page(), docs_page().content_security_policy
    for kind in ("script", "style"):
        digest = b64encode(sha256(page.inline[kind].encode()).digest()).decode()

        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "connect-src 'self'" in policy


def test_nothing_that_the_policy_forbids() -> None:
    """No handler and no style in an attribute: they would not work."""
    forbidden = [
        name
        for _, attributes in Page().tags
        for name in attributes
        if name == "style" or name.startswith("on")
    ]

    assert forbidden == []


def test_a_description_can_not_bring_markup_along() -> None:
    """The script writes text, and never HTML."""
    script = Page().inline["script"]

    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write", script)
    assert not re.search(r"\beval\b|new Function|localStorage|sessionStorage", script)


def test_it_can_be_used_without_a_mouse_and_without_sight() -> None:
    """A language, a title, landmarks, a label for each field, replies announced."""
    page = Page()
    tags = [tag for tag, _ in page.tags]
    labels = {a["for"] for tag, a in page.tags if tag == "label"}
    fields = {a["id"] for tag, a in page.tags if tag in ("input", "textarea")}

    assert ("html", {"lang": "en"}) in page.tags
    assert {"title", "header", "main", "noscript"} <= set(tags)
    assert fields == labels
    assert '"aria-live": "polite"' in page.inline["script"]
    assert ":focus-visible" in page.inline["style"]


@pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")
def test_the_script_is_javascript() -> None:
    """As far as a parser can tell."""
    done = subprocess.run(
        ["node", "--check", "-"],
        input=Page().inline["script"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_it_is_served(make: Make) -> None:
    """With its policy, and beside the document that it reads."""
    client = TestClient(make().app)
    reply = client.get("/docs")

    assert reply.headers["Content-Type"] == "text/html; charset=utf-8"
    assert reply.headers.get_list("Content-Security-Policy") == [
        docs_page().content_security_policy
    ]
    assert reply.content == docs_page().html
    assert client.get("/openapi.json").json()["openapi"].startswith("3.")


def test_it_can_be_turned_off(make: Make) -> None:
    """DOCS_ENABLED=false: neither page nor document, and no CDN page of FastAPI's."""
    client = TestClient(make(server={"docs_enabled": False}).app)

    paths = ("/docs", "/redoc", "/openapi.json")
    assert [client.get(path).status_code for path in paths] == [404, 404, 404]

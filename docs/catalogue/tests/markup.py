"""An HTML page as a test sees it without a browser."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Final

_VOID: Final = frozenset(("br", "hr", "input", "link", "meta", "wbr"))
_RAW: Final = frozenset(("script", "style"))


class Page(HTMLParser):
    """What is in a page, and what is wrong with its tags."""

    def __init__(self, html: str) -> None:
        """Read the whole page."""
        super().__init__(convert_charrefs=True)
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        """Tag, name and value of every attribute."""
        self.texts: list[str] = []
        self.mistakes: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        self.mistakes += [f"<{tag}> is not closed" for tag in self._open]

    @property
    def text(self) -> str:
        """All that is read, with one space for any number of them."""
        return " ".join("".join(self.texts).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the tag, its id and where it leads."""
        self.tags.append(tag)
        names = [name for name, _ in attrs]
        if len(names) != len(set(names)):
            self.mistakes.append(f"<{tag}> has an attribute twice")
        for name, value in attrs:
            self.attributes.append((tag, name, value or ""))
            if name == "id":
                self.ids.append(value or "")
            if name == "href":
                self.links.append(value or "")
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Parts of a picture close themselves."""
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        """Each closes what was opened last."""
        if not self._open or self._open.pop() != tag:
            line, _ = self.getpos()
            self.mistakes.append(f"line {line}: </{tag}> closes another tag")

    def handle_data(self, data: str) -> None:
        """Keep what is read; a script is not."""
        if not self._open or self._open[-1] not in _RAW:
            self.texts.append(data)

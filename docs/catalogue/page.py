"""Lays the contents out as one HTML file that needs no other."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from docs.catalogue.contents import Contents
from docs.catalogue.graph import draw
from docs.catalogue.packages import Package
from docs.catalogue.parts import Part, anchor

_TEMPLATES = Path(__file__).parent / "templates"
_CODE = re.compile(r"`+([^`]+)`+")
_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["breakable"] = _breakable
    environment.filters["prose"] = _prose
    return environment


def _breakable(name: str) -> list[str]:
    """The parts of a long name, which may be broken after its dots and underscores."""
    return re.split(r"(?<=[._/])(?=\w)", name)


def _prose(text: str) -> list[str]:
    """A description in pieces: every second one stood in `backticks`, and is code."""
    return _CODE.split(text)


def render(contents: Contents, packages: Sequence[Package]) -> str:
    """The page. The same contents give the same text.

    Its policy lets a browser run the one script and load nothing, should a text of the
    contents ever get into the page as more than text.
    """
    picture = draw(packages, link=lambda name: f"#{package_anchor(name)}")
    style = _file("catalogue.css")
    script = _file("catalogue.js")
    styles = [style, *_STYLE.findall(picture)]
    policy = "; ".join(
        [
            "default-src 'none'",
            "img-src data:",
            f"style-src {' '.join(map(_digest, styles))}",
            f"script-src {_digest(script)}",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    return (
        _environment()
        .get_template("page.html.jinja")
        .render(
            contents=contents,
            error_part=_to_errors(contents),
            packages=packages,
            package_anchor=package_anchor,
            picture=picture,
            policy=policy,
            script=script,
            style=style,
        )
    )


def _to_errors(contents: Contents) -> Callable[[str, str], Part]:
    known = {(error.service, error.code): error.id for error in contents.errors}

    def part(service: str, code: str) -> Part:
        own = known.get((service, code))
        return Part(code, code=True, anchor=own or known.get(("", code), ""))

    return part


def package_anchor(name: str) -> str:
    """The id of a package of the kernel."""
    return anchor("package", name)


def _file(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"

"""The page that shows the API and lets one try it, without anything from elsewhere.

Private: used by ``shared.app`` only.
"""

from __future__ import annotations

import re
from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import NamedTuple

_INLINE = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)


class DocsPage(NamedTuple):
    """The page, and the policy under which it works."""

    html: bytes
    content_security_policy: str


@cache
def docs_page() -> DocsPage:
    """Read the page once, and name its script and its style by their hashes."""
    html = files("shared.app").joinpath("docs.html").read_text("utf-8")
    hashes = {kind: _hash_of(text) for kind, text in _INLINE.findall(html)}
    policy = (
        f"default-src 'none'; script-src {hashes['script']}; "
        f"style-src {hashes['style']}; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return DocsPage(html.encode(), policy)


def _hash_of(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"

from __future__ import annotations

from pathlib import Path

from shared.config import render_markdown

GUIDE = Path("docs/configuration.md")


def test_the_guide_has_every_variable() -> None:
    """Its table is what the tree renders.

    If it differs: put the output of `./bazelw run //shared/config:explain -- my-service
    --format markdown` at its end.
    """
    _, _, table = GUIDE.read_text("utf-8").partition("| variable |")

    assert f"| variable |{table}" == render_markdown()

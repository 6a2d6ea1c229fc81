"""Which module describes a name, in a made-up kernel."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.site.reference import homes, modules, re_exported

SOURCES = {
    "one/__init__.py": "from shared.one._a import X\nfrom shared.one.glue import Y\n"
    "__all__ = ['X', 'Y']\n",
    "one/_a.py": "class X: ...\n",
    "one/glue.py": "LIMIT = 1\n_hidden = 2\nclass Y: ...\ndef make() -> None: ...\n",
    "two/__init__.py": "from shared.one import X as Z\n__all__ = ['Z']\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The made-up kernel."""
    for path, text in SOURCES.items():
        (tmp_path / "shared" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "shared" / path).write_text(text)
    return tmp_path


def test_public_names_are_found(root: Path) -> None:
    """Those of `__all__`; in a module without one, what it defines."""
    assert {module.name: module.names for module in modules(root)} == {
        "shared.one": ("X", "Y"),
        "shared.one.glue": ("LIMIT", "Y", "make"),
        "shared.two": ("Z",),
    }


def test_a_name_has_one_home(root: Path) -> None:
    """The facade for what is private behind it, the public module for its own."""
    home = homes(modules(root))

    assert home["shared.one", "X"] == "shared.one"
    assert home["shared.one", "Y"] == "shared.one.glue"
    assert home["shared.two", "Z"] == "shared.one"
    assert re_exported(root) == ("shared.one.Y", "shared.two.Z")

from __future__ import annotations

import pytest

from tools.vendor.errors import VendorError
from tools.vendor.targets import Catalog, canonical
from tools.vendor.tests.shop import index

CATALOG = Catalog.from_json(index())
NONE: frozenset[str] = frozenset()
FASTAPI = frozenset({"fastapi"})


@pytest.mark.parametrize(
    ("typed", "label"),
    [
        ("//shared/dtos", "//shared/dtos:dtos"),
        ("//shared/dtos:user", "//shared/dtos:user"),
        ("shared/dtos", "//shared/dtos:dtos"),
        ("@creativeflow_kernel//shared/dtos", "//shared/dtos:dtos"),
        ("@@creativeflow_kernel+//shared/dtos:user", "//shared/dtos:user"),
        ("//...", "//..."),
        ("//shared/...", "//shared/..."),
    ],
)
def test_targets_are_spelled_as_on_bazels_command_line(typed: str, label: str) -> None:
    """Whatever `bazel build` takes for a target means the same here."""
    assert canonical(typed) == label


@pytest.mark.parametrize(
    ("targets", "wanted"),
    [
        (["//shared/dtos"], {"acme-dtos": NONE}),
        (["//shared/dtos:user"], {"acme-dtos": NONE}),
        (["//shared/errors:wheel"], {"acme-errors": NONE}),
        (["//shared/errors:handlers"], {"acme-errors": FASTAPI}),
        (["//shared/errors", "//shared/errors:handlers"], {"acme-errors": FASTAPI}),
        (["//shared/..."], {"acme-errors": FASTAPI, "acme-dtos": NONE}),
        (["//..."], {"acme-errors": FASTAPI, "acme-dtos": NONE}),
        (["//shared/dtos/..."], {"acme-dtos": NONE}),
        (["//shared:umbrella"], {"acme-all": FASTAPI}),
    ],
)
def test_a_target_means_the_wheel_that_ships_it(
    targets: list[str], wanted: dict[str, frozenset[str]]
) -> None:
    """Nobody has to know distribution names or extras to export what a dep is."""
    assert CATALOG.resolve(targets) == wanted


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("//shared/dtso", r"^//shared/dtso: no wheel ships it\. Did you mean //sh"),
        ("//services/x", r"^//services/x: no wheel ships it\.$"),
        ("//servi/...", r"^//servi/\.\.\.: no wheel is built below that folder\.$"),
        ("http://shared/dtos", r"^http://shared/dtos: no wheel ships it\."),
        ("", r"^: no wheel ships it\.$"),
        ("//shared/dtos:orphan", r"//shared/dtos:orphan is in no wheel\. Add it to"),
    ],
)
def test_a_wrong_target_is_named(target: str, message: str) -> None:
    """A typing mistake is the usual one; the nearest name is offered."""
    with pytest.raises(VendorError, match=message):
        CATALOG.resolve([target])


def test_an_umbrella_and_its_parts_do_not_mix() -> None:
    """Both install the same files, and removing one would break the other."""
    with pytest.raises(VendorError, match=r"^acme-all holds the files of acme-dtos "):
        CATALOG.resolve(["//shared:umbrella", "//shared/dtos"])

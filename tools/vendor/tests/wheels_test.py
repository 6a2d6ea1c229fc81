from __future__ import annotations

from pathlib import Path

import pytest

from tools.vendor.errors import VendorError
from tools.vendor.tests.shop import wheel
from tools.vendor.wheels import Wheel, closure

NONE: frozenset[str] = frozenset()


def stock(*paths: Path) -> dict[str, Wheel]:
    """Index wheels by name."""
    return {found.name: found for found in map(Wheel, paths)}


def test_extras_and_markers_decide_what_is_needed(tmp_path: Path) -> None:
    """Nothing is shipped for a platform or an extra that nobody asked for."""
    available = stock(
        wheel(
            tmp_path,
            "app",
            "1",
            "json[fast]>=1",
            'web; extra == "web"',
            'ghost; sys_platform == "ghost"',
            extras=("web",),
        ),
        wheel(tmp_path, "json", "1", 'c-json; extra == "fast"', extras=("fast",)),
        wheel(tmp_path, "c-json", "1"),
        wheel(tmp_path, "web", "1"),
    )

    plain = closure(available, {"app": NONE})
    whole = closure(available, {"app": frozenset({"web"})})

    assert [c.spelled for c in plain] == ["app", "c-json", "json[fast]"]
    assert [c.spelled for c in whole] == ["app[web]", "c-json", "json[fast]", "web"]
    assert [sorted(c.needs) for c in whole] == [["json", "web"], [], ["c-json"], []]


def test_an_extra_that_is_asked_for_later_counts(tmp_path: Path) -> None:
    """The order of requirements does not matter, and cycles end."""
    available = stock(
        wheel(tmp_path, "a", "1", "json", "b"),
        wheel(tmp_path, "b", "1", "json[fast]", "a"),
        wheel(tmp_path, "json", "1", 'c-json; extra == "fast"', extras=("fast",)),
        wheel(tmp_path, "c-json", "1"),
    )

    found = closure(available, {"a": NONE, "json": NONE})

    assert [c.spelled for c in found] == ["a", "b", "c-json", "json[fast]"]


def test_a_wheel_that_is_not_there_names_the_file_to_change(tmp_path: Path) -> None:
    """A package that is new among the runtime ones must be listed once more."""
    available = stock(wheel(tmp_path, "app", "1", "Web.Kit>=2"))

    with pytest.raises(
        VendorError,
        match=r"^app needs Web\.Kit, which is not among the locked wheels\. Add it to "
        r"_RUNTIME in third_party/BUILD\.bazel\.$",
    ):
        closure(available, {"app": NONE})


def test_a_locked_version_outside_the_range_is_an_error(tmp_path: Path) -> None:
    """Installers would refuse to install the folder."""
    available = stock(
        wheel(tmp_path, "app", "1", "web<2"), wheel(tmp_path, "web", "2.1")
    )

    with pytest.raises(
        VendorError, match=r"^app needs web<2, and requirements_lock\.txt pins 2\.1\."
    ):
        closure(available, {"app": NONE})

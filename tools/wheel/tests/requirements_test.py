from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.requirements import Requirement

from tools.wheel.distributions import BASE, Distribution, Graph, GraphError, Target
from tools.wheel.requirements import derive, read_ranges, with_extra

RANGES = """
# comment
-c constraints.txt
pydantic>=2.10,<3
python-jose[cryptography]>=3.5,<4  # the JOSE library
Email_Validator>=2.1
tzdata>=2025; sys_platform == "win32"
"""


def target(label: str, *needs: str, requires: tuple[str, ...] = ()) -> Target:
    """Declare a target of the package its label names."""
    package = label.removeprefix("//").partition(":")[0]
    return Target(
        label=label,
        package=package,
        build_file=f"{package}/BUILD.bazel",
        needs=needs,
        requires=requires,
    )


def derived(
    targets: list[Target],
    roots: Mapping[str, tuple[str, ...]],
    others: Mapping[str, Mapping[str, tuple[str, ...]]] | None = None,
) -> list[str]:
    """What the distribution of //a requires, given those of *others*."""
    distributions = [
        Distribution(
            name=f"acme-{package}",
            version="1.2.3",
            packages=frozenset({package}),
            roots=own,
        )
        for package, own in {"a": roots, **(others or {})}.items()
    ]
    graph = Graph(
        targets={t.label: t for t in targets}, distributions=tuple(distributions)
    )
    ranges = read_ranges(RANGES)
    return [str(r) for r in derive(graph, graph.distributions[0], ranges)]


def test_ranges_extras_and_markers_come_as_requirements_in_has_them() -> None:
    """The names of Bazel targets have underscores, those of requirements.in may not."""
    names = ("python_jose", "tzdata", "email_validator")

    assert derived([target("//a:a", requires=names)], {BASE: ("//a:a",)}) == [
        "Email_Validator>=2.1",
        "python-jose[cryptography]<4,>=3.5",
        'tzdata>=2025; sys_platform == "win32"',
    ]


def test_only_direct_deps_of_own_sources_are_listed() -> None:
    """What a dependency needs is its own metadata's business."""
    targets = [
        target("//a:a", "//b:b"),
        target("//b:b", "//c:c", requires=("pydantic",)),
        target("//c:c", requires=("tzdata",)),
    ]
    others = {"b": {BASE: ("//b:b",)}, "c": {BASE: ("//c:c",)}}

    assert derived(targets, {BASE: ("//a:a",)}, others) == ["acme-b~=1.2.3"]


def test_a_dep_on_glue_asks_for_its_extra() -> None:
    """Without the extra, the import of the glue would fail."""
    targets = [
        target("//a:a", "//b:b", "//b:web"),
        target("//b:b"),
        target("//b:web", "//b:b"),
    ]
    others = {"b": {BASE: ("//b:b",), "web": ("//b:web",)}}

    assert derived(targets, {BASE: ("//a:a",)}, others) == ["acme-b[web]~=1.2.3"]


def test_an_extra_lists_only_what_the_base_does_not() -> None:
    """Everyone who installs the extra has the base already."""
    targets = [
        target("//a:a", "//b:b", requires=("pydantic",)),
        target(
            "//a:glue", "//a:a", "//b:b", "//b:web", requires=("pydantic", "tzdata")
        ),
        target("//b:b"),
        target("//b:web", "//b:b"),
    ]
    others = {"b": {BASE: ("//b:b",), "web": ("//b:web",)}}
    roots = {BASE: ("//a:a",), "glue": ("//a:glue",)}

    assert derived(targets, roots, others) == [
        "acme-b~=1.2.3",
        "pydantic<3,>=2.10",
        'acme-b[web]~=1.2.3; extra == "glue"',
        'tzdata>=2025; sys_platform == "win32" and extra == "glue"',
    ]


def test_a_base_that_has_glue_covers_an_extra_that_needs_less() -> None:
    """acme-b[web] brings acme-b; asking for both would be noise."""
    targets = [
        target("//a:a", "//b:web"),
        target("//a:glue", "//b:b"),
        target("//b:b"),
        target("//b:web", "//b:b"),
    ]
    others = {"b": {BASE: ("//b:b",), "web": ("//b:web",)}}
    roots = {BASE: ("//a:a",), "glue": ("//a:glue",)}

    assert derived(targets, roots, others) == ["acme-b[web]~=1.2.3"]


def test_a_package_without_a_range_names_the_file_and_the_fix() -> None:
    """A transitive package that code imports must be asked for by hand first."""
    with pytest.raises(
        GraphError,
        match=r"^a/BUILD\.bazel: //a:a depends on anyio, and requirements\.in has no "
        r"range.*Add a line.*run \./bazelw run //:lock\.$",
    ):
        derived([target("//a:a", requires=("anyio",))], {BASE: ("//a:a",)})


def test_a_first_party_dep_without_a_wheel_is_an_error() -> None:
    """Nobody could install what the wheel needs."""
    targets = [target("//a:a", "//b:b"), target("//b:b")]

    with pytest.raises(
        GraphError, match=r"^//b:b is needed, and no kernel_wheel of b "
    ):
        derived(targets, {BASE: ("//a:a",)})


def test_a_line_that_is_no_requirement_is_named() -> None:
    """The line number is what one needs to fix it."""
    with pytest.raises(GraphError, match=r"^requirements\.in:2: 'pydantic>>2': "):
        read_ranges("six\npydantic>>2\n")


@given(
    marker=st.sampled_from(
        ["", "; os_name == 'nt'", "; os_name == 'nt' or os_name == 'java'"]
    ),
    extra=st.sampled_from(["web", "fast-json"]),
    os_name=st.sampled_from(["nt", "java", "posix"]),
    installed=st.sampled_from(["web", "fast-json", ""]),
)
@settings(deadline=None, max_examples=40)
def test_a_marker_and_an_extra_must_both_hold(
    marker: str, extra: str, os_name: str, installed: str
) -> None:
    """A condition with "or" in it must not leak past the extra."""
    plain = Requirement(f"tzdata>=1{marker}")
    environment = {"os_name": os_name, "extra": installed}

    combined = with_extra(plain, extra).marker

    assert combined is not None
    alone = plain.marker is None or plain.marker.evaluate(environment)
    assert combined.evaluate(environment) == (alone and installed == extra)

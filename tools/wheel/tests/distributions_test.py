from __future__ import annotations

from collections.abc import Mapping

import pytest

from tools.wheel.distributions import (
    BASE,
    Distribution,
    Graph,
    GraphError,
    Part,
    Target,
)


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


def distribution(name: str, roots: Mapping[str, tuple[str, ...]]) -> Distribution:
    """Declare the wheel of the package with that name."""
    return Distribution(
        name=name, version="1.2.3", packages=frozenset({name}), roots=roots
    )


A = distribution("a", {BASE: ("//a:a",), "web": ("//a:web",), "db": ("//a:db",)})
B = distribution("b", {BASE: ("//b:b",)})
GRAPH = Graph(
    targets={
        t.label: t
        for t in [
            target("//a:a", "//a:_core"),
            target("//a:_core", "//b:b"),
            target("//a:web", "//a:a", "//a:_glue", "//a:_web"),
            target("//a:_web"),
            target("//a:db", "//a:_glue"),
            target("//a:_glue"),
            target("//b:b"),
            target("//b:lost"),
        ]
    },
    distributions=(A, B),
)


def test_an_extra_ships_what_the_base_does_not() -> None:
    """Parts of one wheel do not overlap with its base, and hold only its packages."""
    assert GRAPH.parts(A) == {
        BASE: {"//a:a", "//a:_core"},
        "db": {"//a:db", "//a:_glue"},
        "web": {"//a:web", "//a:_web", "//a:_glue"},
    }


@pytest.mark.parametrize(
    ("label", "extra"),
    [("//a:_core", BASE), ("//a:web", "web"), ("//a:_web", "web"), ("//a:db", "db")],
)
def test_a_target_is_owned_by_the_part_that_reaches_it(label: str, extra: str) -> None:
    """Whoever depends on a target must install exactly that part."""
    assert GRAPH.owner(label) == Part(distribution=A, extra=extra)


def test_a_target_in_no_wheel_is_an_error() -> None:
    """A wheel that imports it could not work; the message names the BUILD file."""
    with pytest.raises(
        GraphError,
        match=r"^b/BUILD\.bazel: //b:lost is in no wheel\. Add it to deps or extras",
    ):
        GRAPH.owner("//b:lost")


def test_a_package_without_a_wheel_is_an_error() -> None:
    """Either it has none, or the BUILD file calls kernel_wheel too early to see it."""
    alone = Graph(targets=GRAPH.targets, distributions=(A,))

    with pytest.raises(
        GraphError,
        match=r"^//b:b is needed, and no kernel_wheel of b is in sight\. Give that .*"
        r"move this kernel_wheel below the kernel_library with that dep\.$",
    ):
        alone.owner("//b:b")


def test_a_target_behind_two_extras_is_an_error() -> None:
    """Either extra would do, and a guess would pull in a framework nobody wants."""
    with pytest.raises(
        GraphError, match=r"//a:_glue is shipped by the extras db, web of a\. Name it"
    ):
        GRAPH.owner("//a:_glue")


def test_sources_reached_through_another_package_are_shipped_too() -> None:
    """Bazel allows a -> b -> a between packages as long as targets form no cycle."""
    graph = Graph(
        targets={
            t.label: t
            for t in [
                target("//a:a", "//b:b"),
                target("//b:b", "//a:_low"),
                target("//a:_low"),
            ]
        },
        distributions=(distribution("a", {BASE: ("//a:a",)}),),
    )

    assert graph.parts(graph.distributions[0]) == {BASE: {"//a:a", "//a:_low"}}

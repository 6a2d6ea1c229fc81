from __future__ import annotations

from collections.abc import Mapping

import pytest

from tools.checks import graph_laws
from tools.checks.floors import FLOORS
from tools.checks.law import Law
from tools.checks.repository import Repository, Target

BUILD = """\
kernel_library(
    name = "{name}",
    srcs = ["m.py"],
    deps = [
{deps}
    ],
)
"""


def made_up(
    deps: Mapping[str, list[str]],
    *,
    testonly: tuple[str, ...] = (),
    srcs: Mapping[str, tuple[str, ...]] | None = None,
    files: tuple[str, ...] = (),
) -> Repository:
    """A repository of one target a label, its deps on lines 5, 6, ... of its rule."""
    text: dict[str, str] = dict.fromkeys(files, "")
    targets = []

    def behind(label: str) -> set[str]:
        return {label}.union(*(behind(d) for d in deps.get(label, []) if d in deps))

    for label, direct in deps.items():
        package, _, name = label.removeprefix("//").partition(":")
        lines = "\n".join(f'        "{dep}",' for dep in direct)
        path = f"{package}/BUILD.bazel"
        text[path] = text.get(path, "") + BUILD.format(name=name, deps=lines)
        targets.append(
            Target(
                label=label,
                kind="py_library",
                srcs=(srcs or {}).get(label, ()),
                deps=tuple(direct),
                first_party=frozenset(behind(label)),
                testonly=label in testonly,
            )
        )
    return Repository(text, targets)


def broken(law: Law, repository: Repository) -> list[str]:
    """What the law says, without the fix."""
    return [str(finding).partition(" Fix: ")[0] for finding in law(repository)]


def test_every_finding_says_where_what_and_how() -> None:
    """The form that editors and people can follow."""
    repository = made_up({"//shared/errors:errors": ["//shared/auth:auth"]})
    [finding] = graph_laws.floors(repository)

    assert str(finding) == (
        "shared/errors/BUILD.bazel:5: [law 1] //shared/errors:errors (floor 1) depends "
        "on //shared/auth:auth (floor 4), which is not below it. Fix: move what both "
        "need to a lower floor, pass it in as an argument, or, if a test needs it, "
        "move the test to tests/integration."
    )


@pytest.mark.parametrize(
    ("label", "dep", "message"),
    [
        (
            "//shared/dtos:user",
            "//shared/events:events",
            "//shared/dtos:user (floor 3) depends on //shared/events:events (floor 3)",
        ),
        (
            "//shared/dtos:tests/user_test",
            "//shared/auth:auth",
            (
                "//shared/dtos:tests/user_test (floor 3) depends on //shared/auth:auth "
                "(floor 4)"
            ),
        ),
        (
            "//shared/logging:_formatter",
            "//services/a:a",
            "//shared/logging:_formatter (floor 0) depends on //services/a:a",
        ),
        (
            "//shared/logging:logging",
            "//shared/testing:testing",
            "//shared/logging:logging (floor 0) depends on //shared/testing:testing",
        ),
    ],
    ids=["sideways", "up, in a test", "out of the kernel", "test doubles"],
)
def test_a_dependency_not_below_breaks_the_floors(
    label: str, dep: str, message: str
) -> None:
    """Up, sideways and out are named with the line of the dep."""
    repository = made_up({label: ["//third_party:pydantic", dep]})
    place = f"{label[2:].partition(':')[0]}/BUILD.bazel:6"

    assert broken(graph_laws.floors, repository) == [
        f"{place}: [law 1] {message}, which is not below it."
    ]


def test_dependencies_that_point_down_keep_the_floors() -> None:
    """Down, within the package, third party, and test doubles for a test."""
    repository = made_up(
        {
            "//shared/errors:errors": [":_exceptions", "//shared/logging:logging"],
            "//shared/errors:_exceptions": [],
            "//shared/errors:tests/a_test": [
                "//shared/errors:errors",
                "//shared/testing:testing",
                "//third_party:hypothesis",
            ],
            "//shared/testing:testing": ["//shared/app:app"],
        },
        testonly=("//shared/errors:tests/a_test", "//shared/testing:testing"),
    )
    repository.targets["//shared/errors:errors"] = Target(
        label="//shared/errors:errors",
        kind="py_library",
        deps=("//shared/errors:_exceptions", "//shared/logging:logging"),
    )

    assert broken(graph_laws.floors, repository) == []
    assert broken(graph_laws.testonly_stays_out, repository) == []


def test_a_package_without_a_floor_is_named() -> None:
    """A new package must be put in the table."""
    known = ("shared/messaging", "shared/testing")
    repository = made_up({f"//{p}:x": [] for p in ("shared/novelty", *known)})

    assert broken(graph_laws.has_a_floor, repository) == [
        (
            "shared/novelty/BUILD.bazel:1: [law 1] shared/novelty has no place in the "
            "kernel: the table of floors does not say what it may reach."
        )
    ]


def test_third_party_is_reported_where_it_comes_in() -> None:
    """The facade above and the tests are not told of what a module below it did."""
    repository = made_up(
        {
            "//shared/errors:errors": ["//shared/errors:_exceptions"],
            "//shared/errors:_exceptions": ["//third_party:pydantic"],
            "//shared/errors:tests/a_test": ["//third_party:hypothesis"],
        },
        testonly=("//shared/errors:tests/a_test",),
    )

    assert broken(graph_laws.third_party_reach, repository) == [
        (
            "shared/errors/BUILD.bazel:12: [law 1] //shared/errors:_exceptions reaches "
            "//third_party:pydantic, which its package may not."
        )
    ]


def test_a_private_module_may_serve_glue_and_nothing_else() -> None:
    """The facade that reaches it is told, as the package's users would reach it."""
    serves_glue = {
        "//shared/errors:handlers": ["//shared/errors:_replies"],
        "//shared/errors:_replies": ["//third_party:starlette"],
    }
    serves_both = {"//shared/errors:errors": ["//shared/errors:_replies"]} | serves_glue

    assert broken(graph_laws.third_party_reach, made_up(serves_glue)) == []
    assert broken(graph_laws.third_party_reach, made_up(serves_both)) == [
        (
            "shared/errors/BUILD.bazel:5: [law 1] //shared/errors:errors reaches "
            "//third_party:starlette through //shared/errors:_replies, which its "
            "package may not."
        )
    ]


def test_third_party_through_an_allowed_package_is_reported() -> None:
    """What is allowed one floor down may still be too much here."""
    repository = made_up(
        {
            "//shared/validation:validation": ["//third_party:pydantic"],
            "//shared/resilience:resilience": ["//shared/validation:validation"],
        }
    )

    assert broken(graph_laws.third_party_reach, repository) == [
        (
            "shared/resilience/BUILD.bazel:5: [law 1] //shared/resilience:resilience "
            "reaches //third_party:pydantic through //shared/validation:validation, "
            "which its package may not."
        )
    ]


@pytest.mark.parametrize(
    ("label", "alias", "allowed"),
    [
        ("//shared/errors:handlers", "fastapi", True),
        ("//shared/errors:errors", "fastapi", False),
        ("//shared/errors:handlers", "orjson", False),
        ("//shared/logging:orjson", "orjson", True),
        ("//shared/logging:logging", "orjson", False),
        ("//shared/logging:middleware", "starlette", False),
        ("//shared/auth:dependencies", "fastapi", True),
        ("//shared/auth:auth", "fastapi", False),
        ("//shared/auth:auth", "python_jose", True),
        ("//shared/dtos:dtos", "email_validator", True),
        ("//shared/dtos:dtos", "fastapi", False),
        ("//shared/events:events", "pydantic", True),
        ("//shared/resilience:resilience", "pydantic", False),
    ],
)
def test_only_glue_reaches_a_framework(label: str, alias: str, allowed: bool) -> None:
    """The architecture's laws 1 and 2, target by target."""
    repository = made_up({label: [f"//third_party:{alias}"]})

    assert (broken(graph_laws.third_party_reach, repository) == []) is allowed


def test_glue_is_a_module_and_a_target_of_its_own() -> None:
    """Missing, merged with another module, or reached by the facade: each is named."""
    logging = "shared/logging"
    repository = made_up(
        {
            f"//{logging}:logging": [f"//{logging}:middleware"],
            f"//{logging}:middleware": [],
        },
        srcs={
            f"//{logging}:middleware": (f"{logging}/middleware.py", f"{logging}/x.py")
        },
    )

    assert broken(graph_laws.glue, repository) == [
        (
            f"{logging}/BUILD.bazel:1: [law 2] //{logging}:orjson does not exist, and "
            "the table of floors names it."
        ),
        (
            f"{logging}/BUILD.bazel:8: [law 2] //{logging}:middleware owns "
            f"{logging}/middleware.py, {logging}/x.py; glue is one module."
        ),
        (
            f"{logging}/BUILD.bazel:5: [law 2] //{logging}:logging reaches its glue "
            f"//{logging}:middleware, so whoever imports the facade imports the "
            "framework."
        ),
    ]


def test_separate_glue_is_fine() -> None:
    """A package that is not there yet needs none."""
    repository = made_up(
        {"//shared/errors:errors": [], "//shared/errors:handlers": []},
        srcs={"//shared/errors:handlers": ("shared/errors/handlers.py",)},
    )

    assert broken(graph_laws.glue, repository) == []


@pytest.mark.parametrize(
    ("label", "dep"),
    [
        ("//services/a:a", "//services/b:b"),
        ("//services/a:a", "//examples/accounts:accounts"),
        ("//examples/accounts:accounts", "//services/a:a"),
        ("//shared/app:app", "//services/a/domain:x"),
    ],
)
def test_a_service_is_never_a_dependency(label: str, dep: str) -> None:
    """Not of another service, not of an example, not of the kernel."""
    place = f"{label[2:].partition(':')[0]}/BUILD.bazel:5"

    assert broken(graph_laws.services_stand_apart, made_up({label: [dep]})) == [
        (
            f"{place}: [law 6] {label} depends on {dep}. A service may depend on "
            "shared/ and itself, and nothing may depend on a service."
        )
    ]


@pytest.mark.parametrize(
    ("label", "dep"),
    [
        ("//services/a:a", "//shared/app:app"),
        ("//services/a:a", "//services/a/domain:x"),
        ("//services/a:a", "//third_party:fastapi"),
        ("//tests/e2e:a_test", "//services/a:a"),
        ("//benchmarks:run", "//services/a:a"),
        ("//contracts/typescript:a_test", "//services/a:a"),
        ("//examples/accounts:accounts", "//shared/app:app"),
    ],
)
def test_a_service_stands_on_the_kernel(label: str, dep: str) -> None:
    """Its own packages, the kernel, third party; tests and benchmarks may start it."""
    repository = made_up({label: [dep]})

    assert broken(graph_laws.services_stand_apart, repository) == []


def test_test_doubles_stay_out_of_services() -> None:
    """Neither a double that is not testonly, nor runtime code that depends on one."""
    repository = made_up(
        {
            "//shared/app:app": ["//shared/testing:clock"],
            "//shared/testing:clock": [],
            "//shared/testing:bus": [],
        },
        testonly=("//shared/testing:clock",),
    )

    assert broken(graph_laws.testonly_stays_out, repository) == [
        (
            "shared/app/BUILD.bazel:5: [law 1] //shared/app:app runs in services and "
            "depends on //shared/testing:clock, which is testonly."
        ),
        (
            "shared/testing/BUILD.bazel:8: [law 1] //shared/testing:bus is not "
            "testonly: a service could ship test doubles."
        ),
    ]


def test_the_table_has_the_architecture() -> None:
    """Floors as drawn in the architecture; the lowest needs nothing."""
    drawn = [
        "logging",
        "errors",
        "config crypto resilience validation",
        "dtos events utils",
        "auth cache database http_client rate_limit",
        "idempotency messaging",
        "app",
        "base_app",
    ]

    assert {name: package.floor for name, package in FLOORS.items()} == {
        name: floor for floor, names in enumerate(drawn) for name in names.split()
    }
    assert [n for n, p in FLOORS.items() if p.reaches == frozenset()] == [
        "logging",
        "errors",
        "resilience",
        "cache",
        "rate_limit",
    ]


def test_a_target_made_by_a_loop_has_a_place_too() -> None:
    """Without a literal name the BUILD file is the best there is."""
    repository = Repository(
        {"shared/dtos/BUILD.bazel": "[kernel_library(name = n) for n in NAMES]\n"},
        [
            Target(
                label="//shared/dtos:user",
                kind="py_library",
                deps=("//shared/app:app",),
            )
        ],
    )

    assert broken(graph_laws.floors, repository) == [
        (
            "shared/dtos/BUILD.bazel:1: [law 1] //shared/dtos:user (floor 3) depends "
            "on //shared/app:app (floor 6), which is not below it."
        )
    ]


IMAGE = {
    graph_laws.BASE_IMAGE: "# --out x //shared/dtos //shared/app:database\n#   build",
    "services/a/Dockerfile": "",
}


@pytest.mark.parametrize(
    ("dep", "missing"),
    [
        ("//shared/dtos:dtos", []),
        ("//shared/app:_pool", []),
        ("//shared/app:messaging", ["//shared/app:messaging"]),
        ("//shared/events:events", ["//shared/events:events"]),
        ("//third_party:fastapi", []),
    ],
)
def test_an_image_has_what_the_service_needs(dep: str, missing: list[str]) -> None:
    """All that the labels in the base image's head lead to, and nothing else."""
    repository = made_up(
        {
            "//shared/dtos:dtos": [],
            "//shared/events:events": [],
            "//shared/app:_pool": [],
            "//shared/app:database": ["//shared/app:_pool"],
            "//shared/app:messaging": [],
            "//services/a/domain:x": [dep],
            "//services/without_image:y": [dep],
        }
    )
    repository.files.update(IMAGE)

    assert broken(graph_laws.images_hold_the_kernel, repository) == [
        f"services/a/domain/BUILD.bazel:5: [law 6] //services/a/domain:x depends on "
        f"{label}, which is not in the image that services/a/Dockerfile extends."
        for label in missing
    ]

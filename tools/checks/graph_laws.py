"""Laws about who may depend on whom: floors, third-party reach, glue, services."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tools.checks.floors import FLOORS, TESTING
from tools.checks.law import Finding
from tools.checks.repository import Repository, Target, build_file, package_of

THIRD_PARTY = "third_party"
BASE_IMAGE = "tools/new_service/templates/Dockerfile.base"
_TABLE = "tools/checks/floors.py"


def kernel_package_of(label: str) -> str | None:
    """Return errors for //shared/errors/anything:at_all, None outside shared/."""
    parts = package_of(label).split("/")
    return parts[1] if parts[0] == "shared" and parts[1:] else None


def aliases_of(target: Target) -> set[str]:
    """The third-party packages that the target itself names."""
    prefix = f"//{THIRD_PARTY}:"
    return {d.removeprefix(prefix) for d in target.deps if d.startswith(prefix)}


def has_a_floor(repository: Repository) -> Iterator[Finding]:
    """Every package of the kernel stands in the table, and says what it reaches."""
    for folder in repository.kernel_packages:
        name = folder.partition("/")[2]
        if name == TESTING or name in FLOORS:
            continue
        yield Finding(
            build_file(folder),
            1,
            "1",
            f"{folder} has no place in the kernel: the table of floors does not say "
            "what it may reach.",
            f"give it a floor and its third-party packages in {_TABLE}.",
        )


def floors(repository: Repository) -> Iterator[Finding]:
    """A dependency points to a lower floor: never up, sideways or out of the kernel."""
    for target in repository.targets_below("shared"):
        here = kernel_package_of(target.label)
        if here is None or here == TESTING or here not in FLOORS:
            continue
        for dep in target.deps:
            there = kernel_package_of(dep) or ""
            if there == here or package_of(dep) == THIRD_PARTY:
                continue
            if there == TESTING and target.testonly:
                continue
            if there in FLOORS and FLOORS[there].floor < FLOORS[here].floor:
                continue
            what = f"{target.label} (floor {FLOORS[here].floor}) depends on {dep}"
            if there in FLOORS:
                what += f" (floor {FLOORS[there].floor})"
            yield Finding(
                *repository.place(target.label, dep),
                "1",
                f"{what}, which is not below it.",
                "move what both need to a lower floor, pass it in as an argument, or, "
                "if a test needs it, move the test to tests/integration.",
            )


def third_party_reach(repository: Repository) -> Iterator[Finding]:
    """A runtime target reaches the third-party packages of the table and no other."""

    def reached(label: str) -> set[str]:
        return {
            alias
            for behind in repository.targets[label].first_party
            if behind in repository.targets
            for alias in aliases_of(repository.targets[behind])
        }

    def excess(target: Target) -> set[str]:
        package = FLOORS.get(kernel_package_of(target.label) or "")
        if package is None:
            return set()
        return reached(target.label) - package.allows(target.name)

    for target in repository.targets_below("shared"):
        if target.testonly:
            continue
        behind = [d for d in target.deps if d in repository.targets]
        # Whoever lets a package in is told, not everyone above.
        told = {alias for dep in behind for alias in excess(repository.targets[dep])}
        for alias in sorted(excess(target) - told):
            direct = alias in aliases_of(target)
            label = f"//{THIRD_PARTY}:{alias}"
            through = [] if direct else [d for d in behind if alias in reached(d)]
            by = "" if direct else f" through {through[0]}"
            yield Finding(
                *repository.place(target.label, label if direct else through[0]),
                "1",
                f"{target.label} reaches {label}{by}, which its package may not.",
                "move the code that needs it to a glue target of its own, or, if the "
                f"architecture changes, say so in {_TABLE}.",
            )


def glue(repository: Repository) -> Iterator[Finding]:
    """Glue to a framework is one module, a target of its own, outside the facade."""
    for name, package in FLOORS.items():
        folder = f"shared/{name}"
        if folder not in repository.kernel_packages:
            continue
        for glue_name in package.glue:
            label = f"//{folder}:{glue_name}"
            module = f"{folder}/{glue_name}.py"
            target = repository.targets.get(label)
            if target is None:
                yield Finding(
                    build_file(folder),
                    1,
                    "2",
                    f"{label} does not exist, and the table of floors names it.",
                    f"declare a kernel_library of that name with {glue_name}.py.",
                )
                continue
            if target.srcs != (module,):
                yield Finding(
                    *repository.place(label),
                    "2",
                    f"{label} owns {', '.join(target.srcs) or 'no file'}; glue is one "
                    "module.",
                    f'make its srcs ["{glue_name}.py"].',
                )
            facade = repository.targets.get(f"//{folder}:{name}")
            if facade and label in facade.first_party:
                yield Finding(
                    *repository.place(facade.label, label),
                    "2",
                    f"{facade.label} reaches its glue {label}, so whoever imports the "
                    "facade imports the framework.",
                    f"import {folder.replace('/', '.')}.{glue_name} where it is used.",
                )


_START_SERVICES = ("benchmarks", "contracts", "tests")
"""They run a service as its users do, and import nothing of it."""


def services_stand_apart(repository: Repository) -> Iterator[Finding]:
    """A service depends on the kernel and itself, and nothing depends on it."""
    for target in repository.targets.values():
        here = target.package.split("/")
        for dep in target.deps:
            there = package_of(dep).split("/")
            if "services" not in (here[0], there[0]) or here[:2] == there[:2]:
                continue
            if here[0] == "services" and there[0] in ("shared", THIRD_PARTY):
                continue
            if here[0] in _START_SERVICES:
                continue
            yield Finding(
                *repository.place(target.label, dep),
                "6",
                f"{target.label} depends on {dep}. A service may depend on shared/ and "
                "itself, and nothing may depend on a service.",
                "talk to the other service over HTTP or events, or move the code to "
                "shared/.",
            )


def testonly_stays_out(repository: Repository) -> Iterator[Finding]:
    """No runtime target reaches one for tests, and test doubles are for tests."""
    for target in repository.targets_below("shared"):
        if not target.testonly and kernel_package_of(target.label) == TESTING:
            yield Finding(
                *repository.place(target.label),
                "1",
                f"{target.label} is not testonly: a service could ship test doubles.",
                "add testonly = True.",
            )
        for dep in target.deps:
            known = repository.targets.get(dep)
            if known and known.testonly and not target.testonly:
                yield Finding(
                    *repository.place(target.label, dep),
                    "1",
                    f"{target.label} runs in services and depends on {dep}, which is "
                    "testonly.",
                    "depend on the real thing, or make the target testonly.",
                )


def images_hold_the_kernel(repository: Repository) -> Iterator[Finding]:
    """What a service with an image needs of the kernel is in the image below it."""
    image = repository.files.get(BASE_IMAGE)
    if image is None:
        return
    # Its head has the command that says what goes in; RUN and COPY name no label.
    held: set[str] = set()
    for label in re.findall(r"//shared/[\w/]+(?::\w+)?", image):
        target = repository.targets.get(full(label))
        held |= target.first_party if target else set()
    for target in repository.targets_below("services"):
        service = "/".join(target.package.split("/")[:2])
        if target.testonly or f"{service}/Dockerfile" not in repository.files:
            continue
        for dep in target.deps:
            if package_of(dep).startswith("shared/") and dep not in held:
                yield Finding(
                    *repository.place(target.label, dep),
                    "6",
                    f"{target.label} depends on {dep}, which is not in the image that "
                    f"{service}/Dockerfile extends.",
                    f"add it to the command in the head of {BASE_IMAGE}.",
                )


def full(label: str) -> str:
    """Return //shared/dtos:dtos for //shared/dtos."""
    return label if ":" in label else f"{label}:{label.rpartition('/')[2]}"


LAWS = (
    has_a_floor,
    floors,
    third_party_reach,
    glue,
    services_stand_apart,
    testonly_stays_out,
    images_hold_the_kernel,
)

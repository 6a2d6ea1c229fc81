"""Every wheel, alone in an empty environment, without a network."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.wheels.warehouse import (
    Environment,
    Installation,
    Warehouse,
    parts,
    spelled,
)
from tools.vendor.wheels import closure
from tools.wheel.distributions import BASE, Distribution

WAREHOUSE = Warehouse.open()
SMOKE = Path("tests/wheels/smoke").resolve()

IMPORT = """
import importlib, json, sys

for name in json.loads(sys.argv[1]):
    module = importlib.import_module(name)
    for public in getattr(module, "__all__", ()):
        getattr(module, public)
"""

IMPORT_GLUE = """
import importlib, json, sys

missing = {}
for name in json.loads(sys.argv[1]):
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing[name] = error.name
print(json.dumps(missing))
"""


@pytest.fixture(scope="session")
def find_links(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every wheel."""
    return WAREHOUSE.stock(tmp_path_factory.mktemp("wheels"))


@pytest.fixture(
    scope="module",
    params=parts(WAREHOUSE),
    ids=lambda part: spelled(*part),
)
def installation(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    find_links: Path,
) -> Installation:
    """One part of one distribution, installed by its name."""
    distribution, extra = request.param
    environment = Environment.create(tmp_path_factory.mktemp("environment"))
    environment.install("--find-links", str(find_links), spelled(distribution, extra))
    return Installation(distribution=distribution, extra=extra, environment=environment)


def labels(distribution: Distribution, *extras: str) -> list[str]:
    """Targets that the base and the extras ship."""
    shipped = WAREHOUSE.graph.parts(distribution)
    return sorted(label for extra in (BASE, *extras) for label in shipped[extra])


def test_pip_misses_nothing(installation: Installation) -> None:
    """`pip check`: every requirement of every installed distribution is met."""
    assert installation.environment.pip("check") == "No broken requirements found.\n"


def test_pip_installs_what_the_metadata_asks_for(installation: Installation) -> None:
    """Nothing more comes along, and //tools/vendor would ship the same."""
    extras = frozenset({installation.extra} - {BASE})
    everything = {**WAREHOUSE.theirs, **WAREHOUSE.ours}
    expected = closure(everything, {installation.distribution.name: extras})

    installed = installation.environment.installed()
    assert installed == [c.wheel.name for c in expected]


def test_every_module_imports_with_all_its_names(installation: Installation) -> None:
    """A requirement that was not derived would be missing here."""
    names = WAREHOUSE.modules(labels(installation.distribution, installation.extra))

    result = installation.environment.python(
        "-W", "error", "-c", IMPORT, json.dumps(names)
    )

    assert names
    assert result.returncode == 0, result.stderr


def test_glue_of_other_extras_says_what_is_missing(installation: Installation) -> None:
    """The wheel works without its extras; asking for glue names what it needs."""
    distribution = installation.distribution
    installed = set(installation.environment.installed())
    everything = {**WAREHOUSE.theirs, **WAREHOUSE.ours}
    glue: dict[bool, list[str]] = {True: [], False: []}
    for extra, roots in distribution.roots.items():
        if extra not in (BASE, installation.extra):
            extras = frozenset({extra, installation.extra} - {BASE})
            needed = closure(everything, {distribution.name: extras})
            there = installed >= {candidate.wheel.name for candidate in needed}
            glue[there] += WAREHOUSE.modules(roots)

    result = installation.environment.python(
        "-c", IMPORT_GLUE, json.dumps(sorted(glue[True] + glue[False]))
    )

    assert result.returncode == 0, result.stderr
    missing = json.loads(result.stdout)
    assert sorted(missing) == sorted(glue[False])
    ours = {f"shared.{package}" for package in installation.packages}
    assert ours.isdisjoint({".".join(n.split(".")[:2]) for n in missing.values()})


def test_a_program_works_with_it(installation: Installation) -> None:
    """tests/wheels/smoke holds one program for every part of every distribution."""
    suffix = f"_{installation.extra}" if installation.extra else ""
    scripts = [SMOKE / f"{package}{suffix}.py" for package in installation.packages]
    # An umbrella has an extra that some of its packages lack.
    present = [script for script in scripts if script.exists()]
    assert present, (
        f"write tests/wheels/smoke/{scripts[0].name}, a program that uses the part, "
        "and name it in _SMOKE of tests/wheels/BUILD.bazel"
    )

    for script in present:
        result = installation.environment.python("-W", "error", str(script))
        assert result.returncode == 0, f"{script.name}: {result.stderr}"

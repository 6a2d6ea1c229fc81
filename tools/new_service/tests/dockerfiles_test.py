"""What the images promise, by the text of their Dockerfiles: CI has no Docker."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tools.new_service.answers import Answers
from tools.new_service.render import render
from tools.new_service.tests.dockerfile import Stage, instructions, stages

BASE = Path("tools/new_service/templates/Dockerfile.base")
KNOWN = set(
    "ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL RUN USER WORKDIR".split()  # noqa: SIM905
)
NASTY = "\"quotes\" '${HOME}' $(id) \\ {{ x }} # EOF"


def base() -> str:
    """The shared image."""
    return BASE.read_text()


def service(title: str = "User Service") -> str:
    """The image of a generated service."""
    return render(Answers.check("user-service", 8005, title))["Dockerfile"]


def arguments(text: str) -> dict[str, str]:
    """The defaults of the arguments above the first FROM."""
    found = [rest for keyword, rest in instructions(text) if keyword == "ARG"]
    return {name: value for name, _, value in (rest.partition("=") for rest in found)}


@pytest.mark.parametrize("text", [base(), service(), service(NASTY)])
def test_every_instruction_is_one(text: str) -> None:
    """Nothing that a title brings becomes an instruction."""
    assert {keyword for keyword, _ in instructions(text)} <= KNOWN


@pytest.mark.parametrize("text", [base(), service()])
def test_what_builds_stays_behind(text: str) -> None:
    """Two stages, and the last one copies from the first."""
    build, final = stages(text)

    assert build.name == "build"
    assert any(copy.startswith("--from=build ") for copy in final.all("COPY"))


@pytest.mark.parametrize("text", [base(), service()])
def test_it_runs_without_rights(text: str) -> None:
    """The last word on the user is one that the base image makes, and not root."""
    final = stages(text)[-1]

    assert final.last("USER") == "app"
    assert "useradd --uid 10001" in " ".join(stages(base())[-1].all("RUN"))


def test_the_base_is_pinned() -> None:
    """A slim Python of one patch release, in both stages."""
    images = {stage.image for stage in stages(base())}

    assert images == {"python:${PYTHON}"}
    assert re.fullmatch(r"3\.11\.\d+-slim-\w+", arguments(base())["PYTHON"])


def test_the_base_installs_what_is_locked() -> None:
    """By hash, wheels only, and what is installed fits together."""
    (install,) = [run for run in stages(base())[0].all("RUN") if "pip install" in run]

    assert "--require-hashes" in install
    assert "--only-binary=:all:" in install
    assert "pip check" in install


def test_the_base_listens_to_the_outside_as_production() -> None:
    """Whoever starts an image and says nothing gets the strict settings."""
    settings = stages(base())[-1].last("ENV").split()

    assert {"ENVIRONMENT=production", "SERVER_HOST=0.0.0.0"} <= set(settings)


def final_stage() -> Stage:
    """The image that is shipped."""
    return stages(service())[-1]


def test_the_service_extends_the_base() -> None:
    """In both stages; another base is an argument."""
    assert {stage.image for stage in stages(service())} == {"${BASE}"}
    assert arguments(service()) == {"BASE": "creativeflow/shared:base"}


def test_the_process_gets_the_signals() -> None:
    """Exec form: no shell stands between SIGTERM and the service."""
    assert final_stage().command("ENTRYPOINT") == [
        "python",
        "-m",
        "services.user_service",
    ]
    assert final_stage().command("CMD") == ["serve"]


def test_its_health_is_checked_by_itself() -> None:
    """In exec form too, without a program that a slim image lacks."""
    options, _, command = final_stage().last("HEALTHCHECK").partition("CMD ")

    assert json.loads(command) == ["python", "-m", "services.user_service", "health"]
    assert "--timeout=" in options


def test_it_has_its_port() -> None:
    """In the setting and in what the image declares."""
    assert final_stage().last("EXPOSE") == "8005"
    assert final_stage().last("ENV") == "SERVER_PORT=8005"


def test_tests_are_not_shipped() -> None:
    """They are removed before the last stage copies."""
    assert "rm -r /build/services/user_service/tests" in stages(service())[0].last(
        "RUN"
    )


@pytest.mark.parametrize("copied", ["dist/vendor", "services"])
def test_the_context_has_what_is_copied(copied: str) -> None:
    """.dockerignore lets in what the two files ask for, and nothing beside it."""
    lines = Path(".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]

    assert rules[0] == "*"
    assert f"!{copied}" in rules
    assert len([rule for rule in rules if rule.startswith("!")]) == 2

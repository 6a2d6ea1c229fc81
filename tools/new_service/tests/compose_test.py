"""The compose files: that of the root, and those of generated services beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tools.new_service.answers import Answers
from tools.new_service.ports import taken_ports
from tools.new_service.render import render

SERVERS = ("postgres", "redis", "rabbitmq")


def root() -> dict[str, Any]:
    """The file of the root."""
    found: dict[str, Any] = yaml.safe_load(Path("docker-compose.yml").read_text())
    return found


def service(title: str = "User Service") -> dict[str, Any]:
    """The services that a generated file adds."""
    files = render(Answers.check("user-service", 8005, title))
    document = yaml.safe_load(files["docker-compose.service.yml"])
    assert set(document) == {"services"}
    found: dict[str, Any] = document["services"]
    return found


def test_all_three_servers() -> None:
    """And nothing else."""
    assert set(root()["services"]) == {*SERVERS}


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_tells_when_it_is_ready(name: str) -> None:
    """In exec form, so that `docker compose up --wait` means something."""
    check = root()["services"][name]["healthcheck"]

    assert check["test"][0] == "CMD"
    assert check["retries"] >= 20


@pytest.mark.parametrize("name", SERVERS)
def test_only_this_machine_reaches_it(name: str) -> None:
    """There are no passwords, so no other address may have a port."""
    ports = root()["services"][name]["ports"]

    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


@pytest.mark.parametrize("name", SERVERS)
def test_its_data_outlive_the_container(name: str) -> None:
    """In a named volume, which `down --volumes` removes."""
    (volume,) = root()["services"][name]["volumes"]

    assert volume.partition(":")[0] in root()["volumes"]


@pytest.mark.parametrize("name", SERVERS)
def test_its_image_has_a_version(name: str) -> None:
    """Not whatever is newest."""
    _, _, tag = root()["services"][name]["image"].partition(":")

    assert tag[0].isdigit()


def test_the_addresses_are_those_of_the_tests() -> None:
    """Ports, database and log-ins that tests try when no variable is set."""
    assert set(taken_ports(Path())) >= {5432, 6379, 5672}
    assert root()["services"]["postgres"]["environment"] == {
        "POSTGRES_DB": "test",
        "POSTGRES_HOST_AUTH_METHOD": "trust",
    }
    assert root()["services"]["rabbitmq"]["environment"] == {
        "RABBITMQ_DEFAULT_USER": "guest",
        "RABBITMQ_DEFAULT_PASS": "guest",
    }


def test_a_service_fits_beside_the_servers() -> None:
    """What it waits for is in one of the two files, under no name of theirs."""
    ours = service()
    waited = {dep for entry in ours.values() for dep in entry["depends_on"]}

    assert not set(ours) & {*SERVERS}
    assert waited <= {*SERVERS, *ours}


def test_a_service_starts_on_a_migrated_database() -> None:
    """The database is made, then migrated, then served from, each when it is done."""
    done = {"condition": "service_completed_successfully"}
    ours = service()

    assert ours["user-service"]["depends_on"] == {"user-service-migrate": done}
    assert ours["user-service-migrate"]["depends_on"] == {"user-service-database": done}
    assert ours["user-service-migrate"]["command"] == ["migrate"]


def test_a_service_has_its_port_on_the_loopback_device() -> None:
    """And gets longer to stop than the chassis needs."""
    ours = service()["user-service"]

    assert ours["ports"] == ["127.0.0.1:8005:8005"]
    assert int(ours["stop_grace_period"].removesuffix("s")) > 20


def test_the_image_is_built_from_the_root() -> None:
    """With several -f, paths are relative to the folder of the first."""
    build = service()["user-service"]["build"]

    assert build == {
        "context": ".",
        "dockerfile": "services/user_service/Dockerfile",
    }


def test_a_title_is_no_variable() -> None:
    """Compose puts one dollar for two, and interprets one."""
    labels = service("costs $5 ${HOME}: \"x\" 'y' #z")["user-service"]["labels"]

    assert (
        labels["org.opencontainers.image.title"] == "costs $$5 $${HOME}: \"x\" 'y' #z"
    )

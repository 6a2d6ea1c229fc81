from __future__ import annotations

from pathlib import Path

import pytest

from tools.new_service.answers import Answers, Remembered
from tools.new_service.errors import BadInputError
from tools.new_service.ports import taken_ports


def put(path: Path, text: str) -> None:
    """Write a file, its folder too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def compose(*ports: str) -> str:
    """A compose file whose service publishes *ports*."""
    entries = "".join(f"\n      - {port}" for port in ports)
    return f"services:\n  x:\n    ports:{entries}\n"


def test_a_repository_without_services_has_no_port_taken(tmp_path: Path) -> None:
    """Nothing has to be there."""
    assert taken_ports(tmp_path) == {}


def test_a_generated_service_has_its_port(tmp_path: Path) -> None:
    """Its remembered answers say so."""
    answers = Answers.check("user-service", 8005)
    place = "services/user_service/.kernel-service.toml"
    put(tmp_path / place, Remembered(answers=answers).to_toml())

    assert taken_ports(tmp_path) == {8005: place}


@pytest.mark.parametrize(
    ("entry", "ports"),
    [
        ('"8005:80"', [8005]),
        ('"127.0.0.1:8005:80"', [8005]),
        ('"[::1]:8005:80/tcp"', [8005]),
        ('"127.0.0.1:${PORT:-8005}:80"', [8005]),
        ('"8005-8007:80-82"', [8005, 8006, 8007]),
        ('{target: 80, published: "8005"}', [8005]),
        ("{target: 80, published: 8005}", [8005]),
        ("{target: 80}", []),
        ('"80"', []),
        ("80", []),
        ('"${PORT}:80"', []),
        ("8005:22", [8005]),
        ('"65535-99999999999:80"', [65535]),
        ("[]", []),
    ],
)
def test_compose_files_are_read(tmp_path: Path, entry: str, ports: list[int]) -> None:
    """Every form of a published port counts; a port inside a container does not."""
    place = "services/by_hand/docker-compose.service.yml"
    put(tmp_path / place, compose(entry))

    assert taken_ports(tmp_path) == dict.fromkeys(ports, place)


def test_the_servers_of_the_root_have_theirs(tmp_path: Path) -> None:
    """A service on PostgreSQL's port could not run beside it."""
    put(tmp_path / "docker-compose.yml", compose('"127.0.0.1:5432:5432"'))

    assert taken_ports(tmp_path) == {5432: "docker-compose.yml"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x: 1",
        "- x",
        "services:",
        "services: [x]",
        "services:\n  x:",
        "services:\n  x: []",
        "services:\n  x: {ports: }",
        "services:\n  x: {ports: 8005}",
    ],
)
def test_a_compose_file_may_publish_nothing(tmp_path: Path, text: str) -> None:
    """Then it takes nothing."""
    put(tmp_path / "services/s/compose.yaml", text)

    assert taken_ports(tmp_path) == {}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("docker-compose.yml", "a: [", "is not YAML"),
        ("docker-compose.yml", "\udc80", "is not UTF-8"),
        (".kernel-service.toml", "?", "can't be read"),
    ],
)
def test_a_file_that_can_not_be_read_stops(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    """A port could be in it, so none is called free."""
    path = tmp_path / "services/s" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(text.encode(errors="surrogateescape"))

    with pytest.raises(BadInputError, match=f"services/s/{name} {message}"):
        taken_ports(tmp_path)

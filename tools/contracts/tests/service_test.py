"""What one service declares, from its own code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Literal

import pytest
from pydantic import AfterValidator, Field

from shared.app import Service, create_service
from shared.app.messaging import add_event_bus
from shared.config import ServiceConfig
from shared.dtos.base import BaseDTO
from shared.errors import ConflictException, responses_for
from shared.errors.handlers import register_exception_handlers
from shared.events import (
    PLATFORM_EVENTS,
    BaseEvent,
    EventPayload,
    EventRegistry,
    UserDeletedEvent,
    UserRegisteredEvent,
)
from shared.messaging import FailurePolicy, InMemoryBus
from tools.contracts import service as program
from tools.contracts.declared import ContractError, Declared, read
from tools.contracts.service import declared_by, type_base_of
from tools.contracts.vectors import VectorsError


class NotePinnedPayload(EventPayload):
    """The note."""

    note: int


class NotePinned(BaseEvent[NotePinnedPayload]):
    """Somebody pinned a note."""

    event_type: Literal["note.pinned"] = "note.pinned"
    schema_version: Literal[2] = 2


class NoteFullException(ConflictException):
    """The note has no room left."""

    code = "note_full"


class Colour(StrEnum):
    """Of the paper."""

    WHITE = "white"
    YELLOW = "yellow"


def check_words(text: str) -> str:
    """Refuse what is no word."""
    if not text.strip():
        raise ValueError("no word")
    return text


class NoteDTO(BaseDTO):
    """A note."""

    text: Annotated[str, Field(min_length=1, max_length=9), AfterValidator(check_words)]
    colours: list[Colour]


WORDS = {"check_words": {"refused": {"No word.": " "}, "accepted": ["a", "a" * 9]}}
REGISTRY = EventRegistry([*PLATFORM_EVENTS, NotePinned])


async def greet(event: UserRegisteredEvent) -> None:
    """A handler."""


async def forget(event: BaseEvent[Any]) -> None:
    """Another one."""


def build(*, deaf: bool = False) -> Service:
    """A service with everything that a contract tells of."""
    service = create_service(
        "notes", ServiceConfig(service_name="notes"), logging=False
    )
    bus = add_event_bus(service, InMemoryBus("notes", registry=REGISTRY))
    policy = FailurePolicy(delays=(2.0, 2.0, 0.5), never_retry=(KeyError,))
    bus.subscribe(UserRegisteredEvent, greet, policy=policy)
    if not deaf:
        bus.subscribe([UserDeletedEvent, NotePinned], forget, ordered=True)

    @service.app.post("/notes", responses=responses_for(NoteFullException))
    async def write(body: NoteDTO) -> NoteDTO:
        return body

    return service


def contract(
    build: Callable[[], object] = build,
    publishes: object = (NotePinned, UserRegisteredEvent),
    unsaid: object = WORDS,
) -> ModuleType:
    """A contract module."""
    module = ModuleType("notes.contract")
    vars(module).update(service=build, PUBLISHES=publishes, UNSAID=unsaid)
    return module


@pytest.fixture
def declared() -> Declared:
    """What that service declares."""
    return declared_by(contract(), target="//notes:contract")


def test_it_is_named_as_the_service(declared: Declared) -> None:
    """Which is also before the names of its queues."""
    assert (declared["name"], declared["title"]) == ("notes", "Notes")
    assert declared["target"] == "//notes:contract"


def test_the_document_is_the_one_that_the_service_sends(declared: Declared) -> None:
    """Byte for byte, once it is JSON."""
    assert declared["openapi"] == json.loads(json.dumps(build().app.openapi()))
    assert "/notes" in declared["openapi"]["paths"]


def test_errors_are_those_that_are_not_the_kernel_s(declared: Declared) -> None:
    """Those are in the catalogue once, for all services."""
    (found,) = declared["errors"]

    assert (found["code"], found["status"]) == ("note_full", 409)
    assert found["when"] == "The note has no room left."
    assert found["package"] == "tools.contracts.tests"


def test_publishes_is_what_the_module_says(declared: Declared) -> None:
    """With versions, by name."""
    assert declared["publishes"] == [
        {"type": "note.pinned", "version": 2},
        {"type": "user.registered", "version": 1},
    ]


def test_consumers_are_the_subscriptions(declared: Declared) -> None:
    """With the queues behind them; an ordered handler has none to wait in."""
    greet, forget = declared["consumes"]

    assert greet["queue"] == "notes.greet"
    assert greet["dead_letters"] == "notes.greet.dead"
    assert greet["retries"] == ["notes.greet.retry.2000ms", "notes.greet.retry.500ms"]
    assert greet["policy"]["never_retry"] == ["builtins.KeyError"]
    assert greet["policy"]["delays"] == [2.0, 2.0, 0.5]
    assert forget["routing_keys"] == ["note.pinned", "user.deleted"]
    assert forget["events"] == [
        {"type": "note.pinned", "version": 2},
        {"type": "user.deleted", "version": 1},
    ]
    assert (forget["ordered"], forget["retries"]) == (True, [])


def test_queues_of_consumers_are_declared(declared: Declared) -> None:
    """No queue is named that nobody makes, and none is made for nothing."""
    made = [queue["name"] for queue in declared["topology"]["queues"]]
    named = {"creativeflow.unrouted", "creativeflow.queues"}
    for consumer in declared["consumes"]:
        named |= {consumer["queue"], consumer["dead_letters"], *consumer["retries"]}

    assert sorted(made) == sorted(named)


def test_a_subscription_that_is_gone_is_gone_from_the_contract() -> None:
    """It is read from the service, and nowhere else."""
    declared = declared_by(contract(lambda: build(deaf=True)), target="//a:b")

    assert [each["queue"] for each in declared["consumes"]] == ["notes.greet"]
    assert "forget" not in json.dumps(declared["topology"])


def test_what_is_the_service_s_own_brings_its_schemas(declared: Declared) -> None:
    """Nobody else has its code."""
    own = declared["own"]

    assert set(own["dtos"]) == {"Colour", "NoteDTO"}
    assert set(own["events"]) == {"note.pinned"}
    assert set(own["documents"]) == {
        "dtos/Colour.schema.json",
        "dtos/NoteDTO.schema.json",
        "events/note.pinned.v2.schema.json",
        "vectors/dtos/Colour.json",
        "vectors/dtos/NoteDTO.json",
        "vectors/events/note.pinned.v2.json",
    }
    assert len(own["documents"]["vectors/dtos/NoteDTO.json"]["valid"]) >= 3
    assert own["documents"]["dtos/NoteDTO.schema.json"]["properties"] == {
        "text": {
            "type": "string",
            "minLength": 1,
            "maxLength": 9,
            "x-validated-by": ["check_words"],
        },
        "colours": {"type": "array", "items": {"$ref": "Colour.schema.json"}},
    }


def test_what_code_refuses_is_told_by_whose_code_it_is(declared: Declared) -> None:
    """And so are texts of the bounds, which others would be refused for."""
    vectors = declared["own"]["documents"]["vectors/dtos/NoteDTO.json"]
    accepted = {each["document"]["text"] for each in vectors["valid"]}
    refused = [each for each in vectors["invalid"] if each.get("schema_accepts")]

    assert {"a", "a" * 9} <= accepted
    assert [(each["reason"], each["document"]["text"]) for each in refused] == [
        ("No word.", " ")
    ]


@pytest.mark.parametrize(
    ("unsaid", "error", "message"),
    [
        ({}, VectorsError, "check_words: it is in x-validated-by, and no sample"),
        ({"check_words": {"refuses": {}}}, ContractError, "no member 'refuses'"),
        (WORDS | {"check_cursor": {}}, ContractError, "check_cursor, .* the kernel's"),
    ],
)
def test_samples_that_are_missing_or_not_understood_are_named(
    unsaid: object, error: type[Exception], message: str
) -> None:
    """Nothing is exported that the vectors would not hold."""
    with pytest.raises(error, match=message):
        declared_by(contract(unsaid=unsaid), target="//a:b")


def test_types_of_problems_are_asked_of_the_service() -> None:
    """As it is configured, which no other document tells."""
    plain, documented = build(), build()
    documented.app.user_middleware.clear()
    register_exception_handlers(documented.app, type_base="https://docs.example/e/")

    assert type_base_of(plain) == ""
    assert type_base_of(documented) == "https://docs.example/e/"


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (contract(lambda: "a service"), r"must have a function service\(\) -> Service"),
        (ModuleType("notes.contract"), r"must have a function service\(\) -> Service"),
        (contract(publishes=[UserDeletedEvent]), "PUBLISHES must be a tuple"),
        (contract(publishes=("user.deleted",)), "PUBLISHES must be a tuple"),
    ],
)
def test_a_module_that_is_no_contract_is_named(
    module: ModuleType, message: str
) -> None:
    """With what it lacks."""
    with pytest.raises(ContractError, match=message):
        declared_by(module, target="//a:b")


def run(
    folder: Path, source: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """The program, on a contract module with this source."""
    (folder / "the_contract.py").write_text(source)
    paths = os.pathsep.join([str(folder), *sys.path])
    return subprocess.run(
        [
            *(sys.executable, "-P", program.__file__, "the_contract"),
            *("--target", "//a:b", "--out", folder / "out.json"),
        ],
        env={**os.environ, "PYTHONPATH": paths, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


GOOD = """
import os
from shared.app import create_service
from shared.config import ServiceConfig

PUBLISHES = ()

def service():
    assert not os.environ
    return create_service("quiet", ServiceConfig(service_name="quiet"))
"""


def test_the_program_writes_the_file(tmp_path: Path) -> None:
    """Whatever the environment is, and without a word."""
    done = run(tmp_path, GOOD, SERVER_PORT="nonsense", QUIET_VERSION="9")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert read(tmp_path / "out.json")["name"] == "quiet"


@pytest.mark.parametrize(
    ("what", "event"),
    [
        ("socket.create_connection(('127.0.0.1', 9))", "socket.getaddrinfo"),
        ("sqlite3.connect(':memory:')", "sqlite3.connect"),
        ("subprocess.run(['true'])", "subprocess.Popen"),
    ],
)
def test_a_service_that_opens_something_is_refused(
    tmp_path: Path, what: str, event: str
) -> None:
    """Nothing is written; the line says what it did."""
    start = "import socket, sqlite3, subprocess"
    source = GOOD.replace("    assert", f"    {what}\n    assert")
    done = run(tmp_path, start + source)

    assert done.returncode == 1
    assert done.stderr == (
        "//a:b: service() must build the service and open nothing (it calls "
        f"{event}).\n"
    )
    assert not (tmp_path / "out.json").exists()


def test_two_runs_write_the_same(tmp_path: Path) -> None:
    """No time, no random number, no order of a set."""
    made = set()
    for seed in ("1", "2"):
        run(tmp_path, GOOD, PYTHONHASHSEED=seed)
        made.add((tmp_path / "out.json").read_bytes())

    assert len(made) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "can't be read"), ("[]", "format must be 1"), ('{"format": 9}', "got 9")],
)
def test_a_file_that_is_none_is_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    """By its name."""
    (tmp_path / "x.json").write_text(text)

    with pytest.raises(ContractError, match=rf"x\.json.*{message}"):
        read(tmp_path / "x.json")

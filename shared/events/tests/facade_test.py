"""What `shared.events` shows, and when it imports it."""

import os
import subprocess
import sys
from importlib import import_module
from types import ModuleType

import pytest
from pydantic import BaseModel

from shared import events

MODULES = sorted({f"shared.events.{module}" for module in events._MODULES.values()})
MACHINERY = {"Any", "TYPE_CHECKING", "import_module"}


def test_every_name_can_be_imported() -> None:
    """Whatever is listed is there."""
    for name in events.__all__:
        assert getattr(events, name) is not None


def test_all_that_is_public_is_listed() -> None:
    """Names that are there at once, and those of the modules behind them."""
    eager = {
        name
        for name, value in vars(events).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    lazy = {
        name
        for module in MODULES
        for name, value in vars(import_module(module)).items()
        if getattr(value, "__module__", None) == module and name.isidentifier()
    }
    public = {name for name in lazy if not name.startswith("_")} | {"PLATFORM_EVENTS"}

    assert set(events.__all__) == (eager - MACHINERY) | public
    assert len(set(events.__all__)) == len(events.__all__)
    assert dir(events) == sorted(events.__all__)


def test_a_misspelt_name_is_an_error() -> None:
    """The message is Python's own, so tools understand it."""
    with pytest.raises(AttributeError, match="no attribute 'UserRegistredEvent'"):
        _ = events.UserRegistredEvent  # type: ignore[attr-defined]


def test_a_name_is_looked_up_once() -> None:
    """After that it is an ordinary attribute."""
    assert events.TeamCreatedEvent is vars(events)["TeamCreatedEvent"]


@pytest.mark.parametrize(
    ("statement", "loaded"),
    [
        ("import shared.events", set()),
        ("from shared.events import BaseEvent, EventRegistry, EventType", set()),
        ("from shared.events import UserRegisteredEvent", {"user"}),
        ("from shared.events import create_subject_created_event", {"subject"}),
        ("import shared.events.cloudevents", {"cloudevents"}),
    ],
)
def test_only_what_is_asked_for_is_imported(statement: str, loaded: set[str]) -> None:
    """The classes of 52 types take a while to make, and few are used."""
    shown = run(
        f"import sys\n{statement}\n"
        "print(*(m.rpartition('.')[2] for m in sys.modules"
        " if m.startswith('shared.events.') and '._' not in m))"
    )

    assert set(shown.split()) == loaded


def test_importing_builds_no_validators() -> None:
    """Building takes ten times as long as defining; a service uses few of them."""
    shown = run(
        "from shared.events.user import EVENTS\n"
        "print(sum(cls.__pydantic_complete__ for cls in EVENTS))"
    )

    assert shown == "0\n"


def run(program: str) -> str:
    """What a new interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        check=True,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    return done.stdout


def test_models_are_pydantic_models() -> None:
    """Schemas are exported from them."""
    assert issubclass(events.UserRegisteredEvent, BaseModel)
    assert issubclass(events.UserRegisteredPayload, events.EventPayload)

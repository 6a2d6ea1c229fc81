"""What a change of the manifest does: DTOs, events and services that come and go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from tools.contracts.bundle import ENVELOPE, MANIFEST, Bundle, Direction, EventEntry
from tools.contracts.compat.finding import Finding, Impact, Surface
from tools.contracts.compat.place import Place
from tools.contracts.compat.rule import addition, breaking, wording
from tools.contracts.compat.walk import schemas, unchanged

_KEEP_EVENT: Final = (
    "Keep the class; deprecate it in its docstring, and stop publishing it later."
)

_STORED: Final = (
    "Events of an older major version that wait in queues, outboxes and dead letters "
    "can't be read."
)
_LIFT: Final = "Make a new version of the event, and lift this one with an @upcaster."

DTO_REMOVED: Final = breaking(
    "dto-removed",
    "A DTO or enumeration has gone.",
    "Programs that generate their types from the bundle no longer compile.",
    "Keep the DTO until the next major version; deprecate it in its docstring.",
)
DTO_ADDED: Final = addition("dto-added", "A DTO or enumeration is new.")
DIRECTION_REMOVED: Final = breaking(
    "dto-direction-removed",
    "A DTO is no request, or no response, any more.",
    "The side that wrote it, or that read it, has no contract for it any more.",
    "Make a new DTO for the one direction, and keep this one for both.",
)
DIRECTION_ADDED: Final = addition(
    "dto-direction-added", "A DTO that went one way goes both ways."
)
EVENT_REMOVED: Final = breaking(
    "event-removed",
    "A type of event has gone.",
    "Consumers wait for what never comes, and stored events of it are read by nobody.",
    _KEEP_EVENT,
)
EVENT_ADDED: Final = addition("event-added", "A type of event is new.")
VERSION_UNREADABLE: Final = breaking(
    "event-version-unreadable",
    "A version of an event has gone, and no upcaster lifts it.",
    "Consumers of today can't read events of this version that wait in queues, "
    "outboxes and dead letters: each becomes an UnknownEvent.",
    "Lift it with an @upcaster, or keep the class of the version.",
)
VERSION_LIFTED: Final = addition(
    "event-version-lifted", "A version of an event has gone, and an upcaster lifts it."
)
VERSION_ADDED: Final = addition("event-version-added", "A version of an event is new.")
AGGREGATE_KEY: Final = breaking(
    "event-aggregate-key-changed",
    "Events are kept in order by another member, or by none.",
    "Events that were handled in order, by the old member, overtake each other.",
    "Make a new type of event with the new key.",
)
AGGREGATE_KEY_ADDED: Final = addition(
    "event-aggregate-key-added", "Events are kept in order that were not."
)
PRODUCERS_GONE: Final = breaking(
    "event-no-longer-produced",
    "The last service that published an event stopped.",
    "Consumers wait for what never comes: no service publishes it.",
    "Publish it until nobody consumes it.",
)
PRODUCERS: Final = wording(
    "event-producers-changed", "Other services publish an event."
)
SERVICE_REMOVED: Final = breaking(
    "service-removed",
    "A service has gone.",
    "Its clients have nothing to call.",
    "Keep the service until the next major version.",
)
SERVICE_ADDED: Final = addition("service-added", "A service is new.")
TARGET: Final = wording(
    "target-moved", "A DTO, event or service has another Bazel target."
)

RULES: Final = (
    DTO_REMOVED,
    DTO_ADDED,
    DIRECTION_REMOVED,
    DIRECTION_ADDED,
    EVENT_REMOVED,
    EVENT_ADDED,
    VERSION_UNREADABLE,
    VERSION_LIFTED,
    VERSION_ADDED,
    AGGREGATE_KEY,
    AGGREGATE_KEY_ADDED,
    PRODUCERS_GONE,
    PRODUCERS,
    SERVICE_REMOVED,
    SERVICE_ADDED,
    TARGET,
)

_SURFACES: Final[dict[Direction, tuple[Surface, ...]]] = {
    "request": (Surface.REQUEST,),
    "response": (Surface.RESPONSE,),
    "both": (Surface.REQUEST, Surface.RESPONSE),
}


def compare_dtos(before: Bundle, after: Bundle) -> Iterator[Finding]:
    """The DTOs of two bundles and their schemas, each by its direction."""
    old, new = before.manifest["dtos"], after.manifest["dtos"]
    equal = unchanged(before, after)
    for name in _all(old, new):
        place = Place({}, MANIFEST, "").at("dtos", name)
        if name not in new:
            yield DTO_REMOVED.found(place, f"{name} is gone.", name)
            continue
        if name not in old:
            yield DTO_ADDED.found(place, f"{name} is new.", None, name)
            continue
        was, now = old[name]["direction"], new[name]["direction"]
        yield from _direction(place, name, was, now)
        yield from _target(place, old[name]["target"], new[name]["target"])
        paths = old[name]["schema"], new[name]["schema"]
        if paths[0] == paths[1] and paths[0] in equal:
            continue
        one = Place(before.documents, paths[0], "")
        other = Place(after.documents, paths[1], "")
        # What nobody read or wrote so far may be as it likes.
        for surface in _SURFACES[was]:
            if surface in _SURFACES[now]:
                yield from schemas(one, other, surface)


def _direction(
    place: Place, name: str, was: Direction, now: Direction
) -> Iterator[Finding]:
    lost = set(_SURFACES[was]) - set(_SURFACES[now])
    if lost:
        says = f"{name} is no {' or '.join(sorted(lost))} any more."
        yield DIRECTION_REMOVED.found(place.at("direction"), says, was, now)
    elif was != now:
        says = f"{name} goes both ways now."
        yield DIRECTION_ADDED.found(place.at("direction"), says, was, now)


def compare_events(before: Bundle, after: Bundle) -> Iterator[Finding]:
    """The events of two bundles, their versions, and the schemas of those in both."""
    old, new = before.manifest["events"], after.manifest["events"]
    for name in _all(old, new):
        place = Place({}, MANIFEST, "").at("events", name)
        if name not in new:
            yield EVENT_REMOVED.found(place, f"{name} is gone.", name)
        elif name not in old:
            yield EVENT_ADDED.found(place, f"{name} is new.", None, name)
        else:
            yield from _versions(place, name, old[name], new[name])
            yield from _facts(place, name, old[name], new[name])
    yield from _event_schemas(before, after, Surface.EVENT)


def compare_stored_events(before: Bundle, after: Bundle) -> Iterator[Finding]:
    """Whether *after* reads the events that were stored by *before*.

    Its schemas may widen, as those of a request: who wrote the events is gone, and only
    the reader can fail.
    """
    old, new = before.manifest["events"], after.manifest["events"]
    for name in old:
        place = Place({}, MANIFEST, "").at("events", name)
        if name not in new:
            yield EVENT_REMOVED.found(place, f"{name} is gone.", name)
        else:
            found = _versions(place, name, old[name], new[name])
            yield from (each for each in found if each.rule == VERSION_UNREADABLE.name)
    for finding in _event_schemas(before, after, Surface.REQUEST):
        if finding.impact is Impact.BREAKING:
            # By the rules of a request, but nobody is there to send it again.
            yield replace(finding, breaks=_STORED, way_out=_LIFT)
        else:
            yield finding


def _event_schemas(
    before: Bundle, after: Bundle, surface: Surface
) -> Iterator[Finding]:
    equal = unchanged(before, after)
    for old, new in _event_documents(before, after):
        if old != new or old not in equal:
            yield from schemas(
                Place(before.documents, old, ""),
                Place(after.documents, new, ""),
                surface,
            )


def _event_documents(before: Bundle, after: Bundle) -> Iterator[tuple[str, str]]:
    if ENVELOPE in before.documents and ENVELOPE in after.documents:
        yield ENVELOPE, ENVELOPE
    events = after.manifest["events"]
    for name, event in before.manifest["events"].items():
        versions = events[name]["versions"] if name in events else {}
        for number, version in event["versions"].items():
            if number in versions:
                yield version["schema"], versions[number]["schema"]


def _readable(event: EventEntry) -> set[int]:
    return {*map(int, event["versions"]), *event["lifted_from"]}


def _versions(
    place: Place, name: str, old: EventEntry, new: EventEntry
) -> Iterator[Finding]:
    for number in sorted(_readable(old) - _readable(new)):
        yield VERSION_UNREADABLE.found(
            place.at("versions", number),
            f"Version {number} of {name} is gone, and nothing lifts it.",
            number,
        )
    was, now = set(map(int, old["versions"])), set(map(int, new["versions"]))
    for number in sorted((was - now) & _readable(new)):
        yield VERSION_LIFTED.found(
            place.at("versions", number),
            f"Version {number} of {name} is lifted to a newer one when it is read.",
            number,
        )
    for number in sorted(now - was):
        yield VERSION_ADDED.found(
            place.at("versions", number),
            f"Version {number} of {name} is new. Consumers that don't know it keep it "
            "as an UnknownEvent.",
            None,
            number,
        )


def _facts(
    place: Place, name: str, old: EventEntry, new: EventEntry
) -> Iterator[Finding]:
    was, now = old["aggregate_key"], new["aggregate_key"]
    if was != now:
        key = AGGREGATE_KEY_ADDED if was is None else AGGREGATE_KEY
        says = f"{name} is ordered by {now or 'nothing'}."
        yield key.found(place.at("aggregate_key"), says, was, now)
    producers = sorted(old["producers"]), sorted(new["producers"])
    if producers[0] != producers[1]:
        rule = PRODUCERS if producers[1] or not producers[0] else PRODUCERS_GONE
        says = f"{name} is published by {', '.join(producers[1]) or 'nobody'}."
        yield rule.found(place.at("producers"), says, *producers)
    yield from _target(place, old["target"], new["target"])


def compare_services(before: Bundle, after: Bundle) -> Iterator[Finding]:
    """The services of two bundles by name; OpenAPI and AsyncAPI say the rest."""
    old, new = before.manifest["services"], after.manifest["services"]
    for name in _all(old, new):
        place = Place({}, MANIFEST, "").at("services", name)
        if name not in new:
            yield SERVICE_REMOVED.found(place, f"{name} is gone.", name)
        elif name not in old:
            yield SERVICE_ADDED.found(place, f"{name} is new.", None, name)
        else:
            yield from _target(place, old[name]["target"], new[name]["target"])


def _target(place: Place, was: str, now: str) -> Iterator[Finding]:
    if was != now:
        yield TARGET.found(place.at("target"), "The target has moved.", was, now)


def _all(old: Any, new: Any) -> list[str]:
    return list(dict.fromkeys([*old, *new]))

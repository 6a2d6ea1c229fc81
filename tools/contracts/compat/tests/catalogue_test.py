from __future__ import annotations

from typing import Any

import pytest

from tools.contracts.bundle import MANIFEST
from tools.contracts.compat.catalogue import RULES
from tools.contracts.compat.compare import compare_bundles, compare_stored
from tools.contracts.compat.tests.documents import (
    DTO,
    Change,
    Document,
    add_version,
    bundle,
    drop_version,
    dto_entry,
    told,
)

B, A, W = "breaking", "addition", "wording"
EVENT = "user.registered"
HERE = f"/events/{EVENT}"


def manifest(files: Document) -> Document:
    """The manifest among the files of a bundle."""
    found: Document = files[MANIFEST]
    return found


def event(files: Document) -> Document:
    """user.registered in the manifest."""
    found: Document = files[MANIFEST]["events"][EVENT]
    return found


def dto(files: Document) -> Document:
    """UserDTO in the manifest."""
    found: Document = files[MANIFEST]["dtos"]["UserDTO"]
    return found


def add_dto(files: Document) -> None:
    """A second DTO."""
    files["dtos/TeamDTO.schema.json"] = {"type": "object"}
    files[MANIFEST]["dtos"]["TeamDTO"] = dto_entry("TeamDTO")


def add_event(files: Document) -> None:
    """A second type of event."""
    files[MANIFEST]["events"]["user.left"] = {**event(files), "versions": {}}


def add_service(files: Document) -> None:
    """A second service."""
    services = files[MANIFEST]["services"]
    services["teams"] = {**services["accounts"], "openapi": "openapi/teams.json"}
    files["openapi/teams.json"] = files["openapi/accounts.json"]


def replace_version(files: Document) -> None:
    """Version 2 with an upcaster for version 1: the way out that the gate names."""
    add_version(files, 2)
    drop_version(files, 1, lifted=True)


def forget_version(files: Document) -> None:
    """Version 2, and version 1 is gone."""
    add_version(files, 2)
    drop_version(files, 1, lifted=False)


CASES: dict[str, tuple[Change, list[tuple[str, str, str]]]] = {
    "a DTO goes": (
        lambda d: manifest(d)["dtos"].clear(),
        [("dto-removed", B, "/dtos/UserDTO")],
    ),
    "a DTO comes": (add_dto, [("dto-added", A, "/dtos/TeamDTO")]),
    "a DTO is a request only": (
        lambda d: dto(d).update(direction="request"),
        [("dto-direction-removed", B, "/dtos/UserDTO/direction")],
    ),
    "a DTO has moved": (
        lambda d: dto(d).update(target="//shared/dtos:people"),
        [("target-moved", W, "/dtos/UserDTO/target")],
    ),
    "an event goes": (
        lambda d: manifest(d)["events"].clear(),
        [("event-removed", B, HERE)],
    ),
    "an event comes": (add_event, [("event-added", A, "/events/user.left")]),
    "a version comes": (
        lambda d: add_version(d, 2),
        [("event-version-added", A, f"{HERE}/versions/2")],
    ),
    "a version takes the place of one that is lifted": (
        replace_version,
        [
            ("event-version-added", A, f"{HERE}/versions/2"),
            ("event-version-lifted", A, f"{HERE}/versions/1"),
        ],
    ),
    "a version takes the place of one that nothing lifts": (
        forget_version,
        [
            ("event-version-added", A, f"{HERE}/versions/2"),
            ("event-version-unreadable", B, f"{HERE}/versions/1"),
        ],
    ),
    "events are ordered by another member": (
        lambda d: event(d).update(aggregate_key="email"),
        [("event-aggregate-key-changed", B, f"{HERE}/aggregate_key")],
    ),
    "events are ordered no more": (
        lambda d: event(d).update(aggregate_key=None),
        [("event-aggregate-key-changed", B, f"{HERE}/aggregate_key")],
    ),
    "nobody publishes an event": (
        lambda d: event(d).update(producers=[]),
        [("event-no-longer-produced", B, f"{HERE}/producers")],
    ),
    "another service publishes an event": (
        lambda d: event(d).update(producers=["teams"]),
        [("event-producers-changed", W, f"{HERE}/producers")],
    ),
    "a service goes": (
        lambda d: manifest(d)["services"].clear(),
        [("service-removed", B, "/services/accounts")],
    ),
    "a service comes": (add_service, [("service-added", A, "/services/teams")]),
}


@pytest.mark.parametrize("case", CASES)
def test_a_change(case: str) -> None:
    """Each change is found once, by its rule, where it was made."""
    change, expected = CASES[case]

    assert told(compare_bundles(bundle(), bundle(change))) == expected


@pytest.mark.parametrize(
    ("before", "after", "rule"),
    [
        ("request", "both", "dto-direction-added"),
        ("response", "both", "dto-direction-added"),
        ("request", "response", "dto-direction-removed"),
        ("both", "response", "dto-direction-removed"),
    ],
)
def test_a_direction(before: str, after: str, rule: str) -> None:
    """A further direction is new; one that goes takes a contract away."""
    old = bundle(lambda d: dto(d).update(direction=before))
    new = bundle(lambda d: dto(d).update(direction=after))

    assert [each.rule for each in compare_bundles(old, new)] == [rule]


def test_an_aggregate_key_where_was_none() -> None:
    """Order is something that consumers could not rely on before."""
    old = bundle(lambda d: event(d).update(aggregate_key=None))

    found = told(compare_bundles(old, bundle()))
    assert found == [("event-aggregate-key-added", A, f"{HERE}/aggregate_key")]


def test_an_upcaster_goes() -> None:
    """What was lifted must stay readable as long as somebody may have stored it."""

    def lift(files: Document) -> None:
        event(files)["lifted_from"].append(0)

    found = told(compare_bundles(bundle(lift), bundle()))
    assert found == [("event-version-unreadable", B, f"{HERE}/versions/0")]


def test_every_rule_is_tried() -> None:
    """Each rule of this module is found by a case above."""
    tried = {rule for _, expected in CASES.values() for rule, _, _ in expected}
    tried |= {"dto-direction-added", "event-aggregate-key-added"}

    assert {rule.name for rule in RULES} <= tried


def longer_name(files: Document) -> None:
    """UserDTO allows a longer name."""
    name = {**DTO["properties"]["name"], "maxLength": 99}
    files["dtos/UserDTO.schema.json"]["properties"]["name"] = name


@pytest.mark.parametrize(
    ("direction", "impact"), [("request", A), ("response", B), ("both", B)]
)
def test_schemas_are_compared_by_direction(direction: str, impact: str) -> None:
    """A request may widen, a response not; where both are found, the graver counts."""

    def made(change: Any) -> Change:
        def apply(files: Document) -> None:
            dto(files).update(direction=direction)
            change(files)

        return apply

    old, new = bundle(made(lambda d: None)), bundle(made(longer_name))
    found = told(compare_bundles(old, new))
    assert found == [("max-length-loosened", impact, "/properties/name/maxLength")]


def test_a_direction_that_is_new_has_no_history() -> None:
    """Nobody read it as a response so far, so there it may be as it likes."""
    old = bundle(lambda d: dto(d).update(direction="request"))

    found = told(compare_bundles(old, bundle(longer_name)))
    assert [each[:2] for each in found] == [
        ("dto-direction-added", A),
        ("max-length-loosened", A),
    ]


def test_a_direction_that_ends_is_told_once() -> None:
    """What a response says is nobody's business when there is none any more."""

    def request(files: Document) -> None:
        dto(files).update(direction="request")
        longer_name(files)

    found = told(compare_bundles(bundle(), bundle(request)))
    assert [each[:2] for each in found] == [
        ("dto-direction-removed", B),
        ("max-length-loosened", A),
    ]


def email_length(length: int) -> Change:
    """The bound of a member of the payload."""

    def apply(files: Document) -> None:
        payload = files["events/user.registered.v1.schema.json"]["$defs"]
        email = payload["UserRegisteredPayload"]["properties"]["email"]
        email["maxLength"] = length

    return apply


@pytest.mark.parametrize(("length", "today", "stored"), [(9, [B], [B]), (99, [B], [A])])
def test_an_event_is_written_and_read(
    length: int, today: list[str], stored: list[str]
) -> None:
    """Its bounds stay; of an old major version only what is stored counts."""
    old, new = bundle(), bundle(email_length(length))

    assert [each.impact for each in compare_bundles(old, new)] == today
    assert [each.impact for each in compare_stored(old, new)] == stored


def test_who_breaks_on_what_was_stored() -> None:
    """No client is there to be told; the way out is a version and an upcaster."""
    (found,) = compare_stored(bundle(), bundle(email_length(9)))

    assert found.rule == "max-length-tightened"
    assert found.breaks.startswith("Events of an older major version that wait in")
    assert "@upcaster" in found.way_out


def test_the_envelope_is_told_once() -> None:
    """Every event refers to it, and a change of it is one finding."""

    def change(files: Document) -> None:
        envelope = files["events/envelope.schema.json"]
        envelope["$defs"]["event_id"]["maxLength"] = 9
        add_version(files, 2)

    old = bundle(lambda d: add_version(d, 2))
    found = compare_bundles(old, bundle(change))

    assert [each.rule for each in found] == ["max-length-tightened"]


@pytest.mark.parametrize(
    ("case", "rules"),
    [
        ("an event goes", ["event-removed"]),
        ("a version takes the place of one that is lifted", []),
        (
            "a version takes the place of one that nothing lifts",
            ["event-version-unreadable"],
        ),
        ("a DTO goes", []),
        ("a service goes", []),
        ("events are ordered by another member", []),
    ],
)
def test_what_is_stored_must_be_read(case: str, rules: list[str]) -> None:
    """Of a major version that has ended, stored events are all that is left."""
    found = compare_stored(bundle(), bundle(CASES[case][0]))

    assert [each.rule for each in found] == rules


@pytest.mark.parametrize(("direction", "impact"), [("request", A), ("response", B)])
def test_a_part_is_compared_as_what_it_is_part_of(direction: str, impact: str) -> None:
    """A document that did not change refers to one that did."""

    def nest(files: Document) -> None:
        files[MANIFEST]["dtos"]["TeamDTO"] = dto_entry("TeamDTO", direction)
        files["dtos/TeamDTO.schema.json"] = {
            "type": "object",
            "properties": {"owner": {"$ref": "UserDTO.schema.json"}},
        }
        del files[MANIFEST]["dtos"]["UserDTO"]

    def change(files: Document) -> None:
        nest(files)
        longer_name(files)

    (found,) = compare_bundles(bundle(nest), bundle(change))
    assert (found.rule, found.document, found.impact) == (
        "max-length-loosened",
        "dtos/UserDTO.schema.json",
        impact,
    )

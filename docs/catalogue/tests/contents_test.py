"""What the page gets to show of a bundle."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.catalogue.channels import duration
from docs.catalogue.contents import Contents, contents_of
from docs.catalogue.parts import Part, plain
from docs.catalogue.tests import sample
from tools.contracts.bundle import Bundle, BundleError


@pytest.fixture(name="contents")
def _contents(tmp_path: Path) -> Contents:
    return contents_of(sample.bundle(tmp_path))


def test_an_event_has_its_versions_newest_first(contents: Contents) -> None:
    """Each with the payload, what that is made of, and an example."""
    (event,) = contents.events
    second, first = event.versions

    assert (event.name, event.lifted_from) == ("lamp.lit", (1,))
    assert [table.name for table in second.tables] == ["LampLitPayload", "Place"]
    assert [row.name for row in first.tables[0].rows] == ["lamp"]
    assert '"path": "events/lamp.lit.v2.schema.json"' in second.example


def test_an_event_leads_to_who_sends_and_who_hears(contents: Contents) -> None:
    """Services and queues by name; the exchange that it is sent to."""
    (event,) = contents.events

    assert event.producers == (Part("lamps", True, "service-lamps"),)
    assert [each.name for each in event.consumers] == ["lamps.count"]
    assert event.exchange == "events"


def test_a_subscription_has_its_queues_in_the_order_of_a_failure(
    contents: Contents,
) -> None:
    """The main one, retries by delay, dead letters; what serves nobody is last."""
    counted, nobodys = contents.subscriptions

    assert [queue.name for queue in counted.queues] == [
        "lamps.count",
        "lamps.count.retry.1000ms",
        "lamps.count.retry.60000ms",
        "lamps.count.dead",
    ]
    assert [queue.delay for queue in counted.retries] == ["1 s", "1 min"]
    assert counted.queues[0].bindings == (("events", "lamp.lit"),)
    assert dict(counted.policy) == {
        "Tried again at once": "2 times",
        "And again after": "1 s, 1 min",
        "Time for a try": "500 ms",
        "Not again after": "builtins.ValueError",
        "In order": "no",
        "At the same time": "up to 10",
    }
    assert (nobodys.name, nobodys.dead) == ("nobodys", [])


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [
        (0, "0 ms"),
        (1, "1 ms"),
        (1500, "1500 ms"),
        (90_000, "90 s"),
        (300_000, "5 min"),
        (7_200_000, "2 h"),
        (0.5, "0.5 ms"),
    ],
)
def test_durations_have_the_largest_exact_unit(milliseconds: float, words: str) -> None:
    """Nothing is rounded."""
    assert duration(milliseconds) == words


def test_a_dto_says_who_uses_it(contents: Contents) -> None:
    """Other DTOs and operations, with their places in the page."""
    color, lamp, mood = contents.dtos

    assert color.used_by == (Part("LampCreateDTO", True, "dto-LampCreateDTO"),)
    assert lamp.used_by == (
        Part("PUT /lamps/{lamp_id}", True, "operation-lamps-put_lamp"),
    )
    assert mood.table.values == ('"warm"', '"cold"')


def test_a_dto_shows_its_own_examples_before_vectors(contents: Contents) -> None:
    """Those in the schema were written to be read."""
    color, lamp, _ = contents.dtos

    assert '"watts": 60' in lamp.examples[0]
    assert '"path"' in color.examples[0]


def test_members_of_requests_are_not_told_to_be_always_there(
    contents: Contents,
) -> None:
    """x-written is about what services write."""
    color, lamp, _ = contents.dtos

    assert [row.presence for row in color.table.rows] == [
        "required",
        "always there in replies",
    ]
    assert {row.presence for row in lamp.table.rows} == {"optional"}


def test_the_envelope_shows_its_members_in_full(contents: Contents) -> None:
    """Its own definitions are in their places."""
    assert contents.envelope is not None
    rows = [(r.name, plain(r.type), r.presence) for r in contents.envelope.rows]
    assert rows == [
        ("event_id", "string (uuid)", "required"),
        ("payload", "anything", "required"),
        ("causation_id", "string or null", "always there"),
    ]


def test_an_operation_has_its_parameters_codes_and_bodies(contents: Contents) -> None:
    """Those of the path too; a component that is a DTO leads to it."""
    (service,) = contents.services
    (operation,) = service.operations
    done, refused = operation.replies

    assert (operation.name, operation.operation_id) == (
        "PUT /lamps/{lamp_id}",
        "put_lamp",
    )
    assert [each.name for each in operation.parameters] == ["lamp_id"]
    assert operation.body == (Part("LampCreateDTO", True, "dto-LampCreateDTO"),)
    assert done.type == (Part("Lamp", True, "service-lamps-Lamp"),)
    assert refused.codes == ("bulb_broken", "not_found")
    assert operation.security == ("bearer",)
    assert [table.name for table in service.tables] == ["Lamp", "Problem"]


def test_errors_of_a_service_come_after_those_of_all(contents: Contents) -> None:
    """With every status that a code comes under."""
    found = [(e.id, e.statuses, e.service) for e in contents.errors]

    assert found == [
        ("error-not_found", (404, 410), ""),
        ("error-lamps-bulb_broken", (409,), "lamps"),
    ]


def test_rules_of_code_lead_to_their_document(contents: Contents) -> None:
    """By the name that people know it by."""
    (rule,) = contents.code_rules

    assert rule.document == Part("LampCreateDTO", True, "dto-LampCreateDTO")
    assert (rule.pointer, rule.by) == ("/properties/watts", ("is_sold",))


def test_missing_vectors_are_told(tmp_path: Path) -> None:
    """An event without an example is a broken bundle, and no empty place."""
    missing = "vectors/events/lamp.lit.v1.json"
    folder = sample.write(tmp_path, without=[missing])

    with pytest.raises(BundleError, match=f"{missing} is missing"):
        contents_of(Bundle.load(folder, "sample"))

"""The envelope: what it fills in, what it refuses, and that it can't change."""

import copy
import pickle
import uuid
from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated, Any, Literal

import pytest
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    PlainValidator,
    PydanticUndefinedAnnotation,
    ValidationError,
    WrapValidator,
    field_validator,
    model_validator,
)

from shared.events._envelope import BaseEvent, EventPayload
from shared.events._fields import Timestamp
from shared.logging import correlation_id_var
from shared.validation import UtcDateTime

INVOICE_ID = uuid.UUID("5f0c6a5e-6d0b-4c55-9d0e-0f6f3f1f7c11")


class InvoicePaidPayload(EventPayload):
    """What a service's own event may say."""

    aggregate_key = "invoice_id"

    invoice_id: uuid.UUID
    note: str = ""
    lines: tuple[str, ...] = ()


class InvoicePaid(BaseEvent[InvoicePaidPayload]):
    """A service's own event."""

    event_type: Literal["invoice.paid"] = "invoice.paid"
    schema_version: Literal[1] = 1


def paid(**changes: Any) -> InvoicePaid:
    return InvoicePaid(payload=InvoicePaidPayload(invoice_id=INVOICE_ID), **changes)


def test_everything_but_the_payload_has_a_default() -> None:
    """Who publishes an event says what happened, not how it travels."""
    before = datetime.now(UTC)
    event = paid()

    assert event.event_id.version == 4
    assert event.event_type == "invoice.paid"
    assert before <= event.timestamp <= datetime.now(UTC)
    assert (event.schema_version, event.causation_id) == (1, None)


def test_each_event_has_its_own_id() -> None:
    """Two events are two events, even when they say the same."""
    assert paid().event_id != paid().event_id


def test_members_are_written_in_the_documented_order() -> None:
    """The envelope is the specification's, then our two members."""
    event = paid(
        event_id=uuid.UUID(int=1),
        correlation_id="abc-123",
        timestamp=datetime(2026, 1, 31, 12, tzinfo=UTC),
    )

    assert event.encode() == (
        b'{"event_id":"00000000-0000-0000-0000-000000000001",'
        b'"event_type":"invoice.paid","correlation_id":"abc-123",'
        b'"timestamp":"2026-01-31T12:00:00Z",'
        b'"payload":{"invoice_id":"5f0c6a5e-6d0b-4c55-9d0e-0f6f3f1f7c11",'
        b'"note":"","lines":[]},"schema_version":1,"causation_id":null}'
    )


def test_payload_is_encoded_alone() -> None:
    """The outbox and CloudEvents need the payload without its envelope."""
    assert paid().encode_payload() == (
        b'{"invoice_id":"5f0c6a5e-6d0b-4c55-9d0e-0f6f3f1f7c11","note":"","lines":[]}'
    )


def test_correlation_id_is_that_of_the_current_request() -> None:
    """One id runs from the request through the events that it leads to."""
    token = correlation_id_var.set("req-42")
    try:
        assert paid().correlation_id == "req-42"
    finally:
        correlation_id_var.reset(token)


@pytest.mark.parametrize("current", [None, "", "with space", "trailing\n", "x" * 129])
def test_correlation_id_is_new_without_a_usable_one(current: str | None) -> None:
    """An event outside of any request starts a chain of its own."""
    token = correlation_id_var.set(current)
    try:
        assert uuid.UUID(paid().correlation_id).version == 4
    finally:
        correlation_id_var.reset(token)


def test_correlation_id_may_be_a_uuid() -> None:
    """The specification has a UUID there; in the envelope it is text."""
    assert paid(correlation_id=uuid.UUID(int=7)).correlation_id == str(uuid.UUID(int=7))


@pytest.mark.parametrize("bad", ["", "a b", "a\n", "é", "x" * 129])
def test_correlation_id_is_safe_in_headers_and_logs(bad: str) -> None:
    """Whatever is no id by the architecture's pattern is refused."""
    with pytest.raises(ValidationError, match=r"string_(pattern_mismatch|too_long)"):
        paid(correlation_id=bad)


def test_caused_by_links_to_the_cause() -> None:
    """A consequence names its cause and belongs to the same request."""
    cause = paid(correlation_id="req-42")
    event = paid(correlation_id="other")
    effect = event.caused_by(cause)

    assert (effect.correlation_id, effect.causation_id) == ("req-42", cause.event_id)
    assert (effect.event_id, effect.payload) == (event.event_id, event.payload)
    assert (event.correlation_id, event.causation_id) == ("other", None)


def test_caused_by_makes_chains() -> None:
    """A chain has one correlation id, and each link names the one before."""
    first = paid(correlation_id="req-42")
    second = paid().caused_by(first)
    third = paid().caused_by(second)

    assert (third.causation_id, third.correlation_id) == (second.event_id, "req-42")


def test_nothing_causes_itself() -> None:
    """A loop of one would hang whoever follows the chain."""
    event = paid()
    with pytest.raises(ValueError, match="can't cause itself"):
        event.caused_by(event)


def test_aggregate_id_is_text() -> None:
    """Events of one thing are ordered by this id, whatever its type."""
    assert paid().aggregate_id == str(INVOICE_ID)


def test_aggregate_id_is_none_where_no_key_is_named() -> None:
    """An event that is about no thing in particular needs no order."""

    class NightFellPayload(EventPayload):
        """Nothing to say."""

    class NightFell(BaseEvent[NightFellPayload]):
        """An event about no thing."""

        event_type: Literal["night.fell"] = "night.fell"

    assert NightFell(payload=NightFellPayload()).aggregate_id is None


@pytest.mark.parametrize(
    ("target", "name"), [("event", "event_id"), ("payload", "note")]
)
def test_events_are_frozen(target: str, name: str) -> None:
    """What happened can't be changed afterwards."""
    event = paid()
    with pytest.raises(ValidationError, match="frozen_instance"):
        setattr({"event": event, "payload": event.payload}[target], name, "x")


def test_events_are_values() -> None:
    """Equal events are equal in sets, and survive pickle and copies."""
    event = paid()

    assert {event, InvoicePaid(**dict(event))} == {event}
    for twin in (
        pickle.loads(pickle.dumps(event)),
        copy.copy(event),
        copy.deepcopy(event),
    ):
        assert (type(twin), twin) == (InvoicePaid, event)


@pytest.mark.parametrize(
    ("cls", "members"),
    [
        (InvoicePaidPayload, {"invoice_id": INVOICE_ID, "nota": "typo"}),
        (InvoicePaid, {"payload": {"invoice_id": INVOICE_ID}, "topic": "x"}),
    ],
)
def test_misspelt_members_are_refused_when_an_event_is_made(
    cls: type[BaseModel], members: dict[str, Any]
) -> None:
    """Otherwise a typo would publish an event without the fact."""
    with pytest.raises(ValidationError, match="extra_forbidden"):
        cls.model_validate(members)


def test_another_type_or_version_is_refused() -> None:
    """A class can't pass for another type or version of event."""
    with pytest.raises(ValidationError, match="literal_error"):
        paid(event_type="invoice.sent")
    with pytest.raises(ValidationError, match="literal_error"):
        paid(schema_version=2)


def test_refusals_quote_no_values() -> None:
    """What was refused may be a secret, and exceptions end in logs."""
    with pytest.raises(ValidationError) as caught:
        InvoicePaidPayload(invoice_id="hunter2")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb"])
def test_text_without_utf8_is_refused_when_an_event_is_made(text: str) -> None:
    """A lone surrogate would only be found when the event is written."""
    with pytest.raises(ValidationError, match="string_unicode"):
        InvoicePaidPayload(invoice_id=INVOICE_ID, note=text)


def test_what_can_not_be_written_is_one_clear_error() -> None:
    """model_construct skips validation; the error still says nothing of the value."""
    payload = InvoicePaidPayload.model_construct(
        invoice_id=INVOICE_ID, note="hunter\ud800", lines=()
    )
    event = InvoicePaid(payload=payload)
    for encode in (event.encode, event.encode_payload):
        with pytest.raises(ValueError, match="InvoicePaid can't be written") as caught:
            encode()
        assert "hunter" not in str(caught.value)


def test_the_envelope_alone_is_no_event() -> None:
    """BaseEvent has no type of payload, and says what to do instead."""
    with pytest.raises(PydanticUndefinedAnnotation, match=r"make a class of BaseEvent"):
        BaseEvent(event_type="invoice.paid", payload=None)


@pytest.mark.parametrize(
    "name",
    [
        "invoice",
        "Invoice.paid",
        "invoice.Paid",
        "invoice.*",
        "invoice.#",
        "#",
        "invoice paid",
        "invoice.paid ",
        "invoice.paid\n",
        "invoice..paid",
        ".paid",
        "invoice.",
        "invoice-paid",
        "rechnung.bezählt",
        "1nvoice.paid",
        "invoice." + "x" * 248,
        "",
    ],
)
def test_names_that_are_no_routing_keys_are_refused(name: str) -> None:
    """A wildcard or a space would bind, or lose, the wrong messages."""
    with pytest.raises(TypeError, match=r"Bad\.event_type must be domain\.verb_past"):

        class Bad(BaseEvent[InvoicePaidPayload]):
            """Never made."""

            event_type: Literal[name] = name  # type: ignore[valid-type]


def test_the_longest_name_is_a_routing_key() -> None:
    """AMQP takes 255 bytes."""

    class Long(BaseEvent[InvoicePaidPayload]):
        """An event with a long name."""

        event_type: str = "invoice." + "x" * 247

        event_type: Literal[event_type] = event_type  # type: ignore[no-redef, valid-type]

    assert len(Long(payload={"invoice_id": INVOICE_ID}).event_type) == 255


def test_a_name_that_is_no_literal_is_refused() -> None:
    """With plain text, every instance could claim another type."""
    with pytest.raises(TypeError, match=r"event_type must be one literal"):

        class Loose(BaseEvent[InvoicePaidPayload]):
            """Never made."""

            event_type: str = "invoice.paid"


def test_a_literal_with_two_names_is_refused() -> None:
    """One class is one type of event."""
    with pytest.raises(TypeError, match=r"event_type must be one literal"):

        class Two(BaseEvent[InvoicePaidPayload]):
            """Never made."""

            event_type: Literal["invoice.paid", "invoice.sent"] = "invoice.paid"


@pytest.mark.parametrize("version", [0, -1, True, "1"])
def test_a_version_is_a_positive_integer(version: Any) -> None:
    """Versions are compared, so they must be numbers."""
    with pytest.raises(TypeError, match=r"schema_version must have a default from 1"):

        class Odd(BaseEvent[InvoicePaidPayload]):
            """Never made."""

            event_type: Literal["invoice.paid"] = "invoice.paid"
            schema_version: int = version


@pytest.mark.parametrize("payload", [dict, str, Any, BaseModel])
def test_a_payload_is_a_typed_model(payload: Any) -> None:
    """A dictionary of anything is what typed events replace."""
    with pytest.raises(TypeError, match=r"payload must be an EventPayload"):

        class Untyped(BaseEvent[payload]):
            """Never made."""

            event_type: Literal["invoice.paid"] = "invoice.paid"


class Changeable(BaseModel):
    """A model that is not frozen."""


@pytest.mark.parametrize(
    ("annotation", "part"),
    [
        (list[str], "list"),
        (dict[str, int], "dict"),
        (set[int], "set"),
        (bytearray, "bytearray"),
        (tuple[list[int], ...], "list"),
        (tuple[str, ...] | list[str] | None, "list"),
        (Changeable, "Changeable"),
        (tuple[Changeable, ...], "Changeable"),
    ],
)
def test_parts_that_can_change_are_refused(annotation: Any, part: str) -> None:
    """A frozen payload around a list is not frozen."""
    with pytest.raises(TypeError, match=rf"BadPayload\.part must not hold a {part}"):

        class BadPayload(EventPayload):
            """Never made."""

            part: annotation


def test_parts_that_are_not_defined_yet_are_refused() -> None:
    """Nobody could tell whether they can change."""
    with pytest.raises(TypeError, match=r"BadPayload has a field whose type is not kn"):

        class BadPayload(EventPayload):
            """Never made."""

            part: "LaterPayload"

    class LaterPayload(EventPayload):
        """Too late."""


def test_a_part_may_be_of_its_own_kind() -> None:
    """Comments have answers, which are comments."""

    class CommentPayload(EventPayload):
        """A tree."""

        answers: "tuple[CommentPayload, ...]" = ()

    assert CommentPayload(answers=[{"answers": []}]).answers == (CommentPayload(),)


def test_aliases_are_refused() -> None:
    """Each member has one name, in Python and on the wire."""
    with pytest.raises(TypeError, match=r"BadPayload\.part must not have an alias"):

        class BadPayload(EventPayload):
            """Never made."""

            part: int = Field(alias="teil")


def strip(value: Any) -> Any:
    return value


@pytest.mark.parametrize(
    "annotation",
    [
        UtcDateTime,
        Annotated[str, BeforeValidator(strip)],
        Annotated[str, PlainValidator(strip)],
        tuple[Annotated[str, WrapValidator(lambda v, h: h(v))], ...] | None,
    ],
)
def test_validators_that_convert_are_refused(annotation: Any) -> None:
    """Such a payload can be written, and not be read again."""
    with pytest.raises(
        TypeError, match=r"BadPayload\.part must not be validated before"
    ):

        class BadPayload(EventPayload):
            """Never made."""

            part: annotation


def test_decorated_validators_that_convert_are_refused() -> None:
    """The same rule for the other notation."""
    with pytest.raises(TypeError, match=r"BadPayload\.strip must not be validated bef"):

        class BadPayload(EventPayload):
            """Never made."""

            part: str

            strip = field_validator("part", mode="before")(strip)

    with pytest.raises(
        TypeError, match=r"WorsePayload\.strip must not be validated be"
    ):

        class WorsePayload(EventPayload):
            """Never made."""

            strip = model_validator(mode="before")(strip)


def test_validators_that_check_are_fine() -> None:
    """What the type accepted may be looked at once more."""

    class EvenPayload(EventPayload):
        """An even number, and a moment."""

        number: Annotated[int, AfterValidator(strip)]
        at: Timestamp

        _check = field_validator("number", mode="after")(strip)

    assert EvenPayload(number=2, at="2026-01-31T12:00:00Z").number == 2


def test_an_aggregate_key_names_a_field() -> None:
    """A typo would silently give up the order of events."""
    with pytest.raises(TypeError, match=r"aggregate_key must name one of its fields"):

        class BadPayload(EventPayload):
            """Never made."""

            aggregate_key = "invoice"

            invoice_id: int


def test_timestamps_become_utc() -> None:
    """All timestamps of all services compare as text, too."""
    event = paid(
        timestamp=datetime(2026, 1, 31, 14, tzinfo=timezone(timedelta(hours=2)))
    )

    assert event.timestamp == datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert event.timestamp.tzinfo is UTC


def test_naive_timestamps_are_refused() -> None:
    """Nobody knows which zone they were meant to be in."""
    with pytest.raises(ValidationError, match=r"must have a time zone"):
        paid(timestamp=datetime(2026, 1, 31, 12))  # noqa: DTZ001

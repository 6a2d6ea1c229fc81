"""Events as CloudEvents: round trips, the specification's examples, bad messages."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.events._envelope import BaseEvent
from shared.events._errors import EventFormatError
from shared.events._platform import PLATFORM_EVENTS
from shared.events._registry import EventRegistry
from shared.events._unknown import UnknownEvent
from shared.events.cloudevents import (
    AMQP_PREFIX,
    HTTP_PREFIX,
    MEDIA_TYPE,
    Message,
    from_message,
    is_cloudevent,
    to_binary,
    to_structured,
)
from shared.events.team import TeamDeletedEvent, TeamDeletedPayload
from shared.events.tests.strategies import events_of, json_values, texts

STRUCTURED = {"content-type": MEDIA_TYPE}
TEAM_ID = "d2f9a0c4-94c1-4a46-8c6a-6d6c1f2b3e55"
EVENT_ID = "5f0c6a5e-6d0b-4c55-9d0e-0f6f3f1f7c11"
EVENT = TeamDeletedEvent(
    event_id=UUID(EVENT_ID),
    correlation_id="abc-123",
    timestamp=datetime(2026, 1, 31, 12, tzinfo=UTC),
    payload=TeamDeletedPayload(team_id=UUID(TEAM_ID)),
)

Write = Callable[[BaseEvent[Any]], Message]
WRITERS: dict[str, Write] = {
    "structured": lambda event: to_structured(event, source="/teams"),
    "http": lambda event: to_binary(event, source="/teams"),
    "amqp": lambda event: to_binary(event, source="/teams", prefix=AMQP_PREFIX),
}


def read(message: Message) -> BaseEvent[Any]:
    """Read *message* with the platform's registry."""
    return from_message(message.headers, message.body, registry=PLATFORM_EVENTS)


def cloudevent(**changes: Any) -> dict[str, Any]:
    """A CloudEvent with a stranger among its attributes; None takes one away."""
    members = {
        "specversion": "1.0",
        "id": EVENT_ID,
        "source": "/teams",
        "type": "team.deleted",
        "time": "2026-01-31T12:00:00Z",
        "correlationid": "abc-123",
        "comexampleother": 5,
        "data": {"team_id": TEAM_ID},
    }
    return {k: v for k, v in (members | changes).items() if v is not None}


def structured(**changes: Any) -> Message:
    """The CloudEvent as a message in structured mode."""
    return Message(STRUCTURED, json.dumps(cloudevent(**changes)).encode())


# -- writing --------------------------------------------------------------------------


def test_structured_mode_is_one_document() -> None:
    """All attributes and the data, in the members that the specification names."""
    event = EVENT.model_copy(update={"causation_id": UUID(int=1)})

    headers, body = to_structured(event, source="/teams")

    assert headers == {"content-type": "application/cloudevents+json"}
    assert body == (
        b'{"specversion":"1.0","id":"5f0c6a5e-6d0b-4c55-9d0e-0f6f3f1f7c11",'
        b'"source":"/teams","type":"team.deleted",'
        b'"subject":"d2f9a0c4-94c1-4a46-8c6a-6d6c1f2b3e55",'
        b'"time":"2026-01-31T12:00:00Z","datacontenttype":"application/json",'
        b'"correlationid":"abc-123",'
        b'"causationid":"00000000-0000-0000-0000-000000000001","schemaversion":1,'
        b'"data":{"team_id":"d2f9a0c4-94c1-4a46-8c6a-6d6c1f2b3e55"}}'
    )


@pytest.mark.parametrize("prefix", [HTTP_PREFIX, AMQP_PREFIX])
def test_binary_mode_is_headers_and_payload(prefix: str) -> None:
    """The content type is its own header, and no attribute."""
    assert to_binary(EVENT, source="/teams", prefix=prefix) == (
        {
            "content-type": "application/json",
            f"{prefix}specversion": "1.0",
            f"{prefix}id": EVENT_ID,
            f"{prefix}source": "/teams",
            f"{prefix}type": "team.deleted",
            f"{prefix}subject": TEAM_ID,
            f"{prefix}time": "2026-01-31T12:00:00Z",
            f"{prefix}correlationid": "abc-123",
            f"{prefix}schemaversion": "1",
        },
        b'{"team_id":"d2f9a0c4-94c1-4a46-8c6a-6d6c1f2b3e55"}',
    )


@pytest.mark.parametrize("source", ["", "a b", "é", '/"', "/\n", "<x>"])
@pytest.mark.parametrize("write", [to_structured, to_binary])
def test_a_source_is_a_uri_reference(
    write: Callable[..., Message], source: str
) -> None:
    """Other text would not survive as a header."""
    with pytest.raises(ValueError, match=r"source must be a URI reference"):
        write(EVENT, source=source)


def test_a_prefix_is_one_of_two() -> None:
    """A typo would make headers that nobody reads."""
    with pytest.raises(ValueError, match="prefix must be 'ce-' or 'cloudEvents_'"):
        to_binary(EVENT, source="/teams", prefix="ce_")


def test_attribute_names_are_valid() -> None:
    """Section 3.1: lowercase letters and digits."""
    event = EVENT.model_copy(update={"causation_id": UUID(int=1)})
    names = set(json.loads(to_structured(event, source="/teams").body))

    assert all(name.isalnum() and name.islower() for name in names)
    assert {"id", "source", "specversion", "type"} <= names


# -- round trips ----------------------------------------------------------------------


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
@settings(max_examples=40, deadline=None)
@given(event=st.sampled_from(list(PLATFORM_EVENTS)).flatmap(events_of))
def test_every_event_survives(write: Write, event: BaseEvent[Any]) -> None:
    """In each mode, with cause, version and all."""
    message = write(event)
    first, second = read(message), read(message)

    assert is_cloudevent(message.headers)
    assert (type(first), first) == (type(event), event)
    assert second == first


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
@settings(max_examples=50, deadline=None)
@given(
    payload=json_values, event_type=texts.filter(bool), version=st.integers(1, 10**20)
)
def test_unknown_events_survive(
    write: Write, payload: Any, event_type: str, version: int
) -> None:
    """Whatever their type is called, and whatever is in them."""
    event = UnknownEvent(event_type=event_type, payload=payload, schema_version=version)
    found = read(write(event))

    assert type(found) is UnknownEvent
    assert found.encode_payload() == event.encode_payload()
    assert found.model_dump() == event.model_dump()


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_numbers_of_unknown_events_keep_their_form(write: Write) -> None:
    """Passing an event on must not round what is in it."""
    raw = EVENT.encode().replace(b"team.deleted", b"team.lost")
    raw = raw.replace(f'"{TEAM_ID}"'.encode(), b"1.10")
    found = read(write(EventRegistry().parse(raw)))

    assert found.encode_payload() == b'{"team_id":1.10}'


# -- the specification's own examples -------------------------------------------------

# JSON event format 1.0.2, section 3.2, but for the time that one of them leaves out.
EXAMPLE = {
    "specversion": "1.0",
    "type": "com.example.someevent",
    "source": "/mycontext",
    "subject": None,
    "id": "C234-1234-1234",
    "time": "2018-04-05T17:31:00Z",
    "comexampleextension1": "value",
    "comexampleothervalue": 5,
}


@pytest.mark.parametrize(
    ("members", "payload"),
    [
        (
            {
                "datacontenttype": "application/json",
                "data": {"appinfoA": "abc", "appinfoB": 123, "appinfoC": True},
            },
            {"appinfoA": "abc", "appinfoB": 123, "appinfoC": True},
        ),
        ({"datacontenttype": "application/json", "data": 1.5}, 1.5),
        ({"data": "I'm just a string"}, "I'm just a string"),
        ({"data": None}, None),
        ({}, None),
    ],
)
def test_the_examples_of_the_json_format_are_read(members: Any, payload: Any) -> None:
    """Data of any JSON type, with and without a content type, or none at all."""
    message = Message(STRUCTURED, json.dumps({**EXAMPLE, **members}, indent=4).encode())
    event = read(message)

    assert type(event) is UnknownEvent
    assert event.event_type == "com.example.someevent"
    assert event.timestamp == datetime(2018, 4, 5, 17, 31, tzinfo=UTC)
    assert event.payload == payload
    assert event.schema_version == 1


@pytest.mark.parametrize(
    "headers",
    [
        # HTTP protocol binding 1.0.2, section 3.1.4
        {
            "Content-Type": "application/json; charset=utf-8",
            "ce-specversion": "1.0",
            "ce-type": "com.example.someevent",
            "ce-time": "2018-04-05T03:56:24Z",
            "ce-id": "1234-1234-1234",
            "ce-source": "/mycontext/subcontext",
        },
        # AMQP protocol binding 1.0.2, section 3.1.4
        {
            "content-type": "application/json; charset=utf-8",
            "cloudEvents:specversion": "1.0",
            "cloudEvents:type": "com.example.someevent",
            "cloudEvents:time": "2018-04-05T03:56:24Z",
            "cloudEvents:id": "1234-1234-1234",
            "cloudEvents:source": "/mycontext/subcontext",
        },
        # Native types of AMQP, section 3.1.3.2
        {
            "content-type": "application/json",
            "cloudEvents_specversion": b"1.0",
            "cloudEvents_type": "com.example.someevent",
            "cloudEvents_time": datetime(2018, 4, 5, 3, 56, 24, tzinfo=UTC),
            "cloudEvents_id": "1234-1234-1234",
            "cloudEvents_source": "/mycontext/subcontext",
            "cloudEvents_schemaversion": 1,
        },
        {
            "cloudEvents_specversion": "1.0",
            "cloudEvents_type": "com.example.someevent",
            "cloudEvents_time": datetime(2018, 4, 5, 3, 56, 24),  # noqa: DTZ001
            "cloudEvents_id": "1234-1234-1234",
            "cloudEvents_source": "/mycontext/subcontext",
            "x-other": object(),
        },
    ],
)
def test_the_examples_of_the_bindings_are_read(headers: dict[str, object]) -> None:
    """With either separator, in any case, as text and in types of the protocol."""
    event = from_message(headers, b'{"a":1}', registry=PLATFORM_EVENTS)

    assert type(event) is UnknownEvent
    assert event.timestamp == datetime(2018, 4, 5, 3, 56, 24, tzinfo=UTC)
    assert event.payload == {"a": 1}


def test_the_example_of_percent_encoding_holds() -> None:
    """HTTP protocol binding 1.0.2, section 3.1.3.2, in both directions."""
    text = "Euro \u20ac \U0001f600"
    event = UnknownEvent(event_type=text, payload=1)
    message = to_binary(event, source="/x")

    assert message.headers["ce-type"] == "Euro%20%E2%82%AC%20%F0%9F%98%80"
    assert read(message).event_type == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ('"Euro \u20ac"', "Euro \u20ac"),
        (r'"say \"hi\" \\ "', 'say "hi" \\ '),
        ("%41%e2%82%ac", "A\u20ac"),
        ('"', '"'),
    ],
)
def test_older_forms_of_header_values_are_read(value: str, text: str) -> None:
    """Quoted strings, needless escapes, lowercase digits (section 3.1.3.2)."""
    message = to_binary(EVENT, source="/x")
    headers = {**message.headers, "ce-type": value}

    assert read(Message(headers, message.body)).event_type == text


# -- what other producers leave out or add --------------------------------------------


def test_another_producer_s_order_and_spacing_are_read() -> None:
    """What is ours is read fast; what is not is read all the same."""
    for _ in range(2):
        assert read(structured()) == EVENT


def test_a_foreign_id_becomes_a_stable_uuid() -> None:
    """Redelivered, it is the same; from another source, it is another event."""
    first, second = (read(structured(id="A234")) for _ in range(2))
    other = read(structured(id="A234", source="/others"))

    assert first.event_id == second.event_id == uuid5(NAMESPACE_URL, "/teams A234")
    assert other.event_id != first.event_id


@pytest.mark.parametrize("event_id", [EVENT_ID, "A234"])
def test_without_a_correlation_id_an_event_begins_a_chain(event_id: str) -> None:
    """The id does not change when the event is delivered again."""
    event = read(structured(correlationid=None, id=event_id))

    assert event.correlation_id == str(event.event_id)


@pytest.mark.parametrize(
    ("attribute", "name", "value"),
    [
        ({"schemaversion": "1"}, "schema_version", 1),
        ({"causationid": "not-ours"}, "causation_id", None),
        ({"causationid": EVENT_ID.upper()}, "causation_id", UUID(EVENT_ID)),
    ],
)
def test_attributes_in_other_forms_are_read(
    attribute: dict[str, Any], name: str, value: object
) -> None:
    """An integer may come as text, and a cause may be unknown to us."""
    assert getattr(read(structured(**attribute)), name) == value


@pytest.mark.parametrize(
    "content_type", ["application/json", "text/x+JSON; charset=utf-8"]
)
def test_json_in_base64_is_read(content_type: str) -> None:
    """Some producers hold their data as bytes."""
    data = base64.b64encode(EVENT.encode_payload()).decode()

    assert (
        read(structured(data=None, data_base64=data, datacontenttype=content_type))
        == EVENT
    )


def test_null_is_the_same_as_absent() -> None:
    """JSON event format 1.0.2, section 2.2."""
    document = {**cloudevent(), "causationid": None, "schemaversion": None}

    assert read(Message(STRUCTURED, json.dumps(document).encode())) == EVENT


@pytest.mark.parametrize(
    ("headers", "claim"),
    [
        ({"Content-Type": "application/cloudevents+json; charset=utf-8"}, True),
        ({"content-type": "APPLICATION/CLOUDEVENTS+JSON"}, True),
        ({"content-type": "application/cloudevents-batch+json"}, True),
        ({"CE-SpecVersion": "1.0"}, True),
        ({"cloudEvents:specversion": "1.0"}, True),
        ({"content-type": "application/json", "ce-id": "1"}, False),
        ({"x-ce-specversion": "1.0"}, False),
        ({}, False),
    ],
)
def test_cloudevents_can_be_told_from_others(
    headers: dict[str, object], claim: bool
) -> None:
    """A consumer reads both our envelope and CloudEvents."""
    assert is_cloudevent(headers) is claim


# -- bad messages ---------------------------------------------------------------------

HTTP = to_binary(EVENT, source="/teams")


def document(**changes: Any) -> bytes:
    """The CloudEvent as the body of such a message."""
    return structured(**changes).body


BAD: list[tuple[dict[str, object], bytes, list[tuple[str, str]]]] = [
    (
        {"content-type": "application/cloudevents-batch+json"},
        b"[]",
        [("", "media_type")],
    ),
    ({"content-type": "application/cloudevents+avro"}, b"", [("", "media_type")]),
    ({**STRUCTURED}, b"", [("", "json_invalid")]),
    ({**STRUCTURED}, b"[]", [("", "model_type")]),
    ({**STRUCTURED}, document()[:-1], [("", "json_invalid")]),
    (
        {**STRUCTURED},
        b"{}",
        [
            ("/id", "missing"),
            ("/source", "missing"),
            ("/specversion", "missing"),
            ("/time", "missing"),
            ("/type", "missing"),
        ],
    ),
    (
        {},
        b"",
        [(f"/{n}", "missing") for n in ("id", "source", "specversion", "time", "type")],
    ),
    (
        {**STRUCTURED},
        document(specversion="0.3"),
        [("/specversion", "version_unsupported")],
    ),
    ({**STRUCTURED}, document(id=""), [("/id", "string_type")]),
    ({**STRUCTURED}, document(source=1), [("/source", "string_type")]),
    ({**STRUCTURED}, document(time="today"), [("/time", "timestamp_format")]),
    (
        {**STRUCTURED},
        document(correlationid="a b", causationid=1, schemaversion="x"),
        [
            ("/correlationid", "string_pattern_mismatch"),
            ("/schemaversion", "int_type"),
            ("/causationid", "uuid_type"),
        ],
    ),
    ({**STRUCTURED}, document(data={}), [("/data/team_id", "missing")]),
    ({**STRUCTURED}, document(data=None), [("/data", "model_type")]),
    (
        {**STRUCTURED},
        document(datacontenttype="application/xml"),
        [("/datacontenttype", "media_type")],
    ),
    ({**STRUCTURED}, document(datacontenttype=1), [("/datacontenttype", "media_type")]),
    (
        {**STRUCTURED},
        document(data_base64="e30="),
        [("/datacontenttype", "media_type")],
    ),
    (
        {**STRUCTURED},
        document(data_base64="e3 0=", datacontenttype="application/json"),
        [("/data_base64", "base64")],
    ),
    (
        {**STRUCTURED},
        document(data_base64=5, datacontenttype="application/json"),
        [("/data_base64", "base64")],
    ),
    (
        {**STRUCTURED},
        document(data_base64="ew==", datacontenttype="application/json"),
        [("/data", "json_invalid")],
    ),
    (
        {**STRUCTURED},
        to_structured(EVENT, source="/x").body.replace(b',"data"', b',"id":"x","data"'),
        [("/id", "duplicate_member")],
    ),
    (
        {**STRUCTURED},
        to_structured(EVENT, source="/x").body[:-1] + b',"source":"/y"}',
        [("/source", "duplicate_member")],
    ),
    ({**HTTP.headers}, b"{", [("/data", "json_invalid")]),
    ({**HTTP.headers}, b"NaN", [("/data", "json_invalid")]),
    ({**HTTP.headers}, b"", [("/data", "model_type")]),
    ({**HTTP.headers}, b'{}, "extra": {}', [("/data", "json_invalid")]),
    ({**HTTP.headers}, b"[" * 201 + b"]" * 201, [("", "json_invalid")]),
    ({**HTTP.headers}, b'{"a":1,"a":2}', [("/data/a", "duplicate_member")]),
    (
        {**HTTP.headers, "content-type": "text/plain"},
        b"{}",
        [("/datacontenttype", "media_type")],
    ),
    ({**HTTP.headers, "CE-ID": "x"}, HTTP.body, [("/id", "duplicate_member")]),
    ({**HTTP.headers, "ce-type": "%C0%A0"}, HTTP.body, [("/type", "text_encoding")]),
    ({**HTTP.headers, "ce-type": b"\xff"}, HTTP.body, [("/type", "text_encoding")]),
    (
        {**HTTP.headers, "ce-schemaversion": "01"},
        HTTP.body,
        [("/schemaversion", "int_type")],
    ),
]


@pytest.mark.parametrize(("headers", "body", "issues"), BAD)
def test_bad_messages_are_one_clear_error(
    headers: dict[str, object], body: bytes, issues: list[tuple[str, str]]
) -> None:
    """The places are those of the CloudEvent, not of our envelope."""
    read(to_structured(EVENT, source="/teams"))  # from here on, the fast way is open
    with pytest.raises(EventFormatError, match="Not a valid event") as caught:
        from_message(headers, body, registry=PLATFORM_EVENTS)

    assert list(caught.value.issues) == issues


def test_size_is_bounded() -> None:
    """The bound is on the body, in either mode."""
    for message in (HTTP, to_structured(EVENT, source="/teams")):
        size = len(message.body)
        arguments = (message.headers, message.body)
        assert (
            from_message(*arguments, registry=PLATFORM_EVENTS, max_bytes=size) == EVENT
        )
        with pytest.raises(EventFormatError, match="too_large"):
            from_message(*arguments, registry=PLATFORM_EVENTS, max_bytes=size - 1)


@settings(max_examples=200, deadline=None)
@given(
    cut=st.tuples(st.floats(0, 1), st.integers(0, 12)),
    patch=st.sampled_from([b"", b'"', b"\\", b'\\"', b"{", b"}", b",", b":", b"null"])
    | st.binary(max_size=4),
)
def test_a_damaged_document_is_read_or_refused(
    cut: tuple[float, int], patch: bytes
) -> None:
    """The fast way accepts nothing that the slow way would read differently."""
    body = to_structured(EVENT, source="/teams").body
    start = int(cut[0] * len(body))
    damaged = body[:start] + patch + body[start + cut[1] :]
    respelt = damaged.replace(b"{", b"{ ", 1)  # not what we would write: the slow way

    assert outcome(damaged) == outcome(respelt)


def outcome(body: bytes) -> object:
    """The event, or what is wrong."""
    try:
        return read(Message(STRUCTURED, body))
    except EventFormatError as error:
        return error.issues


@settings(max_examples=100, deadline=None)
@given(
    headers=st.dictionaries(
        st.sampled_from([f"ce-{name}" for name in (*cloudevent(), "x")])
        | st.just("content-type"),
        texts | st.binary(max_size=9) | st.integers() | st.none(),
    ),
    body=st.binary(max_size=20) | json_values.map(lambda v: json.dumps(v).encode()),
)
def test_any_headers_are_read_or_refused(
    headers: dict[str, object], body: bytes
) -> None:
    """Nothing but EventFormatError ever comes out."""
    read_all = HTTP.headers | {"ce-type": "tea.brewed"} | headers
    try:
        event = from_message(read_all, body, registry=PLATFORM_EVENTS)
    except EventFormatError:
        return
    again = read(to_structured(event, source="/x"))

    assert again.model_dump() == event.model_dump()

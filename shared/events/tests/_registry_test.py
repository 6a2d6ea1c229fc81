"""Which class reads which event, and what is refused."""

import json
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.events._envelope import BaseEvent, EventPayload
from shared.events._errors import EventFormatError
from shared.events._json import JsonObject
from shared.events._registry import EventRegistry
from shared.events._unknown import UnknownEvent
from shared.events.tests.strategies import events_of, json_values, texts

ID = "5f0c6a5e-6d0b-4c55-9d0e-0f6f3f1f7c11"


class Line(EventPayload):
    """A part of a payload."""

    sku: str
    count: int


class OrderPlacedPayload(EventPayload):
    """A payload with parts."""

    aggregate_key = "order_id"

    order_id: uuid.UUID
    lines: tuple[Line, ...] = ()
    extras: JsonObject
    ratio: float = 0.0
    note: str | None = None


class OrderPlaced(BaseEvent[OrderPlacedPayload]):
    """A type of event in its first version."""

    event_type: Literal["order.placed"] = "order.placed"
    schema_version: Literal[1] = 1


class OrderPlacedPayload3(EventPayload):
    """The payload two versions later."""

    order: uuid.UUID


class OrderPlaced3(BaseEvent[OrderPlacedPayload3]):
    """A type of event in its third version."""

    event_type: Literal["order.placed"] = "order.placed"
    schema_version: Literal[3] = 3


class OrderSent(BaseEvent[OrderPlacedPayload]):
    """Another type, whose version is no literal."""

    event_type: Literal["order.sent"] = "order.sent"
    schema_version: int = 2


@pytest.fixture
def registry() -> EventRegistry:
    return EventRegistry([OrderPlaced, OrderPlaced3, OrderSent])


def envelope(**changes: Any) -> dict[str, Any]:
    members: dict[str, Any] = {
        "event_id": ID,
        "event_type": "order.placed",
        "correlation_id": "abc-123",
        "timestamp": "2026-01-31T12:00:00Z",
        "payload": {"order_id": ID, "lines": [{"sku": "a", "count": 1}], "extras": {}},
        "schema_version": 1,
        "causation_id": None,
    }
    return members | changes


def without(*names: str, **changes: Any) -> dict[str, Any]:
    return {k: v for k, v in envelope(**changes).items() if k not in names}


def encoded(members: Any) -> bytes:
    return json.dumps(members).encode()


# -- picking the class ----------------------------------------------------------------


@pytest.mark.parametrize("times", [1, 2])  # the first builds what the second one uses
def test_the_type_picks_the_class(registry: EventRegistry, times: int) -> None:
    """An event comes back as what it was sent as."""
    events = [registry.parse(encoded(envelope())) for _ in range(times)]

    assert type(events[-1]) is OrderPlaced
    assert events[-1].payload.lines == (Line(sku="a", count=1),)


@pytest.mark.parametrize(
    ("version", "payload", "cls"),
    [
        (1, envelope()["payload"], OrderPlaced),
        (3, {"order": ID}, OrderPlaced3),
    ],
)
def test_the_version_picks_the_class(
    registry: EventRegistry, version: int, payload: Any, cls: type[BaseEvent[Any]]
) -> None:
    """Versions of one type are read side by side, in any order."""
    data = encoded(envelope(schema_version=version, payload=payload))
    for _ in range(3):
        assert type(registry.parse(data)) is cls
        registry.parse(OrderPlaced3(payload={"order": ID}).encode())
        registry.parse(encoded(envelope()))


@pytest.mark.parametrize("version", [2, 4, 10**30])
def test_another_version_is_kept_whole(registry: EventRegistry, version: int) -> None:
    """Neither a newer nor a missing version is forced into a class that differs."""
    data = encoded(envelope(schema_version=version))
    registry.parse(encoded(envelope()))
    event = registry.parse(data)

    assert type(event) is UnknownEvent
    assert (event.schema_version, event.encode()) == (version, data)


def test_a_version_that_is_no_literal_is_checked(registry: EventRegistry) -> None:
    """A class with a plain integer does not take other versions either."""
    two = encoded(envelope(event_type="order.sent", schema_version=2))
    three = encoded(envelope(event_type="order.sent", schema_version=3))
    kinds = [type(registry.parse(data)).__name__ for data in (two, three, two)]

    assert kinds == ["OrderSent", "UnknownEvent", "OrderSent"]


def test_five_members_are_an_event(registry: EventRegistry) -> None:
    """The specification's envelope has neither version nor cause."""
    data = encoded(without("schema_version", "causation_id"))
    for _ in range(2):
        event = registry.parse(data)

        assert type(event) is OrderPlaced
        assert (event.schema_version, event.causation_id) == (1, None)


def test_what_names_no_version_is_of_the_first(registry: EventRegistry) -> None:
    """Not of the one that was read last, whatever default its class has."""
    members = envelope(event_type="order.sent", schema_version=2)
    registry.parse(encoded(members))
    del members["schema_version"]

    assert type(registry.parse(encoded(members))) is UnknownEvent


def test_unknown_members_are_ignored(registry: EventRegistry) -> None:
    """Whoever writes may be newer than whoever reads."""
    members = envelope(trace="x")
    members["payload"]["colour"] = "red"
    members["payload"]["lines"][0]["colour"] = {"deep": [1]}
    for _ in range(2):
        assert registry.parse(encoded(members)) == registry.parse(encoded(envelope()))


def test_a_type_further_inside_does_not_mislead(registry: EventRegistry) -> None:
    """Free-form data may have a member of the same name, before the real one."""
    payload = {**envelope()["payload"], "extras": {"event_type": "order.sent"}}
    data = encoded({"payload": payload, **without("payload")})
    registry.parse(encoded(envelope(event_type="order.sent", schema_version=2)))

    assert type(registry.parse(data)) is OrderPlaced


@pytest.mark.parametrize("convert", [bytes, bytearray, bytes.decode])
def test_bytes_and_text_are_read(
    registry: EventRegistry, convert: Callable[[bytes], Any]
) -> None:
    """Databases hand out text, brokers bytes."""
    event = registry.parse(encoded(envelope()))

    assert registry.parse(convert(event.encode())) == event


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("ensure_ascii", [True, False])
def test_spacing_and_escapes_do_not_matter(
    registry: EventRegistry, indent: int | None, ensure_ascii: bool
) -> None:
    """Other languages write the same JSON differently."""
    payload = {**envelope()["payload"], "note": 'say "é" \\ : \n'}
    text = json.dumps(
        envelope(payload=payload), indent=indent, ensure_ascii=ensure_ascii
    )
    for _ in range(2):
        assert registry.parse(text).payload.note == 'say "é" \\ : \n'


# -- registering ----------------------------------------------------------------------


def test_register_is_a_decorator() -> None:
    """A service's own type is known from where it is written."""
    registry = EventRegistry()

    @registry.register
    class OrderLost(BaseEvent[OrderPlacedPayload]):
        """A type of event."""

        event_type: Literal["order.lost"] = "order.lost"

    assert list(registry) == [OrderLost]
    assert type(registry.parse(encoded(envelope(event_type="order.lost")))) is OrderLost


def test_two_classes_of_one_type_are_refused(registry: EventRegistry) -> None:
    """Where the second is written, and naming both."""
    with pytest.raises(
        ValueError,
        match=r"Again can't .* order\.placed version 1 is .*\.OrderPlaced al",
    ):

        @registry.register
        class Again(BaseEvent[OrderPlacedPayload]):
            """Never known."""

            event_type: Literal["order.placed"] = "order.placed"

    assert registry.find("order.placed", 1) is OrderPlaced


def test_registering_twice_changes_nothing(registry: EventRegistry) -> None:
    """Modules may be listed by two others."""
    registry.register(OrderPlaced)

    assert len(registry) == 3


def test_a_base_is_no_type_of_event(registry: EventRegistry) -> None:
    """What fixes no name can't be picked by one."""
    with pytest.raises(
        TypeError, match=r"UnknownEvent can't be registered: it fixes no"
    ):
        registry.register(UnknownEvent)


def test_a_registry_is_a_list_for_another() -> None:
    """A service adds its own types without changing anybody else's registry."""
    platform = EventRegistry([OrderPlaced])
    own = EventRegistry([*platform, OrderSent])

    assert (list(platform), list(own)) == ([OrderPlaced], [OrderPlaced, OrderSent])


def test_classes_are_found_by_name(registry: EventRegistry) -> None:
    """The newest version unless another is asked for."""
    assert registry.find("order.placed") is OrderPlaced3
    assert registry.find("order.placed", 1) is OrderPlaced
    assert registry.find("order.placed", 2) is None
    assert registry.find("order.vanished") is None


def test_threads_agree() -> None:
    """Validators are built at first use, by whichever thread is first."""
    registry = EventRegistry([OrderPlaced])
    barrier = threading.Barrier(8)
    data = encoded(envelope())
    found: list[BaseEvent[Any]] = []

    def read() -> None:
        barrier.wait()
        found.extend(registry.parse(data) for _ in range(20))

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [registry.parse(data)] * 160


# -- bad input ------------------------------------------------------------------------

_PAYLOAD = envelope()["payload"]

BAD: list[tuple[bytes, list[tuple[str, str]]]] = [
    (b"", [("", "json_invalid")]),
    (b"\xff", [("", "json_invalid")]),
    (b"{", [("", "json_invalid")]),
    (b"[]", [("", "model_type")]),
    (b"null", [("", "model_type")]),
    (
        b"{}",
        [
            ("/correlation_id", "missing"),
            ("/event_id", "missing"),
            ("/event_type", "missing"),
            ("/timestamp", "missing"),
            ("/payload", "missing"),
        ],
    ),
    *[
        (encoded(without(name)), [(f"/{name}", "missing")])
        for name in ("event_id", "event_type", "correlation_id", "timestamp", "payload")
    ],
    (encoded(envelope(event_id="x")), [("/event_id", "uuid_parsing")]),
    (encoded(envelope(event_id=1)), [("/event_id", "uuid_type")]),
    (encoded(envelope(event_type=1)), [("/event_type", "string_type")]),
    (encoded(envelope(event_type=[])), [("/event_type", "string_type")]),
    (encoded(envelope(event_type="")), [("/event_type", "string_too_short")]),
    (encoded(envelope(event_type="x" * 256)), [("/event_type", "string_too_long")]),
    (
        encoded(envelope(correlation_id="a b")),
        [("/correlation_id", "string_pattern_mismatch")],
    ),
    (encoded(envelope(correlation_id=None)), [("/correlation_id", "string_type")]),
    (
        encoded(envelope(timestamp="2026-01-31T12:00:00")),
        [("/timestamp", "timestamp_format")],
    ),
    (encoded(envelope(timestamp=1769860800)), [("/timestamp", "timestamp_format")]),
    (encoded(envelope(schema_version="1")), [("/schema_version", "int_type")]),
    (encoded(envelope(schema_version=0)), [("/schema_version", "greater_than_equal")]),
    (encoded(envelope(schema_version={})), [("/schema_version", "int_type")]),
    (encoded(envelope(causation_id="x")), [("/causation_id", "uuid_parsing")]),
    (encoded(envelope(payload=None)), [("/payload", "model_type")]),
    (encoded(envelope(payload=[])), [("/payload", "model_type")]),
    (
        encoded(envelope(payload={})),
        [("/payload/order_id", "missing"), ("/payload/extras", "missing")],
    ),
    (
        encoded(envelope(payload={**_PAYLOAD, "lines": [{"sku": 1, "count": "1"}]})),
        [
            ("/payload/lines/0/sku", "string_type"),
            ("/payload/lines/0/count", "int_type"),
        ],
    ),
    (
        encoded(envelope(payload={**_PAYLOAD, "extras": [1]})),
        [("/payload/extras", "dict_type")],
    ),
    (
        encoded(envelope()).replace(b'"count": 1', b'"count": 1, "count": 1'),
        [("/payload/lines/0/count", "duplicate_member")],
    ),
    (
        encoded(envelope()).replace(
            b'"abc-123"', b'"abc-123", "event_id": "%b"' % b"x"
        ),
        [("/event_id", "duplicate_member")],
    ),
    (
        encoded(envelope(payload={**_PAYLOAD, "ratio": float("nan")})),
        [("", "json_invalid")],
    ),
    (encoded(envelope(unknown=float("inf"))), [("", "json_invalid")]),
    (encoded(envelope(note="\ud800")), [("", "json_invalid")]),
    (
        encoded(envelope()).replace(b"{}", b"[" * 300 + b"]" * 300),
        [("", "json_invalid")],
    ),
    (
        encoded(envelope()).replace(b"{}", b'{"a":' * 110 + b"1" + b"}" * 110),
        [("/payload/extras", "json_depth")],
    ),
]


@pytest.mark.parametrize(("data", "issues"), BAD)
def test_bad_input_is_one_clear_error(
    registry: EventRegistry, data: bytes, issues: list[tuple[str, str]]
) -> None:
    """Everything that is wrong is named with its place, before and after a good one."""
    for _ in range(2):
        with pytest.raises(EventFormatError, match="Not a valid event") as caught:
            registry.parse(data)
        registry.parse(encoded(envelope()))

        assert list(caught.value.issues) == issues


def test_text_without_utf8_is_refused(registry: EventRegistry) -> None:
    """A str can hold what no message can."""
    with pytest.raises(EventFormatError, match="json_invalid"):
        registry.parse('{"event_id":"\ud800"}')


def test_size_is_bounded(registry: EventRegistry) -> None:
    """One message must not take the memory of all."""
    data = encoded(envelope())
    assert registry.parse(data, max_bytes=len(data)).encode()
    with pytest.raises(EventFormatError, match="too_large"):
        registry.parse(data, max_bytes=len(data) - 1)
    with pytest.raises(EventFormatError, match="too_large"):
        registry.parse(data + b" " * 1024 * 1024)


def test_refusals_quote_no_values(registry: EventRegistry) -> None:
    """Neither the message nor the issues, nor what led to them."""
    data = encoded(envelope(event_id="hunter2", payload={"order_id": "hunter2"}))
    with pytest.raises(EventFormatError, match="uuid_parsing") as caught:
        registry.parse(data)

    assert "hunter2" not in f"{caught.value} {caught.value!r}"
    assert caught.value.__context__ is None


# -- laws -----------------------------------------------------------------------------

REGISTRY = EventRegistry([OrderPlaced, OrderPlaced3, OrderSent])


def read_or_refuse(data: bytes | str) -> BaseEvent[Any] | None:
    try:
        return REGISTRY.parse(data)
    except EventFormatError:
        return None


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=60))
@example(b'{"event_type":"order.placed"')
@example(b'"event_type":"order.placed"')
@example(b'{"event_type":"order.placed"}')
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """Nothing but EventFormatError ever comes out."""
    read_or_refuse(data)


@settings(max_examples=300, deadline=None)
@given(
    event=events_of(OrderPlaced),
    cut=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    patch=st.sampled_from(
        [b"", b'"', b"\\", b"{", b"}", b"[", b",", b":", b"1", b"null"]
    )
    | st.binary(max_size=4),
)
def test_a_damaged_event_is_read_or_refused(
    event: OrderPlaced, cut: tuple[float, float], patch: bytes
) -> None:
    """Whatever is accepted is strict JSON with each member once."""
    data = event.encode()
    start, end = sorted(int(part * len(data)) for part in cut)
    damaged = data[:start] + patch + data[min(end, start + 12) :]
    found = read_or_refuse(damaged)

    assert found is None or _is_strict_json(damaged)


def _is_strict_json(data: bytes) -> bool:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    document = json.loads(data, object_pairs_hook=unique, parse_constant=refuse)
    return isinstance(document, dict)


@settings(max_examples=150, deadline=None)
@given(
    path=st.sampled_from(
        [
            ("event_id",),
            ("event_type",),
            ("correlation_id",),
            ("timestamp",),
            ("payload",),
            ("schema_version",),
            ("causation_id",),
            ("payload", "order_id"),
            ("payload", "lines"),
            ("payload", "ratio"),
            ("payload", "lines", 0),
            ("payload", "lines", 0, "sku"),
        ]
    ),
    value=json_values,
)
def test_any_value_anywhere_is_read_or_refused(path: Any, value: Any) -> None:
    """JSON of a wrong type is refused in the way that all else is."""
    document = json.loads(encoded(envelope()))
    place: Any = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    first, second = (read_or_refuse(json.dumps(document)) for _ in range(2))

    assert first == second


@settings(max_examples=100, deadline=None)
@given(event=events_of(OrderPlaced) | events_of(OrderPlaced3))
def test_what_was_written_is_read(event: BaseEvent[Any]) -> None:
    """Writing and reading change nothing, whether the class was used before or not."""
    fresh = EventRegistry([OrderPlaced, OrderPlaced3])

    for registry in (fresh, fresh):
        found = registry.parse(event.encode())
        assert (type(found), found) == (type(event), event)


@settings(max_examples=100, deadline=None)
@given(
    payload=json_values,
    more=st.dictionaries(texts.map(lambda text: f"x-{text}"), json_values, max_size=2),
    indent=st.none() | st.just(1),
)
def test_unknown_events_are_written_as_they_came(
    payload: Any, more: dict[str, Any], indent: int | None
) -> None:
    """To the byte, with members that nobody here knows."""
    members = {**more, **envelope(event_type="com.example.Happened", payload=payload)}
    data = json.dumps(members, indent=indent).encode()
    event = REGISTRY.parse(data)

    assert type(event) is UnknownEvent
    assert event.encode() == data
    assert json.loads(event.encode_payload()) == payload


def test_timestamps_are_utc(registry: EventRegistry) -> None:
    """Whatever offset they were written with."""
    event = registry.parse(encoded(envelope(timestamp="2026-01-31T14:00:00+02:00")))

    assert event.timestamp == datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert event.timestamp.tzinfo is UTC

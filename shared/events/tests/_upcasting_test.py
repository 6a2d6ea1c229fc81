"""How old events become new ones, and what is refused."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.events._envelope import BaseEvent, EventPayload
from shared.events._errors import EventFormatError
from shared.events._json import JsonObject
from shared.events._registry import EventRegistry
from shared.events._unknown import UnknownEvent
from shared.events._upcasting import Upcaster, upcaster
from shared.events.cloudevents import (
    AMQP_PREFIX,
    HTTP_PREFIX,
    from_message,
    to_binary,
    to_structured,
)
from shared.events.tests.strategies import events_of, json_values, texts
from shared.validation import DecimalNumber

ID = "5f0c6a5e-6d0b-4c55-9d0e-0f6f3f1f7c11"
TYPE: Literal["credits.spent"] = "credits.spent"

# The law of most tests: the payload of a version is lifted by these two steps.


class SpentPayload1(EventPayload):
    """An amount of cents, and one text for a name."""

    cents: int
    name: str
    rate: DecimalNumber = Decimal(0)
    extras: JsonObject = {}  # noqa: RUF012 - frozen by its type


class Spent1(BaseEvent[SpentPayload1]):
    """As it was released first."""

    event_type: Literal["credits.spent"] = "credits.spent"
    schema_version: Literal[1] = 1


class SpentPayload2(EventPayload):
    """The currency is said."""

    cents: int
    currency: str
    name: str
    rate: DecimalNumber
    extras: JsonObject


class Spent2(BaseEvent[SpentPayload2]):
    """As it was released next."""

    event_type: Literal["credits.spent"] = "credits.spent"
    schema_version: Literal[2] = 2


class Money(EventPayload):
    """A part of a payload."""

    cents: int
    currency: str


class SpentPayload3(EventPayload):
    """Amount and currency in one."""

    aggregate_key = "name"

    price: Money
    name: str
    rate: DecimalNumber
    extras: JsonObject


class Spent3(BaseEvent[SpentPayload3]):
    """As it is now."""

    event_type: Literal["credits.spent"] = "credits.spent"
    schema_version: Literal[3] = 3


class Other(BaseEvent[SpentPayload1]):
    """Another type, which nothing lifts."""

    event_type: Literal["credits.counted"] = "credits.counted"


@upcaster(TYPE, from_version=1)
def say_currency(payload: dict[str, Any]) -> dict[str, Any]:
    """What was in cents was in those of the euro."""
    return {"rate": 0, "extras": {}, **payload, "currency": "EUR"}


@upcaster(TYPE, from_version=2)
def join_money(payload: dict[str, Any]) -> dict[str, Any]:
    """Changes what it got, as it may."""
    payload["price"] = {key: payload.pop(key) for key in ("cents", "currency")}
    return payload


REGISTRY = EventRegistry([Spent3, Other], upcasters=[say_currency, join_money])
PAYLOAD: dict[str, Any] = {"cents": 250, "name": "Ada"}


def document(**changes: Any) -> dict[str, Any]:
    members: dict[str, Any] = {
        "event_id": ID,
        "event_type": TYPE,
        "correlation_id": "abc-123",
        "timestamp": "2026-01-31T12:00:00Z",
        "payload": PAYLOAD,
        "schema_version": 1,
        "causation_id": ID,
    }
    return members | changes


def encoded(members: Any) -> bytes:
    return json.dumps(members).encode()


def step(
    function: Callable[[dict[str, Any]], Any], from_version: int = 2
) -> tuple[Upcaster, ...]:
    return tuple(
        each if each.from_version != from_version else Upcaster(TYPE, 2, function)
        for each in REGISTRY.upcasters
    )


# -- lifting --------------------------------------------------------------------------


@pytest.mark.parametrize("times", [1, 2])  # the first builds what the second one uses
def test_an_old_event_is_read_as_the_newest_class(times: int) -> None:
    """All its members are as they were, but the payload and its version."""
    registry = EventRegistry(REGISTRY)
    event = [registry.parse(encoded(document())) for _ in range(times)][-1]

    assert event == Spent3(
        event_id=ID,
        correlation_id="abc-123",
        timestamp="2026-01-31T12:00:00Z",
        causation_id=ID,
        payload={
            "price": {"cents": 250, "currency": "EUR"},
            "name": "Ada",
            "rate": 0,
            "extras": {},
        },
    )
    assert (event.schema_version, event.aggregate_id) == (3, "Ada")
    assert registry.parse(event.encode()) == event


def test_a_version_in_between_goes_the_rest_of_the_way() -> None:
    """Versions need no class to be lifted."""
    payload = {**PAYLOAD, "currency": "USD", "rate": 1, "extras": {}}
    event = REGISTRY.parse(encoded(document(schema_version=2, payload=payload)))

    assert type(event) is Spent3
    assert event.payload.price.currency == "USD"


def test_what_names_no_version_is_the_first() -> None:
    """Also after an event of the newest version, whose reader is tried first."""
    members = document()
    del members["schema_version"]
    before = REGISTRY.parse(encoded(members))
    REGISTRY.parse(before.encode())

    assert type(before) is Spent3
    assert REGISTRY.parse(encoded(members)) == before


def test_a_class_of_the_old_version_is_not_used_then() -> None:
    """Whether it was registered, and read, before the upcasters or after them."""
    registry = EventRegistry([Spent1, Spent3])
    found = [type(registry.parse(encoded(document()))) for _ in range(2)]
    for each in REGISTRY.upcasters:
        registry.register(each)
        found.append(type(registry.parse(encoded(document()))))
    registry.register(Spent2)
    found.append(type(registry.parse(encoded(document()))))

    assert found == [Spent1, Spent1, Spent1, Spent3, Spent3]


def test_without_upcasters_each_version_is_read_as_its_class() -> None:
    """A handler may be written for both."""
    registry = EventRegistry([Spent1, Spent3])

    assert type(registry.parse(encoded(document()))) is Spent1
    assert registry.lifted_from(TYPE) == ()


@pytest.mark.parametrize("version", [4, 10**30])
def test_a_newer_version_is_kept_whole(version: int) -> None:
    """Nothing lifts it, and nothing of it is lost."""
    data = encoded(document(schema_version=version, note="x"))
    event = REGISTRY.parse(data)

    assert type(event) is UnknownEvent
    assert event.encode() == data


@pytest.mark.parametrize(
    ("version", "code"),
    [
        (True, "int_type"),
        (1.0, "int_type"),
        ("1", "int_type"),
        (0, "greater_than_equal"),
        (-1, "greater_than_equal"),
        ([1], "int_type"),
    ],
)
def test_what_is_no_version_is_not_lifted(version: object, code: str) -> None:
    """Not even what Python takes for equal to one."""
    with pytest.raises(EventFormatError, match=rf"^Not .* /schema_version \({code}\)"):
        REGISTRY.parse(encoded(document(schema_version=version)))


def test_a_function_can_not_change_what_is_not_its_own() -> None:
    """Neither what the caller has, nor what the step before it returned."""
    shared: dict[str, Any] = {"seen": []}

    def note(payload: dict[str, Any]) -> dict[str, Any]:
        payload["extras"]["seen"].append(1)
        return join_money(payload)

    first = Upcaster(
        TYPE, 1, lambda payload: {**say_currency(payload), "extras": shared}
    )
    registry = EventRegistry([Spent3], upcasters=[first, Upcaster(TYPE, 2, note)])
    data = bytearray(encoded(document()))
    events = [registry.parse(data) for _ in range(2)]

    assert events[0] == events[1]
    assert events[0].payload.extras == {"seen": (1,)}
    assert shared == {"seen": []}
    assert bytes(data) == encoded(document())


@settings(deadline=None, max_examples=200)
@given(digits=st.integers(-(10**15) + 1, 10**15 - 1), scale=st.integers(0, 15))
def test_no_digit_changes_on_the_way(digits: int, scale: int) -> None:
    """Numbers with a fraction are floats between steps, which keep 15 digits."""
    rate = Decimal(digits).scaleb(-scale)
    old = Spent1(payload={"cents": 1, "name": "", "rate": rate})

    assert REGISTRY.parse(old.encode()).payload.rate == rate


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0.1", Decimal("0.1")),
        ("0.10", Decimal("0.1")),
        ("1E2", Decimal(100)),
        ("999999999999999", Decimal(999999999999999)),
        ("123456789012.345", Decimal("123456789012.345")),
    ],
)
def test_numbers_are_those_that_were_written(text: str, number: Decimal) -> None:
    """As they are for a class that reads them without a detour."""
    data = encoded(document(payload={**PAYLOAD, "rate": "?"})).replace(
        b'"?"', text.encode()
    )

    assert REGISTRY.parse(data).payload.rate == number
    assert EventRegistry([Spent1]).parse(data).payload.rate == number


def test_large_whole_numbers_stay_whole() -> None:
    """They are integers between steps, of any length."""
    old = encoded(document(payload={**PAYLOAD, "cents": 2**70 + 1}))

    assert REGISTRY.parse(old).payload.price.cents == 2**70 + 1


# -- laws -----------------------------------------------------------------------------


@settings(deadline=None, max_examples=100)
@given(event=events_of(Spent1) | events_of(Spent2))
def test_every_old_event_becomes_a_new_one(event: BaseEvent[Any]) -> None:
    """Whatever an old class could write, the newest one reads."""
    lifted = REGISTRY.parse(event.encode())

    assert type(lifted) is Spent3
    assert lifted.event_id == event.event_id
    assert lifted.correlation_id == event.correlation_id
    assert lifted.timestamp == event.timestamp
    assert lifted.causation_id == event.causation_id
    assert lifted.payload.extras == event.payload.extras
    assert REGISTRY.parse(lifted.encode()) == lifted


@settings(deadline=None, max_examples=100)
@given(event=events_of(Spent1))
def test_lifting_and_chaining_commute(event: BaseEvent[Any]) -> None:
    """By hand, in one step or in two: the event is the same."""
    old = json.loads(event.encode())
    found = [
        REGISTRY.parse(encoded({**old, "schema_version": version, "payload": payload}))
        for version, payload in (
            (1, old["payload"]),
            (2, say_currency(old["payload"])),
            (3, join_money(say_currency(old["payload"]))),
        )
    ]

    assert [type(each) for each in found] == [Spent3] * 3
    assert found[0] == found[1] == found[2]


@settings(deadline=None, max_examples=100)
@given(
    event=events_of(Spent1),
    more=st.dictionaries(texts.map(lambda text: f"x-{text}"), json_values, max_size=3),
)
def test_unknown_members_are_ignored(
    event: BaseEvent[Any], more: dict[str, Any]
) -> None:
    """In the envelope, in the payload, and wherever a step leaves them."""
    old = json.loads(event.encode())
    with_more = {**more, **old, "payload": {**more, **old["payload"]}}

    assert REGISTRY.parse(encoded(with_more)) == REGISTRY.parse(event.encode())


@settings(deadline=None, max_examples=100)
@given(event=events_of(Spent1))
def test_cloudevents_are_lifted_in_both_modes(event: BaseEvent[Any]) -> None:
    """They are the same event, however they travelled."""
    messages = [
        to_structured(event, source="/a"),
        to_binary(event, source="/a", prefix=HTTP_PREFIX),
        to_binary(event, source="/a", prefix=AMQP_PREFIX),
    ]
    found = [from_message(*message, registry=REGISTRY) for message in messages]

    assert found == [REGISTRY.parse(event.encode())] * 3
    assert [type(each) for each in found] == [Spent3] * 3


# -- what goes wrong ------------------------------------------------------------------


def _returns(value: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda payload: value


def _raises(payload: dict[str, Any]) -> dict[str, Any]:
    raise ValueError(payload["name"])


def _itself(payload: dict[str, Any]) -> dict[str, Any]:
    payload["payload"] = payload
    return payload


def _deep(payload: dict[str, Any]) -> dict[str, Any]:
    for _ in range(100_000):
        payload = {"payload": payload}
    return payload


FAILING = [
    pytest.param(_raises, ValueError, id="raises"),
    pytest.param(_returns(None), TypeError, id="nothing"),
    pytest.param(_returns([1]), TypeError, id="array"),
    pytest.param(_returns({"a": UUID(ID)}), TypeError, id="no JSON"),
    pytest.param(_returns({"a": Decimal("0.1")}), TypeError, id="a Decimal"),
    pytest.param(_returns({"a": float("nan")}), ValueError, id="NaN"),
    pytest.param(_returns({"a": float("inf")}), ValueError, id="infinity"),
    pytest.param(_returns({"a": "\ud800"}), UnicodeError, id="no Unicode"),
    pytest.param(_itself, ValueError, id="itself"),
    pytest.param(_deep, RecursionError, id="too deep"),
]


@pytest.mark.parametrize(("function", "cause"), FAILING)
def test_a_step_that_fails_is_one_clear_error(
    function: Callable[[dict[str, Any]], Any], cause: type[Exception]
) -> None:
    """Without a value of the payload, and with what happened as its cause."""
    registry = EventRegistry([Spent3], upcasters=step(function))
    data = encoded(document(payload={**PAYLOAD, "name": "hunter2"}))
    with pytest.raises(
        EventFormatError, match=r"/payload \(upcast_failed\)\.$"
    ) as caught:
        registry.parse(data)

    assert list(caught.value.issues) == [("/payload", "upcast_failed")]
    assert "hunter2" not in f"{caught.value} {caught.value!r}"
    assert isinstance(caught.value.__cause__, cause)


def test_what_the_newest_class_refuses_is_named() -> None:
    """The step is to blame, and what is wrong with what it made comes after that."""
    registry = EventRegistry([Spent3], upcasters=step(_returns({"name": 1, "rate": 0})))
    with pytest.raises(EventFormatError, match="upcast_failed") as caught:
        registry.parse(encoded(document()))

    assert list(caught.value.issues) == [
        ("/payload", "upcast_failed"),
        ("/payload/price", "missing"),
        ("/payload/name", "string_type"),
        ("/payload/extras", "missing"),
    ]
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("changes", "issue"),
    [
        ({"event_id": "x"}, ("/event_id", "uuid_parsing")),
        ({"timestamp": "today"}, ("/timestamp", "timestamp_format")),
        ({"correlation_id": "a b"}, ("/correlation_id", "string_pattern_mismatch")),
    ],
)
def test_an_envelope_that_is_wrong_is_not_the_steps_fault(
    changes: dict[str, Any], issue: tuple[str, str]
) -> None:
    """Nor does it become right by being lifted."""
    with pytest.raises(EventFormatError, match=issue[1]) as caught:
        REGISTRY.parse(encoded(document(**changes)))

    assert list(caught.value.issues) == [issue]


@pytest.mark.parametrize(
    ("payload", "code"), [(None, "model_type"), ([], "model_type"), ("x", "model_type")]
)
def test_what_is_no_payload_is_given_to_no_function(payload: Any, code: str) -> None:
    """They are written for objects."""
    registry = EventRegistry(
        [Spent3], upcasters=[Upcaster(TYPE, n, _raises) for n in (1, 2)]
    )
    with pytest.raises(EventFormatError, match=code) as caught:
        registry.parse(encoded(document(payload=payload)))

    assert ("/payload", code) in caught.value.issues
    assert caught.value.__cause__ is None


def test_members_that_are_missing_are_named() -> None:
    """Whether or not there is a payload to lift."""
    members = {"event_type": TYPE, "schema_version": 1}
    with pytest.raises(EventFormatError, match="missing") as caught:
        REGISTRY.parse(encoded(members))

    assert {
        issue.pointer for issue in caught.value.issues if issue.code == "missing"
    } == {*("/correlation_id", "/event_id", "/timestamp", "/payload")}


def test_a_member_that_occurs_twice_is_refused_before() -> None:
    """Which one a function would get is nobody's guess."""
    data = encoded(document()).replace(b'"cents": 250', b'"cents": 250, "cents": 1')
    with pytest.raises(EventFormatError, match=r"/payload/cents \(duplicate_member\)"):
        REGISTRY.parse(data)


def test_an_infinite_number_is_refused() -> None:
    """What 1e400 was can't be said again in JSON; without a step it is ignored."""
    data = encoded(document(payload={**PAYLOAD, "more": 1})).replace(
        b'"more": 1', b'"more": 1e400'
    )
    with pytest.raises(EventFormatError, match="upcast_failed"):
        REGISTRY.parse(data)
    assert type(EventRegistry([Spent1]).parse(data)) is Spent1


def test_a_cloudevent_that_can_not_be_lifted_says_why() -> None:
    """The cause is that of the step; the place is that in the CloudEvent."""
    registry = EventRegistry([Spent3], upcasters=step(_raises))
    old = EventRegistry([Spent1]).parse(encoded(document()))
    with pytest.raises(EventFormatError, match=r"/data \(upcast_failed\)") as caught:
        from_message(*to_structured(old, source="/a"), registry=registry)

    assert isinstance(caught.value.__cause__, ValueError)
    assert "_raises" in "".join(traceback.format_exception(caught.value))


# -- making and registering -----------------------------------------------------------


def test_an_upcaster_is_still_a_function() -> None:
    """So that a test can call it; and a value that does not change."""
    assert (say_currency.event_type, say_currency.from_version) == (TYPE, 1)
    assert say_currency({"a": 1})["a"] == 1
    assert say_currency == Upcaster(TYPE, 1, say_currency.function)
    with pytest.raises(AttributeError, match="from_version"):
        say_currency.from_version = 2  # type: ignore[misc]


@pytest.mark.parametrize("version", [0, -1, True, 1.0, "1", None])
def test_a_version_is_a_positive_integer(version: Any) -> None:
    """Told where the upcaster is written."""
    with pytest.raises(ValueError, match=r"from_version must be from 1 on \(got"):
        upcaster(TYPE, from_version=version)


def test_a_type_has_a_name() -> None:
    """Told where the upcaster is written."""
    with pytest.raises(ValueError, match="event_type must be the name"):
        upcaster("", from_version=1)


def test_only_functions_are_decorated() -> None:
    """One that is async would return no payload."""

    async def later(payload: dict[str, Any]) -> dict[str, Any]:
        return payload

    wrong: Any
    for wrong in (later, "x"):
        with pytest.raises(TypeError, match="must be a function that is not async"):
            upcaster(TYPE, from_version=1)(wrong)


def test_a_registry_brings_its_upcasters_along() -> None:
    """As a list for another one; from a plain list of classes they are passed."""
    copied = EventRegistry(REGISTRY)
    listed = EventRegistry([*REGISTRY], upcasters=REGISTRY.upcasters)

    for registry in (copied, listed):
        assert registry.upcasters == (say_currency, join_money)
        assert registry.lifted_from(TYPE) == (1, 2)
        assert list(registry) == list(REGISTRY)
    assert EventRegistry([*REGISTRY]).upcasters == ()


def test_register_is_a_decorator_for_both() -> None:
    """In any order: an incomplete chain lifts nothing, and loses nothing."""
    registry = EventRegistry()
    data = encoded(document())

    assert registry.register(join_money) is join_money
    assert registry.register(say_currency) is say_currency
    before = registry.parse(data)
    registry.register(Spent3)

    assert type(before) is UnknownEvent
    assert before.encode() == data
    assert type(registry.parse(data)) is Spent3


def test_a_newer_class_waits_for_its_upcaster() -> None:
    """Until then the old are kept whole: no chain leads to the newest."""
    registry = EventRegistry([Spent2], upcasters=[say_currency])
    registry.register(Spent3)

    assert registry.lifted_from(TYPE) == ()
    assert type(registry.parse(encoded(document()))) is UnknownEvent
    with pytest.raises(
        ValueError, match=r"from version 2: there is no upcaster from it"
    ):
        registry.check_upcasters()
    registry.register(join_money)
    registry.check_upcasters()
    assert registry.lifted_from(TYPE) == (1, 2)


def test_two_upcasters_of_one_step_are_refused() -> None:
    """Naming both; the same one twice changes nothing."""
    again = Upcaster(TYPE, 1, _raises)
    message = (
        r"_raises can't be registered: credits\.spent is lifted from version 1 by .*"
    )
    with pytest.raises(ValueError, match=message + r"\.say_currency already"):
        EventRegistry([Spent3], upcasters=[say_currency, again, join_money])

    registry = EventRegistry(REGISTRY, upcasters=[say_currency])
    assert registry.upcasters == REGISTRY.upcasters


GAPS = [
    ([Spent3], [say_currency], "from version 2: there is no upcaster from it"),
    ([Spent3], [join_money], "from version 1: there is no upcaster from it"),
    ([Spent1, Spent3], [join_money], "from version 1: there is no upcaster"),
    ([Spent2], [say_currency, join_money], "from version 2: there is no class of .* 3"),
    ([], [say_currency], "from version 1: there is no class of version 2"),
    ([Other], [say_currency], "from version 1: there is no class of version 2"),
    ([Spent1], [say_currency], "from version 1: there is no class of version 2"),
]


@pytest.mark.parametrize(("classes", "steps", "message"), GAPS)
def test_a_chain_that_is_not_complete_is_refused(
    classes: list[Any], steps: list[Upcaster], message: str
) -> None:
    """Where the registry is made; one that grew piece by piece is refused by a test."""
    with pytest.raises(ValueError, match=f"can't be lifted.*credits.spent {message}"):
        EventRegistry(classes, upcasters=steps)

    grown = EventRegistry()
    items: Iterable[Any] = [*steps, *classes]
    for item in items:
        grown.register(item)
    with pytest.raises(ValueError, match=f"can't be lifted.*credits.spent {message}"):
        grown.check_upcasters()


@pytest.mark.parametrize(
    ("classes", "missing"),
    [
        ([Spent2], ["version 1"]),
        ([Spent3], ["version 1", "version 2"]),
        ([Spent1, Spent3], ["version 2"]),
    ],
)
def test_a_version_that_can_not_be_read_fails_the_test(
    classes: list[Any], missing: list[str]
) -> None:
    """A version that was released is in somebody's queue, outbox or archive."""
    with pytest.raises(ValueError, match="neither a class nor") as caught:
        EventRegistry(classes).check_upcasters()

    places = [part.split(":")[0][-9:] for part in str(caught.value).split(";")]
    assert places == missing


@pytest.mark.parametrize(
    "registry", [EventRegistry(), EventRegistry([Spent1, Spent2, Spent3]), REGISTRY]
)
def test_what_can_be_read_passes_the_test(registry: EventRegistry) -> None:
    """Lifted, or with a class for each version."""
    registry.check_upcasters()


def test_exporters_see_what_is_lifted() -> None:
    """By type, from the oldest on."""
    assert REGISTRY.lifted_from(TYPE) == (1, 2)
    assert REGISTRY.lifted_from("credits.counted") == ()
    assert REGISTRY.lifted_from("credits.vanished") == ()

"""Frames are read by pamqp as they were meant."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pamqp.frame
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import decode
from pamqp.body import ContentBody
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from shared.messaging._rabbit_frames import Packet, Properties, ack, drop, reject, table

NAMES = st.text(max_size=60)
MOMENTS = st.datetimes(
    min_value=datetime(1970, 1, 2),  # noqa: DTZ001 - hypothesis wants it so
    max_value=datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
).map(lambda moment: moment.replace(microsecond=0))
DECIMALS = st.builds(
    lambda digits, places: Decimal(digits).scaleb(-places),
    st.integers(-(2**31), 2**31 - 1),
    st.integers(0, 20),
)
SCALARS: st.SearchStrategy[Any] = st.one_of(
    *(st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.text(), MOMENTS),
    *(st.floats(allow_nan=False), DECIMALS, st.binary().map(bytearray)),
    st.binary().filter(lambda data: b"\xff" in data),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner),
    max_leaves=10,
)


def frames(packet: Packet, frame_max: int = 131_072) -> list[Any]:
    """What pamqp reads."""
    data = b"".join(packet.frames(7, frame_max))
    found = []
    while data:
        consumed, channel, frame = pamqp.frame.unmarshal(data)
        assert channel == 7
        assert consumed <= frame_max
        found.append(frame)
        data = data[consumed:]
    return found


@given(st.dictionaries(NAMES, VALUES, max_size=6))
def test_a_table_is_read_as_it_was_written(fields: dict[str, Any]) -> None:
    """Doubles stay double, and bytes bytes, which pamqp itself does not manage."""
    data = table(fields)

    assert decode.field_table(data) == (len(data), fields)


@given(
    st.builds(
        Properties,
        content_type=st.none() | NAMES,
        content_encoding=st.none() | NAMES,
        headers=st.none() | st.dictionaries(NAMES, SCALARS, max_size=3),
        priority=st.none() | st.integers(0, 255),
        correlation_id=st.none() | NAMES,
        reply_to=st.none() | NAMES,
        message_id=st.none() | NAMES,
        timestamp=st.none() | MOMENTS,
        type=st.none() | NAMES,
        app_id=st.none() | NAMES,
    ),
    st.binary(max_size=300),
)
def test_a_message_is_read_as_it_was_written(
    properties: Properties, body: bytes
) -> None:
    """Whichever of its properties are there; it is persistent and mandatory."""
    publish, header, *parts = frames(Packet.of("e", "k", properties, body))
    found = header.properties

    assert isinstance(publish, Basic.Publish)
    assert (publish.exchange, publish.routing_key, publish.mandatory) == (
        *("e", "k"),
        True,
    )
    assert isinstance(header, ContentHeader)
    assert header.body_size == len(body)
    assert b"".join(part.value for part in parts) == body
    assert all(type(part) is ContentBody for part in parts)
    assert found.delivery_mode == 2
    assert Properties(
        content_type=found.content_type,
        content_encoding=found.content_encoding,
        headers=found.headers,
        priority=found.priority,
        correlation_id=found.correlation_id,
        reply_to=found.reply_to,
        message_id=found.message_id,
        timestamp=found.timestamp,
        type=found.message_type,
        app_id=found.app_id,
    ) == (properties)


@pytest.mark.parametrize("size", [0, 1, 99, 100, 101, 200, 1001])
def test_a_body_is_cut_where_a_frame_is_full(size: int) -> None:
    """With the eight bytes around it, each part is as large as a frame may be."""
    body = bytes(range(256)) * 4
    _, _, *parts = frames(Packet.of("", "k", Properties(), body[:size]), 108)

    assert b"".join(part.value for part in parts) == body[:size]
    assert len(parts) == -(-size // 100)


def test_properties_are_never_cut() -> None:
    """AMQP has no way to: whether they fit is asked before they are sent."""
    packet = Packet.of("", "k", Properties(message_id="m" * 60), b"")
    size = len(packet.header) + 8

    assert [packet.fits(each) for each in (size - 1, size, 0)] == [False, True, True]


@given(st.integers(1, 65535), st.integers(0, 2**64 - 1))
def test_settlements(channel: int, tag: int) -> None:
    """One delivery each; a rejected one goes back to its queue, a dropped one not."""
    _, where, taken = pamqp.frame.unmarshal(ack(channel, tag))
    _, also, back = pamqp.frame.unmarshal(reject(channel, tag))
    *_, gone = pamqp.frame.unmarshal(drop(channel, tag))

    assert isinstance(taken, Basic.Ack)
    assert isinstance(back, Basic.Reject)
    assert isinstance(gone, Basic.Reject)
    assert gone.delivery_tag == back.delivery_tag
    assert gone.requeue is False
    assert (where, also) == (channel, channel)
    # pamqp reads tags as signed; aiormq never sees one so large.
    assert struct.pack(">q", taken.delivery_tag) == struct.pack(">Q", tag)
    assert (taken.multiple, back.requeue) == (False, True)


@pytest.mark.parametrize(
    ("properties", "key", "match"),
    [
        (Properties(message_id="x" * 256), "k", "at most 255 bytes"),
        (Properties(), "é" * 128, "at most 255 bytes"),
        (Properties(headers={"n" * 256: 1}), "k", "at most 255 bytes"),
        (Properties(headers={"n": 2**63}), "k", "can't hold a int"),
        (Properties(headers={"n": object()}), "k", "can't hold a object"),
        (Properties(headers={"n": Decimal("NaN")}), "k", "Decimal"),
        (Properties(headers={"n": Decimal(2**31)}), "k", "Decimal"),
        (Properties(priority=256), "k", "range"),
        (Properties(message_id="\ud800"), "k", "surrogates"),
    ],
)
def test_what_has_no_form_is_refused(
    properties: Properties, key: str, match: str
) -> None:
    """As a ValueError, before anything is sent."""
    with pytest.raises(ValueError, match=match):
        Packet.of("", key, properties, b"")

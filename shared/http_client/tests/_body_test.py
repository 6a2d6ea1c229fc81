from __future__ import annotations

import gzip
import json
import zlib
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from shared.http_client._body import BodyReader, encode_json
from shared.http_client._faults import Fault, FaultKind


class Renamed(BaseModel):
    by_field: int = Field(serialization_alias="byAlias")


def bare(data: bytes) -> bytes:
    """Return *data* in deflate without the zlib wrapper."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def members(data: bytes) -> bytes:
    """Return *data* in a gzip file of two members, and padding."""
    half = len(data) // 2
    return gzip.compress(data[:half]) + gzip.compress(data[half:]) + b"\0\0"


def read(encoding: str, pieces: list[bytes], *, limit: int = 10**6) -> bytes:
    """Return the body that comes in *pieces*."""
    reader = BodyReader(encoding, "", limit=limit)
    for piece in pieces:
        reader.feed(piece)
    return reader.finish()


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """Return *data* in pieces."""
    ends = sorted({place % (len(data) + 1) for place in places})
    return [data[a:b] for a, b in zip([0, *ends], [*ends, len(data)], strict=True)]


# --------------------------------------------------------------------------- JSON


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": Decimal("1.10")}, b'{"a":"1.10"}'),
        (Renamed(by_field=1), b'{"byAlias":1}'),
        ([Renamed(by_field=1)], b'[{"byAlias":1}]'),
        ("é", '"é"'.encode()),
        ("NaN", b'"NaN"'),
        (False, b"false"),
    ],
)
def test_json(value: object, expected: bytes) -> None:
    """As pydantic serialises it, in UTF-8."""
    assert encode_json(value) == expected


@pytest.mark.parametrize("value", [float("nan"), [float("inf")], {"a": -float("inf")}])
def test_numbers_that_json_has_not(value: object) -> None:
    """They are refused: other parsers would refuse the whole body."""
    with pytest.raises(ValueError, match="which JSON has not"):
        encode_json(value)


@pytest.mark.parametrize("value", [object(), {"a": object()}, b"\xff", "\ud800"])
def test_values_that_json_has_not(value: object) -> None:
    """They are named by their type."""
    with pytest.raises(TypeError, match=r"json= of type \w+ holds what JSON has not"):
        encode_json(value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(json_values)
def test_json_arrives(value: Any) -> None:
    """What JSON has comes back."""
    assert json.loads(encode_json(value)) == value


# ------------------------------------------------------------------------- bodies


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("", bytes),
        ("identity", bytes),
        ("gzip", gzip.compress),
        (" X-GZIP ", gzip.compress),
        ("gzip", members),
        ("deflate", zlib.compress),
        ("deflate", bare),
    ],
)
@given(data=st.binary(max_size=200), places=st.lists(st.integers(0, 300), max_size=5))
def test_bodies(encoding: str, pack: Any, data: bytes, places: list[int]) -> None:
    """They are put together and decompressed, wherever the network cuts them."""
    assert read(encoding, cut(pack(data), places)) == data


@given(
    size=st.integers(0, 3000),
    limit=st.integers(1, 3000),
    pack=st.sampled_from([("", bytes), ("gzip", gzip.compress)]),
)
def test_the_limit(size: int, limit: int, pack: Any) -> None:
    """No more than the limit is accepted, as it comes or decompressed; the rest is."""
    encoding, packer = pack
    body = packer(b"x" * size)
    expected: object = FaultKind.TOO_LARGE
    if max(size, len(body)) <= limit:
        expected = size
    found: object
    try:
        found = len(read(encoding, [body], limit=limit))
    except Fault as fault:
        found = fault.kind

    assert found == expected


def test_bombs_of_bombs() -> None:
    """What is small twice compressed is decompressed once, and else refused."""
    bomb = gzip.compress(gzip.compress(b" " * 10**6))

    assert len(read("gzip", [bomb], limit=5000)) < 5000
    with pytest.raises(Fault, match="not asked for"):
        read("gzip, gzip", [bomb])


@pytest.mark.parametrize("encoding", ["br", "zstd", "compress", "gzip,identity", "é"])
def test_other_encodings(encoding: str) -> None:
    """What was not asked for is not guessed at."""
    with pytest.raises(Fault, match="not asked for") as raised:
        read(encoding, [b"a"])

    assert raised.value.kind is FaultKind.UNDECODABLE


@pytest.mark.parametrize(
    ("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)]
)
def test_what_breaks_off(encoding: str, pack: Any) -> None:
    """Half a file is not taken for a whole one."""
    packed = pack(bytes(range(256)))

    with pytest.raises(Fault, match="breaks off"):
        read(encoding, [packed[:-1]])


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_what_is_not_what_it_says(encoding: str) -> None:
    """It is refused, and zlib's error is the cause."""
    with pytest.raises(Fault, match="not what it says") as raised:
        read(encoding, [b"\xff" * 100])

    assert isinstance(raised.value.__cause__, zlib.error)


def test_nothing_in_gzip() -> None:
    """The answer to HEAD, and a 204, may name an encoding and have no body."""
    assert read("gzip", []) == b""


@pytest.mark.parametrize("length", ["101", "9" * 19])
def test_announced_lengths(length: str) -> None:
    """What says that it is too large is not read."""
    with pytest.raises(Fault, match="more than 100 bytes"):
        BodyReader("", length, limit=100)


@pytest.mark.parametrize("length", ["", "100", "-1", "²", "1, 1"])
def test_announced_lengths_that_say_nothing(length: str) -> None:
    """They are for the transport to judge; what comes is counted all the same."""
    reader = BodyReader("", length, limit=100)
    reader.feed(b"a" * 100)

    assert reader.finish() == b"a" * 100

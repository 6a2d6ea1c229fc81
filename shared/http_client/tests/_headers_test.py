from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.http_client._headers import checked_headers, checked_value, is_token


def test_names_are_lower_case() -> None:
    """So that a caller's field replaces ours, however it is written."""
    assert checked_headers({"X-Own": "a b", "accept": ""}) == {
        "x-own": "a b",
        "accept": "",
    }


@pytest.mark.parametrize("name", ["", "a b", "a:", "a\r\nb", "é", "(a)", 7])
def test_names_that_are_none(name: str) -> None:
    """RFC 9110, section 5.6.2."""
    with pytest.raises(ValueError, match="not the name of a header"):
        checked_headers({name: "a"})


@pytest.mark.parametrize(
    "name", ["Host", "content-length", "Transfer-Encoding", "Connection", "TE"]
)
def test_names_of_the_transport(name: str) -> None:
    """Two opinions on where a message ends are how requests are smuggled."""
    with pytest.raises(ValueError, match="is the transport's to set"):
        checked_headers({name: "1"})


def test_twice() -> None:
    """Two of one name in different case: which was meant?"""
    with pytest.raises(ValueError, match="twice"):
        checked_headers({"A": "1", "a": "2"})


@pytest.mark.parametrize("value", ["a\r\nb", "a\n", " a", "a ", "é", "\x00", 7, None])
def test_values_that_are_none(value: str) -> None:
    """They are refused and not shown."""
    with pytest.raises(ValueError, match=r"X must be one line .* \(value hidden\)"):
        checked_value("X", value)


@given(st.text())
def test_no_value_adds_a_field(value: str) -> None:
    """What is accepted is printable ASCII."""
    try:
        accepted = checked_value("X", value)
    except ValueError:
        return

    assert accepted == value == value.strip()
    assert accepted.replace("\t", " ").isprintable()
    assert accepted.isascii()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("abc.DEF-1_~+/==", True),
        ("", False),
        ("a b", False),
        ("a\n", False),
        ("=", False),
        (b"abc", False),
        (None, False),
    ],
)
def test_tokens(value: object, expected: bool) -> None:
    """RFC 6750, section 2.1."""
    assert is_token(value) is expected

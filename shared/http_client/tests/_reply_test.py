from __future__ import annotations

import pytest

from shared.http_client import Reply


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({"content-type": "Application/JSON; charset=utf-8"}, "application/json"),
        ({"content-type": " text/html "}, "text/html"),
        ({}, ""),
    ],
)
def test_media_types(header: dict[str, str], expected: str) -> None:
    """In lower case and without parameters (RFC 9110, section 8.3.1)."""
    assert Reply(200, header, b"").media_type == expected


def test_json() -> None:
    """Strict: no NaN, nothing behind the value."""
    assert Reply(200, {}, b' {"a": [1, null]} ').json() == {"a": [1, None]}
    for content in (b"NaN", b"[1] x", b""):
        with pytest.raises(ValueError, match=r"line 1|expected"):
            Reply(200, {}, content).json()


def test_it_does_not_show_its_content() -> None:
    """Bodies stay out of logs."""
    assert "secret" not in repr(Reply(200, {}, b"secret"))

from __future__ import annotations

import pytest

from shared.errors._codes import code_of, is_code, title_of


@pytest.mark.parametrize(
    ("status", "title", "code"),
    [
        (405, "Method Not Allowed", "method_not_allowed"),
        (413, "Content Too Large", "content_too_large"),
        (422, "Unprocessable Content", "unprocessable_content"),
        (505, "HTTP Version Not Supported", "http_version_not_supported"),
        (499, "Bad Request", None),
        (599, "Internal Server Error", None),
    ],
)
def test_status_names_an_error(status: int, title: str, code: str | None) -> None:
    """RFC 9110's phrases; a status it does not know counts as the x00."""
    assert (title_of(status), code_of(status)) == (title, code)


def test_code_of_every_status_is_one() -> None:
    """No phrase makes a code that clients could not rely on."""
    codes = [code_of(status) for status in range(400, 600)]

    assert all(is_code(code) for code in codes if code is not None)
    assert len(codes) - codes.count(None) == 38


@pytest.mark.parametrize("value", ["a" * 65, "\u00e9", "a b", "A", "_a", "", None, 1])
def test_what_is_no_code(value: object) -> None:
    """A code is short, lower-case, snake_case and ASCII."""
    assert not is_code(value)

from __future__ import annotations

import pytest

from shared.validation._color import validate_hex_color


@pytest.mark.parametrize(
    ("color", "canonical"),
    [
        ("#abc", "#aabbcc"),
        ("#ABC", "#aabbcc"),
        ("#1A2b3C", "#1a2b3c"),
        ("#000000", "#000000"),
    ],
)
def test_a_color_has_one_spelling(color: str, canonical: str) -> None:
    """Short and capital forms of one colour compare equal afterwards."""
    assert validate_hex_color(color) == canonical


@pytest.mark.parametrize(
    "color",
    ["", "#", "abc", "#ab", "#abcd", "#aabbccdd", "#ggg", "#abc\n", "#\uff41bc", "red"],
)
def test_other_notations_are_refused(color: str) -> None:
    """No alpha, no names, no digits outside ASCII, nothing after the end."""
    with pytest.raises(ValueError, match="Colour must have the form #rgb or #rrggbb"):
        validate_hex_color(color)

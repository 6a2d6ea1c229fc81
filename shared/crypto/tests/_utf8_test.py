from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.crypto._utf8 import utf8


@given(text=st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_text(text: str) -> None:
    """All text that UTF-8 can hold passes."""
    assert utf8(text, "text") == text.encode()


def test_a_lone_surrogate() -> None:
    """The error says what is wrong and brings the text along nowhere."""
    with pytest.raises(ValueError, match=r"^The text has a lone surrogate") as caught:
        utf8("secret\ud800", "text")

    assert caught.value.__context__ is None
    assert "secret" not in str(caught.value)

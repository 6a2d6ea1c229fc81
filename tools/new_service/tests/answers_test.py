from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.new_service.answers import Answers, Remembered
from tools.new_service.errors import BadInputError


def test_title_and_description_have_defaults() -> None:
    """Name and port are enough."""
    answers = Answers.check("user-service", 8005)

    assert (answers.title, answers.description) == (
        "User Service",
        "REST API of the users.",
    )


@pytest.mark.parametrize("port", [-1, 0, 80, 1023, 65536, 10**9])
def test_refuses_a_port_that_no_service_may_have(port: int) -> None:
    """The line has the port and the range."""
    with pytest.raises(BadInputError, match=rf"Port {port} .* 1024 to 65535"):
        Answers.check("user-service", port)


@pytest.mark.parametrize("port", [1024, 65535])
def test_both_ends_of_the_range_are_in_it(port: int) -> None:
    """A fence has two posts."""
    assert Answers.check("user-service", port).port == port


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("two\nlines", r"--title holds U\+000A"),
        ("two\rlines", r"U\+000D"),
        ("bell \a", r"U\+0007"),
        ("paragraph\u2029separator", r"U\+2029"),
        ("next\x85line", r"U\+0085"),
        ("over\u202eride", r"U\+202E"),
        ("half \udc80", r"U\+DC80"),
        ("   ", "--title has 0 characters"),
        ("x" * 61, "--title has 61 characters: write 1 to 60"),
    ],
)
def test_refuses_a_title_that_is_not_one_line(text: str, message: str) -> None:
    """Whatever could end a line, or can't be seen, is named by its number."""
    with pytest.raises(BadInputError, match=message) as caught:
        Answers.check("user-service", 8005, text)

    assert str(caught.value).isprintable()


def test_refuses_a_long_description() -> None:
    """It is one line; the README has room for more."""
    with pytest.raises(BadInputError, match="--description has 201 characters"):
        Answers.check("user-service", 8005, "T", "x" * 201)


@given(
    st.text(min_size=1, max_size=60).filter(lambda t: t.isprintable() and t.strip()),
    st.dictionaries(st.text("ab./\"'\\ é", min_size=1), st.text("0123456789abcdef")),
)
def test_what_is_remembered_is_what_was_said(
    title: str, digests: dict[str, str]
) -> None:
    """The file gives back the same answers, quotes and braces included."""
    answers = Answers.check("user-service", 8005, title)
    remembered = Remembered(answers=answers, digests=digests)

    assert Remembered.from_toml(remembered.to_toml(), "x.toml") == remembered


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"there is no table \[files\]"),
        ("not toml", "x.toml can't be read"),
        ("[files]", "must have name, port, title, description"),
        ("files = 1", r"x.toml can't be read"),
        (
            'name = "n-s"\nport = true\ntitle = "t"\ndescription = "d"\n[files]',
            "must have",
        ),
        (
            'name = "N"\nport = 8005\ntitle = "t"\ndescription = "d"\n[files]',
            "'N' is no service name",
        ),
        (
            'name = "n-s"\nport = 1\ntitle = "t"\ndescription = "d"\n[files]',
            "Port 1 is out of range",
        ),
    ],
)
def test_a_damaged_memory_is_one_line(text: str, message: str) -> None:
    """It names the file, the damage and the way back."""
    with pytest.raises(BadInputError, match=message) as caught:
        Remembered.from_toml(text, "x.toml")

    assert "Restore it from version control" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_memory_is_plain_toml() -> None:
    """Other tools may read it."""
    remembered = Remembered(
        answers=Answers.check("user-service", 8005), digests={"app.py": "00"}
    )

    assert tomllib.loads(remembered.to_toml()) == {
        "name": "user-service",
        "port": 8005,
        "title": "User Service",
        "description": "REST API of the users.",
        "files": {"app.py": "00"},
    }

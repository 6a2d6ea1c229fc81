"""Each type says in JSON Schema what it accepts."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from shared import validation
from shared.validation import BoundedText

Line = Annotated[str, BoundedText(max_length=20)]
Lines = Annotated[str, BoundedText(max_length=20, multiline=True)]
Anything = Annotated[str, BoundedText(max_length=20, min_length=0)]

# All that is wrong with a value can be said in JSON Schema.
EXACT: dict[str, Any] = {
    "Username": validation.Username,
    "Slug": validation.Slug,
    "SocialHandle": validation.SocialHandle,
    "HexColor": validation.HexColor,
    "HttpsUrl": validation.HttpsUrl,
    "LocaleTag": validation.LocaleTag,
    "CurrencyCode": validation.CurrencyCode,
    "Line": Line,
    "Lines": Lines,
    "Anything": Anything,
}
# JSON Schema can't: kinds of characters, a database of names, a grammar.
LOOSER: dict[str, Any] = {
    "Password": validation.Password,
    "TimeZoneName": validation.TimeZoneName,
    "EmailAddress": validation.EmailAddress,
}
ALL = EXACT | LOOSER


def is_within_json_schema(value: str) -> bool:
    """Leave out what it has no words for: text that NFC makes longer."""
    return len(unicodedata.normalize("NFC", value)) <= len(value)


def schema_accepts(schema: dict[str, Any], value: str) -> bool:
    """Judge *value* by the few keywords that our schemas use."""
    pattern = re.sub(r"\$$", r"\\Z", schema.get("pattern", ""))  # as ECMA-262 has it
    return (
        schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", 10**9)
        and re.search(pattern, value) is not None
        and value in schema.get("enum", [value])
        and all(schema_accepts(part, value) for part in schema.get("allOf", []))
    )


def accepts(adapter: TypeAdapter[str], value: str) -> bool:
    """Ask the validator."""
    try:
        adapter.validate_python(value)
    except ValidationError:
        return False
    return True


def near(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    """Build values that keep the pattern, and ones that nearly do."""
    pattern = schema.get("pattern", "^[A-Z]{3}$").removesuffix("$") + r"\Z"
    kept = st.from_regex(pattern)
    noise = st.text(st.sampled_from("aZ0_-.@#/:? \n\r\té\u0301\u200b\u202e\x00"))
    return st.one_of(kept, st.tuples(kept, noise).map("".join), noise, st.text())


@pytest.mark.parametrize("name", EXACT)
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_schema_and_validator_agree(name: str, data: st.DataObject) -> None:
    """A client that checks against the schema learns what the server will say."""
    adapter = TypeAdapter[str](EXACT[name])
    schema = adapter.json_schema()
    value = data.draw(near(schema).filter(is_within_json_schema))

    assert schema_accepts(schema, value) == accepts(adapter, value)


@pytest.mark.parametrize("name", LOOSER)
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_schema_never_refuses_what_is_accepted(name: str, data: st.DataObject) -> None:
    """Where the schema can't say it all, it errs on the open side."""
    adapter = TypeAdapter[str](LOOSER[name])
    schema = adapter.json_schema()
    good = st.sampled_from(["Correct-Horse-1", "Asia/Tokyo", "ada@example.com"])
    value = data.draw(st.one_of(good, near(schema), st.text()))
    refused = not schema_accepts(schema, value)

    assert not (refused and accepts(adapter, value))


@pytest.mark.parametrize("name", ALL.keys() - {"Line", "Lines", "Anything", "Password"})
def test_examples_are_accepted_unchanged(name: str) -> None:
    """An example in the documentation works, in its canonical form."""
    adapter = TypeAdapter[str](ALL[name])
    examples = adapter.json_schema()["examples"]

    assert [adapter.validate_python(example) for example in examples] == examples


def test_no_password_stands_in_a_schema() -> None:
    """An example of a password is the first one somebody uses."""
    schema = TypeAdapter(validation.Password).json_schema()

    assert "examples" not in schema
    assert (schema["format"], schema["writeOnly"]) == ("password", True)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("value", [None, 7, ["a"], {"a": 1}, True])
def test_a_type_refuses_what_is_no_string(name: str, value: object) -> None:
    """Nothing is turned into a string on the way in."""
    with pytest.raises(ValidationError, match="valid string"):
        TypeAdapter(ALL[name]).validate_python(value)


@pytest.mark.parametrize("name", EXACT)
@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_validation_is_idempotent(name: str, data: st.DataObject) -> None:
    """The canonical form is accepted, and is its own canonical form."""
    adapter = TypeAdapter[str](EXACT[name])
    value = data.draw(near(adapter.json_schema()))
    try:
        once = adapter.validate_python(value)
    except ValidationError:
        return
    assert adapter.validate_python(once) == once

"""Validators as functions and as types."""

from pydantic import TypeAdapter

from shared.validation import Slug, validate_hex_color, validate_password_complexity

assert validate_hex_color("#AABBCC").lower() == "#aabbcc"
assert TypeAdapter(Slug).validate_python("a-slug") == "a-slug"

try:
    validate_password_complexity("short")
except ValueError as error:
    message = str(error)
else:
    message = ""
assert message

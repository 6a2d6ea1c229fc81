"""The ``errors[]`` of a problem: what is wrong with which part of the input.

A rejected value is never repeated. Messages of pydantic can quote it (an unknown union
tag, a character that is no hex digit, the text of a validator's ValueError), so its
stock errors get sentences of ours, filled only with what the schema says, and a message
that an author wrote is shown unless it contains the value.

Private: used by ``shared.errors`` only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from itertools import islice
from typing import Any, Final, TypedDict

from shared.errors._codes import is_code
from shared.errors._jsonable import clean_text, jsonable
from shared.errors._pointer import json_pointer


class ErrorItem(TypedDict):
    """One member of ``errors[]``.

    ``pointer`` is a JSON Pointer (RFC 6901) into the input, ``""`` for all of it;
    ``code`` a stable snake_case word; ``detail`` a sentence for people.
    """

    pointer: str
    code: str
    detail: str


GENERIC_CODE: Final = "invalid"
GENERIC_DETAIL: Final = "The value is not valid."

# pydantic's error types, https://docs.pydantic.dev/latest/errors/validation_errors/.
# The names in braces are members of the error's ctx that come from the schema; those
# that come from the input (tag, error, actual_length, tz_actual) are not used.
_DETAILS: Final[Mapping[str, str]] = {
    "missing": "This is required.",
    "extra_forbidden": "This member is not known here.",
    "invalid_key": "The name of a member must be a string.",
    "frozen_field": "This can't be changed.",
    "frozen_instance": "This can't be changed.",
    "recursion_loop": "The value contains itself.",
    "recursion_depth_exceeded": "The value is nested too deeply.",
    "json_invalid": "Must be valid JSON.",
    "json_type": "Must be a string holding JSON.",
    "none_required": "Must be null.",
    "model_type": "Must be an object.",
    "model_attributes_type": "Must be an object.",
    "dataclass_type": "Must be an object.",
    "dataclass_exact_type": "Must be an object.",
    "named_tuple_type": "Must be an array or an object.",
    "dict_type": "Must be an object.",
    "mapping_type": "Must be an object.",
    "frozen_dict_type": "Must be an object.",
    "ordered_dict_type": "Must be an object.",
    "counter_type": "Must be an object of counts.",
    "list_type": "Must be an array.",
    "tuple_type": "Must be an array.",
    "set_type": "Must be an array.",
    "frozen_set_type": "Must be an array.",
    "deque_type": "Must be an array.",
    "iterable_type": "Must be an array.",
    "set_item_not_hashable": "The items of a set can't be arrays or objects.",
    "too_short": "Must have {min_length} or more items.",
    "too_long": "Must have no more than {max_length} items.",
    "greater_than": "Must be greater than {gt}.",
    "greater_than_equal": "Must be at least {ge}.",
    "less_than": "Must be less than {lt}.",
    "less_than_equal": "Must be at most {le}.",
    "multiple_of": "Must be a multiple of {multiple_of}.",
    "finite_number": "Must be a finite number.",
    "bool_type": "Must be true or false.",
    "bool_parsing": "Must be true or false.",
    "int_type": "Must be an integer.",
    "int_parsing": "Must be an integer.",
    "int_parsing_size": "The integer has too many digits.",
    "int_from_float": "Must be an integer, without a fractional part.",
    "float_type": "Must be a number.",
    "float_parsing": "Must be a number.",
    "decimal_type": "Must be a decimal number.",
    "decimal_parsing": "Must be a decimal number.",
    "decimal_max_digits": "Must have at most {max_digits} digits.",
    "decimal_max_places": "Must have at most {decimal_places} decimal places.",
    "decimal_whole_digits": "Must have at most {whole_digits} digits before the point.",
    "fraction_type": "Must be a fraction.",
    "fraction_parsing": "Must be a fraction.",
    "complex_type": "Must be a complex number.",
    "complex_str_parsing": "Must be a complex number.",
    "string_type": "Must be a string.",
    "string_sub_type": "Must be a string.",  # of older pydantic
    "string_unicode": "Must be valid Unicode text.",
    "string_too_short": "Must be {min_length} or more characters long.",
    "string_too_long": "Must be no longer than {max_length} characters.",
    "string_pattern_mismatch": "Must match the pattern {pattern}",
    "string_not_ascii": "Must have only ASCII characters.",
    "bytes_type": "Must be a string of bytes.",
    "bytes_too_short": "Must be {min_length} or more bytes long.",
    "bytes_too_long": "Must be no longer than {max_length} bytes.",
    "bytes_invalid_encoding": "Must be encoded as {encoding}.",
    "enum": "Must be {expected}.",
    "literal_error": "Must be {expected}.",
    "union_tag_invalid": "The member {discriminator} must be one of: {expected_tags}.",
    "union_tag_not_found": "The member {discriminator} is required.",
    "date_type": "Must be a date.",
    "date_parsing": "Must be a date like 2026-01-31.",
    "date_from_datetime_parsing": "Must be a date like 2026-01-31.",
    "date_from_datetime_inexact": "Must be a date without a time of day.",
    "date_past": "Must be in the past.",
    "date_future": "Must be in the future.",
    "time_type": "Must be a time of day.",
    "time_parsing": "Must be a time of day like 12:30:00.",
    "datetime_type": "Must be a date and time.",
    "datetime_parsing": "Must be a date and time like 2026-01-31T12:30:00Z.",
    "datetime_object_invalid": "Must be a date and time.",
    "datetime_from_date_parsing": "Must be a date and time like 2026-01-31T12:30:00Z.",
    "datetime_past": "Must be in the past.",
    "datetime_future": "Must be in the future.",
    "timezone_naive": "Must not have a time zone.",
    "timezone_aware": "Must have a time zone.",
    "timezone_offset": "Has the wrong time zone.",
    "time_delta_type": "Must be a duration.",
    "time_delta_parsing": "Must be a duration like PT1H30M.",
    "url_type": "Must be a URL.",
    "url_parsing": "Must be a URL.",
    "url_syntax_violation": "Must be a URL.",
    "url_too_long": "Must be no longer than {max_length} characters.",
    "url_scheme": "The URL must begin with {expected_schemes}.",
    "uuid_type": "Must be a UUID.",
    "uuid_parsing": "Must be a UUID.",
    "uuid_version": "Must be a UUID of version {expected_version}.",
    "default_factory_not_called": "Depends on another value that is not valid.",
    "arguments_type": "Must be an array or an object.",
    "missing_argument": "This is required.",
    "missing_keyword_only_argument": "This is required.",
    "missing_positional_only_argument": "This is required.",
    "unexpected_keyword_argument": "This member is not known here.",
    "unexpected_positional_argument": "This item is not known here.",
    "multiple_argument_values": "This is given twice.",
    # These come from Python objects, never from JSON; their texts name classes.
    "callable_type": GENERIC_DETAIL,
    "ellipsis_error": GENERIC_DETAIL,
    "get_attribute_error": GENERIC_DETAIL,
    "is_instance_of": GENERIC_DETAIL,
    "is_subclass_of": GENERIC_DETAIL,
    "iteration_error": GENERIC_DETAIL,
    "missing_sentinel_error": GENERIC_DETAIL,
    "needs_python_object": GENERIC_DETAIL,
    "no_such_attribute": GENERIC_DETAIL,
}

_EMAIL_DETAIL: Final = "Must be an e-mail address."

# A shorter echo tells nothing, and short inputs occur in any sentence.
_MIN_ECHO: Final = 3
_MAX_LEAVES: Final = 2_000
_MAX_ITEMS: Final = 1_000
_QUOTES: Final = re.compile("['\"`]")


def error_items(errors: object) -> list[dict[str, Any]]:
    """*errors*, in whatever shape code passes them, as the ``errors[]`` of a problem.

    Items with a ``pointer`` or a ``detail`` keep all their members; errors of pydantic
    (with ``loc`` and ``type``) are told in our words; a mapping is read as
    ``{"member": "message or messages"}``. At most 1,000 items.
    """
    try:
        if isinstance(errors, Mapping) and not _is_item(errors):
            named = (
                (json_pointer(clean_text(str(name))), message)
                for name, messages in errors.items()
                for message in _listed(messages)
            )
        else:
            named = (("", error) for error in _listed(errors))
        return [_item(error, pointer) for pointer, error in islice(named, _MAX_ITEMS)]
    except Exception:  # iterating what code passed in can raise anything
        return [_item(None, "")]


def schema_item(error: Mapping[str, Any], pointer: str) -> ErrorItem:
    """What pydantic's *error* says about *pointer*, without repeating the input."""
    code = error.get("type")
    try:
        detail = _schema_detail(error)
    except Exception:  # a name missing from the ctx, or a value that can't be printed
        detail = GENERIC_DETAIL
    return {
        "pointer": pointer,
        "code": code if isinstance(code, str) and is_code(code) else GENERIC_CODE,
        "detail": clean_text(detail),
    }


def _listed(errors: object) -> Iterable[object]:
    if isinstance(errors, str | bytes | Mapping) or not isinstance(errors, Iterable):
        return [errors]
    return errors


def _is_item(error: Mapping[Any, Any]) -> bool:
    keys = error.keys()
    return {"loc", "type"} <= keys or bool({"pointer", "detail"} & keys)


def _item(error: object, pointer: str) -> dict[str, Any]:
    if isinstance(error, Mapping) and {"loc", "type"} <= error.keys():
        return {**schema_item(error, pointer or _pointer_of(error["loc"]))}
    item: dict[str, Any] = {
        "pointer": pointer,
        "code": GENERIC_CODE,
        "detail": GENERIC_DETAIL,
    }
    plain = jsonable(error)
    if isinstance(error, str):
        item["detail"] = plain or GENERIC_DETAIL
    elif isinstance(plain, dict):  # a mapping, a pydantic model, a dataclass
        for name, value in plain.items():
            if name not in item or isinstance(value, str):
                item[name] = value
    return item


def _pointer_of(location: Any) -> str:
    return json_pointer(*(clean_text(str(token)) for token in location))


def _schema_detail(error: Mapping[str, Any]) -> str:
    context = error.get("ctx") or {}
    template = _DETAILS.get(str(error.get("type")))
    if template is None:
        return _authored_detail(error, context)
    return template.format_map(context)


def _authored_detail(error: Mapping[str, Any], context: Mapping[str, Any]) -> str:
    """The message that a validator's author wrote, unless it repeats the input."""
    if error.get("type") == "value_error" and "reason" in context:
        return _EMAIL_DETAIL  # pydantic's EmailStr, whose reason quotes the address
    cause = context.get("error")
    message = str(cause) if isinstance(cause, Exception) else str(error.get("msg", ""))
    message = message.removeprefix("Value error, ").removeprefix("Assertion failed, ")
    if not message or "input" not in error or _repeats(message, error["input"]):
        return GENERIC_DETAIL
    return message


def _repeats(message: str, rejected: object) -> bool:
    """Whether *message* shows a part of *rejected*, as a whole or between quotes.

    True when *rejected* is too large to be searched.
    """
    folded = message.casefold()
    quoted = [part.strip().casefold() for part in _QUOTES.split(message)[1:-1]]
    quoted = [part for part in quoted if len(part) >= _MIN_ECHO]
    for count, leaf in enumerate(_leaves(rejected)):
        if count >= _MAX_LEAVES:
            return True
        text = leaf.decode("latin-1") if isinstance(leaf, bytes) else str(leaf)
        for form in (text.casefold(), repr(text)[1:-1].casefold()):
            if len(form) >= _MIN_ECHO and form in folded:
                return True
            if any(part in form for part in quoted):
                return True
    return False


def _leaves(value: object) -> Iterator[object]:
    """Every key and every scalar inside *value*, without recursion."""
    pending = [value]
    while pending:
        node = pending.pop()
        if isinstance(node, Mapping):
            pending.extend(node.keys())
            pending.extend(node.values())
        elif isinstance(node, list | tuple | AbstractSet):
            pending.extend(node)
        elif node is not None and not isinstance(node, bool):
            yield node

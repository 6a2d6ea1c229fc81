r"""Text that people write: bounded, in NFC, without characters that hide or reorder.

Private: import these names from ``shared.validation``.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from shared.validation._rules import Rule, require

# UAX #15 section 13, Stream-Safe Text. It also keeps NFC linear: CPython sorts a run
# of combining marks by insertion, so that 16,000 of them take 200 ms.
MAX_COMBINING_RUN = 30

# Insides of character classes, written so that Python and ECMAScript read them alike.
_CONTROLS = r"\u0000-\u001F\u007F-\u009F"
_CONTROLS_BUT_TAB_AND_BREAKS = r"\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F"
# Embeddings, overrides and isolates, which reorder the text around them too. The
# marks (U+200E, U+200F, U+061C) only say which way a character beside them runs.
_BIDI = r"\u202A-\u202E\u2066-\u2069"
# They make two names look the same. The joiners U+200C and U+200D stay: Persian,
# Indic scripts and emoji are spelt with them.
_INVISIBLE = r"\u200B\u2028\u2029\u2060\uFEFF"
_INK = r"[^\s\uFEFF]"


def _longest_combining_run(text: str) -> int:
    longest = run = 0
    for character in text:
        run = run + 1 if unicodedata.combining(character) else 0
        longest = max(longest, run)
    return longest


def validate_text(
    text: str, *, max_length: int, min_length: int = 1, multiline: bool = False
) -> str:
    r"""Return *text* in NFC and, where it may have several lines, with ``\n`` alone.

    Lengths are in code points and hold both before and after that. White space around
    the text stays; white space alone is refused unless *min_length* is 0.

    Args:
        text: What somebody wrote.
        max_length: The most characters.
        min_length: The fewest characters.
        multiline: Accept tabs, line breaks, and the characters without width that
            some scripts separate words with (U+200B, U+2028, U+2029, U+2060, U+FEFF).

    Raises:
        ValueError: Code ``text_format``; rules ``length``, ``blank``, ``control``
            (category Cc and lone surrogates), ``bidi``, ``invisible``, ``combining``.
    """
    clean = re.sub(r"\r\n?", "\n", text) if multiline else text
    bounded = len(text) <= max_length
    stream_safe = (
        not bounded
        or text.isascii()
        or _longest_combining_run(text) <= MAX_COMBINING_RUN
    )
    if bounded and stream_safe:
        clean = unicodedata.normalize("NFC", clean)
    fewest, most = sorted((len(text), len(clean)))
    controls = _CONTROLS_BUT_TAB_AND_BREAKS if multiline else _CONTROLS
    require(
        "text_format",
        "Text",
        [
            Rule(
                "length",
                f"{min_length} to {max_length} characters",
                min_length <= fewest and most <= max_length,
            ),
            Rule(
                "blank",
                "a character other than white space",
                not (min_length and clean) or bool(re.search(_INK, clean)),
            ),
            Rule(
                "control",
                "no control characters" + " but tabs and line breaks" * multiline,
                not re.search(rf"[{controls}\uD800-\uDFFF]", clean),
            ),
            Rule(
                "bidi",
                "no characters that reorder text",
                not re.search(f"[{_BIDI}]", clean),
            ),
            Rule(
                "invisible",
                "no characters without width",
                multiline or not re.search(f"[{_INVISIBLE}]", clean),
            ),
            Rule(
                "combining",
                f"no more than {MAX_COMBINING_RUN} combining marks in a row",
                stream_safe,
            ),
        ],
    )
    return clean


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundedText:
    """Annotates a ``str`` as text: ``Annotated[str, BoundedText(max_length=100)]``.

    The options are those of :func:`validate_text`.
    """

    max_length: int
    min_length: int = 1
    multiline: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.min_length <= self.max_length:
            raise ValueError(
                "BoundedText needs 0 <= min_length <= max_length "
                f"(got {self.min_length} and {self.max_length})."
            )

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(
            self._validate, handler(source)
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        refused = (
            _CONTROLS_BUT_TAB_AND_BREAKS + _BIDI
            if self.multiline
            else _CONTROLS + _BIDI + _INVISIBLE
        )
        return {
            "type": "string",
            "minLength": self.min_length,
            "maxLength": self.max_length,
            "pattern": f"^[^{refused}]*$",
            **({"allOf": [{"pattern": _INK}]} if self.min_length else {}),
        }

    def _validate(self, text: str) -> str:
        return validate_text(
            text,
            max_length=self.max_length,
            min_length=self.min_length,
            multiline=self.multiline,
        )

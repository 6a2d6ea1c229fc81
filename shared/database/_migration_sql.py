"""What SQL that somebody wrote into a migration may destroy or break.

Private: import names from ``shared.database.migrations``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Set
from typing import Final

_IGNORE: Final = re.IGNORECASE | re.DOTALL
_TOKEN: Final = re.compile(
    r"""
    (?P<comment>
        --[^\n]*
        | /\*(?:(?!/\*|\*/).|/\*(?:(?!/\*|\*/).)*\*/)*\*/  # PostgreSQL nests them
        | /\*.*?\*/
    )
    | (?P<literal> \bE'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' )
    | (?P<name> "(?:[^"]|"")*" | `[^`]*` | \[[a-z_]\w*\] )
    """,
    _IGNORE | re.VERBOSE,
)
# What runs text: its literals are SQL.
_RUNS_TEXT: Final = re.compile(
    r"\b(?:EXECUTE|FUNCTION|PROCEDURE|DO\b(?!\s+(?:NOTHING|UPDATE|INSTEAD|ALSO)\b))\b",
    _IGNORE,
)
# Words that are no column where one could be: quoted they are one.
_RESERVED: Final = frozenset({"constraint", "column", "if"})

_NAME: Final = r"[\w$]+(?:\s*\.\s*[\w$]+)*"
_TABLE: Final = rf"(?:IF\s+EXISTS\s+)?(?:ONLY\s+)?(?P<table>{_NAME})"
_ALTER_TABLE: Final = rf"\bALTER\s+(?:FOREIGN\s+)?TABLE\s+{_TABLE}(?:\s*\*)?\s+"
_ACTION: Final = rf"{_ALTER_TABLE}(?:.*,\s*)?"
_ALTER_COLUMN: Final = rf"{_ACTION}ALTER\s+(?:COLUMN\s+)?[\w$]+\s+"

_OPENED: Final = r"(?:CAST\s*\(\s*|(?:ROW\s*)?\((?:[^()]*,)?\s*)?"

_SHOWN: Final = re.compile(
    r"\b(DROP\s+(?:TABLE|COLUMN|SCHEMA|DATABASE|TYPE|DOMAIN|SEQUENCE|EXTENSION|OWNED"
    r"|(?:MATERIALIZED\s+)?VIEW|FOREIGN\s+TABLE)|TRUNCATE|DELETE\s+FROM|THEN\s+DELETE"
    r"|DETACH\s+PARTITION)\b",
    _IGNORE,
)
_TOLD: Final = [
    (re.compile(pattern, _IGNORE), told)
    for pattern, told in (
        (rf"{_ACTION}DROP\s+(?!CONSTRAINT\b)", "ALTER TABLE ... DROP of a column"),
        (r"\bALTER\s+TYPE\b.*\bDROP\b", "ALTER TYPE ... DROP"),
        (
            rf"{_ALTER_COLUMN}(?:SET\s+DATA\s+)?TYPE\b",
            "ALTER COLUMN ... TYPE, which may not hold every value",
        ),
        (
            rf"{_ALTER_COLUMN}SET\s+NOT\s+NULL\b",
            "SET NOT NULL, which fails if a row has none",
        ),
        (
            r"\bALTER\s+(?!INDEX\b)\w+\b.*\b(?:RENAME\s+(?!CONSTRAINT\b)|SET\s+SCHEMA\b)",
            "RENAME, and the version that still runs knows the old name only",
        ),
        (
            rf"\bUPDATE\b.*\bSET\b.*=\s*{_OPENED}NULL\b",
            "UPDATE ... SET ... = NULL",
        ),
    )
]
_UNIQUE: Final = [
    re.compile(pattern, _IGNORE)
    for pattern in (
        rf"{_ACTION}ADD\s+(?:CONSTRAINT\s+[\w$]+\s+)?(?:UNIQUE|PRIMARY\s+KEY)\b",
        rf"\bCREATE\s+UNIQUE\s+INDEX\b.*?\bON\s+{_TABLE}",
    )
]
_MADE: Final = re.compile(
    r"\bCREATE\s+(?:\w+\s+){0,2}TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?"
    rf"(?P<table>{_NAME})",
    _IGNORE,
)

ADVICE_UNIQUE: Final = (
    "which fails on rows that are alike, and locks the table meanwhile: remove "
    "duplicates in an earlier revision"
)


def harm_of_sql(
    sql: str, made: Set[str] = frozenset(), *, with_null: bool = False
) -> str | None:
    """What *sql* may destroy, or break for the version that still runs.

    Args:
        sql: One statement or several.
        made: Tables without rows that anybody needs.
        with_null: Whether one of its parameters is NULL.
    """
    for statement in _statements(sql):
        if found := _SHOWN.search(statement):
            return f"executes {' '.join(found[1].upper().split())}"
        for pattern, told in _TOLD:
            if pattern.search(statement):
                return f"executes {told}"
        if with_null and re.match(r"\s*UPDATE\b", statement, _IGNORE):
            return "executes UPDATE with a parameter that is NULL"
        for pattern in _UNIQUE:
            if (found := pattern.search(statement)) and _table(found) not in made:
                return f"makes columns of {_table(found)} unique, {ADVICE_UNIQUE}"
    return None


def tables_made(sql: str) -> set[str]:
    """The tables that *sql* makes."""
    return {
        _table(found)
        for statement in _statements(sql)
        for found in _MADE.finditer(statement)
    }


def _table(found: re.Match[str]) -> str:
    """Its name, without the schema."""
    return found["table"].rpartition(".")[2].strip()


def _statements(sql: str) -> Iterator[str]:
    """Each statement by itself: no comments, no literals, no quotes around names."""
    literals: list[str] = []

    def plain(found: re.Match[str]) -> str:
        if found["comment"]:
            return " "
        if found["literal"]:
            literals.append(found[0].partition("'")[2][:-1].replace("''", "'"))
            return "''"
        name = re.sub(r"\W", "_", found[0][1:-1])
        return f" {'_' if name.lower() in _RESERVED else ''}{name} "

    bare = _TOKEN.sub(plain, sql)
    yield from bare.split(";")
    if _RUNS_TEXT.search(bare):
        for literal in literals:
            yield from _statements(literal)

"""The table of changes in contracts/README.md, made of `all_changes`.

`./bazelw run //contracts:table` writes it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from tools.contracts.compat.finding import Surface
from tools.contracts.compat.tests.all_changes import CHANGES
from tools.contracts.compat.tests.changes import Change

README: Final = Path("contracts/README.md")
COMMAND: Final = "./bazelw run //contracts:table"
BEGIN: Final = f"<!-- {COMMAND} writes what follows -->"
END: Final = "<!-- the table ends -->"

_HEADINGS: Final = {
    "schema": "Schemas: of requests, of responses, of events",
    "DTO": "DTOs",
    "event": "Events and their versions",
    "OpenAPI": "Operations: parameters, bodies, responses, security",
    "service": "Services",
    "error": "Error codes",
    "AMQP": "Routing keys, queues and messages",
}

_COLUMNS: Final = (
    *("change", "rule", "request", "response", "event"),
    *("buf breaking (FILE; WIRE_JSON)", "Confluent JSON Schema", "AsyncAPI diff"),
)

_SOURCES: Final = """\
**How to read it.** *Request*: clients of yesterday write, the service of today \
reads. *Response*: the other way round. *Event*: consumers of yesterday read what is \
published today, and consumers of today read what was stored yesterday. A change is \
*safe* (only people notice), an *addition* (a minor version), or *breaking*, with who \
breaks. Each row is a test in `tools/contracts/compat/tests/changes_test.py`.

The last three columns are what the documentation of others says of the same change, \
read in November 2026. `n/a`: the tool has no such thing. For buf, a member is a field \
that keeps its number, `required` and defaults are those of proto2, a form of a union \
is a field of a `oneof`, an operation an RPC, a parameter a field of its request; \
bounds and patterns are custom options there, which it leaves out. For Confluent the \
modes BACKWARD, FORWARD and FULL, under the policy STRICT that it has unless told \
otherwise, with the type of difference that decides. For AsyncAPI the two documents \
are dereferenced, as its library asks for; its standard has no entries inside of a \
payload or of a binding, and there it says *unclassified*.

- buf: [Rules and categories](https://buf.build/docs/breaking/rules/), and the rules \
with their categories in `bufcheckserver.go` of bufbuild/buf after v1.72.0 (c9a5b26)
- Confluent: [Schema evolution and compatibility]\
(https://docs.confluent.io/platform/current/schema-registry/fundamentals/\
schema-evolution.html), `COMPATIBLE_CHANGES_STRICT` of `SchemaDiff`, the classes \
beside it, and the examples in `diff-schema-examples.json` of \
confluentinc/schema-registry (794611b)
- AsyncAPI: the README and `standards/v3` of the npm package @asyncapi/diff 0.5.0\
"""


def table() -> str:
    """Everything between the two markers."""
    return "\n".join(_lines())


def written(text: str) -> str:
    """*text*, a README, with the table of today.

    Raises:
        ValueError: It has not each marker once, in their order.
    """
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise ValueError(f"{README} must have {BEGIN!r} and {END!r} once.")
    head, _, rest = text.partition(BEGIN)
    _, marker, tail = rest.partition(END)
    if not marker:
        raise ValueError(f"{README} must have {BEGIN!r} before {END!r}.")
    return f"{head}{BEGIN}\n\n{table()}\n\n{END}{tail}"


def _lines() -> Iterator[str]:
    yield _summary(CHANGES)
    for area, heading in _HEADINGS.items():
        yield ""
        yield f"### {heading}"
        yield ""
        yield _row(_COLUMNS)
        yield _row(["---"] * len(_COLUMNS))
        yield from (_row(_cells(each)) for each in CHANGES if each.area == area)
    yield ""
    yield _SOURCES


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(change: Change) -> Iterator[str]:
    yield change.words
    yield ", ".join(f"`{rule}`" for rule in sorted(change.findings)) or "none"
    for surface in Surface:
        yield _verdict(change, surface)
    yield change.buf
    yield change.confluent
    yield change.asyncapi


def letter_of(change: Change, surface: Surface) -> str:
    """The gravest verdict on a surface; ``.`` if nothing is found there."""
    index = list(Surface).index(surface)
    letters = (each[index] for each in change.findings.values())
    return max(letters, key=".WAB".index, default=".")


def _verdict(change: Change, surface: Surface) -> str:
    letter = letter_of(change, surface)
    if letter == "B":
        return f"**breaking**: {_who(change, surface)}"
    # A schema has all three sides; what is around it only those that are told.
    nothing = "safe" if change.area == "schema" else ""
    return {"A": "addition", "W": "safe", ".": nothing}[letter]


def _who(change: Change, surface: Surface) -> str:
    if change.who:
        return change.who
    if surface is not Surface.EVENT:
        return "clients"
    if change.area != "schema":
        return "consumers"
    reads = letter_of(change, Surface.RESPONSE) == "B"
    stored = letter_of(change, Surface.REQUEST) == "B"
    return " and ".join(["stored events"] * stored + ["old consumers"] * reads)


def _summary(changes: Sequence[Change]) -> str:
    schemas = [each for each in changes if each.area == "schema"]
    breaking = [each for each in schemas if letter_of(each, Surface.EVENT) == "B"]
    full = sum(each.confluent.startswith("FULL") for each in breaking)
    safe = [each for each in schemas if each not in breaking]
    refused = sum(not each.confluent.startswith("FULL") for each in safe)
    unclassified = sum(each.asyncapi == "unclassified" for each in breaking)
    broker = [
        each
        for each in changes
        if each.area == "AMQP" and letter_of(each, Surface.EVENT) == "B"
    ]
    unknown = sum(each.asyncapi == "unclassified" for each in broker)
    rules = {rule for each in changes for rule in each.findings}
    return (
        f"{len(changes)} changes, with every one of the gate's {len(rules)} rules. Of "
        f"{len(breaking)} changes of a schema that break an event, Confluent's mode "
        f"FULL takes {full}, and of {len(safe)} that break none it refuses {refused}; "
        f"AsyncAPI diff leaves {unclassified} of the {len(breaking)} unclassified, and "
        f"{unknown} of the {len(broker)} on the broker that break somebody."
    )


def main() -> int:
    """Write the README of the checkout that the program was started in."""
    path = Path(os.environ.get("BUILD_WORKSPACE_DIRECTORY", "."), README)
    try:
        path.write_text(written(path.read_text("utf-8")), "utf-8")
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

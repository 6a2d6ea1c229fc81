from __future__ import annotations

import json

from tools.contracts.compat.finding import Finding, Impact
from tools.contracts.compat.report import Group, document_of, render


def finding(document: str, pointer: str, impact: Impact, **more: object) -> Finding:
    """A finding."""
    breaking = impact is Impact.BREAKING
    members: dict[str, object] = {
        "rule": "some-rule",
        "before": None,
        "after": None,
        "says": "It changed.",
        "breaks": "Clients." if breaking else "",
        "way_out": "Don't." if breaking else "",
        **more,
    }
    return Finding(document=document, pointer=pointer, impact=impact, **members)  # type: ignore[arg-type]


FINDINGS = [
    finding("a.json", "/x", Impact.WORDING, before="old", after="new"),
    finding("b.json", "/y", Impact.ADDITION),
    finding("b.json", "/z", Impact.BREAKING, before={"a": None}),
]


def lines(*findings: Finding, colour: bool = False) -> list[str]:
    """The report on findings."""
    return list(render([Group(each) for each in findings], "1 -> 2", colour=colour))


def test_what_breaks_stands_above() -> None:
    """Documents in which something breaks come first, and in them what breaks."""
    assert lines(*FINDINGS) == [
        "1 -> 2: 1 breaking, 1 addition, 1 change of wording",
        "",
        "b.json",
        "  BREAKING  some-rule  #/z",
        "            It changed.",
        '            before: {"a": null}',
        "            after:  -",
        "            breaks: Clients.",
        "            do:     Don't.",
        "  addition  some-rule  #/y",
        "            It changed.",
        "",
        "a.json",
        "  wording   some-rule  #/x",
        "            It changed.",
        '            before: "old"',
        '            after:  "new"',
    ]


def test_nothing_is_one_line() -> None:
    """Two bundles that are the same."""
    assert lines() == ["1 -> 2: no difference"]


def test_many_are_counted() -> None:
    """In the plural."""
    more = [finding("c.json", f"/{i}", Impact.ADDITION) for i in range(2)]

    assert lines(*more)[0] == "1 -> 2: 2 additions"


def test_colour_is_asked_for() -> None:
    """Escapes are for terminals."""
    assert "\x1b" not in "".join(lines(*FINDINGS))
    assert "\x1b[1;31mBREAKING " in "\n".join(lines(*FINDINGS, colour=True))


def test_a_bundle_moves_no_terminal() -> None:
    """Control characters of other people's documents are shown, not obeyed."""
    bad = finding(
        "\x1b[2J", "/\x9b", Impact.ADDITION, before="\x1b[2J", says="\x07", after="é"
    )

    text = "\n".join(lines(bad))
    assert not set(text) & {"\x1b", "\x9b", "\x07"}
    assert "é" in text


def test_a_long_value_is_cut() -> None:
    """The rest is in the file."""
    long = finding("a.json", "", Impact.ADDITION, before="x" * 9999)

    assert max(map(len, lines(long))) < 200


def test_json_has_a_stable_shape() -> None:
    """Programs rely on these members and their order."""
    document = document_of("1.0.0", "worktree", FINDINGS)

    assert list(document) == ["before", "after", "step", "counts", "findings"]
    assert document["step"] == "major"
    assert document["counts"] == {"breaking": 1, "addition": 1, "wording": 1}
    members = ["rule", "impact", "document", "pointer", "before", "after", "says"]
    for each in document["findings"]:
        assert list(each) == [*members, "breaks", "way_out"]
    assert [each["pointer"] for each in document["findings"]] == ["/x", "/z", "/y"]
    assert json.loads(json.dumps(document)) == document

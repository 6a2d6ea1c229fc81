"""The fields, read back by the grammar of structured fields (RFC 9651)."""

from __future__ import annotations

import re
from math import ceil, inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import error_from_problem
from shared.rate_limit import (
    Decision,
    RateLimitPolicy,
    Standing,
    rate_limit_fields,
    refusal,
)

BURST = RateLimitPolicy("burst", limit=100, window=60)
DAILY = RateLimitPolicy("daily", limit=1000, window=86_400)

_ITEM = re.compile(r'"([ !#-\[\]-~]+)"((?:;[a-z]+=(?:0|[1-9][0-9]{0,14}))*)')


def parse(field: str) -> dict[str, dict[str, int]]:
    """Read a List of Strings with Integer parameters."""
    items = {}
    for text in field.split(", "):
        match = _ITEM.fullmatch(text)
        assert match, text
        pairs = (part.split("=") for part in match[2].split(";")[1:])
        items[match[1]] = {name: int(number) for name, number in pairs}
    return items


def decide(*standings: Standing, cost: int = 1) -> Decision:
    """A decision with these standings."""
    allowed = not any(standing.retry_after for standing in standings)
    return Decision(allowed, "user-1", cost, standings, 0)


def test_the_draft_s_example() -> None:
    """What section 3 and 4 of the draft show."""
    decision = decide(Standing(BURST, 50, 30.0, 0.0))

    assert rate_limit_fields(decision) == {
        "RateLimit-Policy": '"burst";q=100;w=60',
        "RateLimit": '"burst";r=50;t=30',
    }


def test_several_policies_are_a_list() -> None:
    """In the order of the question."""
    decision = decide(Standing(BURST, 50, 29.1, 0.0), Standing(DAILY, 1000, 0.0, 0.0))

    assert rate_limit_fields(decision) == {
        "RateLimit-Policy": '"burst";q=100;w=60, "daily";q=1000;w=86400',
        "RateLimit": '"burst";r=50;t=30, "daily";r=1000',
    }


def test_a_refusal_waits_for_the_policies_that_refused() -> None:
    """Retry-After precedes no t, since only those that refused have one."""
    decision = decide(Standing(BURST, 0, 1.2, 2.5), Standing(DAILY, 7, 50_000.0, 0.0))

    assert rate_limit_fields(decision) == {
        "RateLimit-Policy": '"burst";q=100;w=60, "daily";q=1000;w=86400',
        "RateLimit": '"burst";r=0;t=2, "daily";r=7',
        "Retry-After": "3",
    }


def test_nothing_to_wait_for_has_no_retry_after() -> None:
    """A cost above the limit never fits."""
    decision = decide(Standing(BURST, 100, 0.0, inf), cost=101)

    assert rate_limit_fields(decision) == {
        "RateLimit-Policy": '"burst";q=100;w=60',
        "RateLimit": '"burst";r=100',
    }


def test_a_policy_that_was_asked_twice_stands_once() -> None:
    """With what is left in the tighter one."""
    loose = decide(Standing(BURST, 50, 30.0, 0.0))
    tight = decide(Standing(BURST, 3, 20.0, 0.0), Standing(DAILY, 9, 5.0, 0.0))

    assert rate_limit_fields(loose, tight) == rate_limit_fields(tight, loose)
    assert rate_limit_fields(loose, tight)["RateLimit"] == (
        '"burst";r=3;t=20, "daily";r=9;t=5'
    )


def test_no_decision_has_no_fields() -> None:
    """An empty list is no field (RFC 9651, section 3.1)."""
    assert rate_limit_fields() == {}


POLICIES = st.builds(
    RateLimitPolicy,
    name=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True),
    limit=st.integers(1, 10**15 - 1),
    window=st.integers(1, 366 * 86_400),
)
WAITS = st.just(0.0) | st.floats(1e-6, 1e8)
STANDINGS = st.builds(
    Standing,
    policy=POLICIES,
    remaining=st.integers(0, 10**15 - 1),
    reset_after=WAITS,
    retry_after=WAITS,
)


@given(st.lists(STANDINGS, min_size=1, max_size=5, unique_by=lambda s: s.policy.name))
def test_any_decision_can_be_read_back(standings: list[Standing]) -> None:
    """Names, limits and what remains arrive; no wait is shown shorter than it is."""
    fields = rate_limit_fields(decide(*standings))

    assert parse(fields["RateLimit-Policy"]) == {
        s.policy.name: {"q": s.policy.limit, "w": s.policy.window} for s in standings
    }
    shown = parse(fields["RateLimit"])
    assert {name: item["r"] for name, item in shown.items()} == {
        s.policy.name: s.remaining for s in standings
    }
    longest = max(s.retry_after for s in standings)
    assert int(fields.get("Retry-After", "0")) == ceil(longest)
    for standing in standings:
        t = shown[standing.policy.name].get("t", ceil(standing.reset_after))
        assert t >= standing.reset_after


def test_the_429() -> None:
    """A problem with the policy's name, the wait, and the fields as headers."""
    error = refusal(decide(Standing(BURST, 0, 1.2, 2.5), Standing(DAILY, 7, 5.0, 9.1)))

    assert error.to_problem() == {
        "type": "about:blank",
        "title": "Too Many Requests",
        "status": 429,
        "detail": "The limit of policy 'daily' is used up.",
        "code": "rate_limit_exceeded",
        "policy": "daily",
        "violated-policies": ["burst", "daily"],
        "retry_after": 10,
    }
    assert error.headers["Retry-After"] == "10"
    assert error.headers["RateLimit"] == '"burst";r=0;t=2, "daily";r=7;t=5'


def test_the_429_of_a_cost_that_never_fits() -> None:
    """It says so, and names no time to come back."""
    error = refusal(decide(Standing(BURST, 100, 0.0, inf), cost=101))

    assert error.detail == "This costs more than policy 'burst' ever allows."
    assert "Retry-After" not in error.headers
    assert "retry_after" not in error.extra_info


def test_the_429_survives_the_wire() -> None:
    """The service that called gets the class and the facts back."""
    error = refusal(decide(Standing(BURST, 0, 1.2, 2.5)))
    twin = error_from_problem(error.to_problem())

    assert type(twin) is type(error)
    assert twin.extra_info["policy"] == "burst"


@pytest.mark.parametrize("name", ["RateLimit", "RateLimit-Policy"])
def test_fields_are_one_line_of_ascii(name: str) -> None:
    """Nothing in them can end the header."""
    fields = rate_limit_fields(decide(Standing(BURST, 1, 2.0, 0.0)))

    assert fields[name].isascii()
    assert fields[name].isprintable()

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.messaging._cli_errors import UsageError
from shared.messaging._cli_filter import (
    REASONS,
    MessageFilter,
    parse_filter,
    parse_rate,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FACTS = {
    "type": "user.registered",
    "reason": "exhausted",
    "error": "accounts.mail.SmtpError",
    "digest": "00ff00ff00ff00ff",
    "id": "8e03978e-40d5-43dd-bc93-6894a57f9324",
    "correlation": "abc-123",
}
NAMES = sorted(FACTS)
WORDS = st.text(st.characters(exclude_categories=["Z", "C"]), min_size=1).filter(
    lambda word: not word.isspace()
)


def _matches(text: str | None, *, moment: datetime | None = NOW) -> bool:
    return parse_filter(text).matches(FACTS, moment, NOW)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "type=user.*",
        "type=user.registered  reason=exhausted",
        "error=*SmtpError digest=00ff*",
        "id=8e03978e-* correlation=abc-???",
        "reason=[ex]*",
        "older=0s",
    ],
)
def test_conditions_that_are_met(text: str | None) -> None:
    """All of them; without any every message is meant."""
    assert _matches(text)


@pytest.mark.parametrize(
    "text",
    ["type=user", "type=USER.*", "type=user.* reason=rejected", "digest=0", "older=1s"],
)
def test_conditions_that_are_not_met(text: str) -> None:
    """One of them is enough, and each is about the whole value."""
    assert not _matches(text)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_not_known_meets_nothing(name: str) -> None:
    """Not even a star: it asks for messages that have one."""
    facts = FACTS | {name: None}

    assert not parse_filter(f"{name}=*").matches(facts, NOW, NOW)
    assert not parse_filter(f"{name}=*").matches({}, NOW, NOW)


@pytest.mark.parametrize(
    ("age", "seconds"), [("90s", 90), ("2m", 120), ("1h", 3600), ("3d", 259200)]
)
def test_ages(age: str, seconds: int) -> None:
    """From that age on; and what is of no known age is not meant."""
    found = parse_filter(f"older={age}")
    step = timedelta(microseconds=1)

    assert found.older == timedelta(seconds=seconds)
    assert found.matches({}, NOW - timedelta(seconds=seconds), NOW)
    assert not found.matches({}, NOW - timedelta(seconds=seconds) + step, NOW)
    assert not found.matches({}, None, NOW)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "--filter is empty"),
        ("  ", "--filter is empty"),
        ("user.*", r"such as type=\.\.\..*got 'user\.\*'"),
        ("type=", "got 'type='"),
        ("kind=a", "got 'kind=a'"),
        ("type=a type=b", "says type= twice"),
        ("reason=exausted", "is one of malformed, unknown_schema.*got 'exausted'"),
        ("older=1", "90s or 1h .*got '1'"),
        ("older=1h30m", "90s or 1h"),
        ("older=-1h", "90s or 1h"),
        ("older=1h older=2h", "says older= twice"),
        ("older=٣h", "90s or 1h"),
    ],
)
def test_what_is_no_filter(text: str, problem: str) -> None:
    """A mistake must not mean more messages than what was meant."""
    with pytest.raises(UsageError, match=problem):
        parse_filter(text)


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_can_be_asked_for(reason: str) -> None:
    """Ours, and those of RabbitMQ."""
    assert parse_filter(f"reason={reason}").patterns == {"reason": reason}


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    patterns=st.dictionaries(
        st.sampled_from([n for n in NAMES if n != "reason"]), WORDS
    ),
    seconds=st.none() | st.integers(0, 10**8),
    facts=st.dictionaries(st.sampled_from(NAMES), st.none() | WORDS),
    age=st.none() | st.integers(0, 10**8),
)
def test_what_is_written_is_read(
    patterns: dict[str, str],
    seconds: int | None,
    facts: dict[str, str | None],
    age: int | None,
) -> None:
    """Any conditions, in one text; a message is meant if it meets each alone."""
    words = [f"{name}={pattern}" for name, pattern in patterns.items()]
    words += [] if seconds is None else [f"older={seconds}s"]
    found = parse_filter(" ".join(words) if words else None)
    moment = None if age is None else NOW - timedelta(seconds=age)
    met = [
        fnmatchcase(value, pattern) if value is not None else False
        for value, pattern in ((facts.get(n), p) for n, p in patterns.items())
    ]
    met += [] if seconds is None else [age is not None and age >= seconds]

    older = None if seconds is None else timedelta(seconds=seconds)
    assert found == MessageFilter(patterns, older)
    assert found.matches(facts, moment, NOW) is all(met)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=st.text())
def test_any_text_is_a_filter_or_is_refused(text: str) -> None:
    """And never a filter without a condition."""
    try:
        found = parse_filter(text)
    except UsageError:
        return
    assert found.patterns or found.older is not None


@pytest.mark.parametrize(
    ("text", "interval"),
    [("50/s", 0.02), ("50", 0.02), ("600/m", 0.1), ("10/h", 360.0)],
)
def test_rates(text: str, interval: float) -> None:
    """The seconds from one message to the next."""
    assert parse_rate(text) == pytest.approx(interval)


@pytest.mark.parametrize("text", ["", "0", "0/s", "-1/s", "1.5/s", "50/d", "50 /s"])
def test_what_is_no_rate(text: str) -> None:
    """What never ends, and what could mean anything."""
    with pytest.raises(UsageError, match="--rate is messages per second, minute or h"):
        parse_rate(text)

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from shared.messaging._history import (
    OWN_HEADERS,
    History,
    Reason,
    death,
    digest_of,
    error_name,
)

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)

# A busy machine is no failure.
calmly = settings(
    deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow]
)

values = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
)
anything = values | st.lists(values, max_size=3)


def _caught(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:
        return caught


def test_what_is_written_is_read() -> None:
    """A message carries its past from one process to the next."""
    history = History()
    for error in (ValueError("x"), KeyError("y")):
        history = history.after(_caught(error), tries=2, now=NOW)

    assert History.of(history.headers()) == history
    assert (history.rounds, history.attempts) == (2, 4)
    assert [failure.round for failure in history.failures] == [1, 2]
    assert [failure.error for failure in history.failures] == ["ValueError", "KeyError"]


@calmly
@example({"x-round": 2**31 - 1, "x-attempts": 2**31 - 1})
@example({"x-round": True, "x-attempts": -1})
@given(st.dictionaries(st.sampled_from(sorted(OWN_HEADERS)), anything))
def test_headers_of_others_count_as_absent(headers: dict[str, Any]) -> None:
    """Whatever they hold; and the next failure is noted all the same."""
    history = History.of(headers)
    after = history.after(ValueError(), tries=1, now=NOW)

    assert History.of(after.headers()) == after


@calmly
@given(
    st.lists(
        st.dictionaries(st.sampled_from(["round", "at", "error", "digest"]), anything)
    )
)
def test_a_history_of_others_counts_as_absent(items: list[dict[str, Any]]) -> None:
    """Also one that is nearly as we write it."""
    text = json.dumps(items, default=str)
    history = History.of({"x-round": 3, "x-history": text})

    assert history.rounds == 3


@pytest.mark.parametrize(
    "text", ["[" * 10_000, '[{"round": Infinity}]', "[" + "0," * 20_000 + "0]"]
)
def test_a_history_can_do_no_harm(text: str) -> None:
    """Depth, infinity and length are somebody's attempt at it."""
    assert History.of({"x-history": text}) == History()


def test_only_the_latest_failures_are_kept() -> None:
    """Headers have a largest size; counts go on."""
    history = History()
    for _ in range(100):
        history = history.after(ValueError(), tries=1, now=NOW)

    assert (history.rounds, len(history.failures)) == (100, 20)
    assert history.failures[-1].round == 100
    assert len(str(history.headers())) < 5000


def test_no_header_says_what_an_error_said() -> None:
    """It may be a secret."""
    error = _caught(ValueError("hunter2"))
    history = History().after(error, tries=1, now=NOW)
    headers = history.headers() | death(
        Reason.EXHAUSTED, error, consumer="a.b", now=NOW
    )

    assert "hunter2" not in str(headers)
    assert headers.keys() == OWN_HEADERS


def test_a_death_without_an_error_names_none() -> None:
    """A type that nobody knows is nobody's fault."""
    headers = death(Reason.UNKNOWN_SCHEMA, None, consumer="a.b", now=NOW)

    assert headers == {
        "x-consumer": "a.b",
        "x-reason": "unknown_schema",
        "x-died-at": "2026-01-01T12:00:00+00:00",
    }


def test_failures_at_one_place_have_one_digest() -> None:
    """Whatever they say; so dead letters can be counted by cause."""

    def fail(text: str) -> None:
        raise ValueError(text)

    digests = []
    for text in ("a", "b"):
        with pytest.raises(ValueError, match=text) as caught:
            fail(text)
        digests.append(digest_of(caught.value))

    assert digests[0] == digests[1]
    assert len(digests[0]) == 16
    assert digests[0] != digest_of(_caught(ValueError("a")))
    assert digest_of(ValueError()) != digest_of(KeyError())


def test_an_error_s_name_is_where_it_is_imported() -> None:
    """Built-in ones need no module, and the longest is cut."""
    long = type("E" * 1000, (Exception,), {})

    assert error_name(ValueError()) == "ValueError"
    assert error_name(json.JSONDecodeError("", "", 0)) == "json.decoder.JSONDecodeError"
    assert len(error_name(long())) == 200

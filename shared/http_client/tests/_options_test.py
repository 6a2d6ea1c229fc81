from __future__ import annotations

import inspect
from typing import Any, get_type_hints

import pytest

from shared.http_client._engine import ClientOptions, Engine
from shared.http_client._options import (
    BodyOptions,
    BreakerPolicy,
    CallOptions,
    ClientLimits,
    ClientTimeouts,
    RetryPolicy,
)
from shared.http_client._prepare import prepare


@pytest.mark.parametrize(
    ("cls", "options", "name"),
    [
        *((ClientTimeouts, {part: 0}, f"timeout.{part}") for part in ("read", "total")),
        (ClientTimeouts, {"pool": float("inf")}, "timeout.pool"),
        (ClientTimeouts, {"connect": None}, "timeout.connect"),
        (ClientLimits, {"max_connections": 0}, "limits.max_connections"),
        (ClientLimits, {"max_idle": -1}, "limits.max_idle"),
        (ClientLimits, {"idle_seconds": -1}, "limits.idle_seconds"),
        (RetryPolicy, {"max_retries": 11}, "retry.max_retries"),
        (RetryPolicy, {"max_retries": True}, "retry.max_retries"),
        (RetryPolicy, {"delay": -1}, "retry.delay"),
        (RetryPolicy, {"max_delay": float("nan")}, "retry.max_delay"),
        (RetryPolicy, {"max_retry_after": -1}, "retry.max_retry_after"),
        (RetryPolicy, {"budget_ratio": -1}, "retry.budget_ratio"),
        (RetryPolicy, {"budget_burst": 0}, "retry.budget_burst"),
        (BreakerPolicy, {"failure_threshold": 0}, "breaker.failure_threshold"),
        (BreakerPolicy, {"recovery_time": 0}, "breaker.recovery_time"),
    ],
)
def test_numbers_out_of_range(cls: Any, options: dict[str, Any], name: str) -> None:
    """They are refused where they are written, by name."""
    with pytest.raises(ValueError, match=f"^{name} must be"):
        cls(**options)


@pytest.mark.parametrize(
    ("typed", "function", "own"),
    [
        (ClientOptions, Engine, {"name", "base_url"}),
        (
            BodyOptions,
            prepare,
            {
                *("method", "path", "accept", "caller"),
                *("default_timeouts", "default_retries", "stream_of"),
            },
        ),
    ],
)
def test_types_and_functions_agree(typed: Any, function: Any, own: set[str]) -> None:
    """What mypy allows is what is there when it runs."""
    names = set(inspect.signature(function).parameters) - own
    # A subclass of a TypedDict has in its annotations those of its parent, or not.
    inherited = {**CallOptions.__annotations__} if typed is BodyOptions else {}

    assert names == {*typed.__annotations__, *inherited}


def test_types_resolve() -> None:
    """The hints can be read at run time, as by documentation."""
    assert get_type_hints(BodyOptions).keys() > get_type_hints(CallOptions).keys()


@pytest.mark.parametrize(
    ("name", "url", "options", "match"),
    [
        ("", "http://a", {}, "name of its target"),
        ("a\nb", "http://a", {}, "name of its target"),
        ("a", [], {}, "has no URL"),
        ("a", ["http://a", "HTTP://A:80/"], {}, "a URL twice"),
        ("a", "a", {}, "must be http"),
        ("a", "http://a", {"max_response_bytes": 0}, "max_response_bytes"),
        ("a", "http://a", {"caller": "a\r\nb"}, "User-Agent must be one line"),
        ("a", "http://a", {"timeout": -1}, "above 0"),
    ],
)
def test_clients_that_make_no_sense(
    name: str, url: Any, options: dict[str, Any], match: str
) -> None:
    """They are refused when they are made."""
    with pytest.raises(ValueError, match=match):
        Engine(name, url, **options)

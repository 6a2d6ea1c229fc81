"""Tests of the trace context."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.logging import TraceContext, parse_traceparent

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"


def test_reads_the_example_of_the_recommendation() -> None:
    """The header of W3C Trace Context, section 3.2.3, is read into its parts."""
    context = parse_traceparent(f"00-{TRACE}-{SPAN}-01")

    assert context == TraceContext(TRACE, SPAN, "01")


@given(
    st.integers(1, 2**128 - 1).map(lambda n: f"{n:032x}"),
    st.integers(1, 2**64 - 1).map(lambda n: f"{n:016x}"),
    st.integers(0, 255).map(lambda n: f"{n:02x}"),
)
def test_round_trip(trace_id: str, span_id: str, flags: str) -> None:
    """What a context writes into the header, the next service reads out of it."""
    context = TraceContext(trace_id, span_id, flags)

    assert parse_traceparent(context.traceparent) == context


def test_a_later_version_is_read_as_far_as_known() -> None:
    """A version above 00 may add parts after a dash; ours goes on as version 00."""
    context = parse_traceparent(f"cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like")

    assert context == TraceContext(TRACE, SPAN, "01")
    assert context.traceparent == f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "garbage",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"cc-{TRACE}-{SPAN}-01.more",
        f"00-{TRACE}-{SPAN}-0",
        f"00-{TRACE}-{SPAN}-0x",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00_{TRACE}_{SPAN}_01",
        f"00-{TRACE[:-1]}\u0661-{SPAN}-01",
    ],
)
def test_a_header_that_breaks_a_rule_is_ignored(header: str) -> None:
    """W3C Trace Context, section 3.2.2: an invalid header counts as none."""
    assert parse_traceparent(header) is None


@given(st.text(max_size=80))
def test_any_text_is_read_or_ignored(header: str) -> None:
    """No header makes the parser raise."""
    context = parse_traceparent(header)

    assert context is None or context.trace_id in header

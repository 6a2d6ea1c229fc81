"""What a log line takes from the running context: correlation id and trace.

Private: import these names from ``shared.logging``.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import NamedTuple

correlation_id_var: ContextVar[str | None] = ContextVar("correlation_id", default=None)
"""The id that runs through HTTP, events, outgoing calls and log lines."""


class TraceContext(NamedTuple):
    """The part of a W3C trace context that crosses process borders."""

    trace_id: str
    """32 lower-case hexadecimal digits, not all zero."""
    span_id: str
    """16 lower-case hexadecimal digits, not all zero: the caller's or our own span."""
    flags: str = "00"
    """Two hexadecimal digits; bit 0 says that the caller records this trace."""

    @property
    def traceparent(self) -> str:
        """The header value that hands this context to the next service."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"


trace_context_var: ContextVar[TraceContext | None] = ContextVar(
    "trace_context", default=None
)
"""The active trace; its ids are on every line while it is set."""

_HEX = "0123456789abcdef"


def parse_traceparent(header: str) -> TraceContext | None:
    """Read a ``traceparent`` header; None when it must be ignored.

    W3C Trace Context, section 3.2: a version above 00 may carry further parts after
    a dash, and is read as far as version 00 goes.
    """
    version, trace_id, span_id, flags = (
        header[:2],
        header[3:35],
        header[36:52],
        header[53:55],
    )
    well_formed = (
        header[2:3] == header[35:36] == header[52:53] == "-"
        and len(flags) == 2
        and not (version + trace_id + span_id + flags).strip(_HEX)
        and (len(header) == 55 or (version != "00" and header[55] == "-"))
    )
    if not well_formed or version == "ff":
        return None
    if not trace_id.strip("0") or not span_id.strip("0"):
        return None
    return TraceContext(trace_id, span_id, flags)

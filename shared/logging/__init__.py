"""Structured logging: one JSON object a line, correlated, without secrets."""

from shared.logging._configure import configure_logging, log_event, setup_logging
from shared.logging._context import (
    TraceContext,
    correlation_id_var,
    parse_traceparent,
    trace_context_var,
)
from shared.logging._formatter import Encoder, JsonFormatter, json_encoder
from shared.logging._redaction import Redactor
from shared.logging._security import SecurityEvent, log_security_event

__all__ = [
    "Encoder",
    "JsonFormatter",
    "Redactor",
    "SecurityEvent",
    "TraceContext",
    "configure_logging",
    "correlation_id_var",
    "json_encoder",
    "log_event",
    "log_security_event",
    "parse_traceparent",
    "setup_logging",
    "trace_context_var",
]

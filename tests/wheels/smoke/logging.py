"""One JSON object a line, with the correlation id and without the secret."""

import io
import json
import logging

from shared.logging import configure_logging, correlation_id_var, log_event

out = io.StringIO()
configure_logging("smoke", stream=out)
correlation_id_var.set("abc-123")
log_event(logging.getLogger("smoke"), "user.login", {"password": "hunter2"})

line = json.loads(out.getvalue())
assert line["message"] == "user.login"
assert line["correlation_id"] == "abc-123"
assert "hunter2" not in out.getvalue()

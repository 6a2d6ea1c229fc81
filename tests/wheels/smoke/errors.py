"""An error goes over the wire and comes back as its class, without a framework."""

import json
import sys

from shared.errors import NotFoundException, error_from_problem

sent = NotFoundException("No such subject.", subject="123")
wire = json.dumps(sent.to_problem(correlation_id="abc-123"))
received = error_from_problem(json.loads(wire))

assert isinstance(received, NotFoundException)
assert received.detail == "No such subject."
assert received.extra_info["subject"] == "123"
assert "pydantic" not in sys.modules

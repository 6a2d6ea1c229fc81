"""Services as processes of their own."""

from __future__ import annotations

import json
import subprocess


def listening(process: subprocess.Popen[str]) -> str:
    """The address in the line of the log that says it."""
    assert process.stdout is not None
    for line in process.stdout:
        message: str = json.loads(line)["message"]
        if message.startswith("listening on "):
            return message.split()[2].rstrip(",")
    raise AssertionError("The service ended before it listened.")

"""Loading a server with wrk, from the other core, and what it costs the server."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from benchmarks import _harness as harness

CONNECTIONS = 16

SCRIPT = """
wrk.method = "{method}"
wrk.body = {body}
{headers}
done = function(summary, latency, requests)
  local e = summary.errors
  local bad = e.status + e.connect + e.read + e.write + e.timeout
  io.write(string.format('RESULT{{"requests":%d,"bad":%d,"p99":%d}}\\n',
    summary.requests, bad, latency:percentile(99)))
end
"""


def need_programs() -> None:
    """Exit unless wrk and taskset are there."""
    if not shutil.which("wrk") or not shutil.which("taskset"):
        raise SystemExit("wrk and taskset are needed (Debian: wrk, util-linux).")


def program(
    folder: Path, method: str, headers: Mapping[str, str], body: str | None = None
) -> Path:
    """The wrk program that sends this request, in *folder*."""
    lines = "\n".join(f'wrk.headers["{k}"] = "{v}"' for k, v in headers.items())
    path = folder / f"{method.lower()}.lua"
    said = "nil" if body is None else json.dumps(body)
    path.write_text(SCRIPT.format(method=method, body=said, headers=lines))
    return path


def visit(
    pid: int, url: str, program: Path, seconds: int
) -> tuple[float, float, float]:
    """Load the server *pid*: CPU µs a request, requests a second, p99 in ms.

    Exits if a request failed, be it by its status.
    """
    before = harness.cpu_ns(pid)
    done = subprocess.run(
        [
            *("taskset", "-c", "1", "wrk", "-t1", f"-c{CONNECTIONS}"),
            *(f"-d{seconds}s", "-s", str(program), url),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    result = json.loads(done.stdout.partition("RESULT")[2])
    if result["bad"] or not result["requests"]:
        raise SystemExit(f"wrk: {done.stdout}")
    count = result["requests"]
    cpu = (harness.cpu_ns(pid) - before) / count / 1000
    return cpu, count / seconds, result["p99"] / 1000

"""What the whole chassis costs a request, beside bare FastAPI.

The endpoint and the method of request_overhead.py. The chassis has errors, correlation,
access log, CORS, security headers, limits of size and time, metrics, and tokens where
it says so (HS256). All of it is on, as `create_service` makes it.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

from benchmarks import _harness as harness
from benchmarks._services import VARIANTS
from benchmarks.request_overhead import (
    CORRELATION_ID,
    HEADERS,
    post,
    script,
    served,
    visit,
)

BASE = "FastAPI"
FACTORY = "benchmarks._services:make"


def check(variant: str, folder: Path) -> None:
    """Exit unless the variant does what its name says."""
    log = folder / "lines"
    log.touch()
    anonymous = {k: v for k, v in HEADERS.items() if k != "Authorization"}
    with served(variant, str(log), FACTORY) as (_, port):
        status, headers, body = post(port, HEADERS)
        refused, _, _ = post(port, anonymous)
    guarded = variant != BASE and "without tokens" not in variant
    observed = {
        "total": body is not None and round(body["total"], 2) == 67.7,
        "status": status == 200,
        "tokens": (refused == 401) == guarded,
        "log": (CORRELATION_ID in log.read_text()) == (variant != BASE),
        "headers": ("X-Frame-Options" in headers) == ("kernel" in variant),
    }
    if wrong := [what for what, fine in observed.items() if not fine]:
        raise SystemExit(f"{variant}: {wrong} is wrong: {status} {body} {headers}")


def main() -> None:
    """Check every variant, then load them round by round."""
    options = harness.parse(__doc__ or "", rounds=8)
    if not shutil.which("wrk") or not shutil.which("taskset"):
        raise SystemExit("wrk and taskset are needed (Debian: wrk, util-linux).")
    columns: list[harness.Samples] = [{name: [] for name in VARIANTS} for _ in range(3)]
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        program = script(folder)
        for variant in VARIANTS:
            check(variant, folder)
        servers = {
            variant: stack.enter_context(served(variant, "/dev/null", FACTORY))
            for variant in VARIANTS
        }
        order = list(VARIANTS)
        shuffle = random.Random(1).shuffle
        for number in range(-1, options.rounds):
            shuffle(order)
            for variant in order:
                found = visit(*servers[variant], program, seconds=1)
                if number < 0:  # the first round warms up
                    continue
                for column, value in zip(columns, found, strict=True):
                    column[variant].append(value)
    cpu, rate, p99 = columns
    body = harness.table(
        cpu,
        BASE,
        unit="server CPU µs a request",
        more={
            "requests/s": harness.medians(rate),
            "ratio of requests/s": harness.medians(harness.ratios(rate, BASE)),
            "p99 ms": harness.medians(p99),
            "ratio of p99": harness.medians(harness.ratios(p99, BASE)),
        },
    )
    harness.report("Service", body, "fastapi", "starlette", "uvicorn", "pydantic")
    harness.save(options.json, {"cpu": cpu, "rate": rate, "p99": p99})


if __name__ == "__main__":
    main()

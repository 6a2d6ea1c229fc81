"""What the whole chassis costs a request, beside bare FastAPI.

The endpoint and the method of request_overhead.py. The chassis has errors, correlation,
access log, CORS, security headers, limits of size and time, metrics, and tokens where
it says so (HS256). All of it is on, as `create_service` makes it.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks import _harness as harness
from benchmarks._services import VARIANTS
from benchmarks.request_overhead import (
    CORRELATION_ID,
    HEADERS,
    loaded,
    post,
    served,
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
    """Measure every variant and print the table."""
    options = harness.parse(__doc__ or "", rounds=8)
    cpu, rate, p99 = loaded(VARIANTS, options.rounds, check, FACTORY)
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

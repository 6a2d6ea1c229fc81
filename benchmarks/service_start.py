"""What an empty service costs before its first request: time to start, and memory.

Each start is a new process, with its bytecode cached: CPU time from the interpreter's
first instruction until the application has answered its first request in the process,
and the resident memory then. "Empty" is no route of one's own.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys

from benchmarks import _harness as harness

BASE = "FastAPI"

ASK = """
import asyncio, json, resource, time

async def main():
    sent = []
    async def receive():
        return {"type": "http.request", "body": b""}
    async def send(message):
        sent.append(message)
    scope = {"type": "http", "method": "GET", "path": PATH, "headers": [],
             "query_string": b"", "server": ("127.0.0.1", 80), "scheme": "http"}
    await app(scope, receive, send)
    assert sent[0]["status"] == 200, sent

asyncio.run(main())
pages = int(open("/proc/self/statm").read().split()[1])
print(json.dumps({
    "ms": time.process_time() * 1000,
    "mib": pages * resource.getpagesize() / 2**20,
}))
"""

VARIANTS = {
    BASE: """
from fastapi import FastAPI
PATH, app = "/health", FastAPI()

@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}
""",
    "FastAPI, pydantic-settings, prometheus-client, python-jose": """
import jose.jws, prometheus_client, pydantic_settings
from fastapi import FastAPI
PATH, app = "/health", FastAPI()

@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}
""",
    "kernel: create_service": """
from shared.app import create_service
from shared.config import get_config
PATH = "/health/live"
app = create_service("orders-api", get_config("orders-api"), logging=False).app
""",
}


def start(variant: str) -> tuple[float, float]:
    """Start once; gives milliseconds of CPU and MiB."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-P", "-c", VARIANTS[variant] + ASK],
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{variant}: {done.stderr}")
    found = json.loads(done.stdout)
    return found["ms"], found["mib"]


def main() -> None:
    """Start every variant, round by round."""
    options = harness.parse(__doc__ or "", rounds=10)
    ms: harness.Samples = {name: [] for name in VARIANTS}
    mib: harness.Samples = {name: [] for name in VARIANTS}
    order = list(VARIANTS)
    shuffle = random.Random(1).shuffle
    for number in range(-1, options.rounds):
        shuffle(order)
        for variant in order:
            took, held = start(variant)
            if number >= 0:  # the first round writes the bytecode
                ms[variant].append(took)
                mib[variant].append(held)
    body = harness.table(
        ms,
        BASE,
        unit="ms of CPU to the first answer",
        more={
            "MiB": harness.medians(mib),
            "ratio of MiB": harness.medians(harness.ratios(mib, BASE)),
        },
    )
    harness.report("Service, start", body, "fastapi", "pydantic", "prometheus-client")
    harness.save(options.json, {"ms": ms, "mib": mib})


if __name__ == "__main__":
    main()

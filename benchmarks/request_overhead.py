"""What errors, correlation, access log and tokens cost a request.

One FastAPI endpoint, pydantic in and out, under uvicorn with uvloop and one worker, on
one core; wrk on the other. All servers are up at once and visited in a new order each
round. The figure is the server's own CPU time per answered request, from the scheduler.
Tokens are HS256.
"""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import jwt

from benchmarks import _harness as harness
from benchmarks import _load as load
from benchmarks._applications import AUDIENCE, ISSUER, SECRET, VARIANTS

BASE = "FastAPI"
FACTORY = "benchmarks._applications:make"
GOALS = [
    harness.Goal("kernel: errors, correlation, access log", 1.12),
    harness.Goal("kernel: the same and tokens", 1.60),
]
CORRELATION_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
ORDER = {
    "customer_id": "0b5b1c3e-7a55-4c8e-9d3c-6f2f0a1b2c3d",
    "currency": "EUR",
    "lines": [
        {"sku": f"SKU-{n:05d}", "quantity": n + 1, "unit_price": 9.95 + n}
        for n in range(3)
    ],
}


def token() -> str:
    """A token for the run."""
    now = int(time.time())
    times = {"iat": now, "nbf": now, "exp": now + 86400}
    return jwt.encode({"iss": ISSUER, "aud": AUDIENCE, "sub": "u"} | times, SECRET)


HEADERS = {
    "Content-Type": "application/json",
    "X-Correlation-ID": CORRELATION_ID,
    "Authorization": f"Bearer {token()}",
}


@contextmanager
def served(variant: str, log: str, factory: str = FACTORY) -> Iterator[tuple[int, int]]:
    """Run a variant; gives its process id and port."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    command = [
        *("taskset", "-c", "0", sys.executable, "-m", "uvicorn", "--factory"),
        *(factory, f"--port={port}", "--loop=uvloop"),
        *("--http=httptools", "--no-access-log", "--log-level=warning"),
    ]
    environment = os.environ | {"VARIANT": variant, "LOG": log}
    process = subprocess.Popen(command, env=environment)
    try:
        for _ in range(400):
            if process.poll() is not None:
                raise SystemExit(
                    f"{variant}: the server ended with {process.returncode}"
                )
            try:
                socket.create_connection(("127.0.0.1", port), 0.2).close()
                break
            except OSError:
                time.sleep(0.05)
        yield process.pid, port
    finally:
        process.terminate()
        process.wait()


def post(port: int, headers: dict[str, str]) -> tuple[int, Any, Any]:
    """Status, headers and body of one call."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/orders", json.dumps(ORDER).encode(), headers
    )
    try:
        with urllib.request.urlopen(request) as reply:  # noqa: S310
            return reply.status, reply.headers, json.load(reply)
    except urllib.error.HTTPError as error:
        return error.code, error.headers, None


def check(variant: str, folder: Path) -> None:
    """Exit unless the variant does what its name says."""
    log = folder / "lines"
    log.touch()
    anonymous = {k: v for k, v in HEADERS.items() if k != "Authorization"}
    with served(variant, str(log)) as (_, port):
        status, headers, body = post(port, HEADERS)
        refused, _, _ = post(port, anonymous)
    text = log.read_text()
    observed = {
        "total": body is not None and round(body["total"], 2) == 67.7,
        "status": status == 200,
        "tokens": (refused == 401) == ("tokens" in variant or "PyJWT" in variant),
    }
    if "access log" in variant or "the same" in variant:
        observed["log"] = CORRELATION_ID in text
        observed["header"] = headers["X-Correlation-ID"] == CORRELATION_ID
    if wrong := [what for what, fine in observed.items() if not fine]:
        raise SystemExit(f"{variant}: {wrong} is wrong: {status} {body} {text}")


def loaded(
    variants: Iterable[str],
    rounds: int,
    check: Callable[[str, Path], None],
    factory: str = FACTORY,
) -> list[harness.Samples]:
    """Check every variant, then load them round by round: CPU, requests/s, p99."""
    load.need_programs()
    order = list(variants)
    columns: list[harness.Samples] = [{name: [] for name in order} for _ in range(3)]
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        program = load.program(folder, "POST", HEADERS, json.dumps(ORDER))
        for variant in order:
            check(variant, folder)
        servers = {
            variant: stack.enter_context(served(variant, "/dev/null", factory))
            for variant in order
        }
        shuffle = random.Random(1).shuffle
        for number in range(-1, rounds):
            shuffle(order)
            for variant in order:
                pid, port = servers[variant]
                url = f"http://127.0.0.1:{port}/orders"
                found = load.visit(pid, url, program, seconds=1)
                if number < 0:  # the first round warms up
                    continue
                for column, value in zip(columns, found, strict=True):
                    column[variant].append(value)
    return columns


def main() -> None:
    """Measure every variant and print the table."""
    options = harness.parse(__doc__ or "", rounds=6)
    cpu, rate, p99 = loaded(VARIANTS, options.rounds, check)
    body = harness.table(
        cpu,
        BASE,
        unit="server CPU µs a request",
        goals=GOALS,
        more={"requests/s": harness.medians(rate), "p99 ms": harness.medians(p99)},
    )
    harness.report("Request", body, "fastapi", "starlette", "uvicorn", "pydantic")
    harness.save(options.json, {"cpu": cpu, "rate": rate, "p99": p99})


if __name__ == "__main__":
    main()

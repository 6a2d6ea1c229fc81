"""Time to import each target in a fresh process, beside what it has to import anyway.

A target may add ten milliseconds to its own dependencies. Warm caches; CPU time of the
process, in interleaved rounds.
"""

from __future__ import annotations

import random
import statistics
import subprocess
import sys

from benchmarks import _harness as harness

BASE = "fastapi"
# Target, what it imports, and what it could not do without.
TARGETS = {
    "//shared/logging": ("import shared.logging", "import json, logging, datetime"),
    "//shared/logging:middleware": (
        "import shared.logging.middleware",
        "import json, logging, datetime",
    ),
    "//shared/errors": ("import shared.errors", "import json, logging, datetime"),
    "//shared/errors:handlers": (
        "import shared.errors.handlers",
        "from fastapi import FastAPI",
    ),
    "//shared/validation": (
        "import shared.validation",
        "from pydantic import BaseModel, TypeAdapter",
    ),
    "//shared/dtos:user": (
        "import shared.dtos.user",
        "from pydantic import BaseModel, EmailStr; import email_validator",
    ),
    "//shared/dtos": (
        "import shared.dtos",
        "from pydantic import BaseModel, EmailStr; import email_validator",
    ),
    "//shared/events": (
        "import shared.events",
        "from pydantic import BaseModel, EmailStr; import email_validator",
    ),
    "//shared/auth": (
        "import shared.auth",
        "from pydantic import BaseModel; from jose import jwk, jws",
    ),
    "//shared/auth:dependencies": (
        "import shared.auth.dependencies",
        "from fastapi import FastAPI; from jose import jwk, jws",
    ),
}
PEERS = {
    "fastapi": "from fastapi import FastAPI",
    "pydantic (BaseModel)": "from pydantic import BaseModel",
    "python-jose (jwk, jws)": "from jose import jwk, jws",
    "PyJWT": "import jwt",
    "joserfc": "import joserfc.jwt",
    "structlog": "import structlog",
    "python-json-logger": "import pythonjsonlogger.json",
    "loguru": "import loguru",
}
MOST_MS = 10.0

PROGRAM = """
import time
start = time.process_time()
{}
print((time.process_time() - start) * 1000)
"""


def once(statement: str) -> float:
    """Milliseconds of CPU that the statement takes in a new interpreter."""
    command = [sys.executable, "-P", "-c", PROGRAM.format(statement)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    """Measure targets, their dependencies and the peers in the same rounds."""
    options = harness.parse(__doc__ or "", rounds=9)
    statements = dict(PEERS)
    for name, (whole, needed) in TARGETS.items():
        statements[name] = whole
        statements[f"needs of {name}"] = needed
    samples: harness.Samples = {name: [] for name in statements}
    order = list(statements)
    shuffle = random.Random(1).shuffle
    for number in range(-1, options.rounds):
        shuffle(order)
        for name in order:
            value = once(statements[name])
            if number >= 0:  # the first round warms the caches
                samples[name].append(value)

    over, goal = {}, {}
    for name in TARGETS:
        pairs = zip(samples[name], samples[f"needs of {name}"], strict=True)
        added = statistics.median(mine - theirs for mine, theirs in pairs)
        over[name] = f"{added:.1f}"
        goal[name] = harness.verdict(added, MOST_MS)
    shown = {name: samples[name] for name in [*TARGETS, *PEERS]}
    body = harness.table(
        shown,
        BASE,
        unit="ms",
        more={"ms over its needs": over, "goal for that": goal},
    )
    harness.report("Import", body, "fastapi", "pydantic", "python-jose")
    harness.save(options.json, {"import": samples})


if __name__ == "__main__":
    main()

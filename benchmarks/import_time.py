"""Time to import each target in a fresh process, beside what it has to import anyway.

A target may add ten milliseconds to its own dependencies. Warm caches; CPU time of the
process, in interleaved rounds.
"""

from __future__ import annotations

import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import _harness as harness

ROOT = Path(__file__).resolve().parent.parent
BASE = "fastapi"
# pydantic loads most of itself when the first model is made.
MODEL = "from pydantic import BaseModel; exec('class M(BaseModel): x: int')"
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
        MODEL,
    ),
    "//shared/dtos:user": (
        "import shared.dtos.user",
        MODEL,
    ),
    "//shared/dtos": (
        "import shared.dtos",
        MODEL,
    ),
    "//shared/events": (
        "import shared.events",
        MODEL,
    ),
    "//shared/auth": (
        "import shared.auth",
        f"import shared.errors; {MODEL}; import jose.jwk, jose.backends",
    ),
    "//shared/auth:dependencies": (
        "import shared.auth.dependencies",
        f"import shared.errors, jose.jwk, jose.backends; {MODEL}; import fastapi",
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


def once(statement: str, root: Path) -> float:
    """Milliseconds of CPU that the statement takes in a new interpreter."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", PROGRAM.format(statement)],
        env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def copy_without_facades(root: Path) -> None:
    """Lay out the kernel as Bazel does for who depends on a module of //shared/dtos."""
    skip = shutil.ignore_patterns("__pycache__", "tests")
    shutil.copytree(ROOT / "shared", root / "shared", ignore=skip)
    (root / "shared" / "dtos" / "__init__.py").unlink()


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
    with tempfile.TemporaryDirectory() as folder:
        copy_without_facades(Path(folder))
        for number in range(-1, options.rounds):
            shuffle(order)
            for name in order:
                root = Path(folder) if name == "//shared/dtos:user" else ROOT
                value = once(statements[name], root)
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

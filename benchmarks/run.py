"""Measures the kernel beside its peers and prints one table a topic.

    ./bazelw run //benchmarks                       every topic, some minutes
    ./bazelw run //benchmarks -- log_line           one of them
    ./bazelw run //benchmarks -- --out table.md     into a file too

The peers are installed from benchmarks/requirements_lock.txt, by hash, into a virtual
environment in the user's cache folder; the first run takes a minute longer.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

TOPICS = {
    "log_line": "a JSON log line",
    "token_verification": "an access token",
    "event_codec": "an event, encoded and decoded",
    "breaker_retry": "a call through a circuit breaker or a retry",
    "rate_limit": "a rate limit check and a cache hit, in process and on Redis",
    "idempotency": "what an Idempotency-Key costs a POST",
    "repository": "a repository over hand-written SQLAlchemy Core",
    "messaging_publish": "publishing events to RabbitMQ",
    "messaging_consume": "consuming events from RabbitMQ",
    "outbox": "adding to the outbox, relaying from it, at scale",
    "service_client": "a call through ServiceClient over httpx",
    "request_overhead": "what errors, correlation, log and tokens cost a request",
    "service_overhead": "what the whole chassis costs a request",
    "service_start": "start-up time and memory of an empty service",
    "import_time": "importing each target",
    "api_platform/reads": "a service: an authenticated read over plain FastAPI",
    "api_platform/webhooks": "a service: webhooks delivered",
    "api_platform/outbox": "a service: 100,000 events drained from its outbox",
    "bazel_builds": "bazel test: nothing changed, one leaf changed",
}


def environment(root: Path) -> Path:
    """The Python of a virtual environment with the locked peers, made if need be."""
    lock = root / "benchmarks" / "requirements_lock.txt"
    key = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "creativeflow-kernel" / "benchmarks" / key
    python, done = folder / "bin" / "python", folder / "complete"
    if not done.exists():
        print(f"Installing the peers into {folder}", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        install = [str(python), "-m", "pip", "install", "--require-hashes", "--quiet"]
        options = ["--disable-pip-version-check", "--only-binary=:all:"]
        subprocess.run([*install, *options, "-r", str(lock)], check=True)
        done.touch()
    return python


def topics_of(name: str) -> list[str]:
    """The topic of that name, or those in the folder of that name."""
    return [topic for topic in TOPICS if topic == name or topic.startswith(f"{name}/")]


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0 when every topic ran, 1 when one could not."""
    parser = argparse.ArgumentParser(
        prog="benchmarks",
        description=(__doc__ or "").partition("\n")[0],
        epilog="Topics: " + "; ".join(f"{k}: {v}" for k, v in TOPICS.items()),
    )
    parser.add_argument("topic", nargs="*", help="default: all")
    parser.add_argument("--rounds", type=int, help="default: the topic's own")
    parser.add_argument("--out", type=Path, help="write the tables to this file too")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.topic if not topics_of(name)]:
        parser.error(
            f"no topic {', '.join(sorted(unknown))}; choose from {', '.join(TOPICS)}"
        )
    chosen = [topic for name in options.topic for topic in topics_of(name)]

    root = Path(os.environ["BUILD_WORKSPACE_DIRECTORY"])
    here = Path(os.environ["BUILD_WORKING_DIRECTORY"])
    try:
        python = environment(root)
    except subprocess.CalledProcessError as error:
        print(f"The peers could not be installed: {error}", file=sys.stderr)
        return 1
    tables, failed = [], []
    for topic in chosen or TOPICS:
        program = root / "benchmarks" / f"{topic}.py"
        command = [str(python), "-W", "ignore", "-P", str(program)]
        if options.rounds:
            command += ["--rounds", str(options.rounds)]
        print(f"... {topic}", file=sys.stderr)
        # Not our own PYTHONPATH: the peers' versions must not mix with Bazel's.
        variables = os.environ | {"PYTHONPATH": str(root)}
        done = subprocess.run(
            command,
            cwd=root,
            env=variables,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        print(done.stdout, flush=True)
        tables.append(done.stdout)
        failed += [topic] * (done.returncode != 0)
    if options.out:
        (here / options.out).write_text("\n".join(tables))
    if failed:
        print(f"Could not be measured: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

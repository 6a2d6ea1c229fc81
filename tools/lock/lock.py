"""Resolves requirements.in into requirements_lock.txt, and the benchmarks' likewise.

    ./bazelw run //:lock                    what requirements.in asks for, nothing moved
    ./bazelw run //:lock -- --upgrade       everything to its newest
    ./bazelw run //:lock -- -P pydantic     one package to its newest

Other arguments go to `uv pip compile` as they are. Every file is pinned by hash. A lock
is universal: one for every platform and every Python from 3.11 on.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

COMMAND = "./bazelw run //:lock"


class Lock(NamedTuple):
    """A file with what is asked for, and the file with what that comes to."""

    source: str
    target: str
    options: Sequence[str] = ()


LOCKS = (
    Lock("requirements.in", "requirements_lock.txt"),
    # The peers, together with the very versions that are built and tested.
    Lock(
        "benchmarks/requirements.in",
        "benchmarks/requirements_lock.txt",
        ["--constraint=requirements_lock.txt"],
    ),
)


def index_settings(pip_config: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Translate what `pip config list` says of indexes for uv, which reads no pip.conf.

    A company whose mirror is set up for pip gets a lock from that mirror. Variables of
    uv's own win.
    """
    translated = {}
    for line in pip_config.splitlines():
        key, _, value = line.partition("=")
        scope, _, option = key.strip().partition(".")
        if scope not in ("global", "install", "download", ":env:"):
            continue
        names = {"index-url": "UV_DEFAULT_INDEX", "cert": "SSL_CERT_FILE"}
        if name := names.get(option):
            translated[name] = value.strip("'\"")
    return {k: v for k, v in translated.items() if k not in environment}


def compile_command(uv: str, lock: Lock, out: Path, extra: Sequence[str]) -> list[str]:
    """The resolver's command line."""
    return [
        uv,
        "pip",
        "compile",
        "--quiet",
        "--universal",
        "--python-version=3.11",
        "--generate-hashes",
        "--no-strip-extras",  # rules_python wires a wheel by the extras that stand here
        "--no-emit-index-url",
        "--no-emit-find-links",
        "--annotation-style=line",
        f"--custom-compile-command={COMMAND}",
        *lock.options,
        *extra,
        lock.source,
        f"--output-file={out}",
    ]


def write(
    lock: Lock,
    uv: str,
    *,
    root: Path,
    extra: Sequence[str],
    environment: Mapping[str, str],
) -> int:
    """Write one lock whole or leave it as it was; return uv's exit code."""
    target = root / lock.target
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / target.name
        if target.exists():
            shutil.copy(target, out)  # uv keeps the versions it finds there
        command = compile_command(uv, lock, out, extra)
        code = subprocess.run(
            command, cwd=root, env=environment, check=False
        ).returncode
        if code:
            print(f"{lock.target} is unchanged.", file=sys.stderr)
            return code
        changed = not target.exists() or target.read_bytes() != out.read_bytes()
        if changed:
            staged = target.with_name(f".{target.name}.new")
            shutil.copy(out, staged)
            staged.replace(target)
    print(f"{lock.target} {'written' if changed else 'is up to date'}.")
    return 0


def main(uv: str, extra: Sequence[str]) -> int:
    """Write each lock in turn; stop at the first that uv can't resolve."""
    if "--help" in extra or "-h" in extra:
        print(__doc__)
        return 0
    root = Path(os.environ.get("BUILD_WORKSPACE_DIRECTORY", "."))
    pip = subprocess.run(
        [os.environ.get("KERNEL_PYTHON", "python3"), "-m", "pip", "config", "list"],
        capture_output=True,
        text=True,
        check=False,
    )
    environment = dict(os.environ)
    environment |= index_settings(pip.stdout, environment)
    program = str(Path(uv).resolve())
    for lock in LOCKS:
        code = write(lock, program, root=root, extra=extra, environment=environment)
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))

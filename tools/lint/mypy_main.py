"""mypy --strict over the files named on the command line, in this test's runfiles."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from mypy import api


def main(files: list[str]) -> int:
    """Return mypy's exit code, its report printed."""
    # sys.path holds the declared deps and nothing else. mypy takes it for site-packages
    # (py.typed is asked for, errors there stay silent); our own root goes on MYPYPATH.
    # Third-party roots must not: their stubs would be checked and shadow typeshed.
    os.environ["MYPYPATH"] = str(Path.cwd())
    cache = Path(os.environ.get("TEST_TMPDIR", ".")) / "mypy"
    options = [
        "--config-file=pyproject.toml",
        "--follow-imports=silent",
        f"--cache-dir={cache}",
    ]
    report, errors, code = api.run(options + files)
    sys.stdout.write(report)
    sys.stderr.write(errors)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

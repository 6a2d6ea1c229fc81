"""ruff check and ruff format --check: ruff_main.py RUFF FILE..."""

from __future__ import annotations

import subprocess
import sys


def main(ruff: str, files: list[str]) -> int:
    """Run both and return non-zero if either found something."""
    shared = ["--no-cache", "--config=pyproject.toml", "--force-exclude"]
    commands = ([ruff, "check"], [ruff, "format", "--check", "--diff"])
    return max(
        subprocess.run([*command, *shared, *files], check=False).returncode
        for command in commands
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))

"""The Python in every package's README runs as it stands."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

READMES = sorted(Path("shared").glob("*/README.md"))


def program(readme: Path) -> str:
    """All Python blocks of a README, in the order in which a reader pastes them."""
    blocks = re.findall(r"```python\n(.*?)```", readme.read_text(), re.DOTALL)
    return "\n".join(blocks)


def test_every_package_has_an_example() -> None:
    """A README without code that runs shows nothing."""
    silent = [str(readme) for readme in READMES if not program(readme)]

    assert len(READMES) >= 6
    assert silent == []


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.parent.name)
def test_the_examples_run(readme: Path) -> None:
    """What is pasted works, in an interpreter of its own."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program(readme)],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")

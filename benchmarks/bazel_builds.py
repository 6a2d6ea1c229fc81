"""What `bazel test //shared/...` costs when nothing or one leaf has changed.

Wall time of the command with the server running, and the tests it ran. Works on a copy
of the repository, with the Bazel that ./bazelw finds.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks import _harness as harness

ROOT = Path(__file__).resolve().parent.parent
LEAF = Path("shared/validation/_color.py")
BASE = "nothing changed"


def test(copy: Path) -> tuple[float, int]:
    """Seconds, and how many tests ran instead of coming from the cache."""
    start = time.perf_counter()
    done = subprocess.run(
        ["./bazelw", "test", "--curses=no", "--noshow_progress", "//shared/..."],
        cwd=copy,
        capture_output=True,
        text=True,
        check=True,
    )
    seconds = time.perf_counter() - start
    executed = re.search(r"Executed (\d+) out of", done.stdout + done.stderr)
    if not executed:
        raise SystemExit(f"bazel test printed no summary: {done.stdout}{done.stderr}")
    return seconds, int(executed[1])


def main() -> None:
    """Alternate between an unchanged and a changed tree."""
    options = harness.parse(__doc__ or "", rounds=5)
    samples: harness.Samples = {BASE: [], "one leaf changed": []}
    ran = {}
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name) / "kernel"
        skip = shutil.ignore_patterns("bazel-*", ".git", "__pycache__")
        shutil.copytree(ROOT, copy, symlinks=True, ignore=skip)
        try:
            test(copy)  # cold
            for number in range(options.rounds):
                seconds, ran[BASE] = test(copy)
                samples[BASE].append(seconds)
                with (copy / LEAF).open("a") as leaf:
                    leaf.write(f"\n# {number}\n")
                seconds, ran["one leaf changed"] = test(copy)
                samples["one leaf changed"].append(seconds)
        finally:
            subprocess.run(["./bazelw", "shutdown"], cwd=copy, check=False)
    body = harness.table(
        samples,
        BASE,
        unit="seconds",
        more={"tests run": {row: str(count) for row, count in ran.items()}},
    )
    harness.report("bazel test //shared/...", body)
    harness.save(options.json, {"bazel": samples})


if __name__ == "__main__":
    main()

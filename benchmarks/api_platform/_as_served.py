"""Runs a module as a program, on the event loop and the parser that services have.

    python -m benchmarks.api_platform._as_served services.api_platform worker

uvicorn takes uvloop and httptools where they are installed. For the peers they are; the
image of a service has neither.
"""

from __future__ import annotations

import runpy
import sys
from typing import Final

PEERS: Final = ("uvloop", "httptools")


def main() -> None:
    """Take both away, and become the module."""
    for name in PEERS:
        # What Python knows as None can't be imported.
        sys.modules[name] = None  # type: ignore[assignment]
    module, *arguments = sys.argv[1:]
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()

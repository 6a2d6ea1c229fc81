"""The usage that the specification prints."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def test_the_page_runs_as_printed(tmp_path: Path) -> None:
    """In an empty environment, an empty folder, and without a trace in it."""
    program = (
        "from shared.base_app import create_service\n"
        "from shared.config import get_config\n\n"
        'config = get_config("my-service")\n'
        'service = create_service("my-service", config)\n'
        "app = service.app\n"
        "print(type(app).__mro__[1].__name__, app.title)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stdout, done.stderr) == ("FastAPI My Service\n", "")
    assert list(tmp_path.iterdir()) == []

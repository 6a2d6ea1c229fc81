"""Makes one wheel: wheelmaker.py SPEC OUT. Run by the kernel_wheel rule."""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tools.wheel.archive import write_wheel
from tools.wheel.distributions import BASE, Graph, GraphError
from tools.wheel.metadata import core_metadata
from tools.wheel.requirements import derive, read_ranges


def make(spec: Mapping[str, Any], out: Path) -> None:
    """Write the wheel that *spec*, a file of distribution.bzl, describes.

    Raises:
        GraphError: The BUILD files say something that no wheel can express.
    """
    graph = Graph.from_json(spec)
    wheel = graph.distributions[0]  # the others are those it may require
    requirements = Path(spec["requirements"])
    ranges = read_ranges(requirements.read_text("utf-8"), source=requirements.name)
    project = tomllib.loads(Path(spec["project"]).read_text("utf-8"))["project"]
    license_file = Path(spec["license_file"])
    metadata = core_metadata(
        name=wheel.name,
        version=wheel.version,
        summary=spec["summary"],
        project=project,
        requirements=derive(graph, wheel, ranges),
        extras=[extra for extra in graph.parts(wheel) if extra != BASE],
        license_file=license_file.name,
        readme=Path(spec["readme"]).read_text("utf-8"),
    )
    write_wheel(
        out,
        dist_info=f"{wheel.name.replace('-', '_')}-{wheel.version}.dist-info",
        content={path: Path(file).read_bytes() for path, file in spec["files"].items()},
        info={
            "METADATA": metadata.encode(),
            f"licenses/{license_file.name}": license_file.read_bytes(),
        },
    )


def main(spec: str, out: str) -> int:
    """Return 1 and say why where a wheel can't be made."""
    document = json.loads(Path(spec).read_text("utf-8"))
    try:
        make(document, Path(out))
    except GraphError as error:
        print(f"{document['label']}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

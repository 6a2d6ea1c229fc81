"""Reads, merges and writes lcov, and finds the statements no test reached.

The format is the tracefile of geninfo(1): SF (file), DA (line,hits), BRDA
(line,block,branch,hits or "-").
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

Branch = tuple[int, str, str]


@dataclass
class File:
    """Hits of one source file: by line, and by branch of a line."""

    lines: dict[int, int] = field(default_factory=dict)
    branches: dict[Branch, int] = field(default_factory=dict)

    @property
    def missed_lines(self) -> list[int]:
        """Statements that no test ran."""
        return sorted(line for line, hits in self.lines.items() if not hits)

    @property
    def missed_branches(self) -> list[int]:
        """Lines that ran with a way out that was never taken."""
        missed = {line for (line, _, _), hits in self.branches.items() if not hits}
        return sorted(missed - set(self.missed_lines))


Report = dict[str, File]


def read(texts: Iterable[str]) -> Report:
    """Merge tracefiles: hits of the same line or branch are added."""
    report: Report = defaultdict(File)
    for text in texts:
        current = File()
        for record in text.splitlines():
            key, _, value = record.partition(":")
            if key == "SF":
                current = report[value]
            elif key == "DA":
                line, hits = value.split(",")[:2]
                number = int(line)
                current.lines[number] = current.lines.get(number, 0) + int(hits)
            elif key == "BRDA":
                line, block, rest = value.split(",", 2)
                branch, hits = rest.rsplit(",", 1)  # coverage.py writes words here
                name = (int(line), block, branch)
                taken = 0 if hits == "-" else int(hits)
                current.branches[name] = current.branches.get(name, 0) + taken
    return dict(report)


def write(report: Report) -> str:
    """The report as one tracefile, in a stable order."""
    out: list[str] = []
    for name, file in sorted(report.items()):
        out.append(f"SF:{name}")
        for (line, block, branch), hits in sorted(file.branches.items()):
            out.append(f"BRDA:{line},{block},{branch},{hits}")
        out.append(f"BRF:{len(file.branches)}")
        out.append(f"BRH:{sum(hits > 0 for hits in file.branches.values())}")
        out += [f"DA:{line},{hits}" for line, hits in sorted(file.lines.items())]
        out.append(f"LF:{len(file.lines)}")
        out.append(f"LH:{sum(hits > 0 for hits in file.lines.values())}")
        out.append("end_of_record")
    return "".join(f"{line}\n" for line in out)


def with_unreached(report: Report, root: Path) -> Report:
    """Count the statements of files that no test imported as missed.

    Bazel lists such a file without a line of its own, and a gate that believes it
    would call an untested file covered.
    """
    return {
        name: file if file.lines else File(lines=_statements(root / name))
        for name, file in report.items()
    }


def _statements(path: Path) -> dict[int, int]:
    if not path.is_file():
        return {}
    tree = ast.parse(path.read_bytes(), str(path))
    return {node.lineno: 0 for node in ast.walk(tree) if isinstance(node, ast.stmt)}

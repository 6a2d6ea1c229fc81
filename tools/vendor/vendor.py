"""Exports kernel packages as wheels, with all they need, for use without Bazel.

    ./bazelw run //tools/vendor -- //shared/dtos //shared/auth --out DIR

A library target brings the wheel that ships it and a glue target its extra:
//shared/errors:handlers is creativeflow-shared-errors[fastapi]. //shared/... is every
package with every extra, //shared:umbrella the one distribution that holds them all.

DIR gets our wheels, the third-party wheels of requirements_lock.txt for this machine's
platform and Python, requirements.txt with hashes, sbom.cdx.json (CycloneDX) and
SHA256SUMS. It is replaced whole or, when something goes wrong, not touched.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from tools.vendor import sbom, staging
from tools.vendor.errors import VendorError
from tools.vendor.lock import Pin, read_lock
from tools.vendor.targets import Catalog
from tools.vendor.wheels import Chosen, Wheel, closure

REQUIREMENTS = "requirements.txt"
SBOM = "sbom.cdx.json"


@dataclass(frozen=True, kw_only=True)
class Stock:
    """All that can be exported: what the program has in its runfiles."""

    catalog: Catalog
    first_party: Mapping[str, Wheel]  # by canonical name
    third_party: Mapping[str, Wheel]
    lock: Mapping[str, Pin]

    @classmethod
    def read(cls, index: Path, lock: Path) -> Stock:
        """Read //shared:index and requirements_lock.txt."""
        document = json.loads(index.read_text())
        ours = [Wheel(Path(entry["wheel"])) for entry in document["distributions"]]
        theirs = [Wheel(Path(path)) for path in document["third_party"]]
        return cls(
            catalog=Catalog.from_json(document),
            first_party={wheel.name: wheel for wheel in ours},
            third_party={wheel.name: wheel for wheel in theirs},
            lock=read_lock(lock.read_text()),
        )

    def hashes(self, wheel: Wheel) -> tuple[str, ...]:
        """What requirements.txt pins: our wheel's hash, or all that the lock allows.

        Raises:
            VendorError: A third-party wheel is not the locked one.
        """
        own = f"sha256:{wheel.sha256}"
        if wheel.name in self.first_party:
            return (own,)
        pin = self.lock.get(wheel.name)
        if pin is None or own not in pin.hashes:
            raise VendorError(
                f"{wheel.path.name} is not a file that requirements_lock.txt pins. "
                "pip builds a wheel itself where the index has none for this "
                "platform; put a built one on your index and write the lock anew."
            )
        return pin.hashes


def requirements(stock: Stock, chosen: Sequence[Chosen]) -> str:
    """Compose requirements.txt."""
    system = f"{platform.system()} {platform.machine()}"
    python = ".".join(platform.python_version_tuple()[:2])
    lines = [f"# Written by //tools/vendor, for Python {python} on {system}."]
    for c in chosen:
        hashes = [f"    --hash={value}" for value in stock.hashes(c.wheel)]
        lines.append(" \\\n".join([f"{c.spelled}=={c.wheel.version}", *hashes]))
    return "\n".join(lines) + "\n"


def export(
    stock: Stock, wanted: Mapping[str, frozenset[str]], out: Path, *, first_party: bool
) -> list[Chosen]:
    """Fill *out*; with *first_party*, third-party wheels are listed but not copied.

    Returns:
        The wheels that are in it.
    """
    chosen = closure({**stock.third_party, **stock.first_party}, wanted)
    texts = {
        REQUIREMENTS: requirements(stock, chosen),
        SBOM: sbom.compose(chosen, direct=sorted(wanted), created=source_date()),
    }
    copied = [c for c in chosen if not first_party or c.wheel.name in stock.first_party]
    with staging.replacing(out) as folder:
        for c in copied:
            staging.copy(c.wheel.path, folder)
        for name, text in texts.items():
            (folder / name).write_text(text)
        staging.write_sums(folder)
    return copied


def source_date() -> datetime | None:
    """The moment to put into the SBOM, by reproducible-builds.org's convention.

    Raises:
        VendorError: SOURCE_DATE_EPOCH is no number of seconds.
    """
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if not epoch:
        return None
    try:
        return datetime.fromtimestamp(int(epoch), UTC)
    except (ValueError, OverflowError, OSError):
        message = f"SOURCE_DATE_EPOCH is {epoch!r}, not seconds since 1970."
        raise VendorError(message) from None


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line, as for every other mistake."""
        raise VendorError(f"{message} (see --help)")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = _Parser(
        prog="./bazelw run //tools/vendor --",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("targets", nargs="+", metavar="TARGET", help="Bazel target")
    parser.add_argument(
        "--out",
        required=True,
        metavar="DIR",
        help="folder to write; an old one is replaced if nothing else is in it",
    )
    parser.add_argument(
        "--first-party-only",
        action="store_true",
        help="leave third-party wheels, which requirements.txt pins, to your own index",
    )
    return parser.parse_args(arguments)


def main(index: str, lock: str, arguments: Sequence[str]) -> int:
    """Return 0, or 2 with one line on stderr and nothing written."""
    try:
        options = parse(arguments)
        # `bazel run` starts us in the runfiles; the user means where they are.
        base = Path(os.environ.get("BUILD_WORKING_DIRECTORY", "."))
        out = base / options.out
        stock = Stock.read(Path(index), Path(lock))
        wanted = stock.catalog.resolve(options.targets)
        copied = export(stock, wanted, out, first_party=options.first_party_only)
    except VendorError as error:
        print(f"vendor: {error}", file=sys.stderr)
        return 2
    for c in copied:
        if c.wheel.name in stock.first_party:
            print(f"  {c.spelled} {c.wheel.version}")
    ours = sum(c.wheel.name in stock.first_party for c in copied)
    theirs = len(copied) - ours
    print(f"{ours} first-party and {theirs} third-party wheels in {options.out}")
    offline = "" if options.first_party_only else "--no-index "
    print(
        f"pip install {offline}--find-links {options.out} --require-hashes "
        f"-r {options.out}/{REQUIREMENTS}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))

"""What is committed under contracts/current is what the code says."""

from __future__ import annotations

from pathlib import Path

from tools.contracts.goldens import CURRENT, UPDATE, differences, files_of


def test_the_committed_bundle_is_what_the_code_exports() -> None:
    """A change of a contract shows in the diff that a reviewer reads."""
    found = list(differences(files_of(Path("contracts/contracts.zip")), CURRENT))

    assert found == [], "\n".join([*found, f"Update them: {UPDATE}"])

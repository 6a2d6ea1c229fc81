"""The key ring against vectors: accept what is sound, refuse all else.

More files of the same form (project Wycheproof's ``json_web_signature_test.json`` and
``json_web_key_test.json`` are) run too when ``JOSE_VECTORS`` names them, with the
path separator of the system between.
"""

from __future__ import annotations

import functools
import json
import os
import re
import warnings
from pathlib import Path
from typing import Any

import pytest
from jose import jws as bare_jws
from jose.exceptions import JOSEError

from shared.auth import KeyRing, KeySetError
from shared.errors import AuthenticationException
from tests.conformance.jose import make_vectors

HERE = Path(__file__).parent
OURS = [HERE / "rfc.json", HERE / "forgeries.json"]
OTHERS = [
    Path(name) for name in os.environ.get("JOSE_VECTORS", "").split(os.pathsep) if name
]
SUPPORTED = {f"{kind}{bits}" for kind in ("HS", "RS", "ES") for bits in (256, 384, 512)}
# RFC 7515 section 2: no padding, white space or other characters
COMPACT = re.compile(r"[A-Za-z0-9_-]*(\.[A-Za-z0-9_-]*){2}")

Group = dict[str, Any]


@functools.cache
def groups_of(path: Path) -> list[Group]:
    """Return the groups of a file that have JWS vectors, in one form."""
    groups = []
    for group in json.loads(path.read_text())["testGroups"]:
        key = group.get("public") or group["private"]
        vectors = [
            vector | {"jws": text if isinstance(text, str) else json.dumps(text)}
            for vector in group["tests"]
            if (text := vector.get("jws")) is not None
        ]
        if vectors:
            jwks = key if "keys" in key else {"keys": [key]}
            groups.append(group | {"jwks": jwks, "tests": vectors})
    return groups


CASES = [
    pytest.param(group, id=f"{path.stem}: {group['comment']} {number}")
    for path in OURS + OTHERS
    for number, group in enumerate(groups_of(path))
]


def ring_accepts(group: Group, token: str) -> bool:
    """Tell whether the key ring of *group* takes *token*."""
    try:
        KeyRing.from_jwks(group["jwks"]).verify(token)
    except (KeySetError, AuthenticationException):
        return False
    return True


def bare_library_accepts(group: Group, token: str) -> bool:
    """Tell whether python-jose takes *token*, called as its documentation says."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            bare_jws.verify(token, group["jwks"], algorithms=sorted(SUPPORTED))
        except (JOSEError, ValueError, TypeError, KeyError, RecursionError):
            return False
    return True


def labelled(group: Group, result: str) -> list[dict[str, Any]]:
    """Return the vectors with that label and not, for the same token, the other.

    Wycheproof labels one token of its group ``base64`` both ways (its issue 236).
    """
    others = {v["jws"] for v in group["tests"] if v["result"] != result}
    return [
        vector
        for vector in group["tests"]
        if vector["result"] == result and vector["jws"] not in others
    ]


@pytest.mark.parametrize("group", CASES)
def test_nothing_invalid_is_accepted(group: Group) -> None:
    """No vector that is labelled invalid passes the key ring."""
    wrong = [v for v in labelled(group, "invalid") if ring_accepts(group, v["jws"])]

    assert wrong == []


@pytest.mark.parametrize("group", CASES)
def test_everything_valid_is_accepted(group: Group) -> None:
    """Every valid vector of a supported algorithm in canonical form passes."""
    supported = all(key.get("alg") in SUPPORTED for key in group["jwks"]["keys"])
    due = [v for v in labelled(group, "valid") if COMPACT.fullmatch(v["jws"])]
    missed = [v for v in due if supported and not ring_accepts(group, v["jws"])]

    assert missed == []


def test_the_vectors_are_all_there() -> None:
    """A file that lost its vectors would pass everything."""
    counts = {
        path.name: [
            sum(v["result"] == result for g in groups_of(path) for v in g["tests"])
            for result in ("valid", "invalid")
        ]
        for path in OURS
    }

    assert counts == {"rfc.json": [6, 4], "forgeries.json": [77, 626]}
    assert all(groups_of(path) for path in OTHERS)


def test_file_is_what_its_program_writes() -> None:
    """``forgeries.json`` can be made again, so nobody has to trust its 300 kB."""
    assert make_vectors.build() == make_vectors.OUTPUT.read_text()


def test_bare_library_needs_a_guard() -> None:
    """python-jose by itself takes dozens of these for good, hence the key ring."""
    taken = [
        vector["comment"]
        for group in groups_of(HERE / "forgeries.json")
        for vector in labelled(group, "invalid")
        if bare_library_accepts(group, vector["jws"])
    ]

    assert len(taken) > 36
    assert "header: crit: exp" in taken
    assert "junk after in signature" in taken

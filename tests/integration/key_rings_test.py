"""What the settings accept as keys, those who use the keys accept too."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.config import ConfigurationError, ServiceConfig, load_config
from shared.crypto import AesKeyRing, InvalidKeyError, PepperRing

KEYS = st.binary(min_size=31, max_size=33).map(lambda b: base64.b64encode(b).decode())
IDS = st.text("ab1:,. ", min_size=0, max_size=4)
RINGS = st.lists(st.tuples(IDS, KEYS), min_size=1, max_size=3).map(
    lambda pairs: ",".join(f"{name}:{key}" if name else key for name, key in pairs)
)


def configured(**environ: str) -> ServiceConfig | None:
    """The settings, or None where they are refused."""
    try:
        return load_config("x", environ=environ, env_file=None, secrets_dir=None)
    except ConfigurationError:
        return None


def parses(ring: type[AesKeyRing] | type[PepperRing], text: str) -> bool:
    """Whether who uses the keys accepts them."""
    try:
        ring.parse(text)
    except InvalidKeyError:
        return False
    return True


@pytest.mark.parametrize(
    ("variable", "ring"), [("AES_KEY", AesKeyRing), ("API_KEY_PEPPERS", PepperRing)]
)
@given(text=RINGS)
def test_both_judge_alike(
    variable: str, ring: type[AesKeyRing] | type[PepperRing], text: str
) -> None:
    """A service that starts does not fail at the first value it encrypts."""
    config = configured(**{variable: text})

    assert (config is not None) == parses(ring, text)

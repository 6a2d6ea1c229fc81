from __future__ import annotations

import pickle
import re
import string
from zlib import crc32

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shared.crypto._api_keys import (
    API_KEY_FORMAT,
    ApiKey,
    ApiKeyFormat,
    generate_api_key_and_secret,
)
from shared.crypto._errors import InvalidApiKeyError

BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
# CRC-32 by `crc32(text)`, and its digits by hand: 6 of base62, the highest first.
KNOWN = "cfk_live_0123456789ABCDEF_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ4VPqbN"

environments = st.sampled_from(["live", "test"])


def base62(text: str) -> int:
    """Return the number that *text* is in base62."""
    number = 0
    for digit in text:
        number = number * 62 + BASE62.index(digit)
    return number


@given(environment=environments)
def test_round_trip(environment: str) -> None:
    """A key says its environment and public id, and is found by a scanner."""
    api_key, secret = generate_api_key_and_secret(environment)

    assert API_KEY_FORMAT.parse(secret) == ApiKey(environment, api_key)
    assert secret.startswith(f"cfk_{environment}_{api_key}_")
    assert len(secret) == len("cfk_live_") + 16 + 1 + 43 + 6
    [found] = re.finditer(API_KEY_FORMAT.pattern, f"key={secret}, and so on")
    assert found[0] == secret


def test_the_checksum_is_the_crc_32_in_base62() -> None:
    """Anybody can check a key offline: RFC 1952's CRC-32 of all that stands before."""
    secret = generate_api_key_and_secret().secret

    assert base62(secret[-6:]) == crc32(secret[:-6].encode())


def test_a_known_key() -> None:
    """What was given to users stays a key in every later version."""
    assert API_KEY_FORMAT.parse(KNOWN) == ApiKey("live", "0123456789ABCDEF")


def test_256_random_bits() -> None:
    """The secret part alone has 256 bits, and no two keys share it or their ids."""
    keys = [generate_api_key_and_secret() for _ in range(200)]

    assert 62**43 > 2**256
    assert len({key.api_key for key in keys}) == 200
    assert len({key.secret[26:-6] for key in keys}) == 200
    assert set("".join(key.secret[26:-6] for key in keys)) == set(BASE62)


@given(data=st.data(), environment=environments)
def test_one_wrong_character(data: st.DataObject, environment: str) -> None:
    """A typo is refused offline: any one character, anywhere, by any other."""
    secret = generate_api_key_and_secret(environment).secret
    place = data.draw(st.integers(0, len(secret) - 1))
    other = data.draw(st.characters().filter(lambda c: c != secret[place]))

    with pytest.raises(InvalidApiKeyError, match=r"An API key of this|does not fit"):
        API_KEY_FORMAT.parse(secret[:place] + other + secret[place + 1 :])


@given(data=st.data())
def test_two_neighbours_swapped(data: st.DataObject) -> None:
    """So is the other common slip, within what the checksum covers."""
    secret = generate_api_key_and_secret().secret
    place = data.draw(st.integers(26, 26 + 41))
    left, right = secret[place], secret[place + 1]
    assume(left != right)

    with pytest.raises(InvalidApiKeyError, match="does not fit: it was mistyped"):
        API_KEY_FORMAT.parse(secret[:place] + right + left + secret[place + 2 :])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hunter2",
        "cfk_",
        KNOWN[:-1],
        KNOWN + "0",
        KNOWN + "\n",
        " " + KNOWN,
        KNOWN.replace("live", "prod"),
        KNOWN.replace("cfk", "CFK"),
        KNOWN.replace("_", "-"),
        KNOWN.replace("0", "\u0660"),
        "cfk_live_" + "0" * 10_000,
    ],
)
def test_another_form(text: str) -> None:
    """What is no key is refused without a word of it."""
    with pytest.raises(
        InvalidApiKeyError,
        match=r"^An API key of this kind looks like cfk_live_<id>_<secret> \(value hid",
    ):
        API_KEY_FORMAT.parse(text)


def test_a_mistyped_key() -> None:
    """Who mistyped is told so."""
    with pytest.raises(
        InvalidApiKeyError,
        match=r"^The API key's checksum does not fit: it was mistyped \(value hidden\)",
    ):
        API_KEY_FORMAT.parse(KNOWN.replace("abc", "abd"))


def test_a_new_secret_for_a_key() -> None:
    """Rotation keeps the public id, which users and logs know."""
    api_key, secret = generate_api_key_and_secret()
    rotated = API_KEY_FORMAT.generate("live", key_id=api_key)

    assert rotated.api_key == api_key
    assert rotated.secret != secret
    assert API_KEY_FORMAT.parse(rotated.secret).key_id == api_key


@pytest.mark.parametrize("key_id", ["", "short", "0123456789ABCDE_", "0" * 17])
def test_a_key_id_of_another_form(key_id: str) -> None:
    """A key that could not be parsed is not made."""
    with pytest.raises(ValueError, match="key_id must be 16 letters and digits"):
        API_KEY_FORMAT.generate("live", key_id=key_id)


def test_an_unknown_environment() -> None:
    """A key is for one of the environments there are."""
    with pytest.raises(
        ValueError, match=r"environment must be one of live, test \(got 'prod'\)\."
    ):
        generate_api_key_and_secret("prod")


def test_another_prefix() -> None:
    """Another product's keys are no keys of this one."""
    theirs = ApiKeyFormat("acme", ["sandbox"])
    secret = theirs.generate("sandbox").secret

    assert secret.startswith("acme_sandbox_")
    assert theirs.parse(secret).environment == "sandbox"
    with pytest.raises(InvalidApiKeyError, match="looks like cfk_live_"):
        API_KEY_FORMAT.parse(secret)


@pytest.mark.parametrize(
    ("prefix", "environments"),
    [
        ("", ["live"]),
        ("a_b", ["live"]),
        ("1a", ["live"]),
        ("CFK", ["live"]),
        ("a" * 17, ["live"]),
        ("cfk", []),
        ("cfk", ["live", "te|st"]),
    ],
)
def test_a_format_that_would_not_parse(prefix: str, environments: list[str]) -> None:
    """The parts of a key can be told from each other."""
    with pytest.raises(ValueError, match="An API key needs a prefix and environments"):
        ApiKeyFormat(prefix, environments)


def test_environments_are_several_names() -> None:
    """One name alone is no set of them: its letters would each be an environment."""
    with pytest.raises(
        ValueError, match=r"must be a list or tuple of names, such as \['live'\]"
    ):
        ApiKeyFormat("cfk", "live")


def test_a_new_key_does_not_show_its_secret() -> None:
    """A key may end up in a log line."""
    new = generate_api_key_and_secret()

    assert repr(new) == f"ApiKeyAndSecret(api_key={new.api_key!r}, secret=[hidden])"
    assert new.secret not in f"{new} {new!r} {[new]}"


def test_a_new_key_does_not_pickle() -> None:
    """Nor in a cache or a queue: its secret is shown once."""
    with pytest.raises(TypeError, match=r"^An ApiKeyAndSecret does not pickle: its"):
        pickle.dumps(generate_api_key_and_secret())

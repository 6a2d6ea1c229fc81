from __future__ import annotations

import itertools
import re
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor

import argon2
import pytest
from argon2 import low_level
from argon2.exceptions import HashingError, VerificationError
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.crypto import _passwords
from shared.crypto._errors import StoredHashError
from shared.crypto._passwords import (
    hash_password,
    password_needs_rehash,
    verify_password,
)

PASSWORDS = st.text(
    alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=128
)
# Of "correct horse", by `PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)`.
CHEAP = (
    "$argon2id$v=19$m=64,t=1,p=1$AAECAwQFBgcICQoLDA0ODw"
    "$Jc5SM8weTTfpvKMb/vQXEOQERs0ctXWTJ5HF/TeAvTw"
)


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash in a millisecond where the cost is not the question."""
    monkeypatch.setattr(_passwords, "_KIBIBYTES", 64)
    monkeypatch.setattr(_passwords, "_PASSES", 1)


def test_parameters_of_rfc_9106() -> None:
    """A hash has the second recommended option's parameters, and needs no rehash."""
    stored = hash_password("correct horse")

    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    found = argon2.extract_parameters(stored)
    assert found == argon2.profiles.RFC_9106_LOW_MEMORY
    assert password_needs_rehash(stored) is False
    assert verify_password("correct horse", stored) is True


def test_others_read_our_hashes() -> None:
    """A hash is a PHC string, as every Argon2 library writes it."""
    assert argon2.PasswordHasher().verify(hash_password("pä$$"), "pä$$") is True


@settings(max_examples=25)
@given(password=PASSWORDS, other=PASSWORDS)
def test_round_trip(password: str, other: str) -> None:
    """The password fits its hash, another does not."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(_passwords, "_KIBIBYTES", 64)
        monkeypatch.setattr(_passwords, "_PASSES", 1)
        stored = hash_password(password)

    assert verify_password(password, stored) is True
    assert verify_password(other, stored) is (other == password)


@pytest.mark.usefixtures("cheap")
def test_each_hash_has_its_own_salt() -> None:
    """Two users with one password do not show it."""
    assert hash_password("same") != hash_password("same")


def test_a_known_hash() -> None:
    """What is stored today fits in every later version, though not as it would be."""
    assert verify_password("correct horse", CHEAP) is True
    assert verify_password("correct horses", CHEAP) is False
    assert password_needs_rehash(CHEAP) is True


@pytest.mark.usefixtures("cheap")
def test_the_bounds_of_a_password() -> None:
    """Up to 128 characters, which bounds what the hash is fed; and at least one."""
    longest = "é" * 128
    stored = hash_password(longest)

    assert verify_password(longest, stored) is True
    assert verify_password(longest + "é", stored) is False
    assert verify_password("", stored) is False
    for wrong in ("", longest + "é"):
        with pytest.raises(
            ValueError,
            match=r"^A password must have 1 to 128 characters \(got \d+\)\.$",
        ):
            hash_password(wrong)


def test_a_longer_password_than_ours_never_fits() -> None:
    """Not even where its first 128 characters do: a hash of another maker's."""
    hasher = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    stored = hasher.hash("x" * 128)

    assert verify_password("x" * 128, stored) is True
    assert verify_password("x" * 129, stored) is False


@pytest.mark.usefixtures("cheap")
def test_a_lone_surrogate() -> None:
    """A form in UTF-7 can hold one: no password to choose, and a wrong one to send."""
    with pytest.raises(ValueError, match="password has a lone surrogate") as caught:
        hash_password("secret\ud800")

    assert "secret" not in "".join(traceback.format_exception_only(caught.value))
    assert verify_password("secret\ud800", hash_password("secret")) is False


@pytest.mark.parametrize("password", ["x", "x" * 129, "x" * 100_000, "\ud800", ""])
def test_every_wrong_password_costs_the_same(
    monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    """The time tells neither what a password may be nor who has an account."""
    asked: list[tuple[bytes, int]] = []

    def count(stored: bytes, secret: bytes, _: low_level.Type) -> bool:
        asked.append((stored[:31], len(secret)))
        raise argon2.exceptions.VerifyMismatchError

    monkeypatch.setattr(low_level, "verify_secret", count)
    stored = hash_password("right")

    assert verify_password(password, stored) is False
    assert verify_password(password, None) is False
    assert asked[0] == asked[1]
    assert asked[0][0] == stored[:31].encode()
    assert asked[0][1] <= 128


@pytest.mark.usefixtures("cheap")
def test_nobody_s_password() -> None:
    """No password fits a user who does not exist."""
    assert verify_password("x", None) is False


SALT, KEY = "AAECAwQFBgcICQoLDA0ODw", "A" * 42 + "8"


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "hunter2",
        CHEAP[:-1],
        CHEAP[:-3],  # 40 characters are 30 bytes
        CHEAP + "A",
        CHEAP + "\0",
        CHEAP + "\n",
        CHEAP[1:],
        CHEAP.replace("argon2id", "argon2i"),
        CHEAP.replace("argon2id", "argon2d"),
        CHEAP.replace("v=19", "v=16"),
        CHEAP.replace("m=64", "m=064"),
        CHEAP.replace("m=64", "m=-64"),
        CHEAP.replace("m=64", "m=\u0666\u0664"),
        CHEAP.replace("m=64", "m=99999999999"),
        CHEAP.replace(SALT, ""),
        CHEAP.replace(SALT, SALT[:-1] + "x"),  # bits that no byte has
        CHEAP.replace(SALT, SALT[:-5]),  # 17 characters are no bytes
        "scrypt$32768$8$3$AAAA$AAAA",
        "$2b$12$" + "a" * 53,
    ],
)
def test_a_stored_hash_that_is_none(stored: str) -> None:
    """A column that was cut off is an error, not a wrong password."""
    for ask in (password_needs_rehash, lambda text: verify_password("x", text)):
        with pytest.raises(
            StoredHashError, match=r"no string of Argon2id version 1\.3"
        ) as caught:
            ask(stored)
        assert stored[-8:] not in str(caught.value) or not stored


@pytest.mark.parametrize(
    "parameters",
    [
        "m=4194305,t=3,p=4",
        "m=65536,t=17,p=4",
        "m=65536,t=3,p=65",
        "m=31,t=3,p=4",
    ],
)
def test_a_stored_hash_that_asks_for_too_much(parameters: str) -> None:
    """Whoever can write one row can't make a log-in take all memory."""
    with pytest.raises(
        StoredHashError,
        match=re.escape(f"asks for {parameters}; at most m=4194304,t=16,p=64 is run."),
    ):
        verify_password("x", CHEAP.replace("m=64,t=1,p=1", parameters))


@pytest.mark.parametrize(
    ("name", "error", "ask"),
    [
        ("hash_secret", HashingError, lambda: hash_password("x")),
        ("verify_secret", VerificationError, lambda: verify_password("x", CHEAP)),
    ],
)
def test_no_memory(
    monkeypatch: pytest.MonkeyPatch, name: str, error: type[Exception], ask: object
) -> None:
    """A server without memory says so, not that the password is wrong."""

    def fail(*_: object, **__: object) -> None:
        raise error("Memory allocation error")

    monkeypatch.setattr(low_level, name, fail)
    assert callable(ask)

    with pytest.raises(
        MemoryError, match=r"^Argon2id could not run: Memory allocation error\.$"
    ):
        ask()


def test_only_so_many_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A burst of log-ins takes the memory of a few hashes, not one for each thread."""
    running, most = itertools.count(), [0]
    inside: set[int] = set()
    met = threading.Event()

    def slow(*_: object, **__: object) -> bytes:
        inside.add(number := next(running))
        most[0] = max(most[0], len(inside))
        met.wait(0.01)  # room for another to come in, if it could
        inside.remove(number)
        return b"hash"

    monkeypatch.setattr(_passwords, "_turns", threading.BoundedSemaphore(2))
    monkeypatch.setattr(low_level, "hash_secret", slow)
    with ThreadPoolExecutor(8) as pool:
        hashes = list(pool.map(hash_password, ["x"] * 16))

    assert hashes == ["hash"] * 16
    assert most == [2]


def test_a_failure_gives_its_turn_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """After an error the next one is served."""

    def fail(*_: object, **__: object) -> bytes:
        raise HashingError("Threading failure")

    monkeypatch.setattr(_passwords, "_turns", threading.BoundedSemaphore(1))
    with monkeypatch.context() as patch:
        patch.setattr(low_level, "hash_secret", fail)
        with pytest.raises(MemoryError, match="Threading failure"):
            hash_password("x")

    assert verify_password("correct horse", CHEAP) is True

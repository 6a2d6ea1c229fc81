"""Keys that a ring must not take, and those that it must."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable

import pytest

from shared.auth._jwk import ForeignKeyError, Key, KeySetError, read_key, secret_key

MakeJwk = Callable[..., dict[str, object]]

PUBLIC = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"]
ALL = ["HS256", "HS384", "HS512", *PUBLIC]


def read(jwk: object, *, assume_rsa_alg: str | None = None) -> Key:
    return read_key(jwk, place="key number 1", assume_rsa_alg=assume_rsa_alg)


def number(value: int) -> str:
    raw = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


@pytest.mark.parametrize("alg", ALL)
def test_private_key_signs_what_it_verifies(alg: str, private_jwk: MakeJwk) -> None:
    """A private JWK of each algorithm signs, and checks its own signature only."""
    key = read(private_jwk(alg))

    assert key.sign is not None
    assert key.verify is not None
    assert key.verify(b"message", key.sign(b"message"))
    assert not key.verify(b"massage", key.sign(b"message"))


@pytest.mark.parametrize("alg", PUBLIC)
def test_public_key_only_verifies(
    alg: str, private_jwk: MakeJwk, public_jwk: MakeJwk
) -> None:
    """A public JWK checks its private half's signatures and can't make one."""
    sign = read(private_jwk(alg)).sign
    key = read(public_jwk(alg))

    assert sign is not None
    assert key.verify is not None
    assert key.verify(b"message", sign(b"message"))
    assert key.sign is None
    assert dict(key.public or {}) == public_jwk(alg) | {"use": "sig"}


@pytest.mark.parametrize(("alg", "size"), [("HS256", 32), ("HS384", 48), ("HS512", 64)])
def test_secret_is_as_long_as_the_hash(alg: str, size: int) -> None:
    """RFC 7518 section 3.2: a secret has at least the bytes of the hash."""
    assert secret_key(b"x" * size, alg=alg, kid=None, place="it").alg == alg
    with pytest.raises(KeySetError, match=f"at least {size} bytes .got {size - 1}"):
        secret_key(b"x" * (size - 1), alg=alg, kid=None, place="it")


@pytest.mark.parametrize("alg", ["RS256", "none", "HS1", "hs256", ""])
def test_secret_has_no_other_algorithm(alg: str) -> None:
    """A secret can't be tied to an algorithm of public keys, or to none."""
    with pytest.raises(KeySetError, match="signs with HS256, HS384 or HS512"):
        secret_key(b"x" * 64, alg=alg, kid=None, place="it")


@pytest.mark.parametrize(
    "text",
    [
        b"-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0B\n-----END PUBLIC KEY-----\n",
        b"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQC7 someone@example",
    ],
)
def test_public_key_is_no_secret(text: bytes) -> None:
    """A public key given as a secret would let everybody sign."""
    with pytest.raises(KeySetError, match="looks like an asymmetric key"):
        secret_key(text, alg="HS256", kid=None, place="it")


@pytest.mark.parametrize("jwk", [None, "text", [], 7])
def test_jwk_is_an_object(jwk: object) -> None:
    """Anything but an object is no key."""
    with pytest.raises(KeySetError, match="key number 1: a JWK must be an object"):
        read(jwk)


@pytest.mark.parametrize("kid", ["", 7, ["a"], {}])
def test_kid_is_text(kid: object, public_jwk: MakeJwk) -> None:
    """A kid that can't be compared with a token's is refused."""
    with pytest.raises(KeySetError, match="kid must be a non-empty string"):
        read(public_jwk("ES256") | {"kid": kid})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"use": "enc"}, "use is not sig"),
        ({"use": None}, "use is not sig"),
        ({"key_ops": ["encrypt"]}, "key_ops are not for signatures"),
        ({"key_ops": []}, "key_ops are not for signatures"),
        ({"alg": "PS256"}, "alg is not one of HS256, HS384, HS512, RS256"),
        ({"alg": "EdDSA"}, "alg is not one of"),
        ({"alg": "none"}, "alg is not one of"),
        ({"alg": "RSA-OAEP"}, "alg is not one of"),
        ({"alg": 7}, "alg is not one of"),
        ({"alg": ["RS256"]}, "alg is not one of"),
        ({"kty": "OKP", "crv": "Ed25519"}, "a key type that is not supported"),
        ({"kty": "EC", "crv": "secp256k1"}, "curve is not P-256, P-384 or P-521"),
        ({"kty": "EC", "crv": ["P-256"]}, "curve is not P-256, P-384 or P-521"),
    ],
)
def test_key_for_something_else(
    change: dict[str, object], reason: str, public_jwk: MakeJwk
) -> None:
    """Keys for other purposes and algorithms are told apart from bad ones."""
    with pytest.raises(ForeignKeyError, match=f"key 'a': .*{reason}"):
        read(public_jwk("RS256") | change)


@pytest.mark.parametrize(
    ("alg", "change", "reason"),
    [
        ("RS256", {"kty": None}, "kty is missing"),
        ("RS256", {"alg": None}, "alg is missing, so the token would choose it"),
        ("HS256", {"alg": None}, "alg is missing, so the token would choose it"),
        ("RS256", {"alg": "HS256"}, "HS256 is not an algorithm of its kty"),
        ("HS256", {"alg": "RS256"}, "RS256 is not an algorithm of its kty"),
        ("ES256", {"alg": "RS256"}, "RS256 is not an algorithm of its kty"),
        ("ES256", {"alg": "ES384"}, "ES384 is not the algorithm of its curve"),
        ("ES256", {"crv": "P-384"}, "ES256 is not the algorithm of its curve"),
        ("RS256", {"key_ops": "verify"}, "key_ops must be a list of strings"),
        ("RS256", {"key_ops": [["verify"]]}, "key_ops must be a list of strings"),
        ("RS256", {"key_ops": ["verify"] * 2}, "key_ops says something twice"),
        ("HS256", {"k": None}, "k must be a base64url string"),
        ("HS256", {"k": "AAAA"}, "at least 32 bytes .got 3"),
        ("HS256", {"k": ""}, "at least 32 bytes .got 0"),
        ("HS256", {"k": "A" * 42 + "B"}, "k is not canonical base64url"),
        ("HS256", {"k": "A" * 43 + "="}, "k is not canonical base64url"),
        ("HS256", {"k": "é" * 43}, "k must be a base64url string"),
        ("RS256", {"n": None}, "n must be a base64url string"),
        ("RS256", {"n": 7}, "n must be a base64url string"),
        ("RS256", {"n": ""}, "n is not in the shortest form"),
        ("RS256", {"e": "AAEAAQ"}, "e is not in the shortest form"),
        ("RS256", {"e": "AQ"}, "exponent must be odd, from 65537"),
        ("RS256", {"e": "Aw"}, "exponent must be odd, from 65537"),
        ("RS256", {"e": "AQAA"}, "exponent must be odd, from 65537"),
        ("RS256", {"e": "AA"}, "exponent must be odd, from 65537"),
        ("RS256", {"e": "AQAAAAE"}, "exponent must be odd, from 65537"),
        ("RS256", {"n": number(2**8200 + 1)}, "2048 to 8192 bits .got 8201"),
        ("RS256", {"n": number(2**2048 + 2)}, "anybody can factor"),
        ("RS256", {"n": number(3**1300)}, "anybody can factor"),
        ("ES256", {"x": None}, "x must be a base64url string"),
        ("ES256", {"y": "AAAA"}, "y must be 32 bytes for ES256"),
        ("ES512", {"x": "A" * 43}, "x must be 66 bytes for ES512"),
        ("ES256", {"y": "A" * 43}, "it is not a key"),
        ("ES256", {"x": "_" * 42 + "8"}, "it is not a key"),
    ],
)
def test_malformed_or_weak_key(
    alg: str, change: dict[str, object], reason: str, public_jwk: MakeJwk
) -> None:
    """A key that contradicts itself, or that is too weak, is refused and named."""
    jwk = public_jwk(alg) | change
    jwk = {name: value for name, value in jwk.items() if value is not None}
    with pytest.raises(KeySetError, match=f"key 'a': .*{reason}") as caught:
        read(jwk)

    assert type(caught.value) is KeySetError


def test_short_rsa_key(public_jwk: MakeJwk) -> None:
    """RSA below 2048 bits is refused even where it is a sound key."""
    with pytest.raises(KeySetError, match=r"2048 to 8192 bits .got 1024"):
        read(public_jwk("RS256", bits=1024))


def test_rsa_key_of_a_faulty_generator(public_jwk: MakeJwk) -> None:
    """A modulus that is a power of 65537 modulo every small prime can be factored."""
    small_primes = [p for p in range(3, 168) if all(p % d for d in range(2, p))]
    product = 1
    for prime in small_primes:
        product *= prime
    modulus = pow(65537, 5, product)
    modulus += product * (2**2048 // product + 1)

    with pytest.raises(KeySetError, match="anybody can factor"):
        read(public_jwk("RS256") | {"n": number(modulus)})


@pytest.mark.parametrize("alg", ["RS256", "ES256"])
def test_private_part_of_another_key(alg: str, private_jwk: MakeJwk) -> None:
    """A private part that does not fit the public one is found at the start."""
    mine, other = private_jwk(alg), private_jwk(alg, serial=1)
    private = {"d", "p", "q", "dp", "dq", "qi"} & other.keys()

    with pytest.raises(KeySetError, match="key 'a': it is not a key"):
        read(mine | {name: other[name] for name in private})
    with pytest.raises(KeySetError, match="key 'a': it is not a key"):
        read(mine | {"d": other["d"]})


def test_private_exponent_of_another_key_without_primes(private_jwk: MakeJwk) -> None:
    """Without the primes they are recovered, which fails for a foreign exponent."""
    mine, other = private_jwk("RS256"), private_jwk("RS256", serial=1)
    bare = {name: mine[name] for name in ("kty", "alg", "n", "e", "d")}

    assert read(bare).sign is not None
    with pytest.raises(KeySetError, match="it is not a key"):
        read(bare | {"d": other["d"]})


@pytest.mark.parametrize(
    ("alg", "change", "reason"),
    [
        ("RS256", {"oth": []}, "it has more than two primes"),
        ("RS256", {"p": "!"}, "p is not"),
        ("RS256", {"p": "AAAB"}, "p is not in the shortest form"),
        ("RS256", {"dp": None}, "it is not a key"),
        ("ES256", {"d": "AAAA"}, "d must be 32 bytes"),
        ("ES256", {"d": "A" * 43}, "it is not a key"),
        ("ES256", {"d": "_" * 42 + "8"}, "it is not a key"),
    ],
)
def test_malformed_private_part(
    alg: str, change: dict[str, object], reason: str, private_jwk: MakeJwk
) -> None:
    """The private part is read as strictly as the public one."""
    jwk = private_jwk(alg) | change
    jwk = {name: value for name, value in jwk.items() if value is not None}
    with pytest.raises(KeySetError, match=f"key 'a': .*{reason}"):
        read(jwk)


def test_errors_hold_no_key_material(private_jwk: MakeJwk) -> None:
    """Neither the message nor its causes quote a number of the key."""
    jwk = private_jwk("RS256") | {"q": private_jwk("RS256", serial=1)["q"]}
    with pytest.raises(KeySetError, match="key 'a'") as caught:
        read(jwk)

    said = f"{caught.value!r} {caught.value.__cause__!r}"
    assert not any(str(value) in said for value in jwk.values() if len(str(value)) > 9)
    assert caught.value.__cause__ is not None
    assert caught.value.__cause__.__cause__ is None


@pytest.mark.parametrize(
    ("operations", "verifies", "signs"),
    [
        (["verify"], True, False),
        (["sign"], False, True),
        (["sign", "verify"], True, True),
    ],
)
def test_key_ops_are_all_a_key_does(
    operations: list[str], verifies: bool, signs: bool, private_jwk: MakeJwk
) -> None:
    """A key does what its key_ops allow and nothing else (RFC 7517 section 4.3)."""
    key = read(private_jwk("ES256") | {"key_ops": operations, "use": "sig"})

    assert (key.verify is not None, key.sign is not None) == (verifies, signs)


def test_curve_says_the_algorithm(public_jwk: MakeJwk) -> None:
    """An EC key without alg has the one algorithm of its curve."""
    jwk = public_jwk("ES384")
    del jwk["alg"]

    assert read(jwk).alg == "ES384"


def test_rsa_algorithm_can_be_assumed(public_jwk: MakeJwk) -> None:
    """For RSA keys without alg the caller says it, and only for those."""
    jwk = public_jwk("RS256") | {"alg": "RS384"}

    assert read(jwk, assume_rsa_alg="RS512").alg == "RS384"
    del jwk["alg"]
    assert read(jwk, assume_rsa_alg="RS512").alg == "RS512"


def test_members_that_say_nothing_of_signatures_are_ignored(
    public_jwk: MakeJwk,
) -> None:
    """Certificates and thumbprints in a key set, as Azure sends them, do no harm."""
    jwk = public_jwk("RS256") | {"x5c": ["MIIC"], "x5t": "abc", "ext": True}

    assert read(jwk).alg == "RS256"

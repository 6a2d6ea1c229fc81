"""Write ``forgeries.json``: tokens that must be refused, and their sound neighbours.

    python make_vectors.py

Nothing here uses shared.auth: signatures come from the cryptography package, or from
the bare arithmetic where no package would make such a thing. The output is the same
every time. The keys are those of RFC 7515 appendix A, so everybody can sign with them.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

OUTPUT = Path(__file__).with_name("forgeries.json")

Jwk = dict[str, Any]
Vector = tuple[str, str, str]  # comment, token, result
Sign = Callable[[bytes], bytes]

# The order of P-256
N256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def b64(raw: bytes) -> str:
    """Return base64url without padding."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    """Return what base64url says."""
    return urlsafe_b64decode(text + "==")


def number(text: str) -> int:
    """Return the number that base64url says."""
    return int.from_bytes(unb64(text), "big")


def text_of(value: int, size: int) -> str:
    """Return *value* in *size* bytes as base64url."""
    return b64(value.to_bytes(size, "big"))


# --- keys -----------------------------------------------------------------------------

SECRET = unb64(
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9"
    "CAow"
)
RSA_N = number(
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPM"
    "EzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-"
    "bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3"
    "qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9g"
    "b54h4FRWyuXpoQ"
)
RSA_D = number(
    "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-"
    "7YwVol2NXOoAJe46sui395IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzub"
    "Su3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1j"
    "uUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91"
    "p1DhOVRuOopznQ"
)
# From `openssl prime -generate -bits 512 -hex`
PRIMES_512 = (
    (
        "C0F284F19D3FA3A0AB24605B55DBC975BAFFF035BBD12E7E1B6725C4F9098480"
        "0F62E982B3923EA9CA65126D0D406F486F2569AB2A6191B5B543DAB824818CBB"
    ),
    (
        "C52AE73A9E2D6083E914413CDD9E8BF9B7BEB595D1814433C234C3950EA568CE"
        "62AF60A8293C7231CE049D70425B8640F92F430E21927F1D09CE643E06E83905"
    ),
)
EC_SCALARS = {
    "ES256": number("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"),
    "ES384": 0x1234567890ABCDEF << 300 | 0xFEDCBA9876543211,  # no RFC has one
    "ES512": number(
        "AY5pb7A0UFiB3RELSD64fTLOSV_jazdF7fLYyuTw8lOfRhWg6Y6rUrPAxerEzgdRhajnu0ferB0d53vM9m"
        "E15j2C"
    ),
}
CURVES: dict[str, tuple[str, ec.EllipticCurve, int]] = {
    "ES256": ("P-256", ec.SECP256R1(), 32),
    "ES384": ("P-384", ec.SECP384R1(), 48),
    "ES512": ("P-521", ec.SECP521R1(), 66),
}
HASHES: dict[str, hashes.HashAlgorithm] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}


@functools.cache
def rsa_key() -> rsa.RSAPrivateKey:
    """Return the key of RFC 7515 appendix A.2."""
    p, q = rsa.rsa_recover_prime_factors(RSA_N, 65537, RSA_D)
    return rsa.RSAPrivateNumbers(
        p=p,
        q=q,
        d=RSA_D,
        dmp1=rsa.rsa_crt_dmp1(RSA_D, p),
        dmq1=rsa.rsa_crt_dmq1(RSA_D, q),
        iqmp=rsa.rsa_crt_iqmp(p, q),
        public_numbers=rsa.RSAPublicNumbers(65537, RSA_N),
    ).private_key()


@functools.cache
def ec_key(alg: str) -> ec.EllipticCurvePrivateKey:
    """Return the key for *alg*: of appendix A.3, A.4, or our own."""
    return ec.derive_private_key(EC_SCALARS[alg], CURVES[alg][1])


def public_jwk(alg: str, **more: object) -> Jwk:
    """Return the public key for *alg* (the secret, for HMAC), with more members."""
    kind: Jwk
    if alg.startswith("HS"):
        kind = {"kty": "oct", "k": b64(SECRET)}
    elif alg.startswith("RS"):
        kind = {"kty": "RSA", "n": text_of(RSA_N, 256), "e": "AQAB"}
    else:
        curve, _, size = CURVES[alg]
        point = ec_key(alg).public_key().public_numbers()
        kind = {
            "kty": "EC",
            "crv": curve,
            "x": text_of(point.x, size),
            "y": text_of(point.y, size),
        }
    return kind | {"alg": alg, "kid": "k1", "use": "sig"} | more


def signer(alg: str) -> Sign:
    """Return what signs a message by *alg*."""
    digest = HASHES[alg[2:]]
    if alg.startswith("HS"):
        return lambda message: hmac.digest(SECRET, message, f"sha{alg[2:]}")
    if alg.startswith("RS"):
        return lambda message: rsa_key().sign(message, padding.PKCS1v15(), digest)

    def sign(message: bytes) -> bytes:
        scheme = ec.ECDSA(digest, deterministic_signing=True)
        r, s = decode_dss_signature(ec_key(alg).sign(message, scheme))
        size = CURVES[alg][2]
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")

    return sign


# --- tokens ---------------------------------------------------------------------------

CLAIMS = b'{"sub":"u1","exp":4102444800}'


def head(alg: str, **more: object) -> bytes:
    """Return a header in compact JSON."""
    return json.dumps({"alg": alg, "kid": "k1"} | more, separators=(",", ":")).encode()


def token(header: bytes | str, payload: bytes | str, sign: Sign) -> str:
    """Sign any header over any payload; text is taken as a finished segment."""
    first = header if isinstance(header, str) else b64(header)
    second = payload if isinstance(payload, str) else b64(payload)
    return f"{first}.{second}.{b64(sign(f'{first}.{second}'.encode()))}"


def sound(alg: str) -> Iterator[Vector]:
    """Tokens that must be accepted."""
    sign = signer(alg)
    payloads = [b"", b"\0", CLAIMS, bytes(range(256))]
    for payload in payloads:
        yield f"sound, {len(payload)} bytes", token(head(alg), payload, sign), "valid"
    for comment, header in [
        ("no kid", b'{"alg":"%s"}' % alg.encode()),
        ("white space", b'{\r\n\t"alg" : "%s" ,\n"kid":"k1" }' % alg.encode()),
        ("typ, cty and x5t", head(alg, typ="JWT", cty="text", x5t="AAAA")),
        ("escaped letters", b'{"\\u0061lg":"%s","kid":"\\u006b1"}' % alg.encode()),
    ]:
        yield comment, token(header, CLAIMS, sign), "valid"


def wrong_shape(alg: str) -> Iterator[Vector]:
    """Texts that are not three segments."""
    first, second, third = token(head(alg), CLAIMS, signer(alg)).split(".")
    for comment, text in [
        ("empty", ""),
        ("two dots", ".."),
        ("no header", f".{second}.{third}"),
        ("no payload", f"{first}..{third}"),
        ("no signature", f"{first}.{second}."),
        ("two segments", f"{first}.{second}"),
        ("two segments, header and signature", f"{first}.{third}"),
        ("one segment", first),
        ("no dots", first + second + third),
        ("four segments", f"{first}.{second}.{third}.{third}"),
        ("five segments, as JWE", f"{first}.{second}.{third}.{third}.{third}"),
        ("dot before", f".{first}.{second}.{third}"),
        ("dot after", f"{first}.{second}.{third}."),
        ("segments in another order", f"{second}.{first}.{third}"),
        ("with the scheme", f"Bearer {first}.{second}.{third}"),
        (
            "flattened JSON serialization",
            json.dumps({"protected": first, "payload": second, "signature": third}),
        ),
        (
            "general JSON serialization",
            json.dumps(
                {
                    "payload": second,
                    "signatures": [{"protected": first, "signature": third}],
                }
            ),
        ),
    ]:
        yield comment, text, "invalid"


def wrong_base64(alg: str) -> Iterator[Vector]:
    """Segments that a lax decoder reads as the right bytes.

    In header and payload the signature is made over the text as it stands, so that
    nothing but the decoder can refuse it.
    """
    sign = signer(alg)
    first, second, third = token(head(alg), CLAIMS, sign).split(".")
    stray = {"A": "B", "Q": "R", "g": "h", "w": "x", "E": "F", "I": "J", "M": "N"}
    stray |= {"U": "V", "Y": "Z", "c": "d", "k": "l", "o": "p", "s": "t", "0": "1"}
    stray |= {"4": "5", "8": "9"}

    def spoiled(segment: str) -> Iterator[tuple[str, str]]:
        yield "padding", segment + "="
        yield "double padding", segment + "=="
        yield "space before", " " + segment
        yield "space after", segment + " "
        yield "space inside", segment[:4] + " " + segment[4:]
        yield "newline after", segment + "\n"
        yield "return and newline inside", segment[:8] + "\r\n" + segment[8:]
        yield "tab inside", segment[:8] + "\t" + segment[8:]
        yield "NUL after", segment + "\0"
        yield "question mark inside", segment[:4] + "?" + segment[4:]
        yield "junk after", segment + "!!!!"
        yield "percent sign", segment + "%3D"
        yield "letter beyond ASCII", segment[:4] + "é" + segment[4:]
        yield "one character too many", segment + "A" * ((1 - len(segment)) % 4 or 4)
        if len(segment) % 4:
            yield "stray bits", segment[:-1] + stray[segment[-1]]

    places: list[tuple[str, Callable[[str], str]]] = [
        ("header", lambda text: token(text, second, sign)),
        ("payload", lambda text: token(first, text, sign)),
        ("signature", lambda text: f"{first}.{second}.{text}"),
    ]
    for where, build in places:
        original = {"header": first, "payload": second, "signature": third}[where]
        for comment, text in spoiled(original):
            yield f"{comment} in {where}", build(text), "invalid"
    tilde = token(head(alg), b"\xfb\xef\xff~~~", sign)
    front, middle, _ = tilde.split(".")
    other = middle.replace("-", "+").replace("_", "/")
    yield "standard alphabet in payload", token(front, other, sign), "invalid"


def wrong_header(alg: str) -> Iterator[Vector]:
    """Headers that must not be, under a signature that fits."""
    sign = signer(alg)
    name = alg.encode()
    others = {"HS256": "HS512", "RS256": "RS512", "ES256": "ES512"}
    attacker = public_jwk(alg, kid="k1")
    for comment, header in [
        ("alg is none", head("none")),
        ("alg is None", head("None")),
        ("alg is nOnE", head("nOnE")),
        ("alg is empty", head("")),
        ("alg in small letters", head(alg.lower())),
        ("alg with a space", head(alg + " ")),
        ("alg of another hash", head(others[alg])),
        ("alg of PSS", head("PS256")),
        ("alg is a list", b'{"alg":["%s"],"kid":"k1"}' % name),
        ("alg is null", b'{"alg":null,"kid":"k1"}'),
        ("no alg", b'{"kid":"k1"}'),
        ("empty object", b"{}"),
        ("kid of nobody", head(alg, kid="k2")),
        ("kid is empty", head(alg, kid="")),
        ("kid is a number", head(alg, kid=1)),
        ("kid is null", head(alg, kid=None)),
        ("kid is a list", head(alg, kid=["k1"])),
        ("kid is a path", head(alg, kid="../../dev/null")),
        ("crit: exp", head(alg, crit=["exp"], exp=1)),
        ("crit is empty", head(alg, crit=[])),
        ("crit names a member that is absent", head(alg, crit=["x"])),
        ("b64 is false", head(alg, b64=False, crit=["b64"])),
        ("b64 is false and not in crit", head(alg, b64=False)),
        ("jwk with the key itself", head(alg, jwk=attacker)),
        ("jku", head(alg, jku="https://attacker.example/jwks.json")),
        ("x5u", head(alg, x5u="https://attacker.example/cert.pem")),
        ("x5c", head(alg, x5c=["MIIB"])),
        ("alg twice, none first", b'{"alg":"none","alg":"%s","kid":"k1"}' % name),
        ("alg twice, none last", b'{"alg":"%s","kid":"k1","alg":"none"}' % name),
        ("alg twice, the same", b'{"alg":"%s","alg":"%s","kid":"k1"}' % (name, name)),
        ("kid twice", b'{"alg":"%s","kid":"k2","kid":"k1"}' % name),
        ("alg twice, once escaped", b'{"alg":"%s","\\u0061lg":"none"}' % name),
        ("member twice further in", b'{"alg":"%s","x":{"y":1,"y":2}}' % name),
        ("NaN", b'{"alg":"%s","x":NaN}' % name),
        ("Infinity", b'{"alg":"%s","x":-Infinity}' % name),
        ("infinite number", b'{"alg":"%s","x":1e999}' % name),
        ("lone surrogate", b'{"alg":"%s","x":"\\ud800"}' % name),
        ("not UTF-8", b'{"alg":"%s","x":"\xff"}' % name),
        ("byte order mark", b'\xef\xbb\xbf{"alg":"%s"}' % name),
        ("UTF-16", json.dumps({"alg": alg}).encode("utf-16-le")),
        ("comment", b'{"alg":"%s"/*x*/}' % name),
        ("trailing comma", b'{"alg":"%s",}' % name),
        ("single quotes", b"{'alg':'%s'}" % name),
        ("second value", b'{"alg":"%s"}{}' % name),
        ("a list", b'[{"alg":"%s"}]' % name),
        ("a string", b'"%s"' % name),
        ("null", b"null"),
        ("empty", b""),
        ("never closed", b'{"alg":"%s"' % name),
        ("nested deep", b'{"alg":"%s","x":%s%s}' % (name, b"[" * 2000, b"]" * 2000)),
        ("huge number", b'{"alg":"%s","x":%s}' % (name, b"9" * 5000)),
    ]:
        yield f"header: {comment}", token(header, CLAIMS, sign), "invalid"


def wrong_signature(alg: str) -> Iterator[Vector]:
    """Signatures that do not belong to the text before them."""
    sign = signer(alg)
    first, second, third = token(head(alg), CLAIMS, sign).split(".")
    raw = unb64(third)
    for comment, changed in [
        ("first bit turned", bytes([raw[0] ^ 128]) + raw[1:]),
        ("last bit turned", raw[:-1] + bytes([raw[-1] ^ 1])),
        ("zeros", bytes(len(raw))),
        ("ones", b"\xff" * len(raw)),
        ("zero before", b"\0" + raw),
        ("zero after", raw + b"\0"),
        ("last byte missing", raw[:-1]),
        ("first byte missing", raw[1:]),
        ("half", raw[: len(raw) // 2]),
        ("twice", raw + raw),
        ("of another message", sign(b"another")),
        ("of the decoded parts", sign(head(alg) + b"." + CLAIMS)),
        ("of the payload only", sign(second.encode())),
    ]:
        yield f"signature: {comment}", f"{first}.{second}.{b64(changed)}", "invalid"
    other = b64(CLAIMS.replace(b"u1", b"u2"))
    yield "another payload", f"{first}.{other}.{third}", "invalid"
    renamed = b64(head(alg, typ="JWT"))
    yield "another header", f"{renamed}.{second}.{third}", "invalid"


def rsa_padding() -> Iterator[Vector]:
    """PKCS #1 v1.5 blocks that a careless check takes for the right one."""
    signed = f"{b64(head('RS256'))}.{b64(CLAIMS)}"
    digest = hashlib.sha256(signed.encode()).digest()
    oid = bytes.fromhex("0609608648016503040201")
    info = bytes.fromhex("3031300d") + oid + bytes.fromhex("05000420") + digest

    def raw(block: bytes) -> str:
        value = pow(int.from_bytes(block, "big"), RSA_D, RSA_N)
        return f"{signed}.{text_of(value, 256)}"

    def padded(tail: bytes, *, kind: bytes = b"\x01", fill: bytes = b"\xff") -> bytes:
        return b"\0" + kind + fill * (253 - len(tail)) + b"\0" + tail

    yield "RSA: sound block", raw(padded(info)), "valid"
    no_null = bytes.fromhex("302f300b") + oid + b"\x04\x20" + digest
    long_length = bytes.fromhex("308131300d") + info[4:]
    long_inner = bytes.fromhex("303230810d") + info[4:]
    sha1 = bytes.fromhex("3021300906052b0e03021a05000414") + digest[:20]
    sha512 = bytes.fromhex("3051300d060960864801650304020305000440")
    sha512 += hashlib.sha512(signed.encode()).digest()
    junk = b"\x55" * 100
    for comment, block in [
        ("no NULL", padded(no_null)),
        ("length in long form", padded(long_length)),
        ("inner length in long form", padded(long_inner)),
        ("bare hash", padded(digest)),
        ("SHA-1", padded(sha1)),
        ("SHA-512", padded(sha512)),
        ("block type 2", padded(info, kind=b"\x02")),
        ("block type 0", padded(info, kind=b"\0", fill=b"\0")),
        ("fill is not ones", padded(info, fill=b"\xfe")),
        ("junk after the hash", b"\0\x01" + b"\xff" * 8 + b"\0" + info + junk * 2),
        ("junk before the hash", padded(junk + info)),
        ("junk in the parameters", padded(info.replace(b"\x05\0", b"\x04\x02ab"))),
        ("hash one byte short", padded(info[:-1])),
        ("zero inside the fill", padded(info)[:9] + b"\0" + padded(info)[10:]),
        ("no zero after the fill", padded(info).replace(b"\xff\0", b"\xff\xff")),
        ("first byte is not zero", b"\0\0\x01" + padded(info)[3:]),
    ]:
        fitted = (block + bytes(256))[:256]
        yield f"RSA: {comment}", raw(fitted), "invalid"
    good = number(raw(padded(info)).split(".")[2])
    for comment, value in [
        ("0", 0),
        ("1", 1),
        ("n - 1", RSA_N - 1),
        ("n", RSA_N),
        ("not reduced", good + RSA_N),
        ("negated", RSA_N - good),
    ]:
        size = (max(value.bit_length(), 2048) + 7) // 8
        text = f"{signed}.{text_of(value, size)}"
        yield f"RSA: signature is {comment}", text, "invalid"
    # A block of text that is the cube of nothing: e = 3 forgeries, seen by e = 65537.
    prefix = int.from_bytes(b"\0\x01" + b"\xff" * 8 + b"\0" + info, "big")
    low, high = 0, 1 << 700
    target = prefix << (8 * (256 - 11 - len(info)))
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if middle**3 < target else (low, middle)
    yield "RSA: forged for e = 3", f"{signed}.{text_of(low, 256)}", "invalid"


def ec_numbers() -> Iterator[Vector]:
    """Pairs (r, s) that fool a verifier which forgets to look at them."""
    signed = f"{b64(head('ES256'))}.{b64(CLAIMS)}"
    raw = signer("ES256")(signed.encode())
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")

    def pair(first: int, second: int) -> str:
        return f"{signed}.{b64(first.to_bytes(32, 'big') + second.to_bytes(32, 'big'))}"

    yield "EC: the other of two sound s", pair(r, N256 - s), "valid"
    special = {"0": 0, "1": 1, "n - 1": N256 - 1, "n": N256, "max": 2**256 - 1}
    for left, first in special.items():
        for right, second in special.items():
            yield f"EC: r is {left}, s is {right}", pair(first, second), "invalid"
    yield "EC: r and s change places", pair(s, r), "invalid"
    yield "EC: r is 0", pair(0, s), "invalid"
    yield "EC: s is 0", pair(r, 0), "invalid"
    yield "EC: r negated", pair(N256 - r, s), "invalid"
    der = ec_key("ES256").sign(
        signed.encode(), ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
    )
    yield "EC: signature in DER", f"{signed}.{b64(der)}", "invalid"
    wide = r.to_bytes(48, "big") + s.to_bytes(48, "big")
    yield "EC: numbers of 48 bytes", f"{signed}.{b64(wide)}", "invalid"
    narrow = r.to_bytes(32, "big") + s.to_bytes(32, "big").lstrip(b"\0") + b"\0"
    yield "EC: numbers of unlike length", f"{signed}.{b64(narrow)}", "invalid"
    other_hash = ec_key("ES256").sign(
        signed.encode(), ec.ECDSA(hashes.SHA512(), deterministic_signing=True)
    )
    first, second = decode_dss_signature(other_hash)
    yield "EC: over another hash", pair(first, second), "invalid"


def confusion(alg: str) -> Iterator[Vector]:
    """HMAC with what everybody knows of a public key."""
    jwk = public_jwk(alg)
    public = (rsa_key() if alg[0] == "R" else ec_key(alg)).public_key()
    formats = serialization.PublicFormat.SubjectPublicKeyInfo
    pem = public.public_bytes(serialization.Encoding.PEM, formats)
    der = public.public_bytes(serialization.Encoding.DER, formats)
    first = jwk.get("n") or jwk["x"]
    guesses = {
        "PEM": pem,
        "PEM without the last newline": pem.rstrip(b"\n"),
        "DER": der,
        "JWK": json.dumps(jwk).encode(),
        "JWK, compact": json.dumps(jwk, separators=(",", ":")).encode(),
        "first number, text": str(first).encode(),
        "first number, bytes": unb64(str(first)),
        "empty secret": b"",
    }
    for mac in ("HS256", "HS512"):
        for comment, guess in guesses.items():

            def sign(message: bytes, key: bytes = guess, bits: str = mac[2:]) -> bytes:
                return hmac.digest(key, message, f"sha{bits}")

            text = token(head(mac), CLAIMS, sign)
            yield f"{mac} with the public key, {comment}", text, "invalid"
    stranger = ec.derive_private_key(7, ec.SECP256R1())
    point = stranger.public_key().public_numbers()
    own = {
        "kty": "EC",
        "crv": "P-256",
        "kid": "k1",
        "x": text_of(point.x, 32),
        "y": text_of(point.y, 32),
    }

    def by_stranger(message: bytes) -> bytes:
        scheme = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
        r, s = decode_dss_signature(stranger.sign(message, scheme))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    text = token(head("ES256", jwk=own), CLAIMS, by_stranger)
    yield "a stranger's key in jwk", text, "invalid"
    yield "a stranger's key", token(head("ES256"), CLAIMS, by_stranger), "invalid"
    unsigned = token(head("none"), CLAIMS, lambda _: b"")
    yield "unsigned", unsigned, "invalid"


def key_sets() -> Iterator[tuple[str, list[Jwk], list[Vector]]]:
    """Sound tokens under keys that nobody should take, and some that one should."""

    def by(alg: str) -> list[Vector]:
        return [
            ("sound but for the key", token(head(alg), CLAIMS, signer(alg)), "invalid")
        ]

    hs, rs, es = public_jwk("HS256"), public_jwk("RS256"), public_jwk("ES256")
    for alg, jwk in [("HS256", hs), ("RS256", rs), ("ES256", es)]:
        good = [(c, t, "valid") for c, t, _ in by(alg)]
        bare = {name: value for name, value in jwk.items() if name != "use"}
        yield f"{alg}: key_ops verify", [bare | {"key_ops": ["verify"]}], good
        yield f"{alg}: use enc", [jwk | {"use": "enc"}], by(alg)
        yield f"{alg}: key_ops encrypt", [bare | {"key_ops": ["encrypt"]}], by(alg)
        yield f"{alg}: key_ops empty", [bare | {"key_ops": []}], by(alg)
        yield f"{alg}: key_ops twice", [bare | {"key_ops": ["verify"] * 2}], by(alg)
        yield f"{alg}: alg none", [jwk | {"alg": "none"}], by(alg)
        yield f"{alg}: kty unknown", [jwk | {"kty": "OKP"}], by(alg)
        yield f"{alg}: kid twice", [jwk, jwk], by(alg)
        yield f"{alg}: no keys", [], by(alg)
    yield "HS256: for a key of HS512", [hs | {"alg": "HS512"}], by("HS256")
    yield "RS256: for a key of RS512", [rs | {"alg": "RS512"}], by("RS256")
    yield "RS256: for a key of PS256", [rs | {"alg": "PS256"}], by("RS256")
    yield "RS256: for a key of RSA-OAEP", [rs | {"alg": "RSA-OAEP"}], by("RS256")
    yield "RS256: key says HS256", [rs | {"alg": "HS256"}], by("RS256")
    yield "ES256: key says ES384", [es | {"alg": "ES384"}], by("ES256")
    yield "ES256: key says RS256", [es | {"alg": "RS256"}], by("ES256")
    yield "ES256: curve of another", [es | {"crv": "P-384"}], by("ES256")
    yield "ES256: curve of Bitcoin", [es | {"crv": "secp256k1"}], by("ES256")
    yield "HS256: no alg", [{n: v for n, v in hs.items() if n != "alg"}], by("HS256")
    yield "RS256: no alg", [{n: v for n, v in rs.items() if n != "alg"}], by("RS256")
    for first, second in [(hs, rs), (hs, es), (rs, hs), (es, hs)]:
        comment = f"{first['alg']}: in one set with {second['alg']}"
        yield comment, [first, second | {"kid": "k2"}], by(str(first["alg"]))

    for alg, size in [("HS256", 31), ("HS384", 47), ("HS512", 63), ("HS256", 0)]:
        secret = b"\x0b" * size

        def mac(message: bytes, key: bytes = secret, bits: str = alg[2:]) -> bytes:
            return hmac.digest(key, message, f"sha{bits}")

        short = public_jwk(alg, k=b64(secret))
        yield (
            f"{alg}: secret of {size} bytes",
            [short],
            [("short secret", token(head(alg), CLAIMS, mac), "invalid")],
        )

    signed = f"{b64(head('RS256'))}.{b64(CLAIMS)}"
    digest = hashlib.sha256(signed.encode()).digest()
    info = bytes.fromhex("3031300d060960864801650304020105000420") + digest
    block = b"\0\x01" + b"\xff" * (253 - len(info)) + b"\0" + info
    yield (
        "RS256: exponent 1",
        [rs | {"e": "AQ"}],
        [("the block is the signature", f"{signed}.{b64(block)}", "invalid")],
    )
    for comment, exponent in [("even", "AQAA"), ("0", "AA"), ("leading 0", "AAEAAQ")]:
        yield f"RS256: exponent {comment}", [rs | {"e": exponent}], by("RS256")
    padded_n = b64(b"\0" + unb64(str(rs["n"])))
    yield "RS256: modulus with a zero before", [rs | {"n": padded_n}], by("RS256")
    yield "RS256: modulus with padding", [rs | {"n": f"{rs['n']}=="}], by("RS256")
    p, q = (int(prime, 16) for prime in PRIMES_512)
    small, private = p * q, pow(65537, -1, (p - 1) * (q - 1))
    block = b"\0\x01" + b"\xff" * (125 - len(info)) + b"\0" + info
    value = pow(int.from_bytes(block, "big"), private, small)
    yield (
        "RS256: 1024 bits",
        [rs | {"n": text_of(small, 128)}],
        [("small key", f"{signed}.{text_of(value, 128)}", "invalid")],
    )
    yield "ES256: point not on the curve", [es | {"y": es["x"]}], by("ES256")
    yield (
        "ES256: point at zero",
        [es | {"x": b64(bytes(32)), "y": b64(bytes(32))}],
        by("ES256"),
    )
    short_x = b64(unb64(str(es["x"]))[1:])
    yield "ES256: coordinate one byte short", [es | {"x": short_x}], by("ES256")
    long_x = b64(b"\0" + unb64(str(es["x"])))
    yield "ES256: coordinate one byte long", [es | {"x": long_x}], by("ES256")
    yield "ES256: coordinate with padding", [es | {"x": f"{es['x']}="}], by("ES256")


def build() -> str:
    """Return the file's text."""
    groups: list[tuple[str, Jwk, list[Vector]]] = []
    for alg in ("HS256", "HS384", "HS512", "RS256", "RS384", "RS512", *EC_SCALARS):
        groups.append((f"{alg}: sound", public_jwk(alg), list(sound(alg))))
        groups.append(
            (f"{alg}: signature", public_jwk(alg), list(wrong_signature(alg)))
        )
    for alg in ("HS256", "RS256", "ES256"):
        for what, family in [
            ("shape", wrong_shape),
            ("base64", wrong_base64),
            ("header", wrong_header),
        ]:
            groups.append((f"{alg}: {what}", public_jwk(alg), list(family(alg))))
    groups.append(("RS256: padding", public_jwk("RS256"), list(rsa_padding())))
    groups.append(("ES256: numbers", public_jwk("ES256"), list(ec_numbers())))
    for alg in ("RS256", "ES256"):
        groups.append((f"{alg}: confusion", public_jwk(alg), list(confusion(alg))))
    groups += [(c, {"keys": keys}, tests) for c, keys, tests in key_sets()]

    number_of = iter(range(1, 10_000))
    document = {
        "source": "make_vectors.py",
        "testGroups": [
            {
                "comment": comment,
                "public": key,
                "tests": [
                    {
                        "tcId": next(number_of),
                        "comment": c,
                        "jws": jws,
                        "result": result,
                    }
                    for c, jws, result in tests
                ],
            }
            for comment, key, tests in groups
        ],
    }
    return json.dumps(document, indent=0) + "\n"


if __name__ == "__main__":
    OUTPUT.write_text(build())

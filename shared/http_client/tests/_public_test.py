"""URLs of strangers: what is called, and what never is."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from shared.http_client import Fault, FaultKind
from shared.http_client._public import (
    AddressNotPublicError,
    PublicTransport,
    Resolve,
    is_public,
)
from shared.http_client.tests.upstream import FakeUpstream, answer

LOOPBACK = [ipaddress.ip_network("127.0.0.0/8")]


def finds(*addresses: str) -> Resolve:
    """A name server that knows every name, by these addresses."""

    async def resolve(host: str, port: int) -> Iterable[str]:
        return addresses

    return resolve


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.255.254",
        "0.0.0.0",  # noqa: S104  # nobody is listening
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fc00::1",
        "ff02::1",
        "2001:db8::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    ],
)
def test_what_is_not_public_is_known(address: str) -> None:
    """Also an IPv4 address that hides in one of IPv6."""
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "1.1.1.1",
        "2606:4700:4700::1111",
        "64:ff9b::808:808",
        "2002:808:808::",
    ],
)
def test_what_is_public_is_let_through(address: str) -> None:
    """Whoever is there must be reachable."""
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "addresses", [("127.0.0.1",), ("8.8.8.8", "10.0.0.1"), ("::1",)]
)
async def test_a_name_of_a_private_address_is_refused(
    addresses: tuple[str, ...],
) -> None:
    """One bad address is enough, and the message tells none of them."""
    send = PublicTransport(resolve=finds(*addresses))

    with pytest.raises(AddressNotPublicError) as caught:
        await send.check("https://hooks.example/in")
    assert str(caught.value).startswith("The URL must lead to the public internet")
    assert not any(address in str(caught.value) for address in addresses)


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://localhost/",
        "https://[::ffff:127.0.0.1]/",
    ],
)
async def test_addresses_in_a_url_are_looked_at_too(url: str) -> None:
    """In whatever notation the system's resolver understands."""
    with pytest.raises(AddressNotPublicError, match="public internet"):
        await PublicTransport().check(url)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://hooks.example/", "must be https://host"),
        ("ftp://hooks.example/", "must be https://host"),
        ("//hooks.example/", "must be https://host"),
        ("https:///path", "must be https://host"),
        ("https://hooks.example:99999/", "must be https://host"),
        ("https://me:secret@hooks.example/", "no user name"),
        ("https://hooks.example\\@10.0.0.1/", "no user name"),
        ("https://hooks.example/a b", "space or backslash"),
        ("https://höoks.example/", "must be ASCII"),
        ("https://hooks.example/\r\nx: y", "must be ASCII"),
        ("https://hooks.example/" + "a" * 2048, "at most 2048 characters"),
    ],
)
async def test_a_url_that_is_none_is_refused(url: str, message: str) -> None:
    """Before anybody is asked for an address; nothing of it is repeated."""
    with pytest.raises(AddressNotPublicError, match=message) as caught:
        await PublicTransport(resolve=finds("8.8.8.8")).check(url)
    assert "secret" not in str(caught.value)


async def test_the_address_that_was_looked_at_is_called() -> None:
    """The name is resolved once: a moment later it may mean something else."""
    asked = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    with FakeUpstream(answer({})) as upstream:
        send = PublicTransport(allow=LOOPBACK, schemes=["http"], resolve=resolve)
        reply = await send.post(
            f"http://hooks.example:{upstream.port}/in?x=1",
            b"{}",
            headers={"a": "b", "Host": "elsewhere.example"},
        )
        [got] = upstream.requests

    assert (reply.status_code, asked) == (200, ["hooks.example"])
    assert (got.method, got.target, got.body) == ("POST", "/in?x=1", b"{}")
    assert got.headers["host"] == f"hooks.example:{upstream.port}"


async def test_a_redirect_is_an_answer() -> None:
    """Nobody follows it to where it may lead."""
    away = answer({}, status=302, headers={"location": "http://10.0.0.1/"})
    with FakeUpstream(away) as upstream:
        send = PublicTransport(allow=LOOPBACK, schemes=["http"])
        reply = await send.post(upstream.url, b"{}", headers={})

    assert reply.status_code == 302


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for hooks.example, signed by itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hooks.example")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("hooks.example")]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "both.pem"
    file.write_bytes(
        made.public_bytes(Encoding.PEM)
        + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return file


async def _answer_once(reader: asyncio.StreamReader, out: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    out.write(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
    await out.drain()
    out.close()


async def test_the_certificate_must_be_that_of_the_name(certificate: Path) -> None:
    """Though the connection goes to an address; another name is refused."""
    mine = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    mine.load_cert_chain(certificate)
    trusting = ssl.create_default_context(cafile=str(certificate))
    server = await asyncio.start_server(_answer_once, "127.0.0.1", 0, ssl=mine)
    port = server.sockets[0].getsockname()[1]
    send = PublicTransport(allow=LOOPBACK, tls=trusting, resolve=finds("127.0.0.1"))

    async with server:
        reply = await send.post(f"https://hooks.example:{port}/", b"", headers={})
        with pytest.raises(Fault, match="no connection") as caught:
            await send.post(f"https://other.example:{port}/", b"", headers={})

    assert reply.status_code == 204
    assert "CERTIFICATE_VERIFY_FAILED" in str(caught.value.__cause__)


async def test_who_is_not_there_is_a_fault() -> None:
    """As with every other client."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    send = PublicTransport(allow=LOOPBACK, schemes=["http"])

    with pytest.raises(Fault, match="no connection") as caught:
        await send.post(f"http://127.0.0.1:{port}/", b"", headers={})
    assert caught.value.kind is FaultKind.NO_CONNECTION


async def test_a_name_without_an_address_is_an_error_of_the_system() -> None:
    """It is not ours to say that it will never have one."""
    with pytest.raises(OSError, match="no address"):
        await PublicTransport(resolve=finds()).check("https://hooks.example/")

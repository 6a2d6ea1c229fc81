from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError, Url

from shared.validation._url import PATTERN, validate_https_url


@pytest.mark.parametrize(
    "url",
    [
        "https://a",
        "https://example.com",
        "https://example.com/",
        "https://xn--bcher-kva.example:8443/a/b;c=1?x=%C3%A4&y=?#top?",
        "https://example.com?next=https://other.example/@me",
        "https://127.0.0.1:65535/hook",
        "https://1password.com/",
        "https://a" + ".b" * 126,
        "https://example.com/" + "a" * 2028,
    ],
)
def test_absolute_https_urls_come_back_unchanged(url: str) -> None:
    """Nothing that a signature or a comparison depends on is rewritten."""
    assert validate_https_url(url) == url


def test_scheme_and_host_are_put_in_lowercase() -> None:
    """They are the parts in which case means nothing (RFC 3986, 6.2.2.1)."""
    assert validate_https_url("HTTPS://Example.COM/Path") == "https://example.com/Path"


@pytest.mark.parametrize(
    ("url", "rules"),
    [
        ("", ["scheme", "host"]),
        ("example.com", ["scheme", "host"]),
        ("/relative", ["scheme", "host"]),
        ("http://example.com", ["scheme"]),
        ("javascript://example.com/%0aalert(1)", ["scheme"]),
        (" https://example.com", ["scheme"]),
        ("https:example.com", ["scheme", "host"]),
        ("https:///path", ["host"]),
        ("https://user:pw@example.com", ["user_info"]),
        ("https://example.com@evil.example", ["user_info"]),
        ("https://example.com\\@evil.example", ["user_info"]),
        ("https://example.com\\.evil.example", ["host"]),
        ("https://exämple.com", ["host"]),
        ("https://-a.example", ["host"]),
        ("https://a-.example", ["host"]),
        ("https://a..b", ["host"]),
        ("https://example.com.", ["host"]),
        ("https://" + "a" * 64 + ".example", ["host"]),
        ("https://aa" + ".b" * 126, ["host"]),
        ("https://127.1", ["host"]),
        ("https://0x7f.0.0.1", ["host"]),
        ("https://2130706433", ["host"]),
        ("https://256.0.0.1", ["host"]),
        ("https://127.0.0.01", ["host"]),
        ("https://[::1]/", ["host", "port"]),
        ("https://example.com:", ["port"]),
        ("https://example.com:0", ["port"]),
        ("https://example.com:65536", ["port"]),
        ("https://example.com:٨", ["port"]),
        ("https://example.com/a b", ["characters"]),
        ("https://example.com/<script>", ["characters"]),
        ("https://example.com/%zz", ["characters"]),
        ("https://example.com/\n", ["characters"]),
        ("https://example.com\n", ["host"]),
        ("https://example.com/ä", ["characters"]),
        ("https://example.com/#a#b", ["characters"]),
        ("https://example.com/" + "a" * 2029, ["max_length"]),
        ("http://u@exämple:x/ ", ["scheme", "user_info", "host", "port", "characters"]),
    ],
)
def test_other_urls_are_refused(url: str, rules: list[str]) -> None:
    """Every part that is wrong is named, and nothing that is right."""
    with pytest.raises(PydanticCustomError, match="URL must have") as caught:
        validate_https_url(url)

    assert caught.value.type == "https_url_format"
    assert caught.value.context is not None
    assert caught.value.context["rules"] == rules


@settings(deadline=None, max_examples=60)
@given(st.from_regex(PATTERN.removesuffix("$") + r"\Z"))
def test_a_browser_reads_the_same_host(url: str) -> None:
    """What we accept means the same to a WHATWG parser: no host is hidden in it."""
    host, _, _ = validate_https_url(url)[len("https://") :].partition("/")
    host = host.partition("?")[0].partition("#")[0].partition(":")[0]

    assert Url(url).host == host

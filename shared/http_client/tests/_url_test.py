from __future__ import annotations

import enum
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.http_client._url import (
    BaseUrl,
    checked_path,
    encode_query,
    expand,
    join,
    parse_base_url,
)

BASE = parse_base_url("https://api.example:8443/base")


class Color(enum.Enum):
    RED = "red"


# ------------------------------------------------------------------------- bases


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://localhost:8002", BaseUrl("http", "localhost:8002", "")),
        ("HTTP://LocalHost:80/", BaseUrl("http", "localhost", "")),
        ("https://a.example:443/b/", BaseUrl("https", "a.example", "/b")),
        ("http://[::1]:8/a%20b", BaseUrl("http", "[::1]:8", "/a%20b")),
        ("http://10.0.0.1", BaseUrl("http", "10.0.0.1", "")),
        ("http://subject_service:1", BaseUrl("http", "subject_service:1", "")),
        ("http://bücher.example", BaseUrl("http", "xn--bcher-kva.example", "")),
    ],
)
def test_bases(url: str, expected: BaseUrl) -> None:
    """In one form, so that equal URLs are found equal."""
    assert parse_base_url(url) == expected


@pytest.mark.parametrize(
    ("url", "match"),
    [
        ("", "must be http"),
        ("localhost:8002", "must be http"),
        ("ftp://a.example", "must be http"),
        ("http://", "must be http"),
        ("http://:80", "must be http"),
        ("http://a:99999", "must be http"),
        ("http://a:0", "must be http"),
        ("http://a:b", "must be http"),
        ("http://a,http://b", "must be http"),
        ("http://a..b", "must be http"),
        ("http://" + "a" * 64, "must be http"),
        ("http://[::1", "must be http"),
        ("http://a b", "no space"),
        ("http://a\n", "no space"),
        ("http://a\\b", "no space"),
        ("http://a?b", "no query"),
        ("http://a?", "no query"),
        ("http://a#", "no query"),
        ("http://a/../b", "segment"),
    ],
)
def test_bases_that_are_none(url: str, match: str) -> None:
    """They are refused when the client is made."""
    with pytest.raises(ValueError, match=match):
        parse_base_url(url)


def test_a_base_is_text() -> None:
    """What is none is named by its type."""
    with pytest.raises(TypeError, match="got bytes"):
        parse_base_url(b"http://a")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "url", ["http://user:s3cret@a", "http://s3cret@a", "http://user:s3/cret@a"]
)
def test_credentials(url: str) -> None:
    """They are refused, since URLs are logged, and not repeated."""
    with pytest.raises(ValueError, match=r"no user name|must be http") as raised:
        parse_base_url(url)

    assert "cret" not in str(raised.value)
    assert raised.value.__context__ is None


# ------------------------------------------------------------------------- paths


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", "/"),
        ("/api/v1/subjects", "/api/v1/subjects"),
        ("/a/", "/a/"),
        ("/a//b", "/a//b"),
        ("/a b/é", "/a%20b/%C3%A9"),
        ("/a%2Fb", "/a%2Fb"),
        ("/a:b@c;d=e,f", "/a:b@c;d=e,f"),
        ("/.well-known/x", "/.well-known/x"),
        ("/a/...", "/a/..."),
        ('/"<>^`|', "/%22%3C%3E%5E%60%7C"),
    ],
)
def test_paths(path: str, expected: str) -> None:
    """What is not allowed in a URL is encoded, and what is encoded stays."""
    assert checked_path(path) == expected


@pytest.mark.parametrize(
    ("path", "match"),
    [
        ("", "one slash"),
        ("a", "one slash"),
        ("//evil.example", "one slash"),
        ("http://evil.example/", "one slash"),
        ("\\\\evil.example", "one slash"),
        ("@evil.example", "one slash"),
        ("/\\evil.example", "backslash"),
        ("/a\r\nb", "control"),
        ("/a\x00", "control"),
        ("/a\x7f", "control"),
        ("/a?b=c", r"params="),
        ("/a#b", r"params="),
        ("/a{b}", "brace"),
        ("/a%", "escape"),
        ("/a%2", "escape"),
        ("/a%zz", "escape"),
        ("/..", "segment"),
        ("/a/./b", "segment"),
        ("/a/..", "segment"),
        ("/a/%2e%2E/b", "segment"),
        ("/a/.%2e", "segment"),
        ("/a/..%2Fb", "segment"),
        ("/a/..%5cb", "segment"),
        ("/a/..;x/b", "segment"),
        ("/\ud800", "surrogate"),
    ],
)
def test_paths_that_are_none(path: str, match: str) -> None:
    """They could lead elsewhere than where the caller meant."""
    with pytest.raises(ValueError, match=match):
        checked_path(path)


def test_a_path_is_text() -> None:
    """What is none is named by its type."""
    with pytest.raises(TypeError, match="got bytes"):
        checked_path(b"/a")  # type: ignore[arg-type]


@given(st.text(alphabet=st.sampled_from("/.%2eEfF5cC;:@?#\\ab\r\n é{}"), max_size=12))
@example("/%2e%2e")
@example("//a")
def test_no_path_leaves_its_base(path: str) -> None:
    """Whatever is passed: refused, or of this scheme, host and base, in clean ASCII."""
    try:
        url = join(BASE, checked_path(path), "")
    except ValueError:
        return
    parts = urlsplit(url)

    assert (parts.scheme, parts.netloc) == ("https", "api.example:8443")
    assert parts.path.startswith("/base/")
    assert (parts.query, parts.fragment) == ("", "")
    assert url.isascii()
    assert url.isprintable()
    assert " " not in url
    assert not {".", ".."} & set(unquote(parts.path).split("/"))


@given(st.text(max_size=20))
def test_a_parameter_is_one_segment(value: str) -> None:
    """Whatever is in it, it arrives, and the segments around it stay where they are."""
    try:
        path = checked_path(expand("/users/{id}/posts", {"id": value}))
    except ValueError:
        return
    _, users, segment, posts = path.split("/")

    assert (users, unquote(segment), posts) == ("users", value, "posts")


@pytest.mark.parametrize("value", ["", ".", "..", "a/../b", "a\\b", "a\nb", "../x"])
def test_parameters_that_climb(value: str) -> None:
    """They would make it the path of something else."""
    with pytest.raises(ValueError, match=r"path_params\['id'\]"):
        expand("/users/{id}", {"id": value})


@pytest.mark.parametrize("value", [None, True, 1.5, b"a", ["a"]])
def test_parameters_of_other_types(value: object) -> None:
    """None and its kin in a path are mistakes."""
    with pytest.raises(TypeError, match=r"path_params\['id'\] must be a str, int"):
        expand("/users/{id}", {"id": value})


def test_parameters() -> None:
    """Text, numbers, UUIDs and members of an enumeration of such."""
    path = expand("/{a}/{b}/{c}/{a}", {"a": 7, "b": UUID(int=1), "c": Color.RED})

    assert path == f"/7/{UUID(int=1)}/red/7"


@pytest.mark.parametrize(
    ("path", "values", "match"),
    [
        ("/{a}/{b}", {"a": 1}, "has {b}"),
        ("/{a}", {"a": 1, "b": 2}, "has 'b'"),
    ],
)
def test_names_that_do_not_meet(path: str, values: dict[str, Any], match: str) -> None:
    """Each name has a value, and each value a name."""
    with pytest.raises(ValueError, match=match):
        expand(path, values)


# ------------------------------------------------------------------------ queries


def test_queries() -> None:
    """Values as everybody reads them."""
    params = {
        "text": "a b&c=d/é",
        "yes": True,
        "number": 7,
        "money": Decimal("1.10"),
        "float": 1.5,
        "id": UUID(int=1),
        "day": date(2026, 1, 2),
        "moment": datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
        "time": time(3, 4),
        "color": Color.RED,
        "many": [1, 2],
        "set": {"b", "a"},
        "none": None,
        "empty": [],
    }

    assert parse_qsl(encode_query(params)) == [
        ("text", "a b&c=d/é"),
        ("yes", "true"),
        ("number", "7"),
        ("money", "1.10"),
        ("float", "1.5"),
        ("id", str(UUID(int=1))),
        ("day", "2026-01-02"),
        ("moment", "2026-01-02T03:04:00+00:00"),
        ("time", "03:04:00"),
        ("color", "red"),
        ("many", "1"),
        ("many", "2"),
        ("set", "a"),
        ("set", "b"),
    ]


@given(st.dictionaries(st.text(min_size=1), st.lists(st.text(), min_size=1)))
def test_any_query_arrives(params: dict[str, list[str]]) -> None:
    """Names and values of any text come back, and the query is clean ASCII."""
    query = encode_query(params)
    pairs = [(name, value) for name, values in params.items() for value in values]

    assert parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)) == pairs
    assert query.isascii()
    assert not set(query) & set(" #\r\n")


def test_queries_of_other_types() -> None:
    """The value is not shown."""
    with pytest.raises(TypeError, match=r"params\['a'\] must be .* \(got bytes\)"):
        encode_query({"a": b"secret"})


def test_surrogates_in_queries() -> None:
    """UTF-8 has no form for one that stands alone."""
    with pytest.raises(ValueError, match="surrogate"):
        encode_query({"a": "\ud800"})

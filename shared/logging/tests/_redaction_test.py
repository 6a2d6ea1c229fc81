"""Tests of finding secrets."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.logging import Redactor

HIDDEN = "[REDACTED]"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1g"
REDACTOR = Redactor()


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "passwd",
        "Password",
        "PASSWORD_POSTGRES",
        "user_password",
        "new-password-2",
        "password1",
        "password_hash",
        "passWord",
        "secret",
        "clientSecret",
        "client_secret",
        "secret_id",
        "token",
        "access_token",
        "accessToken",
        "refresh_token",
        "password_reset_token",
        "OAuth2Token",
        "XSRF-TOKEN",
        "accesstoken",
        "authorization",
        "Authorization",
        "Proxy-Authorization",
        "auth",
        "api_key",
        "apikey",
        "x-api-key",
        "APIKey",
        "cookie",
        "Set-Cookie",
        "cookies",
        "private_key",
        "private_key_pem",
        "aws_secret_access_key",
        "session",
        "session_id",
        "sessionid",
        "credentials",
        "jwt",
        "otp",
    ],
)
def test_a_secret_word_in_a_name_hides_its_value(name: str) -> None:
    """Words are told apart by case, digits and separators, however they are joined."""
    assert REDACTOR.hides(name, "x")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "tokenizer",
        "author",
        "authority",
        "secretary",
        "passenger",
        "cookiecutter",
        "obsession",
        "keyboard",
        "public_key",
        "token_count",
        "tokenCount",
        "tokens_used",
        "token_type",
        "token_expires_at",
        "refresh_token_expires_in",
        "password_reset_at",
        "password_policy",
        "secret_name",
        "api_key_id",
        "api_key_prefix",
        "api_key_last4",
        "session_count",
        "auth_method",
        "cookie_consent",
        "token_bucket",
        "user_id",
        "path",
        "\u043f\u0430\u0440\u043e\u043b\u044c",
    ],
)
def test_other_words_and_facts_about_a_secret_are_shown(name: str) -> None:
    """Neither a longer word nor a last word that makes it a fact hides a value."""
    assert not REDACTOR.hides(name, "x")


def test_nothing_and_yes_or_no_are_shown() -> None:
    """A secret's absence is worth knowing and tells nobody the secret."""
    shown = [v for v in (None, True, False, "") if not REDACTOR.hides("password", v)]

    assert shown == [None, True, False, ""]


def test_a_plural_counts() -> None:
    """``max_tokens: 4096`` is a number of tokens; a list of them is secret."""
    assert not REDACTOR.hides("max_tokens", 4096)
    assert REDACTOR.hides("tokens", ["a", "b"])
    assert REDACTOR.hides("password", 123456)


def test_own_keys() -> None:
    """A service adds names of its own, cut into words like all others."""
    redactor = Redactor(keys=("iban", "tax number"))

    assert redactor.hides("customerIban", "DE1")
    assert redactor.hides("TAX_NUMBER", "1")
    assert not redactor.hides("iban_count", "1")
    assert redactor.text("IBAN: DE1") == f"IBAN: {HIDDEN}"
    assert not REDACTOR.hides("iban", "DE1")


def test_a_key_without_letters_is_refused() -> None:
    """A name without a word could never match, or always."""
    with pytest.raises(ValueError, match="at least one letter from a to z"):
        Redactor(keys=["12"])


def test_names_from_outside_do_not_fill_the_memory() -> None:
    """The answers kept for names are bounded in number and length."""
    redactor = Redactor()
    for n in range(5000):
        redactor.hides(f"name{n}", "x")
    redactor.hides("x" * 10_000, "x")

    assert len(redactor._kinds) < 4097
    assert max(map(len, redactor._kinds)) < 129


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("login password=hunter2 ok", "login password=[REDACTED] ok"),
        ("password: hunter2", "password: [REDACTED]"),
        ("password = 'a b' next", "password = '[REDACTED]' next"),
        ('password="a\\"b" c', 'password="[REDACTED]" c'),
        ("password='it''s' c", "password='[REDACTED]' c"),
        ("password=x,token='a b' c", "password=[REDACTED]' c"),
        ("password=\nToken: abc", "password=\n[REDACTED] [REDACTED]"),
        ("password='not closed", "password='[REDACTED]"),
        ("password=b'abc'", "password=b'[REDACTED]'"),
        ("password == hunter2", "password == [REDACTED]"),
        ("token => abc", "token => [REDACTED]"),
        ("f(token=abc)", "f(token=[REDACTED])"),
        ("{'password': 'x', 'n': 1}", "{'password': '[REDACTED]', 'n': 1}"),
        ('{"password":"x","n":1}', '{"password":"[REDACTED]","n":1}'),
        ('{"password": 12345, "n": 1}', '{"password": [REDACTED], "n": 1}'),
        ('"{\\"pwd\\": \\"x\\"}"', '"{\\"pwd\\": \\"[REDACTED]\\"}"'),
        ('"{\\"pwd\\": \\"x', '"{\\"pwd\\": \\"[REDACTED]'),
        ("tokens: ['a', 'b']\nrest", "tokens: [REDACTED]\nrest"),
        ('"cookies": {\n"a": "b"\n}\nrest', '"cookies": [REDACTED]\nrest'),
        ("cookies: {'a': ", "cookies: [REDACTED]"),
        ("GET /?token=abc&page=1", "GET /?token=[REDACTED]&page=1"),
        ("run --password hunter2 -v", "run --password [REDACTED] -v"),
        ("run --api-key=abc -v", "run --api-key=[REDACTED] -v"),
        ("API key: abc", "API key: [REDACTED]"),
        ("Cookie: a=b; c=d\nHost: x", "Cookie: [REDACTED]\nHost: x"),
        ("curl -H 'Cookie: a=b' http://h", "curl -H 'Cookie: [REDACTED]' http://h"),
        ("Authorization: Token abc", "Authorization: [REDACTED]"),
        ("authorization=Bearer abc", "authorization=[REDACTED]"),
        (f"got {JWT} here", "got [REDACTED] here"),
        (f"x-{JWT}", "x-[REDACTED]"),
        ("Bearer xxx", "Bearer [REDACTED]"),
        ("sent BEARER abc/+-==.", "sent BEARER [REDACTED]."),
        ("Basic dXNlcjpwYXNz", "Basic [REDACTED]"),
        ("Basic dXNlcjpwYXNzMTI=", "Basic [REDACTED]"),
        ("postgres://u:p%40ss@db/x", "postgres://u:[REDACTED]@db/x"),
        ("redis://:pw@h", "redis://:[REDACTED]@h"),
        ("https://0123456789abcdef0123@h/r", "https://[REDACTED]@h/r"),
        ("AKIAIOSFODNN7EXAMPLE used", "[REDACTED] used"),
        ("cfk_live_aB1 cfk_test_x-y", "[REDACTED] [REDACTED]"),
        ("whsec_MfKQ9r8GKYqrTw==", "[REDACTED]"),
        ("whsk_6Xb/dCcHpPea21PS1N9VYw==", "[REDACTED]"),
        ("whpk_1SiA4o9hyqTCpIqC5V9HUg==", "whpk_1SiA4o9hyqTCpIqC5V9HUg=="),
        (
            "a\n-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----\nb",
            "a\n[REDACTED]\nb",
        ),
        ("-----BEGIN PRIVATE KEY-----\nMII", "[REDACTED]"),
    ],
)
def test_a_secret_in_a_text_is_hidden(text: str, expected: str) -> None:
    """A secret goes, what stands around it stays, and doing it twice adds nothing."""
    assert REDACTOR.text(text) == expected
    assert REDACTOR.text(expected) == expected


@pytest.mark.parametrize(
    "text",
    [
        "request finished",
        "tokenizer=bpe author=bob secretary: jane",
        "token_count=5 tokens_used=9 max_tokens=4096 tokens: 512",
        "password_reset_at=2026-01-01",
        "password",
        "password=",
        "password=None token: null 'secret': None,",
        "Invalid token: signature has expired",
        "password: required",
        "KeyError: 'token'",
        "InvalidTokenError: not enough segments",
        "public key: abc",
        "Missing bearer token.",
        "Bearer authentication required",
        'WWW-Authenticate: Bearer realm="api", error="invalid_token"',
        "basic authentication failed",
        "Basic dXNlcg",
        "Basic +-+-+",
        "the basic plan: 5 seats",
        "ssh://git@github.com/x",
        "http://h:80/p?e=bob@x.com",
        "eyJ is how JSON begins",
        "asia: AKIA is a prefix",
        "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----",
        "%(password)s",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    """Prose about secrets is not a secret."""
    assert REDACTOR.text(text) == text


FRAGMENTS = st.lists(
    st.sampled_from(
        [
            "password", "Token", "api key", "cookie", "=", ":", ": ", " ", "\n", "'",
            '"', "\\", "\\'", "--", "-", ".", "_", "[", "]", "{", "}", "(", ")", "&",
            ",", ";", "eyJ", "eyJhbGciOi", JWT, "Bearer ", "basic ", "dXNlcjpwYXNz",
            "://", "u:p@h", "@", "AKIAIOSFODNN7EXAMPLE", "cfk_live_", "whsec_", "whsk_",
            "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "abc", "None",
            HIDDEN, "\u00e9", "\ud800", "%20",
        ]
    ),
    max_size=12,
).map("".join)  # fmt: skip


class Thorough(Redactor):
    """Does not trust the quick look."""

    def suspicious(self, text: str) -> bool:
        return True


THOROUGH = Thorough()


@settings(deadline=None, max_examples=200)
@given(FRAGMENTS)
def test_the_quick_look_misses_nothing(text: str) -> None:
    """Whatever the patterns would change, :meth:`suspicious` has seen coming."""
    assert REDACTOR.text(text) == THOROUGH.text(text)


@settings(deadline=None, max_examples=200)
@given(FRAGMENTS, st.sampled_from(["password={}", "Token: {}", "'secret': '{}'"]))
def test_a_pair_is_hidden_wherever_it_stands(around: str, pair: str) -> None:
    """No text before or after a pair makes its value visible."""
    text = f"{around}\n{pair.format('Zq7Zq7Zq7')}\n{around}"

    assert "Zq7Zq7Zq7" not in REDACTOR.text(text)


def _seconds(function: Callable[[str], str], text: str) -> float:
    best = float("inf")
    for _ in range(3):
        started = time.process_time()
        function(text)
        best = min(best, time.process_time() - started)
    return best


@pytest.mark.parametrize(
    "unit",
    [
        "eyJ", "eyJ.", "a.eyJ", "bearer ", "bearer", "basic ", "://", "://a:", "://a:a",
        "AKIA", "-----BEGIN ", "-----BEGIN PRIVATE KEY-----", "cfk_live_", "password=",
        "password='", 'password="', 'password=\\"', 'password="\\', "password=[",
        "password=[]", "token: ", "token", "a", "_", "-", "--", "--token ", "=", ":",
        " ", "\n", "\\", '"', "'", "''a", "cookie:", "'authorization: x", "api key: ",
        "A", "aA", "AAAAa", "a=b ",
    ],
)  # fmt: skip
def test_hostile_repetition_takes_linear_time(unit: str) -> None:
    """Eight times the text takes about eight times as long, not sixty-four times."""
    short = unit * (4000 // len(unit))
    _seconds(THOROUGH.text, short)  # warm up

    growth = _seconds(THOROUGH.text, short * 8) / max(
        _seconds(THOROUGH.text, short), 1e-4
    )

    assert growth < 32

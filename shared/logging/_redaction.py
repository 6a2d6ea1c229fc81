"""Finding secrets, by the name of a field and by the look of a text.

Private: import these names from ``shared.logging``.

A **name** is cut into words (``accessToken``, ``X-Access-Token`` and ``access_token``
are all *access, token*), so ``tokenizer``, ``author`` and ``secretary`` are other
words. A name with a secret word anywhere in it is secret, unless its last word says
that the value only describes the secret: ``token_count``, ``password_reset_at``.

A **text** is searched for ``name=value`` and ``name: value`` pairs whose name is
secret, and for values that can be told by their shape.

Every pattern is linear in the length of the text: a run of characters is tried from
its first character only (a look-behind), never given back (``++``), or consumed.
"""

from __future__ import annotations

import re
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Iterable

REDACTED = "[REDACTED]"

PUBLIC, SECRET, SECRET_UNLESS_NUMBER = range(3)


def _terms(text: str) -> list[str]:
    return [" ".join(term.split()) for term in text.split(",")]


# Secret wherever the word stands in the name, as in PASSWORD_POSTGRES.
_ANYWHERE = _terms("""
    api key, authorization, cookie, credential, passcode, passphrase, passwd, password,
    private key, pwd, secret, token
""")
# Secret only as the last word: `auth_method` and `session_started` are not.
_AT_END = _terms("""
    access key, account key, aes key, auth, backup code, bearer, code verifier, cvc,
    cvv, db pass, encryption key, hmac key, jsessionid, jwt, master key, otp,
    pgpassword, phpsessid, recovery code, secret id, session, session id, session key,
    shared key, sid, signature, signing key, smtp pass, user pass
""")
# Names often written as one word; single terms above need no such help.
_ONE_WORD = _terms("""
    access token, auth token, bearer token, client secret, csrf token, id token,
    refresh token, secret key, session token, set cookie, user password
""")
# A last word that makes the value a fact about the secret, not the secret.
_FACTS = frozenset(
    _terms("""
    accepted, age, alg, algorithm, at, attempts, audience, backend, bucket, budget,
    changed, class, complexity, consent, cost, count, counts, created, date, day,
    days, dir, disabled, domain, enabled, encoding, endpoint, error, errors,
    exception, exp, expired, expires, expiration, expiry, failures, field, fields,
    file, filename, format, hint, host, hours, id, ids, in, index, invalid, issued,
    issuer, kind, label, last, left, len, length, limit, limits, manager, max,
    method, min, minutes, missing, mode, ms, name, names, path, per, policy,
    position, prefix, present, price, provider, rate, reason, remaining, required,
    reset, retries, revoked, role, rotated, rule, rules, scheme, scope, scopes,
    score, seconds, service, size, source, state, status, store, strength, time,
    timeout, timestamp, title, total, tries, ttl, type, types, updated, uri, url,
    usage, used, user, username, valid, validator, verified, version, warning
    """)
)

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def _needle(term: str) -> str:
    """The longest word of *term*: a text without it has no name with this term."""
    return max(term.split(), key=len)


# -- patterns of values ---------------------------------------------------------------

_PEM = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,32}PRIVATE KEY(?: BLOCK)?-----"
    r".*?(?:-----END [A-Z0-9 ]{0,32}PRIVATE KEY(?: BLOCK)?-----|\Z)",
    re.DOTALL,
)
# RFC 7515, section 7.1: base64url parts and dots, the first an object ({" is eyJ).
# The look-ahead makes sure that the run has a dot, so `eyJeyJeyJ...` is left at once.
_JWT = re.compile(
    r"(?<![A-Za-z0-9_-])(?=[A-Za-z0-9_-]*+\.)"
    r"([A-Za-z0-9_-]*?)eyJ[A-Za-z0-9_-]{6,}+(?:\.[A-Za-z0-9_-]*+){1,4}"
)
# RFC 6750, section 2.1. The words are prose about the scheme, not a token.
_BEARER = re.compile(
    r"\b(bearer(?:\s{1,4}|%20|:\s{0,4}))"
    r"(?!(?:and|auth|authentication|authorization|credentials?|error|expired|format|"
    r"headers?|invalid|is|missing|not|of|or|realm|required|scheme|scope|tokens?|type|"
    r"was)\.*+(?![A-Za-z0-9._~+/-]))"
    r"[A-Za-z0-9._~+/-]++=*+",
    re.IGNORECASE,
)
# RFC 7617: only what decodes to `user:password`, so "basic authentication" stays.
_BASIC = re.compile(r"\b(basic(?:\s{1,4}|%20))([A-Za-z0-9+/_-]{4,}+)=*+", re.IGNORECASE)
# RFC 3986, section 3.2.1: the password, or a long name that is itself the token.
_USERINFO = re.compile(
    r"://(?:([^\s/?#:@]*+):[^\s/?#]*|[^\s/?#:@]{20,}+)@",
)
_AWS_KEY = re.compile(r"(?<![A-Z0-9])A[KS]IA[A-Z0-9]{16}(?![A-Z0-9])")
_OWN_KEY = re.compile(r"(?:cfk_(?:live|test)_|whsec_|whsk_)[A-Za-z0-9+/=_-]++")

# -- pairs in a text ------------------------------------------------------------------

# A name, perhaps quoted (and the quote perhaps escaped by an outer JSON text), then
# a sign. A command line's `--name value` counts as well.
_PAIR = re.compile(
    r"(?<![A-Za-z0-9_.-])(?P<flag>--)?(?P<name>[A-Za-z0-9_.-]++)"
    r"(?P<quote>\\{0,3}[\"'])?"
    r"(?P<sign>[ \t]{0,3}(?:=>|:=|!=|={1,3}|:)\s{0,3}|(?(flag)[ ]|(?!)))"
)
_OPENING_QUOTE = re.compile(r"[bBfFrRuU]{0,2}(\\{0,3}[\"'])")
_OPENING = re.compile(r"[bBfFrRuU]{0,2}\\{0,3}[\"'\[{(]")
_TO_CLOSING_QUOTE = {
    '"': re.compile(r'(?:[^"\\]|\\.)*+', re.DOTALL),
    "'": re.compile(r"(?:[^'\\]|\\.|'')*+", re.DOTALL),  # SQL doubles a quote
}
_BRACKET = re.compile(r"[\[\](){}]")
_LITERAL = re.compile(r"[^\s,}\])]*+")
_BARE = re.compile(
    r"(?:(?:apikey|basic|bearer|digest|negotiate|token)[ \t]{1,4})?+[^\s&]*+",
    re.IGNORECASE,
)
_LINE = re.compile(r"[^\r\n]*+")
_LINE_IN_QUOTES = {
    '"': re.compile(r'[^"\r\n]*+'),
    "'": re.compile(r"[^'\r\n]*+"),
}
_NOTHING = frozenset(("", "none", "null", "true", "false"))
# After a colon these are prose: "token: missing", "password: required".
_PROSE = frozenset(
    _terms("""
    cannot, could, does, empty, expired, failed, field, has, incorrect, invalid, is,
    malformed, mismatch, missing, must, not, required, should, signature, string,
    too, unknown, unset, unsupported, was, wrong
    """)
)


class Redactor:
    """Replaces secrets in log lines by ``[REDACTED]``.

    Args:
        keys: Further names that are secret here, such as ``("iban", "tax number")``;
            they are cut into words as the names of fields are.
    """

    def __init__(self, keys: Iterable[str] = ()) -> None:
        own = [" ".join(_words(key)) for key in keys]
        if "" in own:
            raise ValueError("A secret key needs at least one letter from a to z.")
        anywhere = _ANYWHERE + own
        terms = anywhere + _AT_END
        self._anywhere = tuple(f" {term} " for term in anywhere)
        self._at_end = tuple(f" {term} " for term in _AT_END)
        self._plurals = {f"{term.split()[-1]}s": term.split()[-1] for term in terms}
        self._one_word = {t.replace(" ", "") for t in terms + _ONE_WORD}
        needles = sorted({_needle(term) for term in terms}, key=len)
        self._needles = tuple(
            needle
            for i, needle in enumerate(needles)
            if not any(shorter in needle for shorter in needles[:i])
        )
        self._kinds: dict[str, int] = {}

    def kind(self, name: str) -> int:
        """Say whether a field called *name* is secret: one of the three constants."""
        kind = self._kinds.get(name)
        if kind is None:
            kind = self._classify(name)
            if len(self._kinds) >= 4096:  # names may come from outside
                self._kinds.clear()
            if len(name) <= 128:
                self._kinds[name] = kind
        return kind

    def hides(self, name: str, value: object) -> bool:
        """Say whether *value* must not be shown in a field called *name*.

        Nothing (None, an empty text) and yes or no are shown; so is a number where the
        name is a plural (``max_tokens``).
        """
        kind = self.kind(name)
        if not kind or value is None or isinstance(value, bool):
            return False
        if isinstance(value, str):
            return bool(value)
        return kind == SECRET or not isinstance(value, (int, float))

    def _classify(self, name: str) -> int:
        words = _words(name)
        if not words:
            return PUBLIC
        plural = words[-1] in self._plurals
        words = [self._plurals.get(word, word) for word in words]
        spaced = f" {' '.join(words)} "
        if (
            (words[-1] not in _FACTS and any(t in spaced for t in self._anywhere))
            or spaced.endswith(self._at_end)
            or "".join(words) in self._one_word
        ):
            return SECRET_UNLESS_NUMBER if plural else SECRET
        return PUBLIC

    def suspicious(self, text: str) -> bool:
        """Say quickly whether :meth:`text` might change *text*; mostly it does not."""
        low = text.lower()
        # Written out: a loop over the same constants takes three times as long.
        return (
            "eyj" in low
            or "bearer" in low
            or "basic" in low
            or "akia" in low
            or "asia" in low
            or "cfk_" in low
            or "whsec_" in low
            or "whsk_" in low
            or "-----begin" in low
            or ("@" in low and "://" in low)
            or (
                ("=" in low or ":" in low or "--" in low)
                and any(needle in low for needle in self._needles)
            )
        )

    def text(self, text: str) -> str:
        """Return *text* without its secrets."""
        if not self.suspicious(text):
            return text
        text = _PEM.sub(REDACTED, text)
        text = self._pairs(text)
        text = _JWT.sub(rf"\1{REDACTED}", text)
        text = _BEARER.sub(rf"\1{REDACTED}", text)
        text = _BASIC.sub(_hide_basic, text)
        text = _USERINFO.sub(_hide_userinfo, text)
        text = _AWS_KEY.sub(REDACTED, text)
        return _OWN_KEY.sub(REDACTED, text)

    def _pairs(self, text: str) -> str:
        parts: list[str] = []
        done, bare = 0, False  # how far it is settled, and whether by a bare value
        for pair in _PAIR.finditer(text):
            opening = _OPENING.match(text, pair.end())
            # A pair in a hidden value matters if its own value may reach beyond, as in
            # `password=x,token='a b'`.
            if pair.end() < done and not (bare and opening):
                continue
            name = pair["name"]
            if name.lower() in ("key", "keys"):  # "API key: ..."
                name = f"{_word_before(text, pair.start())} {name}"
            kind = self.kind(name)
            if not kind:
                continue
            start, end = _value_span(text, pair, number_ok=kind != SECRET)
            if start < end and done < end:
                if done < start:
                    parts += text[done:start], REDACTED
                done, bare = end, not opening
        parts.append(text[done:])
        return "".join(parts)


def _words(name: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(name)]


def _word_before(text: str, end: int) -> str:
    words: list[str] = _WORD.findall(text[max(0, end - 24) : end])
    return words[-1] if words else ""


def _value_span(text: str, pair: re.Match[str], *, number_ok: bool) -> tuple[int, int]:
    """Find where the value after a secret name begins and ends; empty: leave it."""
    start = pair.end()
    opening = _OPENING_QUOTE.match(text, start)
    if opening:
        return _quoted_span(text, opening)
    if text.startswith(REDACTED, start):
        return start, start
    if text.startswith(("[", "{", "("), start):
        return start, _bracket_end(text, start)
    if ":" in pair["sign"] and not pair["quote"] and _is_header(pair["name"]):
        before = text[pair.start() - 1 : pair.start()]
        line = _run(_LINE_IN_QUOTES.get(before, _LINE), text, start)
        return start, start + len(line)
    if pair["quote"]:
        value = _run(_LITERAL, text, start)
    else:
        value = _run(_BARE, text, start).rstrip(",;)]}>\"'")
    word = value.lower()
    leave = (
        word in _NOTHING
        or (number_ok and word.replace(".", "", 1).isdigit())
        or (":" in pair["sign"] and word.rstrip(".") in _PROSE)
    )
    return start, start if leave else start + len(value)


def _quoted_span(text: str, opening: re.Match[str]) -> tuple[int, int]:
    quote, start = opening[1], opening.end()
    if len(quote) == 1:
        return start, start + len(_run(_TO_CLOSING_QUOTE[quote], text, start))
    end = text.find(quote, start)
    return start, len(text) if end < 0 else end


def _bracket_end(text: str, start: int) -> int:
    """The end of the line on which the bracket at *start* closes, or of the text.

    The whole line, because a bracket inside a quoted text counts as well.
    """
    depth = 0
    for bracket in _BRACKET.finditer(text, start):
        depth += 1 if bracket[0] in "[{(" else -1
        if depth == 0:
            return bracket.end() + len(_run(_LINE, text, bracket.end()))
    return len(text)


def _run(pattern: re.Pattern[str], text: str, start: int) -> str:
    match = pattern.match(text, start)
    return match[0] if match else ""


def _is_header(name: str) -> bool:
    return name.lower().endswith(("authorization", "cookie"))


def _hide_basic(match: re.Match[str]) -> str:
    code = match[2].replace("-", "+").replace("_", "/")
    try:
        plain = a2b_base64(code[: len(code) - (len(code) % 4 == 1)] + "==")
        hidden = ":" in plain.decode() and plain.decode().isprintable()
    except (Base64Error, UnicodeDecodeError):
        hidden = False
    return match[1] + REDACTED if hidden else match[0]


def _hide_userinfo(match: re.Match[str]) -> str:
    user = match[1]
    return f"://{REDACTED}@" if user is None else f"://{user}:{REDACTED}@"

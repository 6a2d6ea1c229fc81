"""What a properly signed token must say, rule by rule."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.auth import MAX_LEEWAY, TokenPayload, TokenPolicy, TokenRejected

NOW = 1_800_000_000
STRICT = TokenPolicy(issuer="https://issuer.test", audience="orders")
GOOD = TokenPayload(
    sub="u1", iss="https://issuer.test", aud="orders", iat=NOW, nbf=NOW, exp=NOW + 60
)


def verdict(
    payload: TokenPayload,
    policy: TokenPolicy = STRICT,
    *,
    typ: str | None = "JWT",
    moment: float = NOW,
) -> str:
    try:
        policy.check(payload, typ=typ, moment=moment)
    except TokenRejected as reason:
        return str(reason)
    return "accepted"


def claims(**changes: object) -> TokenPayload:
    return GOOD.model_copy(update=changes)


def test_good_token() -> None:
    """A token that says what the policy asks for is accepted."""
    assert verdict(GOOD) == "accepted"


@pytest.mark.parametrize("aud", ["orders", ["orders"], ["billing", "orders"]])
def test_audience_may_be_one_of_several(aud: object) -> None:
    """The service must be the audience or one of them (RFC 7519 section 4.1.3)."""
    assert verdict(claims(aud=aud)) == "accepted"


@pytest.mark.parametrize(
    "aud", [None, "", "billing", "orders2", "Orders", [], ["billing"], [["orders"]]]
)
def test_other_audience(aud: object) -> None:
    """A token for another service, or for nobody, is refused."""
    assert verdict(claims(aud=aud)) == "it is not meant for this audience"


@pytest.mark.parametrize(
    "iss", [None, "", "https://issuer.test/", "HTTPS://issuer.test", "https://x.test"]
)
def test_issuer_is_exact(iss: str | None) -> None:
    """The issuer is compared as text, character by character."""
    assert verdict(claims(iss=iss)) == "its issuer is not the expected one"


def test_what_was_not_asked_for_is_refused() -> None:
    """A policy without issuer, audience or type refuses tokens that name one."""
    anybody = TokenPolicy(typ=None)
    bare = claims(iss=None, aud=None)

    assert verdict(bare, anybody, typ=None) == "accepted"
    assert verdict(bare, anybody, typ="JWT") == "its typ is not the expected one"
    assert (
        verdict(claims(aud=None), anybody, typ=None)
        == "its issuer is not the expected one"
    )
    assert (
        verdict(claims(iss=None), anybody, typ=None)
        == "it is not meant for this audience"
    )


@pytest.mark.parametrize(
    ("loose", "payload", "typ"),
    [
        (TokenPolicy(allow_any_issuer=True), claims(iss="x", aud=None), "JWT"),
        (TokenPolicy(allow_any_audience=True), claims(iss=None, aud=["x"]), "JWT"),
        (TokenPolicy(allow_any_type=True), claims(iss=None, aud=None), "at+jwt"),
        (TokenPolicy(allow_any_type=True), claims(iss=None, aud=None), None),
        (
            TokenPolicy(allow_missing_expiry=True),
            claims(iss=None, aud=None, exp=None),
            "JWT",
        ),
    ],
)
def test_each_loose_form_has_a_name(
    loose: TokenPolicy, payload: TokenPayload, typ: str | None
) -> None:
    """Each rule can be given up alone, by a name that a review can look for."""
    assert verdict(payload, loose, typ=typ) == "accepted"


@pytest.mark.parametrize(
    ("wanted", "typ", "expected"),
    [
        ("at+jwt", "at+jwt", "accepted"),
        ("at+jwt", "AT+JWT", "accepted"),
        ("at+jwt", "application/at+jwt", "accepted"),
        ("application/at+jwt", "at+jwt", "accepted"),
        ("at+jwt", "JWT", "its typ is not the expected one"),
        ("at+jwt", None, "its typ is not the expected one"),
        ("JWT", "at+jwt", "its typ is not the expected one"),
        ("JWT", "", "its typ is not the expected one"),
        ("JWT", "x/JWT", "its typ is not the expected one"),
    ],
)
def test_type(wanted: str, typ: str | None, expected: str) -> None:
    """Types are media types: case does not count and ``application/`` may be there."""
    policy = TokenPolicy(issuer=STRICT.issuer, audience="orders", typ=wanted)

    assert verdict(GOOD, policy, typ=typ) == expected


@pytest.mark.parametrize(
    ("changes", "moment", "expected"),
    [
        ({}, NOW + 59.999, "accepted"),
        ({}, NOW + 60, "it has expired"),  # the expiry second is too late
        ({}, NOW + 61, "it has expired"),
        ({"exp": None}, NOW, "it has no expiry"),
        ({"exp": NOW + 0.5}, NOW + 0.4, "accepted"),
        ({"exp": NOW + 0.5}, NOW + 0.5, "it has expired"),
        ({}, NOW - 0.001, "it is not valid yet"),
        ({"nbf": None}, NOW - 0.001, "it was issued in the future"),
        ({"nbf": None, "iat": None}, NOW - 9999, "accepted"),
        ({"nbf": NOW + 60}, NOW, "it is not valid yet"),
        ({"iat": NOW + 1}, NOW, "it was issued in the future"),
    ],
)
def test_times(changes: dict[str, object], moment: float, expected: str) -> None:
    """A token lives from nbf, and iat, up to but not including exp."""
    assert verdict(claims(**changes), moment=moment) == expected


@pytest.mark.parametrize("begin", ["iat", "nbf"])
def test_token_that_expires_before_it_begins(begin: str) -> None:
    """A life of no length is nonsense, though leeway would make room for it."""
    policy = TokenPolicy(
        issuer=STRICT.issuer, audience="orders", leeway=timedelta(minutes=1)
    )
    payload = claims(**({"iat": None, "nbf": None, "exp": NOW} | {begin: NOW}))

    assert verdict(payload, policy) == "it expires before it begins"


def test_leeway_moves_both_ends() -> None:
    """Clocks may differ by the leeway in either direction, and not by more."""
    policy = TokenPolicy(
        issuer=STRICT.issuer, audience="orders", leeway=timedelta(seconds=30)
    )

    assert verdict(GOOD, policy, moment=NOW - 30) == "accepted"
    assert verdict(GOOD, policy, moment=NOW - 31) == "it is not valid yet"
    assert verdict(GOOD, policy, moment=NOW + 89) == "accepted"
    assert verdict(GOOD, policy, moment=NOW + 90) == "it has expired"


def test_max_lifetime() -> None:
    """A token that lives longer than allowed, or hides how long, is refused."""
    policy = TokenPolicy(
        issuer=STRICT.issuer, audience="orders", max_lifetime=timedelta(seconds=60)
    )

    assert verdict(GOOD, policy) == "accepted"
    assert verdict(claims(exp=NOW + 61), policy) == "it lives too long"
    assert verdict(claims(iat=None), policy) == "it does not say when it was issued"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"leeway": MAX_LEEWAY + timedelta(microseconds=1)}, "zero to ten minutes"),
        ({"leeway": timedelta(microseconds=-1)}, "zero to ten minutes"),
        ({"issuer": ""}, "must not be empty"),
        ({"audience": ""}, "must not be empty"),
        ({"typ": ""}, "must not be empty"),
        ({"issuer": "x", "allow_any_issuer": True}, "contradicts issuer"),
        ({"audience": "x", "allow_any_audience": True}, "contradicts audience"),
        ({"max_lifetime": timedelta()}, "must be positive"),
        (
            {"max_lifetime": timedelta(1), "allow_missing_expiry": True},
            "contradicts max_lifetime",
        ),
    ],
)
def test_policy_that_contradicts_itself(
    options: dict[str, object], reason: str
) -> None:
    """A policy that could not mean what it says is refused when it is made."""
    with pytest.raises(ValueError, match=reason):
        TokenPolicy(**options)  # type: ignore[arg-type]  # the point of the test


def test_leeway_may_be_ten_minutes() -> None:
    """The cap itself is within the cap."""
    assert TokenPolicy(leeway=MAX_LEEWAY).leeway == timedelta(minutes=10)


def test_policy_is_frozen() -> None:
    """A policy can't be loosened after a review."""
    with pytest.raises(AttributeError, match="cannot assign to field"):
        STRICT.issuer = None  # type: ignore[misc]  # the point of the test


def test_clock() -> None:
    """An argument beats the policy's clock, which beats the machine's."""
    noon = datetime(2027, 1, 15, 12, tzinfo=UTC)
    elsewhere = noon.astimezone(timezone(timedelta(hours=5)))
    policy = TokenPolicy(now=lambda: elsewhere)
    before = time.time()

    assert policy.moment() == noon.timestamp()
    assert policy.moment(noon + timedelta(1)) == noon.timestamp() + 86_400
    assert before <= TokenPolicy().moment() <= time.time()


@pytest.mark.parametrize(
    "policy",
    [
        TokenPolicy(),
        TokenPolicy(now=lambda: datetime(2027, 1, 15)),  # noqa: DTZ001  # the point
    ],
)
def test_naive_time_is_refused(policy: TokenPolicy) -> None:
    """A time without a zone could be any of 24, so it is a mistake of the caller."""
    naive = datetime(2027, 1, 15)  # noqa: DTZ001  # the point of the test
    arguments = [None] if policy.now else [naive]

    with pytest.raises(ValueError, match="must be an aware datetime"):
        policy.moment(*arguments)


@settings(deadline=None)
@given(
    st.integers(0, 2**33),
    st.integers(1, 10**6),
    st.integers(0, 600),
    st.integers(-(10**7), 10**7),
)
def test_accepted_exactly_while_it_lives(
    start: int, length: int, leeway: int, offset: int
) -> None:
    """For every token there is one interval, open at its end, in which it is good."""
    policy = TokenPolicy(leeway=timedelta(seconds=leeway))
    payload = TokenPayload(sub="u", iat=start, nbf=start, exp=start + length)
    alive = -leeway <= offset < length + leeway

    accepted = verdict(payload, policy, moment=start + offset) == "accepted"

    assert accepted is alive

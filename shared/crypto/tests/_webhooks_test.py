from __future__ import annotations

import pickle
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from shared.crypto._errors import (
    InvalidKeyError,
    RefusedWebhookError,
    WebhookVerificationError,
)
from shared.crypto._webhook_keys import (
    generate_webhook_key_pair,
    generate_webhook_secret,
)
from shared.crypto._webhooks import WebhookSigner, WebhookVerifier

# The vector in the tests of the standard's own libraries.
STANDARD_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
STANDARD_ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
STANDARD_BODY = '{"test": 2432232314}'
STANDARD_V1 = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
# The same message signed by Svix's server; the signature is the example of the
# specification, in its section on headers.
SVIX_PRIVATE = (
    "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9l"
    "MicMFs6Kvg=="
)
SVIX_PUBLIC = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
SVIX_V1A = (
    "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8"
    "EM+m7TBAg=="
)
NOW = datetime.fromtimestamp(1614265330, UTC)

PAIR = generate_webhook_key_pair()
SECRET, OTHER = generate_webhook_secret(), generate_webhook_secret()
moments = st.datetimes(
    min_value=datetime(1970, 1, 1),  # noqa: DTZ001  # hypothesis adds the zone
    max_value=datetime(5138, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
ids = st.from_regex(r"[!-\-/-~]{1,255}", fullmatch=True)


def refusal(
    verifier: WebhookVerifier,
    headers: Mapping[str, str],
    body: bytes | str = b"{}",
    now: datetime = NOW,
) -> str:
    """Return why a webhook is refused; to the sender it is always the same."""
    with pytest.raises(
        WebhookVerificationError, match=r"^The webhook could not be verified\.$"
    ) as caught:
        verifier.verify(headers, body, now=now)
    assert type(caught.value.__cause__) is RefusedWebhookError
    return str(caught.value.__cause__)


def test_the_standard_s_own_vectors() -> None:
    """Both schemes give the signatures that others give."""
    headers = WebhookSigner(STANDARD_SECRET, SVIX_PRIVATE).sign(
        STANDARD_ID, STANDARD_BODY, now=NOW
    )

    assert headers == {
        "webhook-id": STANDARD_ID,
        "webhook-timestamp": "1614265330",
        "webhook-signature": f"{STANDARD_V1} {SVIX_V1A}",
    }
    for key in (STANDARD_SECRET, SVIX_PUBLIC):
        verified = WebhookVerifier(key).verify(headers, STANDARD_BODY, now=NOW)
        assert verified == (STANDARD_ID, NOW)


@pytest.mark.parametrize(
    ("signer", "verifier"),
    [(SECRET, SECRET), (PAIR.secret, PAIR.public)],
    ids=["v1", "v1a"],
)
@given(message_id=ids, body=st.binary(), now=moments)
def test_round_trip(
    signer: str, verifier: str, message_id: str, body: bytes, now: datetime
) -> None:
    """What is signed is verified, at any time that the header can say."""
    headers = WebhookSigner(signer).sign(message_id, body, now=now)
    verified = WebhookVerifier(verifier).verify(headers, body, now=now)

    assert verified.message_id == message_id
    assert timedelta() <= now - verified.sent_at < timedelta(seconds=1)


@pytest.mark.parametrize(
    ("signer", "verifier"),
    [(SECRET, SECRET), (PAIR.secret, PAIR.public)],
    ids=["v1", "v1a"],
)
def test_every_byte_counts(signer: str, verifier: str) -> None:
    """Any one byte changed, in body, id, time or signature, and it is refused."""
    headers = WebhookSigner(signer).sign("msg_1", b"body", now=NOW)
    check = WebhookVerifier(verifier)

    for place in range(4):
        changed = b"body"[:place] + b"X" + b"body"[place + 1 :]
        refusal(check, headers, changed)
    for name, value in headers.items():
        for place, character in enumerate(value.rstrip("=")[:-1]):
            other = "7" if character != "7" else "8"
            changed_value = value[:place] + other + value[place + 1 :]
            refusal(check, {**headers, name: changed_value}, b"body")
    for length in (0, 3):
        refusal(check, headers, b"body"[:length])


def test_the_real_clock() -> None:
    """Without a time given, both sides take the present."""
    headers = WebhookSigner(SECRET).sign("msg_1", "{}")

    assert WebhookVerifier(SECRET).verify(headers, "{}").message_id == "msg_1"


def test_rotation_by_the_sender() -> None:
    """While both secrets sign, a receiver with either accepts."""
    headers = WebhookSigner(SECRET, OTHER).sign("msg_1", b"{}", now=NOW)

    for key in (SECRET, OTHER):
        assert WebhookVerifier(key).verify(headers, b"{}", now=NOW) == ("msg_1", NOW)


def test_rotation_by_the_receiver() -> None:
    """A receiver who knows both accepts either, of both schemes."""
    verifier = WebhookVerifier(SECRET, OTHER, PAIR.public)

    for key in (SECRET, OTHER, PAIR.secret):
        headers = WebhookSigner(key).sign("msg_1", b"{}", now=NOW)
        assert verifier.verify(headers, b"{}", now=NOW) == ("msg_1", NOW)


def test_signatures_of_a_later_standard_are_passed_over() -> None:
    """A version that is not known is no reason to refuse the one that is."""
    headers = WebhookSigner(SECRET).sign("msg_1", b"{}", now=NOW)
    mixed = f"v9,AAAA nonsense  {headers['webhook-signature']}"
    verified = WebhookVerifier(SECRET).verify(
        {**headers, "webhook-signature": mixed}, b"{}", now=NOW
    )

    assert verified == ("msg_1", NOW)


@pytest.mark.parametrize("seconds", [-300, -299, 0, 299, 300])
def test_within_the_tolerance(seconds: int) -> None:
    """Five minutes in either direction, the last second included."""
    headers = WebhookSigner(SECRET).sign("msg_1", b"{}", now=NOW)
    then = NOW + timedelta(seconds=seconds)

    assert WebhookVerifier(SECRET).verify(headers, b"{}", now=then).sent_at == NOW


@pytest.mark.parametrize(
    ("seconds", "reason"),
    [
        (301, "it is too old, or a clock is wrong"),
        (-301, "it is from the future, or a clock is wrong"),
    ],
)
def test_beyond_the_tolerance(seconds: int, reason: str) -> None:
    """A recorded webhook can't be sent again later, and clock skew is named."""
    headers = WebhookSigner(SECRET).sign("msg_1", b"{}", now=NOW)
    then = NOW + timedelta(seconds=seconds)

    assert refusal(WebhookVerifier(SECRET), headers, now=then) == reason
    wide = WebhookVerifier(SECRET, tolerance=timedelta(hours=1))
    assert wide.verify(headers, b"{}", now=then).sent_at == NOW


def test_zones_do_not_matter() -> None:
    """The same moment in another zone is the same moment."""
    elsewhere = NOW.astimezone(timezone(timedelta(hours=9)))
    headers = WebhookSigner(SECRET).sign("msg_1", b"{}", now=elsewhere)

    assert headers["webhook-timestamp"] == "1614265330"
    assert WebhookVerifier(SECRET).verify(headers, b"{}", now=elsewhere)[1] == NOW


def test_header_names_have_no_case() -> None:
    """Servers and proxies write them as they like."""
    headers = WebhookSigner(SECRET).sign("msg_1", b"{}", now=NOW)
    loud = {name.upper(): value for name, value in headers.items()}
    framework = Headers(headers)

    assert WebhookVerifier(SECRET).verify(loud, b"{}", now=NOW)[0] == "msg_1"
    assert WebhookVerifier(SECRET).verify(framework, b"{}", now=NOW)[0] == "msg_1"


@pytest.mark.parametrize(
    "name", ["webhook-id", "webhook-timestamp", "webhook-signature"]
)
def test_each_header_comes_once(name: str) -> None:
    """Which of two counts must not be a matter of who reads them."""
    headers = WebhookSigner(SECRET).sign("msg_1", b"{}", now=NOW)
    missing = {key: value for key, value in headers.items() if key != name}
    twice = Headers(
        raw=[(key.encode(), value.encode()) for key, value in headers.items()]
        + [(name.encode(), headers[name].encode())]
    )

    check = WebhookVerifier(SECRET)
    assert refusal(check, missing) == f"it has no {name} header"
    assert refusal(check, twice) == f"it has two {name} headers"


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("webhook-id", "", "its id is no visible ASCII without a full stop"),
        ("webhook-id", "a.b", "its id is no visible ASCII without a full stop"),
        ("webhook-id", "a b", "its id is no visible ASCII without a full stop"),
        ("webhook-id", "é", "its id is no visible ASCII without a full stop"),
        ("webhook-id", "x" * 256, "its id is no visible ASCII without a full stop"),
        ("webhook-timestamp", "", "its timestamp is no number of seconds"),
        ("webhook-timestamp", "-1", "its timestamp is no number of seconds"),
        ("webhook-timestamp", "1.5", "its timestamp is no number of seconds"),
        ("webhook-timestamp", "1e9", "its timestamp is no number of seconds"),
        ("webhook-timestamp", " 1614265330", "its timestamp is no number of seconds"),
        ("webhook-timestamp", "\u0661", "its timestamp is no number of seconds"),
        ("webhook-timestamp", "9" * 12, "its timestamp is no number of seconds"),
        ("webhook-timestamp", "9" * 11, "it is from the future, or a clock is wrong"),
        ("webhook-timestamp", "0", "it is too old, or a clock is wrong"),
        ("webhook-signature", "", "none of its signatures is from a key we know"),
        ("webhook-signature", "v1,", "none of its signatures is from a key we know"),
        ("webhook-signature", "\ud800", "none of its signatures is from a key we know"),
        ("webhook-signature", "v1,A " * 17, "it has more than 16 signatures"),
    ],
)
def test_the_cause_tells_why(name: str, value: str, reason: str) -> None:
    """Outside one opaque error, inside the reason, so that an operator can act."""
    headers = WebhookSigner(SECRET).sign("msg_1", b"{}", now=NOW)

    assert refusal(WebhookVerifier(SECRET), {**headers, name: value}) == reason


def test_an_id_can_not_borrow_from_the_body() -> None:
    """Id ``a`` and a body that begins with a time are not the id ``a.<time>``."""
    headers = WebhookSigner(SECRET).sign("a", b"1614265330.x", now=NOW)
    forged = {**headers, "webhook-id": "a.1614265330"}

    assert refusal(WebhookVerifier(SECRET), forged, b"x").startswith("its id is no")
    with pytest.raises(ValueError, match="ASCII characters without a full stop"):
        WebhookSigner(SECRET).sign("a.1614265330", b"x", now=NOW)


def test_another_key() -> None:
    """Who does not know the secret can't sign."""
    headers = WebhookSigner(OTHER, generate_webhook_key_pair().secret).sign(
        "msg_1", b"{}", now=NOW
    )

    assert refusal(WebhookVerifier(SECRET, PAIR.public), headers) == (
        "none of its signatures is from a key we know"
    )


@pytest.mark.parametrize("message_id", ["", "a b", "a\n", "é", "x" * 256])
def test_an_id_that_is_none(message_id: str) -> None:
    """An id that no header can hold is not signed."""
    with pytest.raises(ValueError, match="message_id must be 1 to 255 visible ASCII"):
        WebhookSigner(SECRET).sign(message_id, b"{}", now=NOW)


def test_a_time_without_a_zone() -> None:
    """It would be read as the server's own, and be hours off."""
    naive = NOW.replace(tzinfo=None)
    headers = WebhookSigner(SECRET).sign("msg_1", b"{}", now=NOW)

    with pytest.raises(ValueError, match="now must have a time zone"):
        WebhookSigner(SECRET).sign("msg_1", b"{}", now=naive)
    with pytest.raises(ValueError, match="now must have a time zone"):
        WebhookVerifier(SECRET).verify(headers, b"{}", now=naive)


def test_text_and_bytes_are_one_body() -> None:
    """Text is signed as the UTF-8 that it is sent in; what has none is refused."""
    headers = WebhookSigner(SECRET).sign("msg_1", "é", now=NOW)

    assert WebhookVerifier(SECRET).verify(headers, b"\xc3\xa9", now=NOW)[0] == "msg_1"
    with pytest.raises(ValueError, match="body of the webhook has a lone surrogate"):
        WebhookSigner(SECRET).sign("msg_1", "\ud800", now=NOW)


def test_no_keys() -> None:
    """Nobody signs with nothing, and nothing is verified by nothing."""
    with pytest.raises(InvalidKeyError, match="A webhook signer needs at least one"):
        WebhookSigner()
    with pytest.raises(InvalidKeyError, match="A webhook verifier needs at least one"):
        WebhookVerifier()


def test_a_malformed_key_is_counted() -> None:
    """Of several keys, the error says which."""
    with pytest.raises(InvalidKeyError, match=r"^Webhook key 2 of 2, must begin with"):
        WebhookSigner(SECRET, PAIR.public)
    with pytest.raises(InvalidKeyError, match=r"^Webhook key 2 of 2, must begin with"):
        WebhookVerifier(SECRET, PAIR.secret)


def test_a_tolerance_of_nothing() -> None:
    """No clock is that good."""
    with pytest.raises(ValueError, match=r"tolerance must be positive \(got 0:00:00\)"):
        WebhookVerifier(SECRET, tolerance=timedelta())


def test_keys_are_not_shown() -> None:
    """A signer may end up in a log line."""
    assert repr(WebhookSigner(SECRET, OTHER)) == "WebhookSigner(<2 keys>)"
    assert repr(WebhookVerifier(SECRET)) == "WebhookVerifier(<1 keys>)"


@pytest.mark.parametrize(
    ("made", "name"),
    [
        (WebhookSigner(SECRET), "WebhookSigner"),
        (WebhookSigner(PAIR.secret), "WebhookSigner"),
        (WebhookVerifier(SECRET), "WebhookVerifier"),
        (WebhookVerifier(PAIR.public), "WebhookVerifier"),
    ],
)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_neither_side_pickles(
    made: WebhookSigner | WebhookVerifier, name: str, protocol: int
) -> None:
    """Whoever holds keys stays in its process, whatever their kind."""
    with pytest.raises(TypeError, match=f"^A {name} does not pickle: its keys would"):
        pickle.dumps(made, protocol)


def test_a_far_time_is_read_on_every_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows' C library knows no year after 3000; the header may still say one."""

    class WindowsTime(datetime):
        fromtimestamp = Mock(side_effect=OSError(22, "Invalid argument"))

    monkeypatch.setattr("shared.crypto._webhooks.datetime", WindowsTime)
    far = datetime(4000, 1, 1, tzinfo=UTC)
    headers = WebhookSigner(SECRET).sign("msg_1", b"{}", now=far)

    check = WebhookVerifier(SECRET)
    assert check.verify(headers, b"{}", now=far) == ("msg_1", far)
    assert refusal(check, headers) == "it is from the future, or a clock is wrong"

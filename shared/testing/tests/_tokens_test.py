from __future__ import annotations

from datetime import timedelta

import pytest

from shared.auth import KeyRing, TokenPolicy, TokenRejected, decode_access_token
from shared.errors import AuthenticationException
from shared.testing import FakeClock, MintedToken, mint_token


def reason(minted: MintedToken) -> str:
    """Return why the token is refused."""
    with pytest.raises(AuthenticationException, match="Invalid token") as caught:
        decode_access_token(minted.token, keys=minted.keys, policy=minted.policy)
    assert isinstance(caught.value.__cause__, TokenRejected)
    return str(caught.value.__cause__)


def test_the_token_says_what_was_asked_for() -> None:
    """Subject, roles, scopes and claims come out where a service reads them."""
    minted = mint_token(
        "user-7", roles=["admin"], scopes=["a:read", "b"], claims={"tenant": "t1"}
    )

    user = decode_access_token(minted.token, keys=minted.keys, policy=minted.policy)

    assert (user.sub, user.roles, user.scopes) == ("user-7", ["admin"], ("a:read", "b"))
    assert user.model_extra == {"tenant": "t1"}


def test_tokens_of_one_process_share_keys_and_policy() -> None:
    """An application configured with those of one token reads the others."""
    one, other = mint_token("a"), mint_token("b")

    user = decode_access_token(str(one), keys=other.keys, policy=other.policy)

    assert user.sub == "a"


def test_headers_are_those_of_a_request() -> None:
    """``client.get(url, headers=mint_token().headers)``."""
    minted = mint_token()

    assert minted.headers == {"Authorization": f"Bearer {minted.token}"}


def test_expired_is_refused_for_that() -> None:
    """Also with a policy that forgives differing clocks."""
    policy = TokenPolicy(issuer="i", audience="a", leeway=timedelta(minutes=10))

    assert reason(mint_token(expired=True)) == "it has expired"
    assert reason(mint_token(expired=True, policy=policy)) == "it has expired"


@pytest.mark.parametrize("alg", ["HS256", "HS512"])
def test_wrong_key_is_refused_for_that(alg: str) -> None:
    """The header is in order and the signature is somebody else's."""
    keys = KeyRing.from_secret(bytes(range(64)), kid="k", alg=alg)

    minted = mint_token(wrong_key=True, keys=keys)

    assert reason(minted) == "its signature does not fit"


def test_the_clock_of_the_policy_counts() -> None:
    """A token of a stopped clock dies when that clock says so."""
    clock = FakeClock()
    policy = TokenPolicy(issuer="i", audience="a", now=clock)
    minted = mint_token(policy=policy, expires_in=timedelta(minutes=1))
    decode_access_token(minted.token, keys=minted.keys, policy=policy)

    clock.advance(61)

    assert reason(minted) == "it has expired"


def test_what_a_token_can_not_be_is_refused() -> None:
    """As ``create_access_token`` refuses it."""
    with pytest.raises(ValueError, match="scopes must be several strings, not one"):
        mint_token(scopes="a:read")

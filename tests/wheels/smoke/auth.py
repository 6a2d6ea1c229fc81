"""A token is signed and read; one of another key is refused."""

from datetime import timedelta

from shared.auth import (
    KeyRing,
    TokenPolicy,
    create_access_token,
    decode_access_token,
)
from shared.errors import AuthenticationException

ours = KeyRing.from_secret(bytes(range(32)), kid="ours")
theirs = KeyRing.from_secret(bytes(range(32, 64)), kid="ours")
policy = TokenPolicy(issuer="https://issuer.example", audience="smoke")

token = create_access_token(
    "user-1", keys=ours, policy=policy, expires_in=timedelta(minutes=1)
)
assert decode_access_token(token, keys=ours, policy=policy).sub == "user-1"

try:
    decode_access_token(token, keys=theirs, policy=policy)
except AuthenticationException:
    refused = True
else:
    refused = False
assert refused

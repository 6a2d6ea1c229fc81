"""The doubles, without pytest and without a server."""

import importlib.util
import logging
from datetime import timedelta

from shared.auth import decode_access_token
from shared.testing import FakeClock, captured_logs, is_problem, mint_token

assert importlib.util.find_spec("pytest") is None

minted = mint_token("user-1", roles=["admin"])
user = decode_access_token(minted.token, keys=minted.keys, policy=minted.policy)
assert user.roles == ["admin"]

clock = FakeClock()
before = clock.now()
assert clock.advance(60) - before == timedelta(minutes=1)

with captured_logs() as logs:
    logging.getLogger("smoke").warning("seen")
assert logs.messages == ["seen"]


class Reply:
    """What a client holds."""

    status_code = 404
    headers = {"Content-Type": "application/problem+json"}  # noqa: RUF012
    content = b'{"status": 404, "code": "not_found"}'


assert Reply() == is_problem(status=404, code="not_found")
assert Reply() != is_problem(status=409)

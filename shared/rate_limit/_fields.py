"""Decisions on the wire: RateLimit fields, Retry-After and the 429.

By draft-ietf-httpapi-ratelimit-headers-10: lists of Strings with parameters, as in
structured fields (RFC 9651).

Private: import these names from ``shared.rate_limit``.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil, isfinite
from operator import attrgetter
from typing import Any, Final

from shared.errors import RateLimitExceededException
from shared.rate_limit._decision import Decision, Standing

POLICY_FIELD: Final = "RateLimit-Policy"
LIMIT_FIELD: Final = "RateLimit"


def rate_limit_fields(*decisions: Decision) -> dict[str, str]:
    """``RateLimit-Policy``, ``RateLimit`` and, if one refused, ``Retry-After``.

    Where several decisions name a policy, its tightest standing is shown. In a refusal
    only the policies that refused have a ``t``, which a ``Retry-After`` may not precede
    (section 5 of the draft).
    """
    tightest: dict[str, Standing] = {}
    for decision in decisions:
        for standing in decision.standings:
            name = standing.policy.name
            other = tightest.setdefault(name, standing)
            tightest[name] = min(other, standing, key=attrgetter("remaining"))
    if not tightest:
        return {}
    refused = [decision for decision in decisions if not decision.allowed]
    fields = {
        POLICY_FIELD: ", ".join(
            f'"{s.policy.name}";q={s.policy.limit};w={s.policy.window}'
            for s in tightest.values()
        ),
        LIMIT_FIELD: ", ".join(
            _limit(standing, with_reset=not refused or standing.retry_after > 0)
            for standing in tightest.values()
        ),
    }
    longest = max((decision.retry_after for decision in refused), default=0.0)
    if refused and isfinite(longest):
        fields["Retry-After"] = str(ceil(longest))
    return fields


def refusal(decision: Decision) -> RateLimitExceededException:
    """Return the 429 for a decision that was not allowed, ready to be raised.

    Its problem has the name of the ``policy`` that asks for the longest wait, and
    ``violated-policies``, the member that the draft defines.
    """
    names = _names(decision.standings)
    worst = max(decision.standings, key=attrgetter("retry_after"))
    facts: dict[str, Any] = {"policy": worst.policy.name, "violated-policies": names}
    detail = f"The limit of policy '{worst.policy.name}' is used up."
    if not isfinite(worst.retry_after):
        detail = f"This costs more than policy '{worst.policy.name}' ever allows."
    return RateLimitExceededException(
        detail,
        retry_after=decision.retry_after,
        headers=rate_limit_fields(decision),
        **facts,
    )


def _names(standings: Iterable[Standing]) -> list[str]:
    return [s.policy.name for s in standings if s.retry_after]


def _limit(standing: Standing, *, with_reset: bool) -> str:
    item = f'"{standing.policy.name}";r={standing.remaining}'
    if with_reset and standing.reset_after:
        item += f";t={ceil(standing.reset_after)}"
    return item

"""Limits that all processes share, in Redis.

::

    client = Redis.from_url("redis://cache.internal:6379/0")
    limiter = RedisRateLimiter(client, prefix="api-platform:")

The same counting as in process, done by one Lua script, which Redis runs as a whole. It
reads the server's clock, so the clocks of the clients do not matter. Keys expire with
their window. All policies of a key stand in one slot of a Redis Cluster.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable, Sequence
from math import inf
from typing import Any, Final

from redis.asyncio import Redis, RedisCluster
from redis.exceptions import NoScriptError, RedisError

from shared.rate_limit._decision import Decision, Standing
from shared.rate_limit._errors import RateLimitUnavailableException
from shared.rate_limit._limiter import refundable
from shared.rate_limit._policy import (
    MICROSECONDS,
    PARTS,
    RateLimitPolicy,
    check_question,
)

__all__ = ["RedisRateLimiter"]

# KEYS: one a policy. ARGV: what to do, units, now or "" for the server's clock, the
# moment a refund is about, then limit, window and part of each policy.
#
# A key holds a flat list {moment, units, moment, units, ...}, oldest first. A moment
# later than now means that the server's clock was set back; it is taken for now, so
# that the units stay for one window and not for as long as the clock was wrong.
_SCRIPT: Final = """
local act, units = ARGV[1], tonumber(ARGV[2])
local now, moment = tonumber(ARGV[3]), tonumber(ARGV[4])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end
local asked, allowed = {}, true
for i, key in ipairs(KEYS) do
  local limit, window = tonumber(ARGV[2 + 3 * i]), tonumber(ARGV[3 + 3 * i])
  local packed = redis.call('GET', key)
  local old = packed and cmsgpack.unpack(packed) or {}
  local log, total = {}, 0
  for j = 1, #old, 2 do
    local at = math.min(old[j], now)
    if at + window > now then
      log[#log + 1] = at
      log[#log + 1] = old[j + 1]
      total = total + old[j + 1]
    end
  end
  local wait, excess = 0, total + units - limit
  if excess > 0 and act ~= 'refund' then
    allowed, wait = false, -1
    for j = 1, #log, 2 do
      excess = excess - log[j + 1]
      if excess <= 0 then
        wait = log[j] + window - now
        break
      end
    end
  end
  asked[i] = {limit, window, tonumber(ARGV[4 + 3 * i]), log, total, wait}
end
local reply = {allowed and 1 or 0, now}
for i, key in ipairs(KEYS) do
  local limit, window, part, log, total, wait = unpack(asked[i])
  local last, changed = #log - 1, false
  if act == 'take' and allowed and units > 0 then
    if last > 0 and math.floor(log[last] / part) == math.floor(now / part) then
      log[last], log[last + 1] = now, log[last + 1] + units
    else
      log[#log + 1], log[#log + 2] = now, units
    end
    total, changed = total + units, true
  elseif act == 'refund' then
    for j = 1, #log, 2 do
      if math.floor(log[j] / part) == math.floor(moment / part) then
        log[j + 1], changed = math.max(0, log[j + 1] - units), true
        if log[j + 1] == 0 then
          table.remove(log, j)
          table.remove(log, j)
        end
        break
      end
    end
  end
  if changed and #log == 0 then
    redis.call('DEL', key)
  elseif changed then
    local life = math.ceil((log[#log - 1] + window - now) / 1000)
    redis.call('SET', key, cmsgpack.pack(log), 'PX', life)
  end
  reply[#reply + 1] = math.max(0, limit - total)
  reply[#reply + 1] = #log > 0 and log[1] + window - now or 0
  reply[#reply + 1] = wait
end
return reply
"""
_SHA: Final = hashlib.sha1(_SCRIPT.encode(), usedforsecurity=False).hexdigest()

# What may stand between the braces of a hash tag as it is
_PLAIN: Final = re.compile(r"[!$-z|~][!-z|~]{0,127}")


class RedisRateLimiter:
    """A `RateLimiter` whose counts all processes share. Needs Redis 6 or newer.

    One round trip a question, whatever the number of policies. It opens no connection
    before the first one.

    Args:
        client: Of ``redis.asyncio``; whoever made it closes it.
        prefix: In front of every key, such as ``"api-platform:"``.
        timeout: Seconds after which a question counts as failed, waiting for a
            connection included.
        clock: Seconds, instead of the server's clock. For tests.

    Raises:
        ValueError: The prefix is empty or holds a brace, or the timeout is none.
    """

    def __init__(
        self,
        client: Redis | RedisCluster,
        *,
        prefix: str,
        timeout: float = 0.5,
        clock: Callable[[], float] | None = None,
    ) -> None:
        if not prefix or "{" in prefix or "}" in prefix:
            raise ValueError(
                "The prefix of a Redis rate limiter must be text, and without braces "
                f"(got {prefix!r})."
            )
        if not 0 < timeout < inf:
            raise ValueError(f"The timeout must be positive seconds (got {timeout!r}).")
        self._client = client
        self._prefix = prefix
        self._timeout = timeout
        self._clock = clock

    async def acquire(
        self, key: str, policies: Sequence[RateLimitPolicy], cost: int = 1
    ) -> Decision:
        """See `RateLimiter.acquire`."""
        check_question(key, policies, cost)
        return await self._decide("take", key, policies, cost)

    async def peek(
        self, key: str, policies: Sequence[RateLimitPolicy], cost: int = 1
    ) -> Decision:
        """See `RateLimiter.peek`."""
        check_question(key, policies, cost)
        return await self._decide("peek", key, policies, cost)

    async def refund(self, decision: Decision, units: int | None = None) -> None:
        """See `RateLimiter.refund`."""
        units = refundable(decision, units)
        if units:
            await self._run(
                "refund", decision.key, decision.policies, units, decision.decided_at
            )

    async def _decide(
        self, act: str, key: str, policies: Sequence[RateLimitPolicy], cost: int
    ) -> Decision:
        allowed, now, *rest = await self._run(act, key, policies, cost)
        standings = tuple(
            Standing(
                policy,
                remaining,
                reset / MICROSECONDS,
                inf if wait < 0 else wait / MICROSECONDS,
            )
            for policy, remaining, reset, wait in zip(
                policies, rest[::3], rest[1::3], rest[2::3], strict=True
            )
        )
        return Decision(allowed == 1, key, cost, standings, now)

    async def _run(
        self,
        act: str,
        key: str,
        policies: Sequence[RateLimitPolicy],
        units: int,
        moment: int | str = "",
    ) -> list[int]:
        now = "" if self._clock is None else round(self._clock() * MICROSECONDS)
        tagged = f"{self._prefix}{{{_tag(key)}}}"
        keys = [f"{tagged}:{policy.name}:{policy.window}" for policy in policies]
        arguments: list[Any] = [act, units, now, moment]
        for policy in policies:
            window = policy.window * MICROSECONDS
            arguments += (policy.limit, window, window // PARTS)
        try:
            async with asyncio.timeout(self._timeout):
                return await self._evaluate(len(keys), *keys, *arguments)
        except TimeoutError as error:
            raise RateLimitUnavailableException() from error
        except (RedisError, OSError) as error:
            raise RateLimitUnavailableException() from error

    async def _evaluate(self, *arguments: Any) -> list[int]:
        client: Any = self._client  # its methods are typed for both worlds at once
        try:
            reply: list[int] = await client.evalsha(_SHA, *arguments)
        except NoScriptError:
            # A new or restarted server: EVAL also makes it remember the script.
            reply = await client.eval(_SCRIPT, *arguments)
        return reply


def _tag(key: str) -> str:
    """*key* as it is, or its digest if it is long, odd or holds a brace."""
    if _PLAIN.fullmatch(key):
        return key
    digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=20)
    return f"#{digest.hexdigest()}"

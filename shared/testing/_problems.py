"""Expecting an RFC 9457 problem in a reply.

Private: import these names from ``shared.testing``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

_MEDIA_TYPE: Final = "application/problem+json"
_ABSENT: Final = object()


def is_problem(
    *,
    status: int,
    code: str | None = None,
    detail: str | re.Pattern[str] | None = None,
    errors: Mapping[str, str] | Sequence[Mapping[str, object]] | None = None,
    headers: Mapping[str, str] | None = None,
    **members: object,
) -> ProblemMatcher:
    """Return what equals a reply with this problem.

    ::

        assert reply == is_problem(status=404, code="not_found")

    What is not named may be anything. With ``shared.testing.pytest_plugin`` a failure
    says in a line each what was wrong; without it, the matcher's repr does.

    Args:
        status: Of the reply and in the problem.
        code: The member of that name.
        detail: The whole text, or a pattern that is searched in it.
        errors: All items of ``errors``, as ``{pointer: code}`` in any order, or as a
            list of their members, in order, each of which may have more of them.
        headers: Headers of the reply, names in any case.
        members: Further members of the problem.
    """
    return ProblemMatcher(status, code, detail, errors, headers or {}, members)


class ProblemMatcher:
    """Equals replies that hold a certain problem; see ``is_problem``.

    A reply is anything with ``status_code``, ``headers``, and the bytes in ``content``
    or ``body``: a response of httpx, of Starlette's test client, or Starlette's own.
    """

    __hash__ = None  # type: ignore[assignment]  # equals what it does not know

    def __init__(
        self,
        status: int,
        code: str | None,
        detail: str | re.Pattern[str] | None,
        errors: Mapping[str, str] | Sequence[Mapping[str, object]] | None,
        headers: Mapping[str, str],
        members: Mapping[str, object],
    ) -> None:
        self._status = status
        self._members = dict(members)
        if code is not None:
            self._members = {"code": code, **self._members}
        self._detail = detail
        self._errors = errors
        self._headers = headers
        self._last: list[str] = []

    def __eq__(self, other: object) -> bool:
        if not hasattr(other, "status_code"):
            return NotImplemented
        self._last = self.mismatches(other)
        return not self._last

    def mismatches(self, reply: Any) -> list[str]:
        """Return what is wrong with *reply*, one sentence each."""
        found = []
        if reply.status_code != self._status:
            found.append(f"status is {reply.status_code}, not {self._status}")
        headers = {name.lower(): value for name, value in reply.headers.items()}
        for name, expected in self._headers.items():
            found += _differs(f"header {name}", headers.get(name.lower()), expected)
        media_type = headers.get("content-type", "").partition(";")[0].strip()
        if media_type != _MEDIA_TYPE:
            return [*found, f"content-type is {media_type!r}, not {_MEDIA_TYPE!r}"]
        try:
            problem = json.loads(_body(reply))
        except ValueError:
            return [*found, "the body is not JSON"]
        if not isinstance(problem, dict):
            return [*found, "the body is not a JSON object"]
        return found + self._wrong_members(problem)

    def _wrong_members(self, problem: dict[str, Any]) -> list[str]:
        found = _differs("member status", problem.get("status"), self._status)
        for name, expected in self._members.items():
            found += _differs(name, problem.get(name, _ABSENT), expected)
        detail = problem.get("detail")
        if isinstance(self._detail, re.Pattern):
            if not self._detail.search(str(detail)):
                found.append(f"detail is {detail!r}, without {self._detail.pattern!r}")
        elif self._detail is not None:
            found += _differs("detail", detail, self._detail)
        if self._errors is not None:
            found += _wrong_items(problem.get("errors", []), self._errors)
        return found

    def __repr__(self) -> str:
        if self._last:
            # First what pytest would cut off last.
            return f"<not this problem: {'; '.join(self._last)}>"
        members = "".join(f", {n}={value!r}" for n, value in self._members.items())
        return f"is_problem(status={self._status}{members})"


def _body(reply: Any) -> bytes:
    raw = getattr(reply, "content", None)
    return bytes(reply.body if raw is None else raw)


def _differs(what: str, came: object, expected: object) -> list[str]:
    if came == expected:
        return []
    if came is _ABSENT or came is None:
        return [f"{what} is missing, expected {expected!r}"]
    return [f"{what} is {came!r}, not {expected!r}"]


def _wrong_items(
    came: list[dict[str, object]],
    expected: Mapping[str, str] | Sequence[Mapping[str, object]],
) -> list[str]:
    if isinstance(expected, Mapping):
        codes = sorted((str(item["pointer"]), str(item["code"])) for item in came)
        return _differs("errors", codes, sorted(expected.items()))
    wanted = [dict(item) for item in expected]
    shown = [
        {name: item[name] for name in mine if name in item}
        for item, mine in zip(came, wanted, strict=False)
    ]
    return _differs("errors", shown + came[len(wanted) :], wanted)

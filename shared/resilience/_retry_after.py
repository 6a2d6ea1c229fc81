"""When the other side wants to be asked again: RFC 9110, section 10.2.3.

Private: import these names from ``shared.resilience``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

_NAMES: Final = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
_MONTHS: Final = _NAMES.split("|")
_MONTH: Final = f"(?P<month>{_NAMES})"
_DAY: Final = "Mon|Tue|Wed|Thu|Fri|Sat|Sun"
_WEEKDAY: Final = "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday"
_TIME: Final = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"

# RFC 9110, section 5.6.7: the form of today, and the two that must be read as well.
_DATES: Final = [
    re.compile(pattern, re.ASCII)
    for pattern in (
        rf"(?:{_DAY}), (?P<day>\d\d) {_MONTH} (?P<year>\d{{4}}) {_TIME} GMT",
        rf"(?:{_WEEKDAY}), (?P<day>\d\d)-{_MONTH}-(?P<year>\d\d) {_TIME} GMT",
        rf"(?:{_DAY}) {_MONTH} (?P<day>[ \d]\d) {_TIME} (?P<year>\d{{4}})",
    )
]
_SECONDS: Final = re.compile(r"\d+", re.ASCII)


def parse_retry_after(value: str, *, now: datetime) -> float | None:
    """The seconds from *now* that the header ``Retry-After`` names.

    Args:
        value: Seconds, or a date in any of the three forms of HTTP.
        now: An aware datetime; only a date is measured from it.

    Returns:
        0 for a date that has passed, and None for anything that is neither.
    """
    value = value.strip(" \t")
    if _SECONDS.fullmatch(value):
        return float(value)
    for pattern in _DATES:
        if match := pattern.fullmatch(value):
            moment = _moment(match, now)
            return None if moment is None else max(0.0, (moment - now).total_seconds())
    return None


def _moment(match: re.Match[str], now: datetime) -> datetime | None:
    part = match.groupdict()
    year = int(part["year"])
    if len(part["year"]) == 2:
        # The year of these digits that is not more than 50 years ahead.
        year += now.year // 100 * 100
        year -= 100 * (year > now.year + 50)
    try:
        return datetime(
            year,
            _MONTHS.index(part["month"]) + 1,
            int(part["day"]),
            int(part["hour"]),
            int(part["minute"]),
            min(int(part["second"]), 59),  # 60 is a leap second
            tzinfo=UTC,
        )
    except ValueError:
        return None


def retry_after_of(error: BaseException, *, now: datetime) -> float | None:
    """The seconds that *error* asks to wait; None if it says nothing that can be read.

    Looks at ``error.retry_after``, a number or the text of the header, then for the
    header in ``error.headers`` and in ``error.response.headers``.
    """
    told: Any = getattr(error, "retry_after", None)
    for holder in (error, getattr(error, "response", None)):
        headers = getattr(holder, "headers", None)
        if told is None and isinstance(headers, Mapping):
            told = next(
                (v for k, v in headers.items() if str(k).lower() == "retry-after"), None
            )
    if isinstance(told, str):
        return parse_retry_after(told, now=now)
    if isinstance(told, int | float) and not isinstance(told, bool) and told >= 0:
        return float(told)
    return None

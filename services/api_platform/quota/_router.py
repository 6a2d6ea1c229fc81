"""What was used. FastAPI reads the annotations, so they are evaluated here."""

import csv
import io
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import AfterValidator, Field, WithJsonSchema
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from services.api_platform.keys import (
    Access,
    AddressNotAllowedException,
    Caller,
    Scope,
    ScopeMissingException,
)
from services.api_platform.quota._repository import DayOfUsage, UsageLogRepository
from shared.database import Database, get_db_dependency
from shared.dtos.base import BaseDTO, with_examples
from shared.errors import (
    AuthenticationException,
    RateLimitExceededException,
    ValidationException,
    responses_for,
)
from shared.rate_limit import RateLimitPolicy
from shared.rate_limit.dependencies import rate_limit
from shared.validation import Rule, require

PATH = "/api/v1/usage"

MAX_DAYS = 92
_USUAL_DAYS = 30
_FIRST, _LAST = date(2020, 1, 1), date(2999, 12, 31)
_CSV = "text/csv"
_JSON = "application/json"
_ITEM = {
    "day": "2026-01-31",
    "action": "generation.create",
    "committed_calls": 12,
    "committed_units": 240,
    "reserved_calls": 1,
    "reserved_units": 20,
    "refunded_calls": 0,
    "refunded_units": 0,
}


def _check_day(text: str) -> str:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    right = day is not None and text == day.isoformat() and _FIRST <= day <= _LAST
    rule = f"the form 2026-01-31, and be from {_FIRST} to {_LAST}"
    require("date_format", "Date", [Rule("form", rule, right)])
    return text


Day = Annotated[
    str,
    AfterValidator(_check_day),
    WithJsonSchema({"type": "string", "format": "date", "examples": ["2026-01-31"]}),
]


class UsageQuery(BaseDTO):
    """Of which days, in UTC."""

    from_: Day | None = Field(
        None, alias="from", description="The first day; else the 29th before the last."
    )
    to: Day | None = Field(None, description="The last day, included; else today.")
    format: Literal["json", "csv"] | None = Field(
        None, description="Instead of the field Accept."
    )


class UsageItemDTO(BaseDTO):
    """What was used of one action on one day."""

    model_config = with_examples(_ITEM)

    day: date
    action: str
    committed_calls: int = Field(description="That did what they were for.")
    committed_units: int
    reserved_calls: int = Field(description="Under way, or broken off in the middle.")
    reserved_units: int
    refunded_calls: int = Field(description="That failed, and cost nothing.")
    refunded_units: int


class UsageReportDTO(BaseDTO):
    """What was used, by day and action. Days without any are left out."""

    model_config = with_examples(
        {
            "from": "2026-01-02",
            "to": "2026-01-31",
            "time_zone": "UTC",
            "items": [_ITEM],
        }
    )

    from_: date = Field(alias="from")
    to: date
    time_zone: Literal["UTC"] = "UTC"
    items: list[UsageItemDTO]


_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "By day and action; as CSV for `format=csv` or "
        "`Accept: text/csv`.",
        "content": {
            _CSV: {
                "schema": {"type": "string"},
                "example": ",".join(DayOfUsage._fields)
                + "\r\n2026-01-31,generation.create,12,240,1,20,0,0\r\n",
            }
        },
    }
}


def build_router(
    database: Database,
    access: Access,
    reads: RateLimitPolicy,
    now: Callable[[], datetime],
) -> APIRouter:
    """The endpoint, for a key's own usage and for a user's over all keys."""
    router = APIRouter(
        prefix=PATH,
        tags=["usage"],
        responses=responses_for(
            AuthenticationException,
            AddressNotAllowedException,
            ScopeMissingException,
            ValidationException,
            RateLimitExceededException,
        ),
    )
    # Named here: FastAPI evaluates the annotations of the function below.
    who = access.require_either(Scope.USAGE_READ)
    db_session = Depends(get_db_dependency(database))

    async def owner(caller: Annotated[Caller, Depends(who)]) -> str:
        return f"reads:{caller.client.id if caller.client else caller.user_id}"

    limited = Depends(rate_limit(reads, key=owner, on_failure="open"))

    @router.get(
        "",
        dependencies=[limited],
        response_model=UsageReportDTO,
        responses=_RESPONSES,
    )
    async def get_usage(
        request: Request,
        query: Annotated[UsageQuery, Query()],
        caller: Annotated[Caller, Depends(who)],
        db: Annotated[AsyncSession, db_session],
    ) -> UsageReportDTO | Response:
        """Return what was used: of a key, its own; of a user, that of all keys."""
        first, last = _range(query, now().astimezone(UTC).date())
        rows = await UsageLogRepository(db).by_day(
            user_id=caller.user_id,
            api_client_id=caller.client.id if caller.client else None,
            begin=_midnight(first),
            end=_midnight(last + timedelta(days=1)),
        )
        if _wants_csv(query, request.headers.getlist("accept")):
            name = f"usage-{first}-{last}.csv"
            return StreamingResponse(
                _as_csv(rows),
                media_type=f"{_CSV}; charset=utf-8",
                headers={
                    "Content-Disposition": f'attachment; filename="{name}"',
                    "Vary": "Accept",
                },
            )
        items = [UsageItemDTO(**row._asdict()) for row in rows]
        return UsageReportDTO(from_=first, to=last, items=items)

    return router


def _range(query: UsageQuery, today: date) -> tuple[date, date]:
    """The days that are meant.

    Raises:
        ValidationException: They are none, or too many.
    """
    last = date.fromisoformat(query.to) if query.to else today
    usual = last - timedelta(days=_USUAL_DAYS - 1)
    first = date.fromisoformat(query.from_) if query.from_ else usual
    if first > last:
        raise _refused("/@query/from", "after_to", "The first day is after the last.")
    if last - first >= timedelta(days=MAX_DAYS):
        detail = f"A report is of {MAX_DAYS} days or fewer."
        raise _refused("/@query/from", "range_too_long", detail)
    return first, last


def _refused(pointer: str, code: str, detail: str) -> ValidationException:
    return ValidationException([{"pointer": pointer, "code": code, "detail": detail}])


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _wants_csv(query: UsageQuery, accepts: Sequence[str]) -> bool:
    """Whether CSV is asked for, or at least liked better than JSON."""
    if query.format is not None:
        return query.format == "csv"
    liked = {_CSV: 0.0, _JSON: 0.0}
    for part in ",".join(accepts).split(","):
        media_type, *parameters = (piece.strip().lower() for piece in part.split(";"))
        if media_type in liked:
            liked[media_type] = _quality(parameters)
        elif media_type in ("*/*", "application/*"):
            liked[_JSON] = max(liked[_JSON], _quality(parameters))
    return liked[_CSV] > liked[_JSON]


def _quality(parameters: Sequence[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


async def _as_csv(rows: Sequence[DayOfUsage]) -> AsyncIterator[str]:
    yield _line(DayOfUsage._fields)
    for row in rows:
        yield _line(row)


def _line(values: Sequence[object]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(values)
    return out.getvalue()

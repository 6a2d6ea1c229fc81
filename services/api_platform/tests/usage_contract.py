"""What the report of usage promises, whatever database is behind it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from services.api_platform.models import APIUsageLog
from services.api_platform.tests.behind import Behind, Key, behind
from shared.testing import is_problem

PATH = "/api/v1/usage"
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
NOTHING = {
    "committed_calls": 0,
    "committed_units": 0,
    "reserved_calls": 0,
    "reserved_units": 0,
    "refunded_calls": 0,
    "refunded_units": 0,
}


class UsageContract:
    """A subclass gives the fixture `url`: that of an empty database."""

    @pytest.fixture
    def between(self, url: str) -> Iterator[Behind]:
        """The service, started."""
        with behind(url, now=lambda: NOW) as between:
            yield between

    @pytest.fixture
    def key(self, between: Behind) -> Key:
        """A key that may do everything."""
        return between.key()

    def log(self, between: Behind, key: Key, *calls: tuple[str, str, str, int]) -> None:
        """Calls in the log: when, which action, what became of it, and its cost."""

        async def fill(session: AsyncSession) -> None:
            session.add_all(
                APIUsageLog(
                    api_client_id=key.id,
                    user_id=key.user_id,
                    action=action,
                    cost=cost,
                    state=state,
                    created_at=datetime.fromisoformat(moment),
                )
                for moment, action, state, cost in calls
            )

        between.run(fill)

    def report(
        self, between: Behind, headers: dict[str, str], **query: str
    ) -> dict[str, Any]:
        """The report as JSON."""
        reply = between.scene.client.get(PATH, params=query, headers=headers)
        assert reply.status_code == 200, reply.text
        found: dict[str, Any] = reply.json()
        return found

    def test_by_day_and_action(self, between: Behind, key: Key) -> None:
        """Days end at midnight in UTC, and what became of the calls is told apart."""
        self.log(
            between,
            key,
            ("2026-01-30T23:59:59.999999+00:00", "a", "committed", 1),
            ("2026-01-31T01:00:00+02:00", "a", "committed", 2),
            ("2026-01-31T00:00:00+00:00", "a", "committed", 4),
            ("2026-01-31T05:00:00+00:00", "a", "reserved", 8),
            ("2026-01-31T06:00:00+00:00", "a", "refunded", 16),
            ("2026-01-31T07:00:00+00:00", "b", "committed", 32),
        )
        report = self.report(between, key.headers)

        committed = {"committed_calls": 1, "committed_units": 4}
        others = {
            "reserved_calls": 1,
            "reserved_units": 8,
            "refunded_calls": 1,
            "refunded_units": 16,
        }
        assert report == {
            "from": "2026-01-02",
            "to": "2026-01-31",
            "time_zone": "UTC",
            "items": [
                {
                    **NOTHING,
                    "day": "2026-01-30",
                    "action": "a",
                    "committed_calls": 2,
                    "committed_units": 3,
                },
                {"day": "2026-01-31", "action": "a", **committed, **others},
                {
                    **NOTHING,
                    "day": "2026-01-31",
                    "action": "b",
                    "committed_calls": 1,
                    "committed_units": 32,
                },
            ],
        }

    def test_a_user_sees_all_keys_and_a_key_itself(
        self, between: Behind, key: Key
    ) -> None:
        """And nobody sees a stranger's."""
        other, stranger = between.key(key.user_id), between.key()
        for each, cost in ((key, 1), (other, 2), (stranger, 4)):
            self.log(between, each, (NOW.isoformat(), "a", "committed", cost))

        def units(headers: dict[str, str]) -> list[int]:
            items = self.report(between, headers)["items"]
            return [item["committed_units"] for item in items]

        assert units(between.scene.as_user(key.user_id)) == [3]
        assert units(key.headers) == [1]
        assert units(other.headers) == [2]
        assert units(between.scene.as_user()) == []

    def test_both_ends_are_included(self, between: Behind, key: Key) -> None:
        """The first and the last day, and no other."""
        for day in (1, 2, 3, 4):
            moment = f"2026-01-0{day}T23:00:00+00:00"
            self.log(between, key, (moment, "a", "committed", day))
        query = {"from": "2026-01-02", "to": "2026-01-03"}
        report = self.report(between, key.headers, **query)

        assert [item["day"] for item in report["items"]] == list(query.values())
        assert {name: report[name] for name in query} == query

    @pytest.mark.parametrize(
        ("query", "accept"),
        [
            ({"format": "csv"}, "application/json"),
            ({}, "text/csv"),
            ({}, "text/csv, application/json;q=0.5"),
            ({}, "application/json;q=0.1, TEXT/CSV;q=0.2"),
        ],
    )
    def test_as_csv(
        self, between: Behind, key: Key, query: dict[str, str], accept: str
    ) -> None:
        """With a name for the file."""
        self.log(between, key, (NOW.isoformat(), 'a,"b', "committed", 7))
        headers = {**key.headers, "Accept": accept}
        reply = between.scene.client.get(PATH, params=query, headers=headers)

        [row] = csv.DictReader(io.StringIO(reply.text))
        assert reply.headers["Content-Type"] == "text/csv; charset=utf-8"
        assert (
            "usage-2026-01-02-2026-01-31.csv" in (reply.headers["Content-Disposition"])
        )
        assert row == {
            **dict.fromkeys(NOTHING, "0"),
            "day": "2026-01-31",
            "action": 'a,"b',
            "committed_calls": "1",
            "committed_units": "7",
        }

    @pytest.mark.parametrize(
        ("query", "accept"),
        [
            ({"format": "json"}, "text/csv"),
            ({}, "*/*"),
            ({}, ""),
            ({}, "text/csv;q=0"),
            ({}, "text/csv;q=x"),
            ({}, "text/csv, */*"),
            ({}, "image/png"),
        ],
    )
    def test_as_json(
        self, between: Behind, key: Key, query: dict[str, str], accept: str
    ) -> None:
        """Unless CSV is liked better."""
        headers = {**key.headers, "Accept": accept}
        reply = between.scene.client.get(PATH, params=query, headers=headers)

        assert reply.json()["items"] == []

    @pytest.mark.parametrize(
        ("query", "pointer"),
        [
            ({"from": "2026-02-01", "to": "2026-01-31"}, "/@query/from"),
            ({"from": "2026-02-01"}, "/@query/from"),
            ({"from": "2025-01-01", "to": "2026-01-01"}, "/@query/from"),
            ({"from": "0001-01-01"}, "/@query/from"),
            ({"to": "9999-12-31"}, "/@query/to"),
            ({"to": "20260131"}, "/@query/to"),
            ({"to": "1769860800"}, "/@query/to"),
            ({"to": "2026-01-31T00:00:00Z"}, "/@query/to"),
            ({"to": "2026-02-30"}, "/@query/to"),
            ({"to": ""}, "/@query/to"),
            ({"to": "\0"}, "/@query/to"),
            ({"to": "\u0662\u0660\u0662\u0666-01-31"}, "/@query/to"),
            ({"format": "xml"}, "/@query/format"),
        ],
    )
    def test_bad_ranges_are_pointed_at(
        self, between: Behind, key: Key, query: dict[str, str], pointer: str
    ) -> None:
        """422, and the place."""
        reply = between.scene.client.get(PATH, params=query, headers=key.headers)

        assert reply == is_problem(status=422)
        assert [error["pointer"] for error in reply.json()["errors"]] == [pointer]

    def test_a_key_needs_the_permission(self, between: Behind) -> None:
        """And everybody has to be somebody."""
        key = between.key(permissions=["generations:write"])
        reply = between.scene.client.get(PATH, headers=key.headers)

        assert reply == is_problem(status=403, code="scope_missing")
        assert between.scene.client.get(PATH) == is_problem(status=401)

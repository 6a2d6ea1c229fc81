"""Switches that work without a restart, in every process within a second or so."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import select

from services.api_platform.models import FeatureToggle
from shared.database import BaseRepository, Database, utc_now
from shared.errors import BaseAPIException

_log = logging.getLogger("api_platform.toggles")

CANARY: Final = "enableCanaryDeploymentsForWebhooks"
DISCOUNTS: Final = "enableVolumeDiscounts"
VERBOSE: Final = "enableVerboseApiLogging"


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class CanarySettings(_Settings):
    """How many deliveries go through the newer settings, and which those are."""

    share: Annotated[float, Field(ge=0, le=1)] = Field(
        0.05, description="Of endpoints: an endpoint is always on the same side."
    )
    timeout_seconds: Annotated[float, Field(ge=1, le=60)] = 10.0


class Discount(_Settings):
    """From a monthly volume on, an action costs less."""

    from_units: Annotated[int, Field(ge=1, le=1_000_000_000)]
    percent: Annotated[int, Field(ge=1, le=90)]


class DiscountSettings(_Settings):
    """Discounts by volume; the one of the highest volume that was reached counts."""

    table: Annotated[tuple[Discount, ...], Field(min_length=1, max_length=20)] = (
        Discount(from_units=1_000, percent=5),
        Discount(from_units=10_000, percent=10),
        Discount(from_units=100_000, percent=20),
    )


class VerboseSettings(_Settings):
    """What access lines have in addition: nothing to choose."""


S = TypeVar("S", bound=_Settings)

SETTINGS: Final[Mapping[str, type[_Settings]]] = {
    CANARY: CanarySettings,
    DISCOUNTS: DiscountSettings,
    VERBOSE: VerboseSettings,
}
"""The switches there are, and what can be set about each."""


@dataclass(frozen=True, slots=True)
class Toggle:
    """How a switch stands."""

    name: str
    enabled: bool
    settings: _Settings
    updated_at: datetime | None
    """None if nobody has moved it yet."""


class FeatureToggles:
    """The switches, remembered for a moment.

    While the database is away they stay as they were; before it was ever reached they
    are off.

    Args:
        database: Where they are.
        seconds: How long an answer is good.
        clock: Seconds, for measuring.
    """

    def __init__(
        self,
        database: Database,
        *,
        seconds: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._seconds = seconds
        self._clock = clock
        self._known: Mapping[str, Toggle] = {name: _off(name) for name in SETTINGS}
        self._good_until = float("-inf")
        self._moves = 0
        self._reading: asyncio.Lock | None = None

    async def get(self, name: str, kind: type[S]) -> S | None:
        """What is set about a switch that is on; None if it is off."""
        toggle = (await self.all())[name]
        return (
            toggle.settings
            if toggle.enabled and isinstance(toggle.settings, kind)
            else None
        )

    async def all(self) -> Mapping[str, Toggle]:
        """Every switch by its name."""
        if self._clock() >= self._good_until:
            if self._reading is None:
                self._reading = asyncio.Lock()
            if not self._reading.locked():  # else somebody is about to know
                async with self._reading:
                    await self._read()
        return self._known

    async def set(
        self, name: str, *, enabled: bool, settings: Mapping[str, Any]
    ) -> Toggle:
        """Move a switch, for all processes.

        Raises:
            KeyError: There is no such switch.
            ValidationError: It has no such settings.
        """
        chosen = SETTINGS[name].model_validate(dict(settings))
        moment = utc_now()
        async with self._database.session() as session:
            await BaseRepository(session, FeatureToggle).upsert(
                {
                    "name": name,
                    "enabled": enabled,
                    "settings": chosen.model_dump(mode="json"),
                    "updated_at": moment,
                },
                by=["name"],
            )
        moved = Toggle(name, enabled, chosen, moment)
        self._moves += 1
        self._known = {**self._known, name: moved}
        self._good_until = float("-inf")
        return moved

    async def _read(self) -> None:
        moves = self._moves
        try:
            async with self._database.session(read_only=True) as session:
                rows = (await session.scalars(select(FeatureToggle))).all()
        except BaseAPIException as error:
            _log.warning("The toggles stay as they were: %s", error)
        else:
            if moves != self._moves:  # what was read may be older than the move
                return
            found = {row.name: _toggle(row) for row in rows if row.name in SETTINGS}
            self._known = {name: found.get(name) or _off(name) for name in SETTINGS}
        self._good_until = self._clock() + self._seconds


def _off(name: str) -> Toggle:
    return Toggle(name, enabled=False, settings=SETTINGS[name](), updated_at=None)


def _toggle(row: FeatureToggle) -> Toggle:
    kind = SETTINGS[row.name]
    try:
        return Toggle(
            row.name, row.enabled, kind.model_validate(row.settings), row.updated_at
        )
    except ValidationError:
        # Written by another version: better off than on with something else.
        _log.error("%s has settings of another version and is off", row.name)
        return _off(row.name)

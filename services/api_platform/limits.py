"""What an API key and its user may use, for the settings and for the quotas."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from shared.config import ConfigSection

OnFailure = Literal["open", "closed"]
Units = Annotated[int, Field(ge=0, le=1_000_000_000)]


class Limits(ConfigSection):
    """Units within any interval of a window; 0 is no limit.

    A user's windows count all of the user's keys together.
    """

    key_per_minute: Units = Field(1_200, description="Units of a key in a minute.")
    key_per_day: Units = Field(40_000, description="Units of a key in 24 hours.")
    user_per_minute: Units = Field(2_400, description="Units of a user in a minute.")
    user_per_day: Units = Field(100_000, description="Units of a user in 24 hours.")
    user_per_month: Units = Field(
        1_000_000, description="Units of a user in 30 days, over all keys."
    )
    generation_cost: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        20, description="Units that one sample of a generation costs."
    )
    reads_per_minute: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        600, description="Requests in a minute that only read and cost no units."
    )
    keys_per_hour: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        200, description="API keys and new secrets that a user may make in an hour."
    )
    webhooks_per_minute: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        600,
        description="Requests about webhooks that a user may make in a minute; a ping "
        "or a replay of one delivery counts as 5, a replay of many as 50.",
    )
    threshold_percent: Annotated[int, Field(ge=1, le=99)] = Field(
        80, description="From how much of a quota on its owner is told."
    )
    store_timeout: Annotated[float, Field(gt=0, le=60)] = Field(
        0.5, description="Seconds that Redis has to count units, where it does."
    )
    without_store: OnFailure = Field(
        "closed",
        description="What becomes of a generation while units can't be counted: let "
        "through (open), or answered with 503 (closed).",
    )
    without_billing: OnFailure = Field(
        "open",
        description="The same while the business service doesn't say whether the user "
        "pays; the quotas bound what is lost.",
    )
    billing_seconds: Annotated[float, Field(gt=0, le=3600)] = Field(
        30.0, description="How long an answer of the business service is good."
    )

"""The claims of an access token.

Private: import ``TokenPayload`` from ``shared.auth``.
"""

import re
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

# Seconds since 1970 in UTC (RFC 7519 section 2), until the year 9999.
NumericDate = (
    Annotated[int, Field(ge=0, le=253_402_300_799)]
    | Annotated[float, Field(ge=0, le=253_402_300_799, allow_inf_nan=False)]
)


# One scope (RFC 6749 section 3.3)
SCOPE = re.compile(r"[!#-\[\]-~]+")


class TokenPayload(BaseModel):
    """What a token says. Claims not named here are kept in ``model_extra``.

    Nothing is converted: a number given as text is refused, not read.
    """

    model_config = ConfigDict(
        frozen=True, extra="allow", strict=True, hide_input_in_errors=True
    )

    sub: Annotated[str, Field(min_length=1, description="The user's id.")]
    roles: list[str] = []
    scope: Annotated[
        str | None, Field(description="Scopes, with spaces between (RFC 8693).")
    ] = None
    iss: str | None = None
    aud: str | list[str] | None = None
    exp: NumericDate | None = None
    iat: NumericDate | None = None
    nbf: NumericDate | None = None
    jti: str | None = None

    @property
    def scopes(self) -> tuple[str, ...]:
        """The single scopes of ``scope``."""
        return tuple(self.scope.split(" ")) if self.scope else ()

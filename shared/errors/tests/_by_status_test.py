from __future__ import annotations

import pytest

from shared.errors._by_status import from_status
from shared.errors._exceptions import (
    BadRequestException,
    BaseAPIException,
    NotFoundException,
    UpstreamException,
)


@pytest.mark.parametrize(
    ("status", "cls", "code", "detail"),
    [
        (404, NotFoundException, "not_found", "Resource not found."),
        (405, BadRequestException, "method_not_allowed", "Method Not Allowed."),
        (499, BadRequestException, "bad_request", "Bad Request."),
        (500, BaseAPIException, "internal_error", "An internal server error occurred."),
        (599, BaseAPIException, "internal_error", "Internal Server Error."),
        (501, BaseAPIException, "not_implemented", "Not Implemented."),
        (504, UpstreamException, "upstream_error", "Gateway Timeout."),
    ],
)
def test_status_decides_the_class(
    status: int, cls: type[BaseAPIException], code: str, detail: str
) -> None:
    """RFC 9110, section 15: an unknown status is handled as its x00, and kept."""
    error = from_status(status)

    assert type(error) is cls
    assert (error.status_code, error.code, error.detail) == (status, code, detail)

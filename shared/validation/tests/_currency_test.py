from __future__ import annotations

import re

import pytest

from shared.validation._currency import CURRENCIES, validate_currency_code


@pytest.mark.parametrize("code", ["EUR", "USD", "JPY", "XOF", "SLE", "ZWG", "XCG"])
def test_currencies_in_circulation_are_accepted(code: str) -> None:
    """Also those of a union, and those introduced of late."""
    assert validate_currency_code(code) == code


@pytest.mark.parametrize(
    "code",
    ["", "eur", "EURO", "€", "EUR\n", "DEM", "HRK", "BGN", "ZWL", "XXX", "XTS", "XAU"],
)
def test_everything_else_is_refused(code: str) -> None:
    """Lowercase, withdrawn codes, and codes that are no money."""
    with pytest.raises(ValueError, match="Currency must have a code of ISO 4217"):
        validate_currency_code(code)


def test_the_table_holds_codes() -> None:
    """Three letters each, and as many as the table of 2026 has."""
    assert all(re.fullmatch("[A-Z]{3}", code) for code in CURRENCIES)
    assert len(CURRENCIES) == 155

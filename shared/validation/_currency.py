"""Currencies that people pay with.

Private: import these names from ``shared.validation``.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

from shared.validation._rules import Rule, require

# ISO 4217 List One as of February 2026, without its funds codes (CLF, USN, ...) and
# without the codes for metals, units of account, tests and "no currency" (XAU, XDR,
# XTS, XXX, ...).
_CODES = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BTN
BWP BYN BZD CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB
EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR
ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD
MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR
PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE
SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU
UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG
"""
CURRENCIES = frozenset(_CODES.split())


def validate_currency_code(code: str) -> str:
    """Return *code* unchanged: three capital letters in circulation.

    Raises:
        ValueError: Code ``currency_code``; rule ``known``.
    """
    require(
        "currency_code",
        "Currency",
        [Rule("known", "a code of ISO 4217, such as EUR", code in CURRENCIES)],
    )
    return code


CurrencyCode = Annotated[
    str,
    AfterValidator(validate_currency_code),
    WithJsonSchema({"type": "string", "enum": sorted(CURRENCIES), "examples": ["EUR"]}),
]
"""An ISO 4217 code in circulation. Withdrawn ones, such as BGN, are refused."""

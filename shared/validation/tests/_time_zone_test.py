from __future__ import annotations

import zoneinfo

import pytest

from shared.validation._time_zone import validate_time_zone

NOT_ZONES = {"localtime", "Factory"}  # listed by zoneinfo where the files are there


def test_every_zone_of_the_database_is_accepted() -> None:
    """Our idea of a name fits all names that there are."""
    for name in zoneinfo.available_timezones() - NOT_ZONES:
        assert validate_time_zone(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Mars/Olympus",
        "europe/Berlin ",
        "Europe/Berlin\n",
        "America",  # a folder of the database
        "leapseconds",  # a file beside the zones
        "localtime",
        "Factory",
        "posixrules",
        "posix/UTC",
        "right/UTC",
        "../zoneinfo/UTC",
        "Europe/../UTC",
        "/usr/share/zoneinfo/UTC",
        "UTC\x00",
        "A" * 65,
        "CET-1CEST",  # POSIX TZ
        "+02:00",
    ],
)
def test_other_names_are_refused(name: str) -> None:
    """Neither offsets nor file names nor near misses are zones."""
    with pytest.raises(ValueError, match="Time zone must have a name of the IANA"):
        validate_time_zone(name)


@pytest.mark.parametrize(
    "name", ["../etc/passwd", "/etc/passwd", "a/../../b", "a.b", "a\x00", "A" * 65]
)
def test_no_file_is_opened_for_a_name_of_another_form(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could leave the database's folder never reaches the file system."""
    opened: list[str] = []
    zone_info = zoneinfo.ZoneInfo

    def spy(key: str) -> zoneinfo.ZoneInfo:
        opened.append(key)
        return zone_info(key)

    monkeypatch.setattr(zoneinfo, "ZoneInfo", spy)
    with pytest.raises(ValueError, match="Time zone must have"):
        validate_time_zone(name)

    assert opened == ["UTC"]


def test_a_machine_without_database_is_not_the_callers_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A server set up wrongly answers 500, not 422 to everybody."""

    def missing(key: str) -> zoneinfo.ZoneInfo:
        raise zoneinfo.ZoneInfoNotFoundError(key)

    monkeypatch.setattr(zoneinfo, "ZoneInfo", missing)
    with pytest.raises(RuntimeError, match="no IANA time zone database: install"):
        validate_time_zone("Europe/Berlin")

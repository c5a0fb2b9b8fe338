"""Dates as people's forums write them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiders.forum.dates import Reckoning, find_date, is_month_first, parse_attribute

RECKONING = Reckoning(now=datetime(2026, 1, 15, 12, 0, tzinfo=UTC), zone=ZoneInfo("Europe/Stockholm"))


@pytest.mark.parametrize(
    ("written", "utc"),
    [
        ("12 januari 2026 kl. 08:30", "2026-01-12T07:30"),
        ("den 12 jan. 2026, 08:30", "2026-01-12T07:30"),
        ("i går 14:02", "2026-01-14T13:02"),
        ("igår kl 14.02", "2026-01-14T13:02"),
        ("i dag, 09:00", "2026-01-15T08:00"),
        ("Tisdag 14:30", "2026-01-13T13:30"),
        ("för en timme sedan", "2026-01-15T11:00"),
        ("för 3 veckor sedan", "2025-12-25T12:00"),
        ("for 3 timer siden", "2026-01-15T09:00"),
        ("for to dager siden", "2026-01-13T12:00"),
        ("12. desember 2025 14:05", "2025-12-12T13:05"),
        ("i gaar kl. 10.15", "2026-01-14T09:15"),
        ("d. 3. maj 2025 kl. 10.15", "2025-05-03T08:15"),
        ("eilen klo 14.02", "2026-01-14T13:02"),
        ("12. tammikuuta 2026 klo 8.30", "2026-01-12T07:30"),
        ("3 tuntia sitten", "2026-01-15T09:00"),
        ("Jan 12, 2026 8:30 am", "2026-01-12T07:30"),
        ("January 12th, 2026 at 8:30 PM", "2026-01-12T19:30"),
        ("08:30, 12 Jan 2026", "2026-01-12T07:30"),
        ("yesterday at 2:02 pm", "2026-01-14T13:02"),
        ("2 hours ago", "2026-01-15T10:00"),
        ("3h", "2026-01-15T09:00"),
        ("vor 3 Stunden", "2026-01-15T09:00"),
        ("12. März 2025, 08:30 Uhr", "2025-03-12T07:30"),
        ("2026-01-12 08:30", "2026-01-12T07:30"),
        ("2026-01-12T08:30:00+02:00", "2026-01-12T06:30"),
        ("2026-01-12 08:30 UTC", "2026-01-12T08:30"),
        ("12.01.2026, 08:30", "2026-01-12T07:30"),
        ("12/01/26 08.30", "2026-01-12T07:30"),
        ("13 dec 08:00", "2025-12-13T07:00"),
        ("Postad av Kalle » 2026-01-12 08:30", "2026-01-12T07:30"),
    ],
)
def test_written_dates(written: str, utc: str) -> None:
    found = find_date(written, RECKONING)
    assert found is not None
    assert found.at.isoformat()[:16] == utc


@pytest.mark.parametrize(
    "written",
    [
        "",
        "Maria 12",
        "version 3.11.7",
        "kl 12.30",
        "10.0.0.1",
        "Januari 2026",
        "99.99.2026",
        "Torsdag",
        "ett svar",
        "349 kr",
        "070-123 45 67",
    ],
)
def test_what_is_no_date(written: str) -> None:
    assert find_date(written, RECKONING) is None


@pytest.mark.parametrize(
    ("value", "utc"),
    [
        ("1768203000", "2026-01-12T07:30"),
        ("1768203000000", "2026-01-12T07:30"),
        ("Mon, 12 Jan 2026 08:30:00 +0100", "2026-01-12T07:30"),
        ("2026-01-12T08:30:00Z", "2026-01-12T08:30"),
        ("2026-01-12T08:30", "2026-01-12T07:30"),
    ],
)
def test_dates_in_attributes(value: str, utc: str) -> None:
    found = parse_attribute(value, RECKONING)
    assert found is not None
    assert found.at.isoformat()[:16] == utc


def test_the_whole_page_decides_what_comes_first() -> None:
    assert is_month_first("01/12/2026 01/13/2026", "sv")
    assert not is_month_first("01/12/2026 13/01/2026", "en")
    assert is_month_first("01/12/2026 8:30 pm", "en-US")
    assert not is_month_first("01/12/2026 20:30", "da")
    american = Reckoning(now=RECKONING.now, month_first=True)
    found = find_date("01/12/2026 8:30 pm", american)
    assert found is not None
    assert found.at == datetime(2026, 1, 12, 20, 30, tzinfo=UTC)


def test_a_day_with_its_hour_is_exact_and_a_distance_is_not() -> None:
    assert [
        getattr(find_date(w, RECKONING), "relative", None) for w in ("i går 14:02", "i går", "3 h", "12 jan")
    ] == [False, True, True, False]


@given(st.text(max_size=200))
def test_no_text_is_too_odd(text: str) -> None:
    for found in (find_date(text, RECKONING), parse_attribute(text, RECKONING)):
        assert found is None or found.at.tzinfo is not None

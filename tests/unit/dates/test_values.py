"""The value conventions, one by one, and the movable feasts against years that are known."""

from datetime import date, timedelta
from itertools import pairwise

import pytest

from services.extractor.dates import feasts, lunar, values
from services.extractor.dates.values import Period, Tense, Unit
from tests.unit.dates.marked import interval

FRIDAY = date(2025, 11, 7)


def bounds(period: Period) -> tuple[date | None, date | None]:
    return period.start, period.end


@pytest.mark.parametrize(
    ("period", "expected"),
    [
        (values.week(FRIDAY), "2025-11-03..2025-11-09"),
        (values.weekend(FRIDAY, -1), "2025-11-01..2025-11-02"),
        (values.part(values.week(FRIDAY), 2), "2025-11-05..2025-11-06"),
        (values.part(values.month(2025, 2), 3), "2025-02-21..2025-02-28"),
        (values.part(values.month(2024, 2), 3), "2024-02-21..2024-02-29"),
        (values.part(values.year(2026), 1), "2026-01-01..2026-04-30"),
        (values.part(values.year(2026), 3), "2026-09-01..2026-12-31"),
        (values.half_of(values.year(2025), 1), "2025-01-01..2025-06-30"),
        (values.half_of(values.month(2025, 4), 2), "2025-04-16..2025-04-30"),
        (values.quarter(2025, 5), "2026-01-01..2026-03-31"),
        (values.season(2025, 4), "2025-12-01..2026-02-28"),
        (values.season(2023, 4), "2023-12-01..2024-02-29"),
        (values.decade(1990), "1990-01-01..1999-12-31"),
        (values.century(20), "1901-01-01..2000-12-31"),
        (values.away(date(2025, 3, 31), -1, Unit.MONTH), "2025-02-01..2025-02-28"),
        (values.away(FRIDAY, -48, Unit.HOUR), "2025-11-05"),
        (values.window(date(2025, 5, 31), -3, Unit.MONTH), "2025-02-28..2025-05-31"),
        (values.window(FRIDAY, -1, Unit.DECADE), "2015-11-07..2025-11-07"),
        (values.edge(values.year(2025), 3, Unit.MONTH, last=True), "2025-10-01..2025-12-31"),
        (values.since(values.year(2022)), "2022-01-01.."),
        (values.before(values.single(date(2025, 1, 20))), "..2025-01-19"),
        (values.after(values.year(1991)), "1992-01-01.."),
        (values.until(values.month(2025, 10)), "..2025-10-31"),
    ],
)
def test_a_convention(period: Period, expected: str) -> None:
    assert bounds(period) == interval(expected)


@pytest.mark.parametrize(
    ("published", "tense", "expected"),
    [
        (date(2025, 1, 3), Tense.UNKNOWN, "2024-12-28"),
        (date(2024, 12, 20), Tense.UNKNOWN, "2024-12-28"),
        (date(2025, 6, 1), Tense.UNKNOWN, "2024-12-28"),
        (date(2025, 6, 1), Tense.FUTURE, "2025-12-28"),
        (date(2025, 12, 28), Tense.FUTURE, "2025-12-28"),
        (date(2025, 12, 28), Tense.SURELY_FUTURE, "2026-12-28"),
        (date(2025, 12, 20), Tense.SURELY_PAST, "2024-12-28"),
    ],
)
def test_a_date_without_a_year_is_the_one_that_is_meant(published: date, tense: Tense, expected: str) -> None:
    found = values.nearest(lambda year: values.day(year, 12, 28), published, tense)
    assert bounds(found) == interval(expected)


def test_a_leap_day_waits_for_a_leap_year() -> None:
    found = values.nearest(lambda year: values.day(year, 2, 29), FRIDAY, Tense.UNKNOWN)
    assert bounds(found) == interval("2024-02-29")


@pytest.mark.parametrize("call", [lambda: values.day(2025, 2, 31), lambda: values.away(FRIDAY, -5, Unit.HOUR)])
def test_what_does_not_exist_is_refused(call: object) -> None:
    assert callable(call)
    with pytest.raises(ValueError):
        call()


KNOWN_NEW_YEARS = (
    "1900-01-31 1945-02-13 1954-02-03 1968-01-29 1975-02-11 1976-01-31 1985-01-21 1986-02-09 1999-02-16 2000-02-05 2007-02-17 "
    "2008-02-07 2010-02-14 2015-02-19 2018-02-16 2019-02-05 2020-01-25 2021-02-12 2022-02-01 2023-01-22 2024-02-10 2025-01-29 "
    "2026-02-17 2027-02-06 2028-01-26 2029-02-13 2030-02-02 2033-01-31 2034-02-19 2100-02-09"
)


@pytest.mark.parametrize("known", KNOWN_NEW_YEARS.split())
def test_a_known_lunar_new_year(known: str) -> None:
    day = date.fromisoformat(known)
    assert feasts.lunar_day(day.year, 1) == day
    assert feasts.lunar_day(day.year, 3) == day + timedelta(days=2)


def test_the_lunar_table_is_whole() -> None:
    days = [feasts.lunar_day(year, 1) for year in range(1900, 2101)]
    assert all((1, 20) < (day.month, day.day) < (2, 22) for day in days)
    gaps = {(later - earlier).days for earlier, later in pairwise(days)}
    assert gaps <= {353, 354, 355, 383, 384, 385}
    with pytest.raises(ValueError, match="2101"):
        feasts.lunar_day(2101, 1)


@pytest.mark.parametrize(
    ("year", "western", "orthodox"),
    [
        (1961, "1961-04-02", "1961-04-09"),
        (2000, "2000-04-23", "2000-04-30"),
        (2022, "2022-04-17", "2022-04-24"),
        (2024, "2024-03-31", "2024-05-05"),
        (2025, "2025-04-20", "2025-04-20"),
        (2026, "2026-04-05", "2026-04-12"),
        (2038, "2038-04-25", "2038-04-25"),
    ],
)
def test_a_known_easter(year: int, western: str, orthodox: str) -> None:
    assert feasts.easter(year) == date.fromisoformat(western)
    assert feasts.orthodox_easter(year) == date.fromisoformat(orthodox)


@pytest.mark.parametrize(
    ("year", "month", "day", "known"),
    [
        (1985, 8, 15, "1985-09-29"),
        (2012, 8, 15, "2012-09-30"),
        (2014, 8, 15, "2014-09-08"),
        (2017, 8, 15, "2017-10-04"),
        (2020, 7, 15, "2020-09-02"),
        (2023, 3, 10, "2023-04-29"),
        (2024, 12, 23, "2025-01-22"),
        (2025, 3, 10, "2025-04-07"),
        (2025, 7, 15, "2025-09-06"),
        (2025, 8, 15, "2025-10-06"),
        (2033, 12, 23, "2034-02-11"),
    ],
)
def test_a_known_lunar_date(year: int, month: int, day: int, known: str) -> None:
    assert lunar.lunar_date(year, month, day) == date.fromisoformat(known)


def test_lunar_years_have_twelve_months_of_29_or_30_days_and_sometimes_one_more() -> None:
    for year in range(1900, 2100):
        firsts = [lunar.lunar_date(year, month, 1) for month in range(1, 13)] + [feasts.lunar_day(year + 1, 1)]
        lengths = [(after - first).days for first, after in pairwise(firsts)]
        assert sum(length in (29, 30) for length in lengths) >= 11, year
        assert all(58 <= length <= 60 for length in lengths if length not in (29, 30)), year


@pytest.mark.parametrize(("month", "day"), [(0, 1), (13, 1), (1, 31), (1, 0)])
def test_a_lunar_day_that_does_not_exist(month: int, day: int) -> None:
    with pytest.raises(ValueError, match="lunar year"):
        lunar.lunar_date(2025, month, day)

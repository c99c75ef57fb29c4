"""Movable feasts: the Vietnamese lunar new year (a table) and Easter (the usual computus)."""

import csv
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Final

_TABLE: Final = Path(__file__).with_name("lunar_new_year.csv")


def lunar_day(year: int, number: int) -> date:
    """Return the `number`-th day from the lunar new year of a year (1 is the new year's day, 0 its eve).

    The table holds 1900 to 2100, computed for Hanoi's time (UTC+7) from the new moons and the sun's longitude after Meeus,
    Astronomical Algorithms. Raises `ValueError` for another year.
    """
    try:
        return _new_years()[year] + timedelta(days=number - 1)
    except KeyError:
        raise ValueError(f"no lunar new year known for {year}") from None


@cache
def _new_years() -> dict[int, date]:
    with _TABLE.open(encoding="ascii", newline="") as lines:
        days = [date.fromisoformat(row["new_year"]) for row in csv.DictReader(lines)]
    return {day.year: day for day in days}


def easter(year: int) -> date:
    """Return Easter Sunday of the Western churches (Meeus, Jones and Butcher)."""
    golden = year % 19
    century, in_century = divmod(year, 100)
    leap, rest = divmod(century, 4)
    correction = (century - (century + 8) // 25 + 1) // 3
    epact = (19 * golden + century - leap - correction + 15) % 30
    leap_in, rest_in = divmod(in_century, 4)
    to_sunday = (32 + 2 * rest + 2 * leap_in - epact - rest_in) % 7
    late = (golden + 11 * epact + 22 * to_sunday) // 451
    month, day = divmod(epact + to_sunday - 7 * late + 114, 31)
    return date(year, month, day + 1)


def orthodox_easter(year: int) -> date:
    """Return Easter Sunday of the Orthodox churches in the Gregorian calendar (Meeus; 1900 to 2099 are 13 days apart)."""
    moon = (19 * (year % 19) + 15) % 30
    to_sunday = (2 * (year % 4) + 4 * (year % 7) - moon + 34) % 7
    month, day = divmod(moon + to_sunday + 114, 31)
    return date(year, month, day + 1) + timedelta(days=year // 100 - year // 400 - 2)

"""Days of the Vietnamese lunar calendar, for the years whose new year's day is tabled in `feasts`.

Months begin on the day of the new moon in Hanoi's time (UTC+7). In a year of thirteen months the first one in which the sun
enters no new twelfth of the zodiac is a leap month, provided that the winter solstice then falls in the eleventh. New moons
and the sun's longitude after Meeus, Astronomical Algorithms (chapters 49 and 25), cut to the terms that matter for a day.
"""

from datetime import date, timedelta
from functools import cache
from math import floor, radians, sin
from typing import Final

from services.extractor.dates.feasts import lunar_day

_MEAN_MONTH: Final = 29.530588861
_FIRST_NEW_MOON: Final = 2451550.09766  # the Julian day of new moon number 0, in January 2000
_WINTER: Final = 9  # the twelfth of the zodiac that begins with the winter solstice
_HANOI: Final = 7 / 24
_UNIX_DAY_ZERO: Final = 2440588  # the Julian day number of 1970-01-01


def lunar_date(year: int, month: int, day: int) -> date:
    """Return the day of a lunar date; of a month that comes twice, the first.

    Raises `ValueError` for a year without a tabled new year and for a day that month does not have.
    """
    starts, leap = _months(year)
    index = month - 1 if leap is None or month - 1 < leap else month
    if 1 <= month <= 12 and 1 <= day <= (starts[index + 1] - starts[index]).days:
        return starts[index] + timedelta(days=day - 1)
    raise ValueError(f"no {day}/{month} in the lunar year {year}")


@cache
def _months(year: int) -> tuple[tuple[date, ...], int | None]:
    """Return the first days of a lunar year's months, that of the next year last, and the place of the leap month among them."""
    first, after = lunar_day(year, 1), lunar_day(year + 1, 1)
    moon = round((_julian_day(first) - _FIRST_NEW_MOON) / _MEAN_MONTH)
    inner = [day for number in range(moon - 1, moon + 15) if first < (day := _new_moon(number)) < after]
    starts = (first, *inner, after)
    if len(starts) <= 13:
        return starts, None
    twelfths = [_twelfth(day) for day in starts]
    solstice = next(index for index in range(9, 13) if twelfths[index + 1] >= _WINTER > twelfths[index])
    candidates = [index for index in range(1, 13) if twelfths[index] == twelfths[index + 1]]
    return starts, next(index for index in candidates if (10 if index > 10 else 11) == solstice)


def _julian_day(day: date) -> int:
    return (day - date(1970, 1, 1)).days + _UNIX_DAY_ZERO


def _new_moon(number: int) -> date:
    """Return the day, in Hanoi, of a new moon counted from the one of January 2000."""
    t = number / 1236.85
    mean = _FIRST_NEW_MOON + _MEAN_MONTH * number + 0.00015437 * t * t
    sun = radians(2.5534 + 29.1053567 * number)
    moon = radians(201.5643 + 385.81693528 * number + 0.0107582 * t * t)
    node = radians(160.7108 + 390.67050284 * number - 0.0016118 * t * t)
    correction = (
        -0.4072 * sin(moon)
        + 0.17241 * sin(sun)
        + 0.01608 * sin(2 * moon)
        + 0.01039 * sin(2 * node)
        + 0.00739 * sin(moon - sun)
        - 0.00514 * sin(moon + sun)
        + 0.00208 * sin(2 * sun)
    )
    in_hanoi = mean + correction - _clock_error(t) + 0.5 + _HANOI
    return date(1970, 1, 1) + timedelta(days=floor(in_hanoi) - _UNIX_DAY_ZERO)


def _clock_error(t: float) -> float:
    """Return by how many days uniform time is ahead of the Earth's clock, `t` centuries from 2000 (about 64 s then)."""
    return (64 + 59 * t + 62 * max(t, 0.0) ** 2) / 86_400


def _twelfth(day: date) -> int:
    """Return the twelfth of the zodiac the sun stands in at the beginning of a day in Hanoi."""
    t = (_julian_day(day) - 0.5 - _HANOI - 2451545.0) / 36525
    anomaly = radians(357.52911 + 35999.05029 * t)
    longitude = 280.46646 + 36000.76983 * t + (1.914602 - 0.004817 * t) * sin(anomaly) + 0.019993 * sin(2 * anomaly)
    return floor(longitude % 360 / 30)

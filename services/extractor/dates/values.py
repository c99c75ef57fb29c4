"""Value conventions: pure arithmetic on closed intervals of calendar days.

Every convention of the annotation guide (thirds, Monday weeks, whole units, closed windows) is decided here and nowhere
else; the patterns of a language only say which function is meant. Functions raise `ValueError` or `OverflowError` for a day
that does not exist, never an interval that is wrong.
"""

from calendar import monthrange
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import IntEnum
from typing import Final

NEAR: Final = timedelta(days=20)
"""A date without a year this near to publication is meant, whichever side it lies on."""
_SEASON_MONTHS: Final = (3, 6, 9, 12)
_YEARS_TRIED: Final = 2
_LEAP_YEARS_TRIED: Final = 8


class Unit(IntEnum):
    """The units a distance can be counted in."""

    HOUR = 0
    DAY = 1
    WEEK = 2
    MONTH = 3
    QUARTER = 4
    YEAR = 5
    DECADE = 6
    WEEKEND = 7
    HALF_MONTH = 8
    HALF_YEAR = 9
    CENTURY = 10
    SEASON = 11
    FORTNIGHT = 12


class Tense(IntEnum):
    """What the words around a date say about its side of the publication; the suffixed ones are said by the date itself."""

    SURELY_PAST = -2
    PAST = -1
    UNKNOWN = 0
    FUTURE = 1
    SURELY_FUTURE = 2


@dataclass(frozen=True, slots=True)
class Period:
    """A closed interval of days; `None` is an open side. `precision` is the grain of the expression that named it."""

    start: date | None
    end: date | None
    kind: str
    precision: str

    @property
    def first(self) -> date:
        """The first day; an interval open to the past is counted from its last."""
        day = self.start or self.end
        if day is None:
            raise ValueError("an interval needs one bound")
        return day

    @property
    def last(self) -> date:
        """The last day; an interval open to the future is counted from its first."""
        day = self.end or self.start
        if day is None:
            raise ValueError("an interval needs one bound")
        return day


def day(year: int, month: int, number: int) -> Period:
    """Return one calendar day."""
    return single(date(year, month, number))


def single(value: date) -> Period:
    """Return a date as an interval of one day."""
    return Period(value, value, "day", "day")


def week(of: date, shift: int = 0) -> Period:
    """Return the Monday-to-Sunday week of a day, `shift` weeks on."""
    monday = of - timedelta(days=of.weekday()) + timedelta(weeks=shift)
    return Period(monday, monday + timedelta(days=6), "week", "week")


def weekend(of: date, shift: int = 0) -> Period:
    """Return Saturday and Sunday of the week of a day, `shift` weeks on."""
    sunday = week(of, shift).last
    return Period(sunday - timedelta(days=1), sunday, "range", "weekend")


def month(year: int, number: int) -> Period:
    """Return a calendar month; `number` may run beyond 1-12 and carries into the years."""
    year, index = divmod(year * 12 + number - 1, 12)
    return Period(date(year, index + 1, 1), date(year, index + 1, monthrange(year, index + 1)[1]), "month", "month")


def quarter(year: int, number: int) -> Period:
    """Return a calendar quarter; `number` may run beyond 1-4 and carries into the years."""
    last = month(year, number * 3)
    return Period(month(year, number * 3 - 2).start, last.end, "range", "quarter")


def half(year: int, number: int) -> Period:
    """Return 1 January to 30 June (1) or 1 July to 31 December (2)."""
    return Period(month(year, number * 6 - 5).start, month(year, number * 6).end, "range", "half")


def year(number: int) -> Period:
    """Return a calendar year."""
    return Period(date(number, 1, 1), date(number, 12, 31), "year", "year")


def decade(first_year: int) -> Period:
    """Return ten years from a first year (1990 gives 1990 to 1999)."""
    return Period(date(first_year, 1, 1), date(first_year + 9, 12, 31), "decade", "decade")


def century(number: int) -> Period:
    """Return a century (20 gives 1901 to 2000)."""
    return Period(date(number * 100 - 99, 1, 1), date(number * 100, 12, 31), "range", "century")


def season(year: int, number: int) -> Period:
    """Return spring (1), summer, autumn or winter (4) of a year; winter starts in it and ends in the next February."""
    first = month(year, _SEASON_MONTHS[number - 1])
    return Period(first.start, month(year, _SEASON_MONTHS[number - 1] + 2).end, "season", "season")


def part(whole: Period, number: int) -> Period:
    """Return the early (1), middle (2) or late (3) part of a period by the house conventions.

    Months: days 1-10, 11-20, 21-end. Weeks: Monday-Tuesday, Wednesday-Thursday, Saturday-Sunday. Everything longer: thirds
    of its months or years, the last taking what is left over.
    """
    start, end = whole.first, whole.last
    if whole.precision == "month":
        days = ((1, 10), (11, 20), (21, end.day))[number - 1]
        return Period(start.replace(day=days[0]), start.replace(day=days[1]), "range", "part")
    if whole.precision == "week":
        if number == 3:
            return weekend(start)
        first = start + timedelta(days=(number - 1) * 2)
        return Period(first, first + timedelta(days=1), "range", "part")
    if whole.precision == "day":
        return whole
    months = (end.year - start.year) * 12 + end.month - start.month + 1
    third = months // 3 if months <= 12 else months // 36 * 12
    head, tail = start.month + third * (number - 1), start.month + third * number - 1
    stop = end if number == 3 else month(start.year, tail).end
    return Period(month(start.year, head).start, stop, "range", "part")


def half_of(whole: Period, number: int) -> Period:
    """Return the first or second half: of a month days 1-15 and 16-end, of anything longer half of its months."""
    start, end = whole.first, whole.last
    if whole.precision == "month":
        if number == 1:
            return Period(start, start.replace(day=15), "range", "half")
        return Period(start.replace(day=16), end, "range", "half")
    months = (end.year - start.year) * 12 + end.month - start.month + 1
    middle = month(start.year, start.month + months // 2)
    if number == 1:
        return Period(start, middle.first - timedelta(days=1), "range", "half")
    return Period(middle.start, end, "range", "half")


def edge(whole: Period, count: int, unit: Unit, *, last: bool) -> Period:
    """Return the first (or last) `count` units of a period: "six first months of the year"."""
    start, end = whole.first, whole.last
    if last:
        head = shifted(end + timedelta(days=1), -count, unit)
        return Period(max(head, start), end, "range", unit.name.lower())
    tail = shifted(start, count, unit) - timedelta(days=1)
    return Period(start, min(tail, end), "range", unit.name.lower())


def add_months(of: date, count: int) -> date:
    """Return the day `count` months on, cut back to the month's last day."""
    target = month(of.year, of.month + count)
    return target.first.replace(day=min(of.day, target.last.day))


def shifted(of: date, count: int, unit: Unit) -> date:
    """Return the day `count` units on; 24 hours are a day, a decade ten years. Raises `ValueError` for a part of a day."""
    if unit is Unit.HOUR:
        days, rest = divmod(abs(count), 24)
        if rest:
            raise ValueError("hours that are not whole days")
        return of + timedelta(days=days if count > 0 else -days)
    in_days = {Unit.DAY: 1, Unit.WEEK: 7, Unit.HALF_MONTH: 15, Unit.FORTNIGHT: 14}
    if unit in in_days:
        return of + timedelta(days=in_days[unit] * count)
    in_months = {Unit.MONTH: 1, Unit.QUARTER: 3, Unit.HALF_YEAR: 6, Unit.YEAR: 12, Unit.DECADE: 120, Unit.CENTURY: 1200}
    if unit in in_months:
        return add_months(of, in_months[unit] * count)
    raise ValueError(f"no distance in {unit.name}")


def whole_unit(of: date, unit: Unit) -> Period:
    """Return the whole unit a day lies in: the day, its Monday week, its month, its year …"""
    in_quarter = (of.month - 1) // 3 + 1
    makers: dict[Unit, Callable[[], Period]] = {
        Unit.WEEK: lambda: week(of),
        Unit.WEEKEND: lambda: weekend(of),
        Unit.FORTNIGHT: lambda: week(of),
        Unit.MONTH: lambda: month(of.year, of.month),
        Unit.HALF_YEAR: lambda: month(of.year, of.month),
        Unit.QUARTER: lambda: quarter(of.year, in_quarter),
        Unit.YEAR: lambda: year(of.year),
        Unit.CENTURY: lambda: century((of.year + 99) // 100),
    }
    return makers.get(unit, lambda: single(of))()


def away(of: date, count: int, unit: Unit) -> Period:
    """Return the whole unit that lies `count` units on ("three weeks ago", "next quarter"); a decade away names a year."""
    if unit is Unit.DECADE:
        return year(of.year + 10 * count)
    if unit is Unit.CENTURY:
        return year(of.year + 100 * count)
    if unit is Unit.WEEKEND:
        return weekend(of, count)
    if unit in (Unit.MONTH, Unit.YEAR, Unit.QUARTER, Unit.HALF_YEAR):
        of = of.replace(day=1)
    return whole_unit(shifted(of, count, unit), unit)


def window(of: date, count: int, unit: Unit) -> Period:
    """Return the days from `count` units before a day (or to `count` units after it), both ends inside."""
    other = shifted(of, count, unit)
    return Period(min(of, other), max(of, other), "range", unit.name.lower())


def since(value: Period) -> Period:
    """Return the time from a period's first day on."""
    return Period(value.first, None, "open", value.precision)


def before(value: Period) -> Period:
    """Return the time up to the day before a period."""
    return Period(None, value.first - timedelta(days=1), "open", value.precision)


def after(value: Period) -> Period:
    """Return the time from the day after a period on."""
    return Period(value.last + timedelta(days=1), None, "open", value.precision)


def until(value: Period) -> Period:
    """Return the time up to a period's last day."""
    return Period(None, value.last, "open", value.precision)


def between(left: Period, right: Period) -> Period:
    """Return the time from the first day of one period to the last of another. Raises `ValueError` when that is empty."""
    if left.first > right.last:
        raise ValueError("a range that ends before it begins")
    return Period(left.first, right.last, "range", right.precision)


def nearest(make: Callable[[int], Period], of: date, tense: Tense, latest: date | None = None) -> Period:
    """Return the period without a year that is meant, among those `make` gives for the years around a day.

    `latest` bounds it (the left end of a range lies before its right end). Otherwise, in this order: the period the day lies
    in, one within `NEAR` of it, the next one in the future tense, the last one. Raises `ValueError` when no year has it.
    """
    options = _options(make, of)
    if latest is not None:
        options = [option for option in options if option.first <= latest]
        return _first(reversed(options))
    past = [option for option in options if option.last < of]
    future = [option for option in options if option.first > of]
    here = [option for option in options if option.first <= of <= option.last]
    if tense is Tense.SURELY_FUTURE:
        return _first(future)
    if tense is Tense.SURELY_PAST:
        return _first(reversed(past + here))
    if here:
        return here[0]
    if past and of - past[-1].last <= NEAR:
        return past[-1]
    if future and (tense is Tense.FUTURE or future[0].first - of <= NEAR):
        return future[0]
    return _first(reversed(past))


def last_over(make: Callable[[int], Period], of: date) -> Period:
    """Return the last period that ended before a day ("last summer")."""
    return _first(option for option in reversed(_options(make, of)) if option.last < of)


def next_not_over(make: Callable[[int], Period], of: date) -> Period:
    """Return the next period that is not yet over ("this winter", "the coming winter")."""
    return _first(option for option in _options(make, of) if option.last >= of)


def renamed(value: Period, *, kind: str) -> Period:
    """Return the same interval as another kind."""
    return replace(value, kind=kind)


def _options(make: Callable[[int], Period], of: date) -> list[Period]:
    """Return what `make` gives for the years around a day; further ones for a day that only some years have."""
    near = _existing(make, of.year, _YEARS_TRIED)
    return near if len(near) > 2 * _YEARS_TRIED else _existing(make, of.year, _LEAP_YEARS_TRIED)


def _existing(make: Callable[[int], Period], middle: int, reach: int) -> list[Period]:
    options: list[Period] = []
    for number in range(middle - reach, middle + reach + 1):
        try:
            options.append(make(number))
        except (ValueError, OverflowError):
            continue
    return options


def _first(options: Iterable[Period]) -> Period:
    for option in options:
        return option
    raise ValueError("no year has that day")

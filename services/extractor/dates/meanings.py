"""What a matched pattern means: its fields and the anchors give a period. The names in `MEANINGS` are the `value` of rules."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from typing import Final

from services.extractor.dates import feasts, lunar, values
from services.extractor.dates.reading import Fields
from services.extractor.dates.values import Period, Tense, Unit

_TWO_DIGIT_YEARS: Final = 2000


class Unanchored(Exception):
    """The expression counts from a date that is not known."""


@dataclass(slots=True)
class Anchors:
    """What expressions are counted from, and which of it a reading used.

    `published` is the publication day, `speech` the date of the speech the expression stands in, `last` the last date
    mentioned, `year` the year a sentence opened with; `tense` and `speech` are asked only when they matter. `latest` bounds
    the left end of a range.
    """

    published: date | None
    last: Period | None = None
    speech: Callable[[], Period | None] = lambda: None
    year: int | None = None
    tense: Callable[[], Tense] = lambda: Tense.UNKNOWN
    latest: date | None = None
    used: str = field(default="none")

    def base(self, unit: Unit = Unit.DAY) -> date:
        """Return the day that "now" is for the expression. Raises `Unanchored` when nothing says it."""
        speech = self.speech()
        if speech is not None and (speech.precision == "day" or unit in (Unit.MONTH, Unit.YEAR)):
            self.used = "speech"
            return speech.first
        if self.published is None:
            raise Unanchored
        if self.used == "none":
            self.used = "publication"
        return self.published

    def mentioned(self) -> Period:
        """Return the last mentioned date, or publication before any was. Raises `Unanchored`."""
        if self.last is None:
            return values.single(self.base())
        self.used = "mention"
        return self.last


def date_of_year(fields: Fields, anchors: Anchors) -> Period:
    """Read day and month, with a year, a distance in years, or the year that is meant."""
    month, day = fields["month"], fields["day"]
    return _yearly(lambda year: values.day(year, month, day), fields, anchors)


def day_of_month(fields: Fields, anchors: Anchors) -> Period:
    """Read a day of a month counted from the base (`months`), or of the nearest month that is meant."""
    if fields.get("same"):
        first = anchors.mentioned().first
        return values.day(first.year, first.month, fields["day"])
    base = anchors.base()
    if "months" in fields:
        month = values.month(base.year, base.month + fields["months"]).first
        return values.day(month.year, month.month, fields["day"])

    def make(distance: int) -> Period:
        month = values.month(base.year, base.month + distance - base.year).first
        return values.day(month.year, month.month, fields["day"])

    tense = _tense(fields, anchors)
    if tense is Tense.FUTURE and anchors.latest is None:
        return values.next_not_over(make, base)
    return values.nearest(make, base, tense, anchors.latest)


def day_span(fields: Fields, anchors: Anchors) -> Period:
    """Read some days of one month: "3-5 November"."""
    first = {name: value for name, value in fields.items() if name != "day_two"}
    end = date_of_year({**first, "day": fields["day_two"]}, anchors)
    return values.between(date_of_year(first, replace(anchors, latest=end.last)), end)


def weekday(fields: Fields, anchors: Anchors) -> Period:
    """Read a weekday (1 is Monday) of a week, the next one, or the one that is meant; a date beside it decides."""
    number = fields["weekday"]
    if "after" in fields:
        last = anchors.mentioned().last
        return values.away(last, (number - last.isoweekday()) % 7 or 7, Unit.DAY)
    base = anchors.base()
    if fields.get("dir") == 0:
        return values.away(values.week(base).first, number - 1, Unit.DAY)
    if "weeks" in fields:
        return values.away(values.away(base, fields["weeks"], Unit.WEEK).first, number - 1, Unit.DAY)
    if "day" in fields:
        beside = _yearly(lambda year: values.day(year, fields["month"], fields["day"]), fields, anchors)
        if beside.first.isoweekday() == number:
            return beside
    if anchors.latest is not None:
        return values.away(anchors.latest, -((anchors.latest.isoweekday() - number) % 7), Unit.DAY)
    ahead = (number - base.isoweekday()) % 7
    if _tense(fields, anchors) > Tense.UNKNOWN:
        return values.away(base, ahead or 7, Unit.DAY)
    back = (base.isoweekday() - number) % 7
    return values.away(base, -(back or (7 if fields.get("dir") == -1 else 0)), Unit.DAY)


def period(fields: Fields, anchors: Anchors) -> Period:
    """Read a month, quarter, half, season, year, decade, century or counted unit, or the early … late part of one."""
    whole = _whole(fields, anchors)
    if "part" in fields:
        return values.part(whole, fields["part"])
    if "halfpart" in fields:
        return values.half_of(whole, fields["halfpart"])
    return whole


def edge(fields: Fields, anchors: Anchors) -> Period:
    """Read the first or last `n` units of a period."""
    return values.edge(_whole(fields, anchors), fields.get("n", 1), Unit(fields["of"]), last=fields["side"] < 0)


def away(fields: Fields, anchors: Anchors) -> Period:
    """Read a distance from the base: "two weeks ago"."""
    unit = Unit(fields["of"])
    return values.away(anchors.base(unit), fields.get("n", 1) * fields["sign"], unit)


def away_from_last(fields: Fields, anchors: Anchors) -> Period:
    """Read a distance from the last date mentioned: "two days later"."""
    unit, sign = Unit(fields["of"]), fields["sign"]
    last = anchors.mentioned()
    return values.away(last.last if sign > 0 else last.first, fields.get("n", 1) * sign, unit)


def through(fields: Fields, anchors: Anchors) -> Period:
    """Read a distance that counts from the base in a future sentence and from the last date in any other: "in two days"."""
    return (away if anchors.last is None or anchors.tense() > Tense.UNKNOWN else away_from_last)(fields, anchors)


def window(fields: Fields, anchors: Anchors) -> Period:
    """Read the last or next `n` units: "the past 48 hours"."""
    return values.window(anchors.base(), fields.get("n", 1) * fields["sign"], Unit(fields["of"]))


def same(fields: Fields, anchors: Anchors) -> Period:
    """Read the day, month or year of the last date mentioned again."""
    last, unit = anchors.mentioned(), Unit(fields["of"])
    return last if unit is Unit.DAY and last.kind != "open" else values.whole_unit(last.last, unit)


def feast(fields: Fields, anchors: Anchors) -> Period:
    """Read Christmas (1), Western (2) or Orthodox Easter (3), a day of the lunar new year (4), Orthodox Christmas (5),
    New Year's Day (6) or Eve (7), or a day and month of the lunar calendar (8).
    """
    day = fields.get("day", 1)
    makers: dict[int, Callable[[int], date]] = {
        1: lambda year: date(year, 12, 25 + fields.get("days", 0)),
        2: feasts.easter,
        3: feasts.orthodox_easter,
        4: lambda year: feasts.lunar_day(year, day),
        5: lambda year: date(year, 1, 7 + fields.get("days", 0)),
        6: lambda year: date(year, 1, 1),
        7: lambda year: date(year, 12, 31),
        8: lambda year: lunar.lunar_date(year, fields["month"], day),
    }
    make = makers[fields["feast"]]
    return _yearly(lambda year: values.single(make(year)), fields, anchors)


def year_span(fields: Fields, anchors: Anchors) -> Period:
    """Read the years from one to another: "2014-2022"."""
    return values.between(values.year(fields["year"]), values.year(fields["year_two"]))


def _whole(fields: Fields, anchors: Anchors) -> Period:
    if "month" in fields:
        return _yearly(lambda year: values.month(year, fields["month"]), fields, anchors)
    if "quarter" in fields:
        return _yearly(lambda year: values.quarter(year, fields["quarter"]), fields, anchors)
    if "half" in fields:
        return _yearly(lambda year: values.half(year, fields["half"]), fields, anchors)
    if "season" in fields:
        return _season(fields, anchors)
    if "decade" in fields:
        return values.decade(fields["decade"] + (1900 if fields["decade"] < 100 else 0))
    if "century" in fields:
        return values.century(fields["century"])
    if "year" in fields:
        return values.year(_full_year(fields["year"]))
    if "years" in fields:
        return values.away(anchors.base(Unit.YEAR), fields["years"], Unit.YEAR)
    if "same" in fields:
        return values.whole_unit(anchors.mentioned().last, Unit(fields["unit"]))
    return _unit(fields, anchors)


def _unit(fields: Fields, anchors: Anchors) -> Period:
    unit = Unit(fields["unit"])
    if unit is Unit.WEEKEND and "shift" not in fields:
        base = anchors.base()
        ahead = values.weekend(base)
        return ahead if ahead.first <= base or anchors.tense() > Tense.UNKNOWN else values.weekend(base, -1)
    shift = fields.get("shift", 0)
    if unit is Unit.DECADE:
        return values.decade(anchors.base(Unit.YEAR).year // 10 * 10 + 10 * shift)
    if unit is Unit.CENTURY:
        return values.century((anchors.base(Unit.YEAR).year + 99) // 100 + shift)
    return values.away(anchors.base(unit), shift, unit)


def _season(fields: Fields, anchors: Anchors) -> Period:
    make: Callable[[int], Period] = partial(_season_of, fields["season"])
    if "dir" in fields and not {"year", "years", "same"} & fields.keys():
        return (values.last_over if fields["dir"] < 0 else values.next_not_over)(make, anchors.base(Unit.MONTH))
    return _yearly(make, fields, anchors)


def _season_of(number: int, year: int) -> Period:
    return values.season(year, number)


def _yearly(make: Callable[[int], Period], fields: Fields, anchors: Anchors) -> Period:
    """Return what `make` gives for the year the fields, the sentence or the anchors say."""
    make(_LEAP_YEAR)
    if "year" in fields:
        return make(_full_year(fields["year"]))
    if "years" in fields:
        return make(anchors.base(Unit.YEAR).year + fields["years"])
    if "same" in fields:
        return make(anchors.mentioned().first.year)
    if anchors.year is not None and "dir" not in fields:
        return make(anchors.year)
    return values.nearest(make, anchors.base(Unit.MONTH), _tense(fields, anchors), anchors.latest)


_LEAP_YEAR: Final = 2000


def _full_year(year: int) -> int:
    return year if year >= 100 else _TWO_DIGIT_YEARS + year


def _tense(fields: Fields, anchors: Anchors) -> Tense:
    if fields.get("dir"):
        return Tense.SURELY_FUTURE if fields["dir"] > 0 else Tense.SURELY_PAST
    return anchors.tense()


MEANINGS: Final[Mapping[str, Callable[[Fields, Anchors], Period]]] = {
    "away": away,
    "away_from_last": away_from_last,
    "date": date_of_year,
    "day_of_month": day_of_month,
    "day_span": day_span,
    "edge": edge,
    "feast": feast,
    "period": period,
    "same": same,
    "through": through,
    "weekday": weekday,
    "window": window,
    "year_span": year_span,
}

"""Reading a publication date as outlets and feeds write it: RFC 822, ISO 8601, day-first numbers, month names in four languages.

A text is read only when every word of it belongs to a date: a weekday, a label such as "Cập nhật", a day, a time of day, a zone.
A date inside a sentence is thus never taken for a publication date.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from email.utils import parsedate_to_datetime
from typing import Final, Literal
from zoneinfo import ZoneInfo

from shared.text import fold

MAX_LENGTH: Final = 120  # of a text that can be a date with its labels

_ISO = re.compile(r"(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})(?=$|[^\d])")
_DAY_FIRST = re.compile(r"(?P<d>\d{1,2})[-/.](?P<m>\d{1,2})[-/.](?P<y>\d{4}|\d{2})(?=$|[^\d])")
_CLOCK = re.compile(
    r"t?(?P<h>\d{1,2})\s?(?::|h|gio(?:\s|$)|g(?![a-z]))\s?(?P<mi>\d{2})?(?:\s?(?:phut|p(?![.\w]))|:(?P<s>\d{2})(?:[.,]\d{1,9})?)?"
    r"\s?(?P<half>[ap]\.?m\.?)?(?![\d:])"
)
_DOT_CLOCK = re.compile(r"(?P<h>\d{1,2})\.(?P<mi>\d{2})(?P<s>)\s?(?P<half>[ap]\.?m\.?)?(?=\s?(?:[a-z]{2,4}\b|$))")
_HALF_CLOCK = re.compile(r"(?P<h>\d{1,2})(?P<mi>)(?P<s>)\s?(?P<half>[ap]\.?m\.?)(?!\w)")
_OFFSET = re.compile(r"(?:gmt|utc|z)?\s?(?P<sign>[+\u2212-])\s?(?P<h>\d{1,2})(?::?(?P<mi>\d{2}))?(?!\d)")
_SEPARATORS = re.compile(r"[\s,;|\u00b7\u2022()\[\]\u2013\u2014/.:-]+")
_ORDINAL = re.compile(r"(\d)(?:st|nd|rd|th)\b")
_DIGIT = re.compile(r"\d")
_ISO_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d|\d{8}T\d{4}")
_ZONE_NAME = re.compile(r"\s\([A-Za-z ]{3,40}\)$")

_ZONES: Final[Mapping[str, int]] = {
    "utc": 0, "gmt": 0, "z": 0, "bst": 60, "cet": 60, "cest": 120, "eet": 120, "eest": 180, "msk": 180, "мск": 180,
    "est": -300, "edt": -240, "et": -300, "cst": -360, "cdt": -300, "mst": -420, "mdt": -360, "pst": -480, "pdt": -420,
    "ict": 420, "jst": 540, "kst": 540,
}  # fmt: skip


@dataclass(frozen=True)
class DateWords:
    """The words dates are written with, folded: names of months with their number, zones, and words that say nothing."""

    months: Mapping[str, int]
    zones: Mapping[str, str]
    ignored: "re.Pattern[str]"


@dataclass(frozen=True)
class Moment:
    """A publication date as it was stated: a day, perhaps a time of day, perhaps a zone."""

    day: date
    clock: time | None = None
    zone: tzinfo | None = None

    @property
    def precision(self) -> Literal["second", "minute", "day"]:
        """How precisely the moment is stated."""
        if self.clock is None:
            return "day"
        return "second" if self.clock.second else "minute"

    def iso(self) -> str:
        """Return the moment as ISO 8601: a day, a wall clock time, or an instant with its offset."""
        if self.clock is None:
            return self.day.isoformat()
        return datetime.combine(self.day, self.clock, self.zone).isoformat()

    def earliest(self) -> datetime:
        """Return the earliest instant the moment can mean anywhere on Earth (an unknown zone is read as UTC+14)."""
        zone = self.zone or timezone(timedelta(hours=14))
        return datetime.combine(self.day, self.clock or time(), zone).astimezone(UTC)

    def in_zone(self, zone: tzinfo | None) -> "Moment":
        """Return the moment with this zone where it has a time of day and no zone of its own."""
        return Moment(self.day, self.clock, zone) if self.clock and not self.zone and zone else self


def named_zone(name: str | None) -> tzinfo | None:
    """Return a zone by its name in the time zone database, or None for no or an unknown name."""
    try:
        return ZoneInfo(name) if name else None
    except (ValueError, OSError):
        return None


def read_moment(text: str, words: DateWords) -> Moment | None:
    """Return the date a text states, or None when it states none, or says anything besides."""
    text = _ZONE_NAME.sub("", text.strip())
    if not 6 <= len(text) <= MAX_LENGTH or not _DIGIT.search(text):
        return None
    return _read_iso(text) or _read_rfc822(text) or _read_words(text, words)


def _read_iso(text: str) -> Moment | None:
    if not _ISO_TIME.match(text):
        return None
    try:
        parsed = datetime.fromisoformat(text.replace(" ", "T", 1).replace(" ", ""))
    except ValueError:
        return None
    return _moment(parsed)


def _read_rfc822(text: str) -> Moment | None:
    if not text[:1].isalpha() or text.count(":") < 1 or "GMT" in text[:-3] or not text.isascii():
        return None
    try:
        parsed = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return _moment(parsed) if parsed.tzinfo else None


def _moment(parsed: datetime) -> Moment:
    return Moment(parsed.date(), parsed.time().replace(microsecond=0), parsed.tzinfo)


class _Reading:
    """The parts of a date found so far in one text."""

    def __init__(self, words: DateWords) -> None:
        self.words = words
        self.day: date | None = None
        self.clock: time | None = None
        self.zone: tzinfo | None = None

    def take(self, text: str, position: int) -> int:
        """Return the position after the next part of a date, or `position` when what stands there belongs to none."""
        for reader in (self._date, self._named_date, self._time, self._zone, self._word):
            end = reader(text, position)
            if end > position:
                return end
        return position

    def _date(self, text: str, position: int) -> int:
        match = _ISO.match(text, position) or _DAY_FIRST.match(text, position)
        if not match:
            return position
        return self._keep(int(match["y"]), int(match["m"]), int(match["d"]), match.end(), position)

    def _keep(self, year: int, month: int, day: int, end: int, position: int) -> int:
        if year < 100:
            year += 2000
        if month > 12 >= day:
            month, day = day, month
        try:
            stated = date(year, month, day)
        except ValueError:
            return position
        self.day = self.day or stated
        return end

    def _named_date(self, text: str, position: int) -> int:
        day_first = _DAY_MONTH_YEAR.match(text, position)
        if day_first and (month := self.words.months.get(day_first["m"])):
            return self._keep(int(day_first["y"]), month, int(day_first["d"]), day_first.end(), position)
        month_first = _MONTH_DAY_YEAR.match(text, position)
        if month_first and (month := self.words.months.get(month_first["m"])):
            return self._keep(int(month_first["y"]), month, int(month_first["d"]), month_first.end(), position)
        return position

    def _time(self, text: str, position: int) -> int:
        match = _CLOCK.match(text, position) or _HALF_CLOCK.match(text, position) or _DOT_CLOCK.match(text, position)
        if not match:
            return position
        hour = int(match["h"])
        if match["half"] and hour <= 12:
            hour = hour % 12 + (12 if match["half"].startswith("p") else 0)
        try:
            stated = time(hour, int(match["mi"] or 0), int(match["s"] or 0))
        except ValueError:
            return position
        self.clock = self.clock if self.clock is not None else stated
        return match.end()

    def _zone(self, text: str, position: int) -> int:
        match = _OFFSET.match(text, position)
        if match and (self.clock is not None or match[0][0] in "gu"):
            minutes = int(match["h"]) * 60 + int(match["mi"] or 0)
            if minutes > 14 * 60:
                return position
            self.zone = self.zone or timezone(timedelta(minutes=minutes if match["sign"] == "+" else -minutes))
            return match.end()
        for phrase, zone in self.words.zones.items():
            if _word_at(text, position, phrase):
                self.zone = self.zone or named_zone(zone)
                return position + len(phrase)
        name = _NAME.match(text, position)
        if name and name[0] in _ZONES:
            self.zone = self.zone or timezone(timedelta(minutes=_ZONES[name[0]]))
            return name.end()
        return position

    def _word(self, text: str, position: int) -> int:
        match = self.words.ignored.match(text, position)
        return match.end() if match else position


_NAME = re.compile(r"[^\W\d_]+")
_DAY_MONTH_YEAR = re.compile(
    r"(?P<d>\d{1,2})[\s.-]{0,3}(?:of )?(?P<m>(?:th(?:an)?g\s)?[^\W_]{1,12}(?:\s(?:mot|hai)(?!\w))?)\.?,?[\s-]{0,3}"
    r"(?:nam\s)?(?P<y>\d{4})(?!\d)"
)
_MONTH_DAY_YEAR = re.compile(r"(?P<m>th(?:an)?g\s\d{1,2}|[^\W\d_]{3,12})\.?\s(?P<d>\d{1,2}),?\s(?P<y>\d{4})(?!\d)")


def _word_at(text: str, position: int, word: str) -> bool:
    end = position + len(word)
    return text.startswith(word, position) and (end == len(text) or not text[end].isalpha() or not word[-1].isalpha())


def _read_words(text: str, words: DateWords) -> Moment | None:
    folded = _ORDINAL.sub(r"\1", fold(text))
    reading = _Reading(words)
    position = 0
    while position < len(folded):
        gap = _SEPARATORS.match(folded, position)
        end = reading.take(folded, position)
        if end == position and gap:
            end = gap.end()
        if end == position:
            return None
        position = end
    return Moment(reading.day, reading.clock, reading.zone) if reading.day else None

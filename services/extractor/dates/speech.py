"""The date of the speech an expression stands in: what "today" is inside a quotation or a report of what somebody said."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from services.extractor.dates.grammar import Cues
from services.extractor.dates.reading import Reading
from services.extractor.dates.surface import Surface
from services.extractor.dates.values import Period

_QUOTE: Final = re.compile(r"“[^“”\n]{0,2000}”|«[^«»\n]{0,2000}»|„[^„“”\n]{0,2000}[“”]|\"[^\"\n]{0,2000}\"")
_NAME: Final = re.compile(r"(?<=[\w,\"”»] )[^\W\d_a-zа-яіїєґ]\w+")
_NEW_CLAUSE: Final = re.compile(r", (?!что|що)\w{1,3} ?\Z")
"""A comma and a short conjunction right before an expression: "…, and last night"."""
_BESIDE: Final = 40
"""A date this near behind a verb of saying still dates it ("said in Kyiv on Friday that …")."""
_CHAIN: Final = 3
"""How many sentences back a speech may have begun."""
_DATING: Final = ("day.", "weekday.", "month.number", "month.word", "month.with", "month.named", "month.cl")
"""The rules whose expressions can date a speech."""
_MOST_DATES: Final = 12
"""How many expressions back a date is looked for."""
_KEY_WORDS: Final = 3
"""Words of an occasion's name that must come back."""


@dataclass(slots=True)
class Speech:
    """Speeches of one text. `readings` are all its expressions in order, `period` counts one of them."""

    surface: Surface
    cues: Cues
    readings: Sequence[Reading]
    period: Callable[[Reading], Period | None]
    published: date | None
    quotes: list[tuple[int, int]] = field(default_factory=list)
    dated: list[Reading] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    named: dict[int, list[str]] = field(default_factory=dict)
    told: str = ""
    shown_told: str = ""

    def __post_init__(self) -> None:
        self.quotes = [found.span() for found in _QUOTE.finditer(self.surface.shown)]
        self.told = _unquoted(self.surface.plain, self.quotes)
        self.shown_told = _unquoted(self.surface.shown, self.quotes)
        self.dated = [reading for reading in self.readings if self._can_date(reading)]
        self.starts = [reading.start for reading in self.dated]

    def anchor(self, reading: Reading) -> Period | None:
        """Return the date of the speech a reading stands in, when the text gives one."""
        quote = self._quote_at(reading.start)
        found = self._of_quote(*quote) if quote else self._of_report(reading)
        if found is not None and self.published is not None and found.first > self.published:
            return None
        return found

    def _of_quote(self, start: int, end: int) -> Period | None:
        first, _ = self.surface.sentence(start)
        _, last = self.surface.sentence(end - 1)
        if self.surface.plain[last - 1 : last] in '"”»' or last <= end:
            last = max(last, end)
        outside = self._outside(first, last)
        if not self._says(outside) and ":" not in outside and outside.strip(" .,;!?\n\r"):
            return None
        return self._told_after(first, last) or self._dated(first, last, _CHAIN)

    def _told_after(self, first: int, last: int) -> Period | None:
        """Return the date of a speech when only the next sentence gives it: "The remarks were made on Monday"."""
        start, end = self.surface.sentence(last + 1) if last + 1 < len(self.surface.plain) else (last, last)
        start = end - len(self.surface.plain[start:end].lstrip())
        if self._dates(first, last) or not self.cues.said_so.match(self.surface.plain, start):
            return None
        dates = self._dates(start, end)
        return self.period(dates[-1]) if dates else None

    def _of_report(self, reading: Reading) -> Period | None:
        first, _ = self.surface.sentence(reading.start)
        head = self._outside(first, reading.start)
        verb = None
        for verb in self.cues.speech.finditer(head):  # noqa: B007 - the last verb is wanted
            pass
        if verb is None:
            return None
        at_verb = reading.start - first - verb.end() <= 1
        if at_verb and reading.rule.startswith(("day.", "weekday.")):
            return None
        if self.cues.clause.search(head, verb.end()) or _NEW_CLAUSE.search(head, verb.end()):
            return None
        dates = [
            other
            for other in self._dates(first, reading.start)
            if other.start - first < verb.start() or other.start - first - verb.end() <= _BESIDE
        ]
        if dates:
            between = self.surface.plain[dates[-1].end : reading.start]
            return None if self.cues.elsewhere.search(between) else self.period(dates[-1])
        if first == 0 or self.cues.elsewhere.search(head) or not self._same_speaker(first, reading.start):
            return None
        before = self.surface.sentence(first - 1)
        return self._dated(*before, depth=1) if self._says(self._outside(*before)) else None

    def _dated(self, first: int, last: int, depth: int) -> Period | None:
        """Return the date the sentence around a speech gives: its own, that of an occasion it names, or of the speech before."""
        outside = self._outside(first, last)
        dates = self._dates(first, last)
        elsewhere = self.cues.elsewhere.search(outside, dates[-1].end - first if dates else 0)
        if elsewhere and not (dates and self._says(outside[elsewhere.end() :]) is False):
            return None
        if dates:
            return self.period(dates[-1])
        named = self._occasion(first, outside)
        if named is not None:
            return named
        if depth == 0 or first == 0 or not self._same_speaker(first, last):
            return None
        before = self.surface.sentence(first - 1)
        told = self._outside(*before)
        return self._dated(*before, depth - 1) if self._says(told) or not told.strip(" .,\n\r") else None

    def _occasion(self, first: int, outside: str) -> Period | None:
        """Return the date of an earlier occasion a sentence names again."""
        same = self.cues.same_occasion.search(outside)
        for date_before in reversed(self._dates(0, first)):
            if same:
                return self.period(date_before)
            if any(phrase in outside for phrase in self._phrases(date_before)):
                return self.period(date_before)
        return None

    def _phrases(self, dated: Reading) -> list[str]:
        """Return the beginnings of the occasions named right before and right after a date."""
        if dated.start not in self.named:
            first, last = self.surface.sentence(dated.start)
            self.named[dated.start] = self._named(
                self.surface.plain[first : dated.start], self.surface.plain[dated.end : last]
            )
        return self.named[dated.start]

    def _named(self, head: str, tail: str) -> list[str]:
        begins = [found.end() for found in self.cues.occasion.finditer(head)][-2:]
        named = [head[begin:] for begin in begins]
        after = self.cues.occasion.match(tail.lstrip(" ,()"))
        if after:
            named.append(tail.lstrip(" ,()")[after.end() :])
        words = [phrase.split()[:_KEY_WORDS] for phrase in named]
        return [" ".join(phrase).strip(" ,.;:)(") for phrase in words if len(phrase) > 1]

    def _same_speaker(self, first: int, last: int) -> bool:
        """Say whether a sentence names nobody the one before it does not name too."""
        names = set(_NAME.findall(self._outside(first, last, shown=True)))
        return not names or bool(
            names & set(_NAME.findall(self._outside(*self.surface.sentence(first - 1), shown=True)))
        )

    def _dates(self, first: int, last: int) -> Sequence[Reading]:
        """Return the last expressions in a stretch of text that can date a speech."""
        begin, end = bisect_left(self.starts, first), bisect_left(self.starts, last)
        return self.dated[max(begin, end - _MOST_DATES) : end]

    def _can_date(self, reading: Reading) -> bool:
        return not reading.inside and reading.rule.startswith(_DATING) and self._quote_at(reading.start) is None

    def _says(self, text: str) -> bool:
        return self.cues.speech.search(text) is not None

    def _quote_at(self, offset: int) -> tuple[int, int] | None:
        index = bisect_right(self.quotes, (offset, len(self.surface.plain) + 1)) - 1
        return self.quotes[index] if index >= 0 and self.quotes[index][1] > offset else None

    def _outside(self, first: int, last: int, *, shown: bool = False) -> str:
        """Return a stretch of text with what is quoted in it blanked."""
        return (self.shown_told if shown else self.told)[first:last]


def _unquoted(text: str, quotes: Sequence[tuple[int, int]]) -> str:
    pieces: list[str] = []
    done = 0
    for start, end in quotes:
        pieces += (text[done:start], " " * (end - start))
        done = end
    return "".join((*pieces, text[done:]))

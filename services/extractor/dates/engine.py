"""The one pass over a text: at each word the longest expression wins, takes its place, and is read against its anchors."""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from typing import Final

from services.extractor.dates import values
from services.extractor.dates.context import tense_at
from services.extractor.dates.grammar import NO_FIELD, Bucket, Grammar, Rule, Wrap, first_key, grammar, group_name
from services.extractor.dates.meanings import MEANINGS, Anchors, Unanchored
from services.extractor.dates.reading import Reading
from services.extractor.dates.speech import Speech
from services.extractor.dates.surface import Surface
from services.extractor.dates.values import Period, Tense, Unit

_WORD: Final = re.compile(r"\w+")
_BEFORE: Final = 48
"""Characters before an expression that its guards may look at."""
_YEARS: Final = frozenset({"year", "years", "same", "dir"})
"""Fields that say which year is meant."""
_CALENDAR_NOUN: Final = 6
"""Room for the noun a coordinated expression may repeat, or a preposition ("và tháng 8", "and in July")."""
_OPENING: Final = 6
"""A year this near to the beginning of a sentence opens it ("In 2014 …")."""
_GIVEN: Final = ("month", "year", "years", "same", "months", "dir")
"""Fields that one end of a range lends to the other."""


@dataclass(frozen=True, slots=True)
class Mention:
    """A date expression: code-point offsets into the given text and the closed interval it names.

    `None` is an open side when `anchored`, else not known; `known` keeps what an unanchored expression says (month, day …).
    `rule` read it, `anchor` is what it was counted from: none, publication, mention or speech.
    """

    start: int
    end: int
    text: str
    from_: date | None
    to: date | None
    anchored: bool
    kind: str
    precision: str
    rule: str
    anchor: str
    known: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scan:
    """One text in one language while its expressions are looked for."""

    surface: Surface
    grammar: Grammar

    def readings(self) -> Iterator[Reading]:
        """Yield the expressions from left to right, without overlap."""
        done = 0
        starts = self.grammar.rules.keys() | self.grammar.wraps.keys()
        for word in _WORD.finditer(self.surface.plain):
            text = word[0]
            # Most words begin nothing: they are not asked more than this.
            if text not in starts and not "0" <= text[0] <= "9":
                continue
            key, start = first_key(text), word.start()
            if start < done or (key == "0" and self._inside_number(start)):
                continue
            reading = self._longest(start, key)
            while reading is not None:
                done = reading.end
                yield reading
                reading = self._following(reading)

    def _inside_number(self, start: int) -> bool:
        """Say whether a numeral is the tail of another one or of a name ("2,5", "Su-34")."""
        head = self.surface.shown[max(0, start - 2) : start]
        return len(head) == 2 and head[1] in ".,/:-" and head[0].isalnum()

    def _longest(self, start: int, key: str) -> Reading | None:
        best = self._core(self.grammar.rules.get(key), start)
        for wrap in self.grammar.wraps.get(key, ()):
            reading = self._wrapped(wrap, start)
            if reading is not None and (best is None or reading.end > best.end):
                best = reading
        if best is not None and best.operand and best.inside == ():
            best = self._joined(best)
        return best

    def _core(self, bucket: Bucket | None, start: int, *, partial: bool = False) -> Reading | None:
        best: Reading | None = None
        if bucket is None or (bucket.gate and not bucket.gate.match(self.surface.shown, start)):
            return None
        for rule in bucket.rules:
            reading = None if rule.partial and not partial else self._match(rule, start)
            if reading is not None and (best is None or reading.end > best.end):
                best = reading
        return best

    def _match(self, rule: Rule, start: int) -> Reading | None:
        plain = self.surface.shown
        found = rule.pattern.match(plain, start)
        if found is None or found.end() == start:
            return None
        back = max(0, start - _BEFORE)
        if rule.before is not None and not rule.before.search(plain, back, start):
            return None
        if rule.not_before is not None and rule.not_before.search(plain, back, start):
            return None
        fields = dict(rule.fields)
        for numbered, text in found.groupdict().items():
            name = group_name(numbered)
            if text is not None and name != NO_FIELD:
                table = rule.groups.get(name)
                fields[name] = (
                    int(text)
                    if text.isdecimal() and (table is None or text not in table)
                    else (table or {})[text.lower()]
                )
        return Reading(start, found.end(), rule.name, rule.value, fields, operand=rule.operand)

    def _operand(self, start: int, *, partial: bool) -> Reading | None:
        word = _WORD.match(self.surface.plain, start)
        return self._core(self.grammar.operands.get(first_key(word[0])), start, partial=partial) if word else None

    def _wrapped(self, wrap: Wrap, start: int) -> Reading | None:
        plain = self.surface.shown
        lead = wrap.lead.match(plain, start) if wrap.lead else None
        if lead is None or (wrap.not_before and wrap.not_before.search(plain, max(0, start - _BEFORE), start)):
            return None
        if wrap.value == "from_now":
            right = self._operand(lead.end(), partial=False)
            return Reading(start, right.end, wrap.name, wrap.value, inside=(right,)) if right else None
        left = self._operand(lead.end(), partial=wrap.join is not None)
        if left is None:
            return None
        if wrap.join is not None:
            return self._between(wrap, start, left)
        end = left.end
        if wrap.tail is not None:
            tail = wrap.tail.match(plain, end)
            if tail is None:
                return None
            end = tail.end()
        return Reading(start, end, wrap.name, wrap.value, inside=(left,))

    def _between(self, wrap: Wrap, start: int, left: Reading) -> Reading | None:
        join = wrap.join.match(self.surface.shown, left.end) if wrap.join else None
        right = self._operand(join.end(), partial=True) if join else None
        if right is None or (wrap.lead is None and right.rule.split(".")[0] != left.rule.split(".")[0]):
            return None
        if _lacks_month(left, right) or _lacks_month(right, left):
            return None
        return Reading(start, right.end, wrap.name, wrap.value, inside=(left, right))

    def _joined(self, left: Reading) -> Reading:
        for wrap in self.grammar.joins:
            reading = self._between(wrap, left.start, left)
            if reading is not None:
                return reading
        return left

    def _following(self, last: Reading) -> Reading | None:
        """Return what a mention lends its meaning to: "(23/9)", "and 4/5", ", 2015"."""
        join = self.grammar.join.match(self.surface.shown, last.end)
        if join is None:
            return None
        kind = last.rule.split(".")[0]
        for rule in self.grammar.following:
            if kind in rule.follows:
                reading = self._match(rule, join.end())
                if reading is not None:
                    return reading
        return None


@dataclass(slots=True)
class Count:
    """The expressions of one text while they are counted, in order."""

    surface: Surface
    grammar: Grammar
    published: date | None
    readings: list[Reading]
    starts: list[int]
    done: dict[int, Period | None] = field(default_factory=dict)
    last: Period | None = None

    def periods(self) -> Iterator[tuple[Reading, Period | None, str]]:
        """Yield each expression with its period (None when unanchored) and anchor; days that do not exist are left out."""
        speech = Speech(self.surface, self.grammar.cues, self.readings, self._period, self.published)
        for reading in self.readings:
            anchors = self._anchors(reading, partial(speech.anchor, reading))
            try:
                period: Period | None = _count(reading, anchors)
            except Unanchored:
                period = None
            except (ValueError, OverflowError):
                continue
            self.done[reading.start] = period
            self.last = period or self.last
            yield reading, period, anchors.used if period else "unknown"

    def _anchors(self, reading: Reading, speech: Callable[[], Period | None]) -> Anchors:
        return Anchors(
            published=self.published,
            last=self.last,
            speech=speech,
            year=self._sentence_year(reading),
            tense=partial(tense_at, self.surface, self.grammar.cues, reading.start, reading.end),
        )

    def _period(self, reading: Reading) -> Period | None:
        """Return the period of a reading that dates a speech, counted already or (behind a quotation) not yet."""
        if reading.start in self.done:
            return self.done[reading.start]
        try:
            return _count(reading, self._anchors(reading, lambda: None))
        except (Unanchored, ValueError, OverflowError):
            return None

    def _sentence_year(self, reading: Reading) -> int | None:
        """Return the year a sentence opened with ("In 2014, … on 18 March"), when an expression after it names none."""
        start, _ = self.surface.sentence(reading.start)
        opening = self.readings[bisect_left(self.starts, start)]
        opens = opening.rule.startswith("year.") and "year" in opening.fields and opening.start - start <= _OPENING
        return opening.fields["year"] if opens and opening is not reading else None


def _lacks_month(end: Reading, other: Reading) -> bool:
    """Whether one end of a range is a bare number and the other has no month to lend it: "from 5 to 6 times"."""
    return end.value == "bare_day" and "month" not in other.fields


def _count(reading: Reading, anchors: Anchors) -> Period:
    """Return the period of a reading. Raises `Unanchored`, or `ValueError` for a day that does not exist."""
    if not reading.inside:
        return MEANINGS[reading.value](reading.fields, anchors)
    if reading.value == "between":
        return _range(reading, anchors)
    if reading.value == "from_now":
        ahead = _count(reading.inside[0], replace(anchors, tense=lambda: Tense.FUTURE))
        return values.between(values.single(anchors.base()), ahead)
    inside = _deadline(reading.inside[0], anchors) if reading.value == "until" else _count(reading.inside[0], anchors)
    if reading.value == "to_now":
        return values.between(inside, values.single(anchors.base()))
    return {"after": values.after, "before": values.before, "since": values.since, "until": values.until}[
        reading.value
    ](inside)


def _deadline(reading: Reading, anchors: Anchors) -> Period:
    """Return the period something lasts until: where no tense tells, the past or the coming one that is nearer."""
    told = _count(reading, anchors)
    base = anchors.published
    if base is None or told.last >= base or anchors.tense() is not Tense.UNKNOWN:
        return told
    coming = _count(reading, replace(anchors, tense=lambda: Tense.FUTURE))
    return coming if coming.first - base < base - told.last else told


def _range(reading: Reading, anchors: Anchors) -> Period:
    left, right = _lend(*reading.inside)
    end = _count(right, anchors)
    if "year" in left.fields or "year" not in right.fields:
        start = _count(left, replace(anchors, latest=end.last))
    else:
        start = _count(left, anchors)
    return values.between(start, end)


def _lend(left: Reading, right: Reading) -> tuple[Reading, Reading]:
    """Return both ends of a range, each completed with what only the other says."""
    lent = {name: right.fields[name] for name in _GIVEN if name in right.fields and _lacks(left, name)}
    back = {
        name: left.fields[name] for name in ("month", "year", "years") if name in left.fields and _lacks(right, name)
    }
    left_value = "date" if left.value == "bare_day" else left.value
    return (
        replace(left, value=left_value, fields={**lent, **left.fields}),
        replace(right, value="date" if right.value == "bare_day" else right.value, fields={**back, **right.fields}),
    )


def _lacks(end: Reading, name: str) -> bool:
    """Whether one end of a range may be lent a field: no second year, and no month where it names a part of a year."""
    if name in _YEARS or "day" not in end.fields:
        return not _YEARS & end.fields.keys()
    return True


def find_mentions(text: str, language: str, published: date | None) -> list[Mention]:
    """Return the mentions of a text in one language that has a grammar, from left to right."""
    surface = Surface.of(text)
    found: list[Mention] = []
    rules = grammar(language)
    readings = _with_shared_years(list(Scan(surface, rules).readings()), surface, rules)
    for reading, period, anchor in Count(
        surface, rules, published, readings, [reading.start for reading in readings]
    ).periods():
        start, end = surface.origin(reading.start), surface.origin(reading.end)
        found.append(
            Mention(
                start=start,
                end=end,
                text=text[start:end],
                from_=period.start if period else None,
                to=period.end if period else None,
                anchored=period is not None,
                kind=period.kind if period else "unknown",
                precision=period.precision if period else "unknown",
                rule=f"{language}.{reading.rule}",
                anchor=anchor,
                known={} if period else _known(reading),
            )
        )
    return found


def _with_shared_years(readings: list[Reading], surface: Surface, rules: Grammar) -> list[Reading]:
    """Return readings where one without a year takes that of the like one it is coordinated with: "June and July 2024"."""
    shared = readings[:]
    for index in range(len(readings) - 2, -1, -1):
        left, right = shared[index], shared[index + 1]
        alike = left.value == right.value and left.rule.split(".")[0] == right.rule.split(".")[0] and not left.inside
        if not alike or _YEARS & left.fields.keys() or not _YEARS & right.fields.keys() or "month" not in left.fields:
            continue
        join = rules.join.match(surface.plain, left.end)
        gap = surface.plain[left.end : right.start]
        if join and join.end() >= right.start - _CALENDAR_NOUN and any(character.isalpha() for character in gap):
            years = {name: value for name, value in right.fields.items() if name in _YEARS and name != "dir"}
            shared[index] = replace(left, fields={**left.fields, **years})
    return shared


def _known(reading: Reading) -> dict[str, int]:
    inner = reading.inside[-1] if reading.inside else reading
    known = {
        name: value for name, value in inner.fields.items() if name not in ("of", "unit", "sign", "shift", "n", "dir")
    }
    unit = inner.fields.get("unit", inner.fields.get("of"))
    if unit is not None:
        count = inner.fields.get("shift", inner.fields.get("n", 1) * inner.fields.get("sign", 1))
        known[f"{Unit(unit).name.lower()}s"] = count
    return known

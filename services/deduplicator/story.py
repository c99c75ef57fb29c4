"""What an article is about, as a few weighted terms: the names and numbers by which articles on one event are brought together.

A linked name counts under its canonical id, so that outlets in different languages and scripts meet; other capitalised words
count as they stand, when they are capitalised inside a sentence. Headlines and leads weigh more.
"""

import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

import numpy as np
from ruamel.yaml import YAML

from services.deduplicator.characters import (
    CAPITAL,
    DIGIT,
    ENDING,
    LETTER,
    OPENING,
    POINT,
    SLASH,
    Kinds,
    Mask,
    Places,
    codes_of,
    inside_numbers,
    kinds_of,
    runs,
)
from services.deduplicator.comparison import plain_number
from services.deduplicator.sketching import MAX_WEIGHT

MAX_TERMS: Final = 24

_TITLE_WEIGHT: Final = 3
_LEAD_WEIGHT: Final = 2
_LEAD_SENTENCES: Final = 2
_NUMBER_WEIGHT: Final = 0.5
_MAX_CHARACTERS: Final = 20_000
_STEM: Final = 5
"""Letters that a Cyrillic word is cut to: its case endings come after."""
_BACK: Final = 3
"""Characters looked at before a name, to see whether it begins a sentence."""
_REMEMBERED: Final = 1 << 16

_SENTENCE_END: Final = re.compile(r"[.!?…][\"”»)]*\s+|\n+")
_YEAR: Final = re.compile(r"(?:19|20)\d\d")


Mention = tuple[Literal["title", "body"], int, int, str]
"""A linked name or a day: field, start, end, and the term that all mentions of one count under, however they are written."""


def story_terms(title: str, body: str, mentions: Iterable[Mention] = ()) -> list[tuple[str, int]]:
    """Return an article's terms with their weights (1 to `MAX_WEIGHT`): at most `MAX_TERMS`, the heaviest first."""
    text = _Text(title, body[:_MAX_CHARACTERS])
    begins = {"title": 0, "body": text.body}
    placed = sorted([(begins[field] + start, begins[field] + end, term) for field, start, end, term in mentions])
    weights: defaultdict[str, float] = defaultdict(float)
    weights.update(text.weigh([start for start, _, _ in placed], [term for _, _, term in placed]))
    kinds = text.kinds_besides(placed)
    starts, ends = _names(kinds)
    # Every word of a headline, and the first of a sentence, may owe its capital to its place.
    sure = (starts >= text.body) & ~_starts_sentence(kinds, starts)
    for name, weight in text.pieces(starts[sure], ends[sure]).items():
        weights[_name_term(name)] += weight
    for number, weight in text.pieces(*_numbers(kinds)).items():
        if number_term := _number_term(number):
            weights[number_term] += _NUMBER_WEIGHT * weight
    for name, weight in text.pieces(starts[~sure], ends[~sure]).items():
        if (name_term := _name_term(name)) in weights:
            weights[name_term] += weight
    heaviest = sorted(sorted(weights), key=weights.__getitem__, reverse=True)[:MAX_TERMS]
    return [(term, _weight_in_sketch(weights[term])) for term in heaviest]


def common_terms() -> dict[str, float]:
    """Return the terms that news holds anyway, each with the share of articles that do (common_names.yaml)."""
    data = YAML(typ="safe").load(Path(__file__).with_name("common_names.yaml"))
    return {term: per_hundred / 100 for term, per_hundred in data.items()}


class _Text:
    """Title and body as one text; `body` is where the body begins."""

    def __init__(self, title: str, body: str) -> None:
        self._text = f"{title}\n{body}"
        self.body = len(title) + 1
        self._lead_end = self.body + _lead_end(body)

    def weigh(self, places: list[int], terms: list[str]) -> Counter[str]:
        """Return what terms at these places, in order, weigh: a headline more than the lead, the lead more than the rest."""
        in_title, in_lead = bisect_left(places, self.body), bisect_left(places, self._lead_end)
        return Counter(terms + terms[:in_lead] * (_LEAD_WEIGHT - 1) + terms[:in_title] * (_TITLE_WEIGHT - _LEAD_WEIGHT))

    def pieces(self, starts: Places, ends: Places) -> Counter[str]:
        """Return what the pieces of text from each start to its end weigh."""
        places = starts.tolist()
        text = self._text
        return self.weigh(places, [text[start:end] for start, end in zip(places, ends.tolist(), strict=True)])

    def kinds_besides(self, spans: Iterable[tuple[int, int, str]]) -> Kinds:
        """Return the kinds of the characters, those inside of the sorted spans (start, end, term) blanked out."""
        kinds, at = bytearray(kinds_of(codes_of(self._text)).tobytes()), 0
        for start, end, _ in spans:
            if at <= start and end <= len(kinds):
                kinds[start:end] = bytes(end - start)
                at = end
        return np.frombuffer(kinds, np.uint8)


def _lead_end(text: str) -> int:
    """Return where the first sentences end."""
    ends = [end.end() for end, _ in zip(_SENTENCE_END.finditer(text), range(_LEAD_SENTENCES), strict=False)]
    return ends[-1] if len(ends) == _LEAD_SENTENCES else len(text)


def _names(kinds: Kinds) -> tuple[Places, Places]:
    """Return where the capitalised words begin and end: from the first capital of a word on, two letters or more."""
    capitals = np.flatnonzero(kinds & CAPITAL > 0)
    stops = np.append(np.flatnonzero(kinds & LETTER == 0), len(kinds))
    ends = stops[np.searchsorted(stops, capitals)]
    chosen = ends - capitals > 1
    chosen[1:] &= ends[1:] != ends[:-1]
    return capitals[chosen], ends[chosen]


def _starts_sentence(kinds: Kinds, places: Places) -> Mask:
    """Return which places begin a sentence: the text does, or what is before them, quotes and dashes left out, ends one."""
    before = kinds[places - 1]
    for back in range(2, _BACK + 1):
        before = np.where(before & OPENING, kinds[places - back], before)
    begins: Mask = before & (OPENING | ENDING) > 0
    return begins


def _numbers(kinds: Kinds) -> tuple[Places, Places]:
    """Return where the numbers begin and end, with the points, commas and slashes inside."""
    inside = kinds & DIGIT > 0
    inside[inside_numbers(kinds, POINT | SLASH)] = True
    return runs(inside)


@lru_cache
def _weight_in_sketch(weight: float) -> int:
    steps: int = round(4 * weight**0.5)
    return max(1, min(MAX_WEIGHT, steps))


@lru_cache(_REMEMBERED)
def _name_term(name: str) -> str:
    name = name.lower()
    return f"name {name[:_STEM] if 'а' <= name[0] <= 'я' or name[0] in 'ёїієґ' else name}"


@lru_cache(_REMEMBERED)
def _number_term(number: str) -> str | None:
    """Return the term of a number; a single digit and a year say nothing."""
    plain = plain_number(number)
    return f"number {plain}" if len(plain) > 1 and not _YEAR.fullmatch(plain) else None

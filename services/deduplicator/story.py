"""What an article is about, as a few weighted terms: the names and numbers by which articles on one event are brought together.

A linked name counts under its canonical id, so that outlets in different languages and scripts meet; other capitalised words
count as they stand, when they are capitalised inside a sentence. Headlines and leads weigh more.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from typing import Final, NamedTuple

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

_TITLE_WEIGHT: Final = 3.0
_LEAD_WEIGHT: Final = 2.0
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


class Mention(NamedTuple):
    """A linked name or a day in the title or body: all mentions of one count under its term, however they are written."""

    field: str
    start: int
    end: int
    term: str


def story_terms(title: str, body: str, mentions: Iterable[Mention] = ()) -> list[tuple[str, int]]:
    """Return an article's terms with their weights (1 to `MAX_WEIGHT`): at most `MAX_TERMS`, the heaviest first."""
    text = _Text(title, body[:_MAX_CHARACTERS])
    weights: defaultdict[str, float] = defaultdict(float)
    unsure: defaultdict[str, float] = defaultdict(float)
    placed = sorted((start + text.begin(field), end + text.begin(field), term) for field, start, end, term in mentions)
    for (_, _, term), weight in zip(placed, text.weights(np.array([start for start, _, _ in placed])), strict=True):
        weights[term] += weight
    kinds = text.kinds_besides(placed)
    starts, ends = _names(kinds)
    # Every word of a headline, and the first of a sentence, may owe its capital to its place.
    sure = (starts >= text.body) & ~_starts_sentence(kinds, starts)
    for (name, weight), is_sure in zip(text.pieces(starts, ends), sure.tolist(), strict=True):
        (weights if is_sure else unsure)[_name_term(name)] += weight
    for number, weight in text.pieces(*_numbers(kinds)):
        if number_term := _number_term(number):
            weights[number_term] += _NUMBER_WEIGHT * weight
    for name, weight in unsure.items():
        if name in weights:
            weights[name] += weight
    heaviest = sorted(sorted(weights.items()), key=itemgetter(1), reverse=True)[:MAX_TERMS]
    return [(term, max(1, min(MAX_WEIGHT, round(4 * weight**0.5)))) for term, weight in heaviest]


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

    def begin(self, field: str) -> int:
        return self.body if field == "body" else 0

    def weights(self, places: Places) -> list[float]:
        """Return what a term weighs at each place: a headline more than the lead, the lead more than the rest."""
        in_body = np.where(places < self._lead_end, _LEAD_WEIGHT, 1.0)
        weights: list[float] = np.where(places < self.body, _TITLE_WEIGHT, in_body).tolist()
        return weights

    def pieces(self, starts: Places, ends: Places) -> Iterator[tuple[str, float]]:
        """Yield the pieces of text from each start to its end, with their weights."""
        for start, end, weight in zip(starts.tolist(), ends.tolist(), self.weights(starts), strict=True):
            yield self._text[start:end], weight

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
    starts, ends = runs(kinds & LETTER > 0)
    capitals = np.flatnonzero(kinds & CAPITAL > 0)
    word = np.searchsorted(starts, capitals, "right") - 1
    first = np.ones(len(word), np.bool_)
    first[1:] = word[1:] != word[:-1]
    capitals, ends = capitals[first], ends[word[first]]
    long = ends - capitals > 1
    return capitals[long], ends[long]


def _starts_sentence(kinds: Kinds, places: Places) -> Mask:
    """Return which places begin a sentence: the text does, or what is before them, quotes and dashes left out, ends one."""
    padded = np.concatenate((np.full(_BACK, OPENING, np.uint8), kinds))
    before = padded[places + _BACK - 1]
    for back in range(2, _BACK + 1):
        before = np.where(before & OPENING, padded[places + _BACK - back], before)
    begins: Mask = before & (OPENING | ENDING) > 0
    return begins


def _numbers(kinds: Kinds) -> tuple[Places, Places]:
    """Return where the numbers begin and end, with the points, commas and slashes inside."""
    return runs((kinds & DIGIT > 0) | inside_numbers(kinds, POINT | SLASH))


@lru_cache(_REMEMBERED)
def _name_term(name: str) -> str:
    name = name.lower()
    return f"name {name[:_STEM] if 'а' <= name[0] <= 'я' or name[0] in 'ёїієґ' else name}"


@lru_cache(_REMEMBERED)
def _number_term(number: str) -> str | None:
    """Return the term of a number; a single digit and a year say nothing."""
    plain = plain_number(number)
    return f"number {plain}" if len(plain) > 1 and not _YEAR.fullmatch(plain) else None

"""What an article is about, as a few weighted terms: the names and numbers by which articles on one event are brought together.

A linked name counts under its canonical id, so that outlets in different languages and scripts meet; other capitalised words
count as they stand, when they are capitalised inside a sentence. Headlines and leads weigh more.
"""

import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
from ruamel.yaml import YAML

from services.deduplicator.comparison import Remembered, plain_number
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

_CAPITALS: Final = "".join(filter(str.isupper, map(chr, (*range(0x530), *range(0x1E00, 0x1F00)))))
"""The capital letters of the Latin and Cyrillic alphabets, Vietnamese ones included."""

_NAME_OR_NUMBER: Final = re.compile(rf"[{_CAPITALS}][^\W\d_]+|\d+(?:[.,/]\d+)*")
"""A capitalised word, from its first capital on, of two letters or more; or a number, with the points and slashes inside."""
# It begins with one set of characters: `re` then looks for these at once, several times as fast.
_SENTENCE_END: Final = re.compile(r"[.!?…\n](?:(?<=\n)\n*|(?<!\n)[\"”»)]*\s+)")
_SENTENCE_BEGINS: Final = re.compile(r"(?:[.!?…:\n][ \"“«'(\[–-]{0,2}|[ \"“«'(\[–-]{3})\Z")
"""What is before the first word of a sentence: the end of another (a colon as well: a quotation begins), quotes and dashes."""
_YEAR: Final = re.compile(r"(?:19|20)\d\d")
_BLANK: Final = "\0"


Mention = tuple[Literal["title", "body"], int, int, str]
"""A linked name or a day: field, start, end, and the term that all mentions of one count under, however they are written."""


def story_terms(title: str, body: str, mentions: Iterable[Mention] = ()) -> list[tuple[str, int]]:
    """Return an article's terms with their weights (1 to `MAX_WEIGHT`): at most `MAX_TERMS`, the heaviest first."""
    body = body[:_MAX_CHARACTERS]
    begins = {"title": 0, "body": len(title) + 1}
    in_body = begins["body"]
    in_rest = in_body + _lead_end(body)
    placed = sorted([(begins[field] + start, begins[field] + end, term) for field, start, end, term in mentions])
    weights: defaultdict[str, float] = defaultdict(float)

    def weight_at(start: int) -> float:
        return 1 if start >= in_rest else _LEAD_WEIGHT if start >= in_body else _TITLE_WEIGHT

    for start, _, term in placed:
        weights[term] += weight_at(start)
    text = _besides(placed, f"{title}\n{body}")
    unsure = []
    for start, piece in _names_and_numbers(text):
        weight = weight_at(start)
        if piece[0].isdecimal():
            if number_term := _number_term(piece):
                weights[number_term] += _NUMBER_WEIGHT * weight
        # Every word of a headline, and the first of a sentence, may owe its capital to its place.
        elif start < in_body or _begins(text[max(0, start - _BACK) : start]):
            unsure.append((_name_term(piece), weight))
        else:
            weights[_name_term(piece)] += weight
    for term, weight in unsure:
        if term in weights:
            weights[term] += weight
    heaviest = sorted(sorted(weights), key=weights.__getitem__, reverse=True)[:MAX_TERMS]
    return [(term, _weight_in_sketch(weights[term])) for term in heaviest]


def common_terms() -> dict[str, float]:
    """Return the terms that news holds anyway, each with the share of articles that do (common_names.yaml)."""
    data = YAML(typ="safe").load(Path(__file__).with_name("common_names.yaml"))
    return {term: per_hundred / 100 for term, per_hundred in data.items()}


def _besides(spans: Iterable[tuple[int, int, str]], text: str) -> str:
    """Return a text with the sorted spans (start, end, term) blanked out; one that begins inside another is left."""
    parts: list[str] = []
    at = 0
    for start, end, _ in spans:
        if at <= start <= end <= len(text):
            parts += (text[at:start], _BLANK * (end - start))
            at = end
    return "".join((*parts, text[at:]))


def _beginnings() -> npt.NDArray[np.bool_]:
    """Return by code point whether a name or a number may begin with it."""
    table = np.zeros(sys.maxunicode + 1, np.bool_)
    for run in re.finditer(rf"[{_CAPITALS}\d]+", "".join(map(chr, range(len(table))))):
        table[run.start() : run.end()] = True
    return table


_BEGINNINGS: Final = _beginnings()


def _names_and_numbers(text: str) -> Iterator[tuple[int, str]]:
    """Yield the capitalised words and the numbers in a text, and where they begin."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
    end = 0
    # Looked for one by one where they may begin: several times as fast as by `re` alone.
    for start in np.flatnonzero(_BEGINNINGS.take(codes)).tolist():
        if start >= end and (found := _NAME_OR_NUMBER.match(text, start)):
            yield start, found[0]
            end = found.end()


def _lead_end(text: str) -> int:
    """Return where the first sentences end."""
    ends = [end.end() for end, _ in zip(_SENTENCE_END.finditer(text), range(_LEAD_SENTENCES), strict=False)]
    return ends[-1] if len(ends) == _LEAD_SENTENCES else len(text)


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


_begins: Final = Remembered(lambda before: _SENTENCE_BEGINS.search(before) is not None).__getitem__
"""Whether a word begins a sentence, by the few characters before it."""

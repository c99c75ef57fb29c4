"""Choosing an article's title, and the white space around what is left of a text.

The title is the one the feed or page gave; a first line that repeats it is taken out of the body. Without a given one, a first
line that is short enough to be a title becomes it and leaves the body: no word is lost and none is there twice. Only where the
text opens with a long paragraph is the title a copy: its first sentence, cut at a word.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile
from typing import Final

from services.normaliser.changes import Change
from services.normaliser.lines import LONGEST_HEADLINE, Line
from services.normaliser.remains import holds_text, kept_text, taken
from services.normaliser.repair import FAMILY_SPACE
from shared.text import fold

LONGEST_DERIVED_TITLE: Final = 120
FAMILY_TITLE: Final = "title"

_SENTENCE = re.compile(r"[.!?…][\"”»')]*\s")
_BLANKS = re.compile(r"\s{2,}|^\s|\s\Z|[^\S ]")
_NOT_WORDS = re.compile(r"[\W_]+")


@dataclass(frozen=True)
class Title:
    """A title, and the cuts that take it out of the body."""

    text: str
    cuts: tuple[Change, ...] = ()


def choose_title(lines: Sequence[Line], given: str) -> Title:
    """Return the title of a part from its lines, those taken out by the clean-up included, and the title that was given."""
    kept = [line for line in lines if holds_text(line)]
    if given:
        return Title(given, _repeats(kept, given))
    if not kept:
        return Title(next((line.text for line in lines), "")[:LONGEST_DERIVED_TITLE])
    first = kept[0]
    text = _one_line(kept_text(first))
    if len(kept) > 1 and len(text) <= LONGEST_HEADLINE:
        return Title(text, (*taken(first, "title.first-line", FAMILY_TITLE), *_repeats(kept[1:], text)))
    return Title(_first_sentence(text))


def _repeats(lines: Sequence[Line], title: str) -> tuple[Change, ...]:
    """Return the cuts of the first lines that say the title again; the last line is never one of them."""
    same = takewhile(lambda line: _same(kept_text(line), title), lines[:-1])
    return tuple(cut for line in same for cut in taken(line, "title.repeated", FAMILY_TITLE))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _same(one: str, other: str) -> bool:
    return _NOT_WORDS.sub(" ", fold(one)).strip() == _NOT_WORDS.sub(" ", fold(other)).strip()


def _first_sentence(text: str) -> str:
    """Return the first sentence of a text, cut at a word where it is longer than a title."""
    end = _SENTENCE.search(text)
    sentence = text[: end.end()].strip() if end else text
    if len(sentence) <= LONGEST_DERIVED_TITLE:
        return sentence
    cut = sentence.rfind(" ", 0, LONGEST_DERIVED_TITLE)
    return sentence[: cut if cut > 0 else LONGEST_DERIVED_TITLE - 1].rstrip(" ,;:–—-") + "…"


def tidy(text: str, seams: Sequence[int]) -> list[Change]:
    """Return the changes that leave at most one blank line between paragraphs and nothing around a text.

    No change spans one of `seams`, the places at which something was cut, so that every cut stays a change of its own.
    """
    ordered = sorted(set(seams))
    changes: list[Change] = []
    for first, end in _white_runs(text):
        kept = 0 if first == 0 or end == len(text) else 2
        run_start: int | None = None
        for position in range(first, end):
            if text[position] == "\n" and kept:
                kept -= 1
                changes.extend(_dropped(run_start, position, ordered))
                run_start = None
            elif run_start is None:
                run_start = position
        changes.extend(_dropped(run_start, end, ordered))
    return changes


def _white_runs(text: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of the white space around a text, and of each run in it that is longer than one line break."""
    begin, stop = len(text) - len(text.lstrip()), len(text.rstrip())
    if begin:
        yield 0, begin
    position = begin
    while (start := text.find("\n", position, stop)) >= 0:
        position = start + 1
        while text[start - 1].isspace():
            start -= 1
        while text[position].isspace():
            position += 1
        if position - start > 1:
            yield start, position
    if begin < stop < len(text):
        yield stop, len(text)


def _dropped(start: int | None, end: int, seams: Sequence[int]) -> list[Change]:
    if start is None:
        return []
    edges = [start, *seams[bisect_right(seams, start) : bisect_left(seams, end)], end]
    return [Change(left, right, "", "space.around", FAMILY_SPACE) for left, right in pairwise(edges)]


def tidy_title(title: str) -> list[Change]:
    """Return the changes that leave a title on one line with single blanks."""
    return [
        Change(
            match.start(),
            match.end(),
            "" if match.start() == 0 or match.end() == len(title) else " ",
            "space.title",
            FAMILY_SPACE,
        )
        for match in _BLANKS.finditer(title)
    ]

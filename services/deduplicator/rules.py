"""When is an article a copy of another, or a piece of it? The thresholds, and the arithmetic they are held against.

No threshold on similarity alone separates copies from articles on one event: an edited copy goes down to .31, two daily
bulletins of one template reach .51. Containment lifts edited copies above .55 and numbers tell the bulletins apart.
"""

from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import Final

from services.deduplicator.rows import Row
from services.deduplicator.sketching import MAX_NUMBERS

DECISION_VERSION: Final = 2

BASE_CONTAINMENT: Final = 0.72
NUMBERS_AGREE_CONTAINMENT: Final = 0.55
NUMBERS_DISAGREE_CONTAINMENT: Final = 0.9
NUMBERS_AGREE: Final = 0.75
NUMBERS_DISAGREE: Final = 0.5
NUMBERS_FOREIGN: Final = 0.25
ENOUGH_NUMBERS: Final = 3
ENOUGH_FOREIGN_NUMBERS: Final = 2
COMPARABLE_SIZE: Final = 0.35
"""Below this ratio of sizes the estimate of containment is too rough for agreeing numbers to lower the threshold."""
SAME_ARTICLE_SIZE: Final = 0.69
"""Two texts of which the shorter is at least this share of the longer are one article; else one is a piece of the other."""
MIN_SHINGLES: Final = 8
"""Texts of fewer shingles are copies only when they are the same text: nothing can be estimated from so few."""

STORY_SIMILARITY: Final = 0.24
"""Two articles are on one event when their terms, weighted by rarity, are at least so alike (cosine) …"""
STORY_EVIDENCE: Final = 0.2
"""… and the terms they share are so much rarer than common ones (sum over them, see `StoryIndex.likeness`)."""
STORY_SIMILARITY_UNDATED: Final = 0.45
STORY_EVIDENCE_UNDATED: Final = 3.0
"""What is asked when one of the two has no date: they may be years apart, so one subject is not one event."""
STORY_MEMBER: Final = 0.1
"""An article on the same event is at least so alike (cosine) to a member of the story …"""
STORY_SUPPORT: Final = 0.65
"""… and to this share of its members: one digest, or one article on two events, brings no two stories together."""
SHARED_TEXT: Final = 0.25
"""Two articles that share so much text word for word, a paragraph of background, need less likeness of terms …"""
STORY_SIMILARITY_SHARING: Final = 0.2
"""… namely this, to be on one event. Text alone does not do: outlets print notes of their own under everything."""


class Relation(StrEnum):
    """How a text relates to another one."""

    CONTAINED = "contained"
    EXACT = "exact"
    NEAR = "near"
    NONE = "none"


class _Numbers(Enum):
    """What the numbers of two texts say about them.

    Foreign numbers are those of another day's bulletin: no likeness of the words makes up for them. Numbers that merely disagree
    may be corrections, but a piece whose numbers are not the whole's is no piece of it.
    """

    AGREE = auto()
    DISAGREE = auto()
    FOREIGN = auto()
    NOTHING = auto()


@dataclass(frozen=True)
class Verdict:
    """The relation of two texts and the numbers it follows from; scores are shares from 0 to 1."""

    relation: Relation
    similarity: float
    containment: float
    number_agreement: float | None
    threshold: float


def estimated_containment(similarity: float, shingles: int, other_shingles: int) -> float:
    """Return the share of the smaller shingle set that lies in the other one, from the Jaccard similarity of the two."""
    smaller = max(min(shingles, other_shingles), 1)
    return min(similarity * (shingles + other_shingles) / ((1 + similarity) * smaller), 1.0)


def judge(row: Row, exact: bytes, other: Row, similarity: float) -> Verdict:
    """Return how an article (its row and exact hash) relates to one in the window, given their estimated similarity."""
    agreement = number_agreement(row, other)
    smaller, larger = sorted((max(row.shingles, 1), max(other.shingles, 1)))
    size = smaller / larger
    numbers = _numbers_say(agreement, min(len(row.numbers), len(other.numbers)))
    threshold = _threshold(numbers, size)
    if exact == other.exact:
        return Verdict(Relation.EXACT, 1.0, 1.0, agreement, threshold)
    containment = estimated_containment(similarity, row.shingles, other.shingles)
    relation = Relation.NEAR if size >= SAME_ARTICLE_SIZE else Relation.CONTAINED
    other_numbers = numbers is _Numbers.FOREIGN or (relation is Relation.CONTAINED and numbers is _Numbers.DISAGREE)
    if containment < threshold or smaller < MIN_SHINGLES or other_numbers:
        relation = Relation.NONE
    return Verdict(relation, round(similarity, 4), round(containment, 4), agreement, threshold)


def number_agreement(row: Row, other: Row) -> float | None:
    """Return the share of the shorter list of numbers that is in the other one, None when one text has none.

    A sketch keeps the smallest hashes of a long list: only the range that both lists cover is held together.
    """
    numbers, others = row.number_set, other.number_set
    ceiling = min((max(held) for held in (numbers, others) if len(held) == MAX_NUMBERS), default=None)
    if ceiling is not None:
        numbers = frozenset(number for number in numbers if number <= ceiling)
        others = frozenset(number for number in others if number <= ceiling)
    fewer = min(len(numbers), len(others))
    return round(len(numbers & others) / fewer, 4) if fewer else None


def _numbers_say(agreement: float | None, fewer: int) -> _Numbers:
    if agreement is None:
        return _Numbers.NOTHING
    if agreement >= NUMBERS_AGREE:
        return _Numbers.AGREE
    if agreement < NUMBERS_FOREIGN and fewer >= ENOUGH_FOREIGN_NUMBERS:
        return _Numbers.FOREIGN
    return _Numbers.DISAGREE if agreement < NUMBERS_DISAGREE and fewer >= ENOUGH_NUMBERS else _Numbers.NOTHING


def _threshold(numbers: _Numbers, size: float) -> float:
    if numbers in (_Numbers.DISAGREE, _Numbers.FOREIGN):
        return NUMBERS_DISAGREE_CONTAINMENT
    if numbers is _Numbers.AGREE and size >= COMPARABLE_SIZE:
        return NUMBERS_AGREE_CONTAINMENT
    return BASE_CONTAINMENT

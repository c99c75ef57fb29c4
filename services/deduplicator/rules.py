"""When is an article a copy of another, or a piece of it? The thresholds, and the arithmetic they are held against.

No threshold on similarity alone separates copies from articles on one event: an edited copy goes down to .31, two daily
bulletins of one template reach .51. Containment lifts edited copies above .55 and numbers tell the bulletins apart.
"""

from bisect import bisect_right
from enum import Enum, StrEnum, auto
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from services.deduplicator.rows import Row
from services.deduplicator.sketching import MAX_NUMBERS

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.unsignedinteger[Any]]

DECISION_VERSION: Final = 3

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


class Numbers(Enum):
    """What the numbers of two texts say about them.

    Foreign numbers are those of another day's bulletin: no likeness of the words makes up for them. Numbers that merely disagree
    may be corrections, but a piece whose numbers are not the whole's is no piece of it.
    """

    AGREE = auto()
    DISAGREE = auto()
    FOREIGN = auto()
    NOTHING = auto()


class Verdict(NamedTuple):
    """The relation of two texts and how alike they are estimated; scores are shares from 0 to 1."""

    relation: Relation
    similarity: float
    containment: float


def estimated_containment(similarity: Floats, shingles: int, other_shingles: Counts) -> Floats:
    """Return the share of the smaller shingle set that lies in each other one, from the Jaccard similarity of the two."""
    others = other_shingles.astype(np.int64)
    smaller = np.maximum(np.minimum(shingles, others), 1)
    contained: Floats = np.minimum(similarity * (shingles + others) / ((1 + similarity) * smaller), 1.0)
    return contained


def judge(row: Row, exact: bytes, other: Row, similarity: float, containment: float) -> Verdict:
    """Return how an article (its row and exact hash) relates to one in the window, given how alike the two are estimated."""
    if exact == other.exact:
        return Verdict(Relation.EXACT, 1.0, 1.0)
    relation = Relation.NONE
    if containment >= NUMBERS_AGREE_CONTAINMENT:
        relation = _relation(row, other, containment)
    return Verdict(relation, round(similarity, 4), round(containment, 4))


def _relation(row: Row, other: Row, containment: float) -> Relation:
    """Return how two texts relate of which one seems to hold most of the other."""
    numbers, _, threshold = weigh_numbers(row, other)
    relation = Relation.NEAR if _size(row, other) >= SAME_ARTICLE_SIZE else Relation.CONTAINED
    other_numbers = numbers is Numbers.FOREIGN or (relation is Relation.CONTAINED and numbers is Numbers.DISAGREE)
    too_short = min(row.shingles, other.shingles) < MIN_SHINGLES
    return Relation.NONE if containment < threshold or too_short or other_numbers else relation


def weigh_numbers(row: Row, other: Row) -> tuple[Numbers, float | None, float]:
    """Return what the numbers of two texts say, the share of them that agrees, and the containment they ask for."""
    agreement = number_agreement(row, other)
    numbers = _numbers_say(agreement, min(len(row.numbers), len(other.numbers)))
    return numbers, agreement, _threshold(numbers, _size(row, other))


def _size(row: Row, other: Row) -> float:
    """Return how long the shorter text is beside the longer one, as a share."""
    smaller, larger = sorted((max(row.shingles, 1), max(other.shingles, 1)))
    return smaller / larger


def number_agreement(row: Row, other: Row) -> float | None:
    """Return the share of the shorter list of numbers that is in the other one, None when one text has none.

    A sketch keeps the smallest hashes of a long list: only the range that both lists cover is held together.
    """
    numbers, others = row.sorted_numbers, other.sorted_numbers
    ceiling = min((held[-1] for held in (numbers, others) if len(held) == MAX_NUMBERS), default=None)
    fewer = min(len(numbers), len(others))
    if ceiling is not None:
        fewer = min(bisect_right(numbers, ceiling), bisect_right(others, ceiling))
    return round(len(row.number_set & other.number_set) / fewer, 4) if fewer else None


def _numbers_say(agreement: float | None, fewer: int) -> Numbers:
    if agreement is None:
        return Numbers.NOTHING
    if agreement >= NUMBERS_AGREE:
        return Numbers.AGREE
    if agreement < NUMBERS_FOREIGN and fewer >= ENOUGH_FOREIGN_NUMBERS:
        return Numbers.FOREIGN
    return Numbers.DISAGREE if agreement < NUMBERS_DISAGREE and fewer >= ENOUGH_NUMBERS else Numbers.NOTHING


def _threshold(numbers: Numbers, size: float) -> float:
    if numbers in (Numbers.DISAGREE, Numbers.FOREIGN):
        return NUMBERS_DISAGREE_CONTAINMENT
    if numbers is Numbers.AGREE and size >= COMPARABLE_SIZE:
        return NUMBERS_AGREE_CONTAINMENT
    return BASE_CONTAINMENT

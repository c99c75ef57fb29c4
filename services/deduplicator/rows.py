"""The row kept for one article in the window: its sketch, its place in the order, and the answers it was given.

A row is one base64 string of about 700 bytes, so that a dict and a changelogged Faust table hold the very same value.
"""

import base64
import struct
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from services.deduplicator.sketching import MAX_WEIGHT, PERMUTATIONS, Features

ROW_VERSION: Final = 2
MAX_ANSWERS: Final = 3
"""Answers to earlier revisions that are kept, for messages that are delivered again after a crash."""
ID_BYTES: Final = 17
"""Bytes of a packed article id."""

Method = Literal["new", "exact", "near", "contained", "revision"]
METHODS: Final[tuple[Method, ...]] = ("new", "exact", "near", "contained", "revision")
_HEAD: Final = struct.Struct("<BQI?IIII5B")
_ORDER: Final = struct.Struct("<BQ")
_ANSWER: Final = struct.Struct("<8sQBBHHHHHHHBB")
_NOBODY: Final = "0" * 32
_NO_SCORE: Final = 0xFFFF
_SCORE_STEPS: Final = 10_000

Words = npt.NDArray[np.uint32]


@dataclass(frozen=True)
class Answer:
    """What was decided for one revision, apart from the cluster and story, which are the article's for ever.

    `text` is the revision's exact hash (8 bytes) and `fetched_ms` its fetch time: a message with both is a repetition.
    """

    text: bytes
    fetched_ms: int
    method: Method
    neighbour: str | None
    similarity: float | None
    containment: float | None
    number_agreement: float | None
    threshold: float | None
    story_neighbour: str | None
    story_score: float | None
    candidates: int
    version: int
    sequence: int
    duplicate_of: tuple[str, ...]
    linked_stories: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """One article in the window. Times are seconds since 1970; keys, terms and numbers are 32-bit hashes.

    `order` is its place in the one order of decisions, `entered` the window's time when it came in, `time` the article's own
    time, and `dated` whether that is its publication. `phrases_taken` and `story_taken` say, bit by bit, under which keys the
    index holds it.
    """

    order: int
    entered: int
    dated: bool
    time: int
    shingles: int
    signature: npt.NDArray[np.uint8]
    phrases: Words
    phrases_taken: int
    story_keys: Words
    story_taken: int
    terms: Words
    numbers: Words
    cluster: str
    story: str
    answers: tuple[Answer, ...]

    @property
    def exact(self) -> bytes:
        """The exact hash of the article's latest text."""
        return self.answers[0].text

    @cached_property
    def number_set(self) -> frozenset[int]:
        """The hashes of the numbers in the text."""
        return frozenset(self.numbers.tolist())

    @cached_property
    def sorted_numbers(self) -> list[int]:
        """The hashes of the numbers in the text, the smallest first."""
        return sorted(self.number_set)

    def leads_story(self, article_id: str) -> bool:
        """Return whether articles on the same event are found by this one: it is no copy, and has something to be found by."""
        return self.cluster == article_id and len(self.terms) > 0

    def answer_to(self, text: bytes, fetched_ms: int) -> Answer | None:
        """Return the answer this text was given: the current text at any time, an earlier one as the same message again."""
        if self.answers[0].text == text:
            return self.answers[0]
        return next((a for a in self.answers if (a.text, a.fetched_ms) == (text, fetched_ms)), None)


def short(hashes: npt.NDArray[np.uint64]) -> Words:
    """Return the upper halves of 64-bit hashes: what a row and the index keep of them."""
    return (hashes >> np.uint64(32)).astype(np.uint32)


def short_terms(terms: npt.NDArray[np.uint64]) -> Words:
    """Return weighted terms in 32 bits: the upper 28 of the hash, and the weight."""
    weights = terms & np.uint64(MAX_WEIGHT)
    return ((terms >> np.uint64(36)) << np.uint64(4) | weights).astype(np.uint32)


def new_row(features: Features, *, cluster: str, story: str, time: int, dated: bool) -> Row:
    """Return the row of an article that is about to enter the window, without a place in the order and without answers."""
    return Row(
        order=0, entered=0, dated=dated, time=time, shingles=features.shingles, signature=features.signature,
        phrases=short(features.keys), phrases_taken=0, story_keys=np.empty(0, np.uint32), story_taken=0,
        terms=short_terms(features.terms), numbers=short(features.numbers),
        cluster=cluster, story=story, answers=(),
    )  # fmt: skip


def pack_row(row: Row) -> str:
    """Return the row as base64 text."""
    head = _HEAD.pack(
        ROW_VERSION, row.order, row.entered, row.dated, row.time, row.shingles, row.phrases_taken, row.story_taken,
        len(row.phrases), len(row.story_keys), len(row.terms), len(row.numbers), len(row.answers),
    )  # fmt: skip
    arrays = np.concatenate((row.phrases, row.story_keys, row.terms, row.numbers)).astype("<u4").tobytes()
    ids = pack_id(row.cluster) + pack_id(row.story)
    answers = b"".join(map(_pack_answer, row.answers))
    return base64.b64encode(head + row.signature.tobytes() + arrays + ids + answers).decode()


def unpack_row(text: str) -> Row:
    """Return the row in a base64 text; raises ValueError when it is not of this version."""
    data = base64.b64decode(text)
    version, order, entered, dated, time, shingles, phrases_taken, story_taken, *counts, answers = _HEAD.unpack_from(
        data
    )
    if version != ROW_VERSION:
        raise ValueError(f"row version {version}, this window reads {ROW_VERSION}")
    at = _HEAD.size
    signature = np.frombuffer(data, np.uint8, PERMUTATIONS, at)
    at += PERMUTATIONS
    words = np.frombuffer(data, "<u4", sum(counts), at)
    at += 4 * len(words)
    ends = list(accumulate(counts))
    phrases, story_keys, terms, numbers = (words[end - count : end] for end, count in zip(ends, counts, strict=True))
    reader = _Reader(data, at)
    return Row(
        order=order, entered=entered, dated=dated, time=time, shingles=shingles, signature=signature,
        phrases=phrases, phrases_taken=phrases_taken, story_keys=story_keys, story_taken=story_taken,
        terms=terms, numbers=numbers, cluster=reader.article_id(), story=reader.article_id(),
        answers=tuple(reader.answer() for _ in range(answers)),
    )  # fmt: skip


def row_order(text: str) -> int:
    """Return the place in the one order of the row in a base64 text, without reading the rest."""
    return int(_ORDER.unpack_from(base64.b64decode(text[:12]))[1])


def pack_id(article_id: str) -> bytes:
    """Return an article id as 17 bytes: its 16, and the number of the part (0 for a whole article)."""
    root, _, part = article_id.partition("#")
    return bytes.fromhex(root) + bytes((int(part or 0),))


def unpack_id(data: bytes) -> str:
    """Return the article id that `pack_id` packed."""
    return f"{data[:16].hex()}#{data[16]}" if data[16] else data[:16].hex()


def _pack_answer(answer: Answer) -> bytes:
    head = _ANSWER.pack(
        answer.text, answer.fetched_ms, METHODS.index(answer.method), answer.version,
        _pack_score(answer.similarity), _pack_score(answer.containment), _pack_score(answer.number_agreement),
        _pack_score(answer.threshold), _pack_score(answer.story_score), answer.candidates, answer.sequence,
        len(answer.duplicate_of), len(answer.linked_stories),
    )  # fmt: skip
    ids = (answer.neighbour or _NOBODY, answer.story_neighbour or _NOBODY, *answer.duplicate_of, *answer.linked_stories)
    return head + b"".join(map(pack_id, ids))


def _pack_score(score: float | None) -> int:
    return _NO_SCORE if score is None else round(score * _SCORE_STEPS)


def _unpack_score(value: int) -> float | None:
    return None if value == _NO_SCORE else value / _SCORE_STEPS


class _Reader:
    """Reads ids and answers one after the other."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self._at = at

    def article_id(self) -> str:
        start = self._at
        self._at += ID_BYTES
        return unpack_id(self._data[start : self._at])

    def answer(self) -> Answer:
        text, fetched_ms, method, version, *scores, candidates, sequence, copies, stories = _ANSWER.unpack_from(
            self._data, self._at
        )
        self._at += _ANSWER.size
        neighbour, story_neighbour = self.article_id(), self.article_id()
        similarity, containment, agreement, threshold, story_score = map(_unpack_score, scores)
        return Answer(
            text=text, fetched_ms=fetched_ms, method=METHODS[method],
            neighbour=None if neighbour == _NOBODY else neighbour,
            similarity=similarity, containment=containment, number_agreement=agreement, threshold=threshold,
            story_neighbour=None if story_neighbour == _NOBODY else story_neighbour, story_score=story_score,
            candidates=candidates, version=version, sequence=sequence,
            duplicate_of=tuple(self.article_id() for _ in range(copies)),
            linked_stories=tuple(self.article_id() for _ in range(stories)),
        )  # fmt: skip

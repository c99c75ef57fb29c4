"""Runs of capitalised words that no rule has taken yet, and the cue words in front of them."""

from collections.abc import Iterator
from typing import Final, NamedTuple

import regex

from services.extractor.entities.context import opens_sentence
from services.extractor.entities.document import Capital, Document, Span
from services.extractor.entities.grammar import Cue
from shared.models import EntityType

_PARTICLE: Final = regex.compile(
    r" (?:von der|van der|de la|von|van|de|der|di|da|al|el|bin|ben|ter|del|la|le|dos)(?= \p{Lu})| al-(?=\p{Lu})"
)
_LINK: Final = regex.compile(r"(?:,? ?(?:của|of the|of|thuộc)?[ ]?[\"“«(]?|[)»\"”],? | - |: ?)\Z")
_TOUCH: Final = regex.compile(r"(?:,? ?[\"“«(]?|: ?)\Z")
_LONGEST_LINK: Final = 9
_LONGEST_PARTICLE: Final = len(" von der ")
_MAX_SKIPPED: Final = 3
_BETWEEN: Final = frozenset((EntityType.LOC, EntityType.ORG))
_CONJUNCTIONS: Final = ("và", "cùng", "hay", "hoặc", "and", "or", "и", "или", "та", "і", "й", "або")
_LIST_LINK: Final = regex.compile(rf"(?:, | (?:{'|'.join(_CONJUNCTIONS)}) |, (?:and|và|и|та) )[\"“«]?\Z")
# What the link ends in: asked first, since few names are members of lists.
_LIST_ENDS: Final = (", ", '"', "“", "«", *(f" {word} " for word in _CONJUNCTIONS))
_MAX_DESCRIPTORS: Final = 4
_MAX_LISTED: Final = 8


class Run(NamedTuple):
    """Capitalised words in a row."""

    start: int
    end: int
    words: tuple[str, ...]

    def text(self, document: Document) -> str:
        """Return the words as they stand."""
        return document.text[self.start : self.end]


def free_runs(document: Document) -> Iterator[Run]:
    """Yield the runs of free capitalised words, without the words that only open a sentence or lead to a name."""
    words: list[Capital] = []
    for word in document.capitals:
        if words and not _joined(document.text, words[-1], word):
            yield _run(words)
            words = []
        if words and _closes_office(document, word):
            words = []
        elif document.is_free(word.start, word.end) and _may_name(document, word, bool(words)):
            words.append(word)
        elif words:
            yield _run(words)
            words = []
    if words:
        yield _run(words)


def _run(words: list[Capital]) -> Run:
    """Return the run of these words; the full stop behind a last letter ends the sentence: "Tam Á."."""
    last = words[-1]
    if len(words) > 1 and len(last.text) == 2 and last.text.endswith("."):
        words[-1] = last = Capital(last.start, last.end - 1, last.text[:1])
    return Run(words[0].start, last.end, tuple([word.text for word in words]))


def _joined(text: str, before: Capital, word: Capital) -> bool:
    gap = text[before.end : word.start]
    if gap == " " or (not gap and before.text.endswith(".")):
        return not (before.text.endswith(".") and len(before.text) > 3 and "." not in before.text[:-1])
    particle = _PARTICLE.match(text, before.end) if len(gap) <= _LONGEST_PARTICLE else None
    return particle is not None and particle.end() >= word.start - 1 and gap.strip() != "-"


def _may_name(document: Document, word: Capital, inside: bool) -> bool:
    """Return whether a word can be part of a name: not a cue, an adjective, or what merely opens a sentence."""
    if document.cues.phrases[word.start] or document.describes(word.start, word.end):
        return False
    opening = not inside and opens_sentence(document.text, word.start)
    if opening and word.text in document.grammar.openers:
        return False
    for end, cue in document.cues.starting.get(word.start, ()):
        if end < word.end:
            continue
        if cue.side == "adjective" and end == word.end:
            return False
        if cue.side == "right" and cue.kind == "LOC" and end == word.end and _follows_place(document, word.start):
            return False
        if cue.side in ("left", "head") and (end > word.end or opening):
            return False
        if cue.side == "left" and (word.text in document.grammar.abbreviations or _is_title(document, word, cue)):
            return False
        if cue.kind == "PERSON" and cue.side == "left" and not inside and document.language == "en":
            return False
    return len(word.text) > 1 or word.text.isupper()


def _follows_place(document: Document, start: int) -> bool:
    """Return whether the name of a place ends right before: "Perm Krai"."""
    before = document.span_ending(start - 1)
    return before is not None and before.type is EntityType.LOC


def _closes_office(document: Document, word: Capital) -> bool:
    """Return whether a word closes an English office in front of a name: "Deputy Economy Minister Taras Kachka"."""
    if document.language != "en" or word.text.lower() not in document.grammar.offices:
        return False
    return document.text[word.end : word.end + 1] == " " and document.text[word.end + 1 : word.end + 2].isupper()


def _is_title(document: Document, word: Capital, cue: Cue) -> bool:
    """Return whether a Vietnamese noun of persons or media has a capital but is no name: "Tướng Burkhard", "Tờ Guardian"."""
    if document.language != "vi" or cue.kind not in ("ORG", "PERSON"):
        return False
    return word.text not in document.grammar.vietnamese_names and word.text not in document.grammar.vietnamese_given


def is_quoted_body(document: Document, run: Run) -> bool:
    """Return whether «» hold just this run: a body in Russian and Ukrainian ("сообщил «Гамбиту»"), unless it is a call sign."""
    if document.language not in ("ru", "uk"):
        return False
    if document.text[run.start - 1 : run.start] != "«" or document.text[run.end : run.end + 1] != "»":
        return False
    word = document.folded[: run.start - 2].rpartition(" ")[2]
    return word not in document.grammar.callsigns


def cue_before(document: Document, start: int) -> Cue | None:
    """Return the left cue that leads to a name at `start`, over countries, organisations, brackets and "của" in between."""
    position = _touching(document.text, start)
    for _ in range(_MAX_SKIPPED):
        cue = document.cues.left.get(position)
        described = _cue_over_descriptors(document, position)
        if cue is None or (described is not None and described.kind == "ORG"):
            cue = described
        if cue is not None:
            return cue
        span = document.span_ending(position)
        if span is None or span.type not in _BETWEEN:
            return None
        link = _LINK.search(document.text, max(0, span.start - _LONGEST_LINK), span.start)
        position = link.start() if link else span.start
    return None


def _cue_over_descriptors(document: Document, position: int) -> Cue | None:
    """Return the Vietnamese cue in front of words that only describe: "hãng đóng tàu Damen", "UAV cáp quang KVN"."""
    if document.language != "vi" or document.text[position - 1 : position].isupper():
        return None
    for _ in range(_MAX_DESCRIPTORS):
        start = document.folded.rfind(" ", 0, position) + 1
        if document.folded[start:position] not in document.grammar.descriptors or start < 2:
            return None
        position = start - 1
        cue = document.cues.left.get(position)
        if cue is not None and cue.kind != "PLACE":
            return cue
    return None


def _touching(text: str, start: int) -> int:
    """Return where what stands right in front of a name ends: over a space, a comma, an opening bracket."""
    if text[start - 1 : start] == " " and text[start - 2 : start - 1].isalnum():
        return start - 1
    link = _TOUCH.search(text, max(0, start - _LONGEST_LINK), start)
    return link.start() if link else start


def cue_of_list(document: Document, start: int) -> Cue | None:
    """Return the left cue of the list whose later member starts here: "các làng A, B và C", "tên lửa A và B"."""
    kind: EntityType | None = None
    for _ in range(_MAX_LISTED):
        before = _member_before(document, start)
        if before is None or kind not in (None, before.type):
            return None
        kind, start = before.type, before.start
        cue = cue_before(document, start)
        if cue is not None:
            return cue if cue.kind == kind.value else None
    return None


def follows_places(document: Document, start: int) -> bool:
    """Return whether the list that goes on here has two places before: "Uspenivka, Novouspenivske và Yablukove"."""
    last = _member_before(document, start)
    first = _member_before(document, last.start) if last is not None else None
    return last is not None and first is not None and first.type is last.type is EntityType.LOC


def _member_before(document: Document, start: int) -> Span | None:
    """Return the name before this one in a list."""
    if not document.text.endswith(_LIST_ENDS, 0, start):
        return None
    link = _LIST_LINK.search(document.text, max(0, start - _LONGEST_LINK), start)
    if link is None:
        return None
    return document.span_ending(link.start()) or document.span_ending(link.start() - 1)

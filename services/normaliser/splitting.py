"""Finding where one article ends and another begins in a text that holds several; precision before recall.

A headline alone never cuts: subheadings look the same. A cut needs an end before it (a signature, "./."), an opening of its own
(a prefix, a dateline, a date line), or a layout and a vocabulary that both change.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from services.normaliser.lines import LONGEST_HEADLINE, Line
from shared.ids import MAX_PARTS

_LOOK_BACK = 100  # lines
_FEWEST_HEADLINE_WORDS = 5
_SHORTEST_FUSED = 150
_LONGEST_COHESION_TEXT = 1500
_MOST_SHARED_NAMES = 0.4  # of a new article's names that may stand in the article before it, where the evidence is weak
_SHORTEST_LONE_HEADLINE = 40
_SHORTEST_HEADLINE = 30
_FEW_SHARED_WORDS = 0.25
_STRONG_ENDS = frozenset({"author", "closing line", "ending"})
_CLOSING_FAMILIES = frozenset({"credit", "other", "related", "share"})

_WORD = re.compile(r"[^\W\d_]{2,}")
_NAME = re.compile(r"(?<=[^\W_.!?…:\"“«„ ]\s)[^\W\d_a-zа-яёіїєґ][^\W\d_]+")


@dataclass(frozen=True)
class Cut:
    """The index of the line with which a part begins, and what speaks for the cut."""

    line: int
    evidence: str


def find_cuts(lines: Sequence[Line], openers: frozenset[str] = frozenset()) -> list[Cut]:
    """Return the lines at which a new article begins, the first line always among them.

    `openers` are words that open a sentence and stand in capitals nowhere else.
    """
    cuts = [Cut(0, "start")]
    has_body = False
    for index in range(1, len(lines)):
        has_body = has_body or lines[index - 1].is_paragraph
        if not has_body or len(cuts) >= MAX_PARTS:
            continue
        evidence = _evidence(lines, max(cuts[-1].line, index - _LOOK_BACK), index)
        if not evidence and len(cuts) > 1 and index == len(lines) - 1:
            ended = _ended(lines, max(cuts[-1].line, index - _LOOK_BACK), index)
            is_apart = bool(ended) and not _same_subject(lines, cuts[-1].line, index)
            evidence = _fused_evidence(lines[index], openers, is_apart)
        if evidence:
            cuts.append(Cut(index, evidence))
            has_body = False
    return cuts


def _evidence(lines: Sequence[Line], first: int, index: int) -> str:
    line = lines[index]
    if line.has_prefix and line.prefix:
        return "prefix"
    ended = _ended(lines, first, index)
    if line.has_dateline and ended in _STRONG_ENDS:
        return f"dateline after {ended}"
    if line.has_dateline and line.repeats_dateline:
        return "the same dateline again"
    if line.is_truncated and line.credit_inside:
        return "cut-off text with a credit inside"
    if line.is_headline and not line.cuts and index + 1 < len(lines):
        return _headline_evidence(lines, first, index, ended)
    return ""


def _ended(lines: Sequence[Line], first: int, index: int) -> str:
    """Return what closed the text before a line: `ending`, `author`, a family of boilerplate, or nothing."""
    closing = ""
    for line in reversed(lines[first:index]):
        if line.has_ending:
            return "ending"
        if line.family == "ending":
            return "ending" if any(map(str.isalnum, line.text)) or "/" in line.text else "separator"
        if line.may_sign or line.family == "author":
            return "author"
        if line.family == "share" or (line.cuts and line.cuts[0].rule.endswith("other.copyright")):
            return "closing line"
        if line.removed and line.family in _CLOSING_FAMILIES and line.text == lines[-1].text:
            return "closing line"
        if line.family not in _CLOSING_FAMILIES:
            break
        closing = closing or line.family
    return closing


def _headline_evidence(lines: Sequence[Line], first: int, index: int, ended: str) -> str:
    follower = index + 1
    while follower < len(lines) and lines[follower].removed and not lines[follower].is_paragraph:
        if lines[follower].visible:
            return "headline with a date line"
        if lines[follower].family == "author" and lines[follower].gap <= lines[index].gap:
            return "headline with a by-line"
        follower += 1
    if follower >= len(lines):
        return ""
    after = lines[follower]
    if after.has_dateline:
        return "headline with a dateline"
    if not after.is_paragraph:
        return ""
    if ended in _STRONG_ENDS:
        return f"headline after {ended}"
    text = lines[index].text
    is_short = len(text) < _SHORTEST_LONE_HEADLINE
    if is_short and not (ended and len(text) >= _SHORTEST_HEADLINE and _is_new(lines, first, index)):
        return ""
    if text.endswith("?") or not (lines[first].is_headline or lines[first].has_dateline):
        return ""
    if (ended or _layout_changes(lines, first, index)) and not _same_subject(lines, first, index):
        return f"headline after {ended}" if ended else "headline after the widest gap"
    return ""


def _layout_changes(lines: Sequence[Line], first: int, index: int) -> bool:
    """Whether a wider gap stands before a line than anywhere around it."""
    inner = [line.gap for line in lines[first + 1 : index]]
    return len(inner) >= 2 and lines[index].gap > max(*inner, lines[index + 1].gap)


def _same_subject(lines: Sequence[Line], first: int, index: int) -> bool:
    """Whether the names after a line are largely those before it."""
    before = _names(lines[first:index])
    after = _names(lines[index : index + _LOOK_BACK])
    return not after or len(after & before) > _MOST_SHARED_NAMES * len(after)


def _is_new(lines: Sequence[Line], first: int, index: int) -> bool:
    """Whether few of a headline's words stand in the text before it; a subheading takes some up."""
    before = {word.lower() for line in lines[first:index] if not line.removed for word in _WORD.findall(line.rest)}
    words = [word.lower() for word in _WORD.findall(lines[index].text)]
    return sum(word in before for word in words) < _FEW_SHARED_WORDS * len(words)


def _names(lines: Sequence[Line]) -> set[str]:
    found: set[str] = set()
    length = 0
    for line in lines:
        if line.removed:
            continue
        found.update(_NAME.findall(line.rest))
        length += len(line.rest)
        if length > _LONGEST_COHESION_TEXT:
            break
    return found


def _fused_evidence(line: Line, openers: frozenset[str], is_apart: bool) -> str:
    """Return the evidence that a text's last line is one more article, its headline and text run together.

    `is_apart` says that the text before has ended and is about something else: any capital may then open the text.
    """
    if not line.is_truncated or len(line.text) < _SHORTEST_FUSED:
        return ""
    words = line.text[:LONGEST_HEADLINE].split()
    for position in range(_FEWEST_HEADLINE_WORDS, len(words)):
        before = words[position - 1]
        may_open = words[position] in openers or (is_apart and _opens_sentence(words, position))
        if may_open and before[-1].isalnum() and before.lower() not in openers:
            return "cut-off text with its headline run into it"
        if before[-1] in ".!?:;":
            break
    return ""


def _opens_sentence(words: Sequence[str], position: int) -> bool:
    following = words[position + 1 : position + 2]
    return words[position][0].isupper() and bool(following) and following[0][0].islower()

"""Finding where one article ends and another begins in a text that holds several; precision before recall.

A headline alone never cuts: subheadings look the same. A cut needs an end before it (a signature, "./."), an opening of its own
(a prefix, a dateline, a date line), or a layout and a vocabulary that both change.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.normaliser.cleaning import Line

MAX_PARTS: Final = 99
_LOOK_BACK = 100  # lines
_LONGEST_COHESION_TEXT = 1500
_MOST_SHARED_NAMES = 0.4  # of a new article's names that may stand in the article before it, where the evidence is weak
_SHORTEST_LONE_HEADLINE = 30
_CLOSING_FAMILIES = frozenset({"credit", "other", "related", "share"})

_NAME = re.compile(r"(?<=[^\W_.!?…:\"“«„ ]\s)[^\W\d_a-zа-яёіїєґ][^\W\d_]+")


@dataclass(frozen=True)
class Cut:
    """The index of the line with which a part begins, and what speaks for the cut."""

    line: int
    evidence: str


def find_cuts(lines: Sequence[Line]) -> list[Cut]:
    """Return the lines at which a new article begins, the first line always among them."""
    cuts = [Cut(0, "start")]
    has_body = False
    for index in range(1, len(lines)):
        has_body = has_body or lines[index - 1].is_paragraph
        if not has_body or len(cuts) >= MAX_PARTS:
            continue
        evidence = _evidence(lines, max(cuts[-1].line, index - _LOOK_BACK), index)
        if evidence:
            cuts.append(Cut(index, evidence))
            has_body = False
    return cuts


def _evidence(lines: Sequence[Line], first: int, index: int) -> str:
    line = lines[index]
    if line.has_prefix and line.prefix:
        return "prefix"
    ended = _ended(lines, first, index)
    if line.has_dateline and ended in ("ending", "author"):
        return f"dateline after {ended}"
    if line.is_headline and not line.cuts and index + 1 < len(lines):
        return _headline_evidence(lines, first, index, ended)
    if index == len(lines) - 1:
        return _fused_evidence(line)
    return ""


def _ended(lines: Sequence[Line], first: int, index: int) -> str:
    """Return what closed the text before a line: `ending`, `author`, a family of boilerplate, or nothing."""
    closing = ""
    for line in reversed(lines[first:index]):
        if line.has_ending:
            return "ending"
        if line.may_sign or line.family == "author":
            return "author"
        if line.family not in _CLOSING_FAMILIES:
            break
        closing = closing or line.family
    return closing


def _headline_evidence(lines: Sequence[Line], first: int, index: int, ended: str) -> str:
    follower = index + 1
    while follower < len(lines) and lines[follower].removed and not lines[follower].is_paragraph:
        if lines[follower].visible:
            return "headline with a date line"
        follower += 1
    if follower >= len(lines):
        return ""
    after = lines[follower]
    if after.has_dateline:
        return "headline with a dateline"
    if not after.is_paragraph:
        return ""
    if ended in ("ending", "author"):
        return f"headline after {ended}"
    if len(lines[index].text) < _SHORTEST_LONE_HEADLINE or not (lines[first].is_headline or lines[first].has_dateline):
        return ""
    if (ended or _layout_changes(lines, first, index)) and not _same_subject(lines, first, index):
        return f"headline after {ended}" if ended else "headline after the only blank line"
    return ""


def _layout_changes(lines: Sequence[Line], first: int, index: int) -> bool:
    """Whether a blank line stands before a line and nowhere else around it."""
    inner = [line.gap for line in lines[first + 1 : index]]
    return lines[index].gap > 1 and len(inner) >= 2 and max(inner) == 1 and lines[index + 1].gap == 1


def _same_subject(lines: Sequence[Line], first: int, index: int) -> bool:
    """Whether the names after a line are largely those before it."""
    before = _names(lines[first:index])
    after = _names(lines[index : index + _LOOK_BACK])
    return not after or len(after & before) > _MOST_SHARED_NAMES * len(after)


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


def _fused_evidence(line: Line) -> str:
    """Return the evidence that a last line is a cut-off article of its own, its headline, credit and text run together."""
    return "cut-off text with a credit inside" if line.is_truncated and line.credit_inside else ""

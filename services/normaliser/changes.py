"""Recorded changes of a text: applying them, chaining them, and finding the way back.

A list of changes is sorted by start, its spans do not overlap, and it says all that is needed to get from one text to the next.
Two steps in a row are chained into one list against the first text, so that however many steps a clean-up takes, every change
names offsets in the raw text and the raw text can be rebuilt.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from shared.models import Edit, NormalisedArticle

JOIN_GAP = 16  # changes of one rule less than this many characters apart are written as one


@dataclass(frozen=True, slots=True)
class Change:
    """Characters `start` to `end` (code points, end exclusive) of a text became `replacement`, by a rule of a family."""

    start: int
    end: int
    replacement: str
    rule: str
    family: str


def apply(text: str, changes: Sequence[Change]) -> str:
    """Return the text after the changes."""
    if not changes:
        return text
    pieces: list[str] = []
    position = 0
    for change in changes:
        pieces.append(text[position : change.start])
        pieces.append(change.replacement)
        position = change.end
    pieces.append(text[position:])
    return "".join(pieces)


class Track:
    """The way back from a changed text to the text before the changes."""

    def __init__(self, changes: Sequence[Change]) -> None:
        self._changes = changes
        self._starts: list[int] = []
        shift = 0
        for change in changes:
            self._starts.append(change.start + shift)
            shift += len(change.replacement) - (change.end - change.start)

    def before(self, position: int) -> int:
        """Return the place in the earlier text of a boundary in the later one.

        Inside a replacement it is the start of what was replaced; right after a removed span it is the span's end.
        """
        index = bisect_right(self._starts, position) - 1
        if index < 0:
            return position
        change, start = self._changes[index], self._starts[index]
        if position < start + len(change.replacement):
            return change.start
        return change.end + position - start - len(change.replacement)

    def after_spans(self) -> list[tuple[int, int]]:
        """Return, for each change, the span of its replacement in the later text."""
        return [
            (start, start + len(change.replacement)) for start, change in zip(self._starts, self._changes, strict=True)
        ]


def chain(first: Sequence[Change], then: Sequence[Change], text: str) -> list[Change]:
    """Return one list of changes that does what `first` and then `then` do to a text.

    `text` is the text between the two. Where a later change touches an earlier one, the two become one change under the
    later one's rule.
    """
    if not first or not then:
        return list(first or then)
    spans = [
        (start, end, False, change) for (start, end), change in zip(Track(first).after_spans(), first, strict=True)
    ]
    spans += [(change.start, change.end, True, change) for change in then]
    spans.sort(key=lambda span: (span[0], span[1], span[2]))
    result: list[Change] = []
    shift = 0
    index = 0
    while index < len(spans):
        start, end = spans[index][:2]
        group = [spans[index]]
        index += 1
        while index < len(spans) and spans[index][0] < end:
            end = max(end, spans[index][1])
            group.append(spans[index])
            index += 1
        earlier = [change for _, _, is_later, change in group if not is_later]
        later = [change for _, _, is_later, change in group if is_later]
        raw_start = start + shift
        shift += sum(change.end - change.start - len(change.replacement) for change in earlier)
        moved = [replace(change, start=change.start - start, end=change.end - start) for change in later]
        name = (later or earlier)[0]
        result.append(Change(raw_start, end + shift, apply(text[start:end], moved), name.rule, name.family))
    return result


def join_neighbours(raw: str, changes: Iterable[Change], families: frozenset[str]) -> list[Change]:
    """Return the changes with close neighbours of one rule and one of these families written as one.

    A text in which every syllable was recomposed would otherwise carry an edit for each.
    """
    result: list[Change] = []
    run: list[Change] = []
    for change in changes:
        if run and (
            change.rule != run[-1].rule or change.family not in families or change.start - run[-1].end >= JOIN_GAP
        ):
            result.append(_joined(raw, run))
            run = []
        run.append(change)
    if run:
        result.append(_joined(raw, run))
    return result


def _joined(raw: str, run: Sequence[Change]) -> Change:
    if len(run) == 1:
        return run[0]
    start, end = run[0].start, run[-1].end
    moved = [replace(change, start=change.start - start, end=change.end - start) for change in run]
    return Change(start, end, apply(raw[start:end], moved), run[0].rule, run[0].family)


def to_edits(
    raw: str,
    changes: Iterable[Change],
    field: Literal["title", "text"],
    files: Mapping[str, str] = MappingProxyType({}),
) -> list[Edit]:
    """Return the changes as the edits a record carries, each with the raw characters it stands for and its rule's file."""
    return [
        Edit(
            field=field,
            start=change.start,
            length=change.end - change.start,
            raw=raw[change.start : change.end],
            replacement=change.replacement,
            rule=change.rule,
            family=change.family,
            file=files.get(change.rule, ""),
        )
        for change in changes
    ]


def rebuild(parts: Iterable[NormalisedArticle]) -> str:
    """Return the raw text of an article, rebuilt from all its parts and their edits."""
    ordered = sorted(parts, key=lambda part: part.part)
    return "".join(_undo(part.body, part.edits, "text", part.raw_start) for part in ordered)


def rebuild_title(part: NormalisedArticle) -> str:
    """Return the raw title of a part whose title was given, rebuilt from its edits; a blank one counts as not given."""
    return _undo(part.title, part.edits, "title", 0)


def _undo(clean: str, edits: Iterable[Edit], field: str, raw_position: int) -> str:
    pieces: list[str] = []
    position = 0
    for edit in edits:
        if edit.field != field:
            continue
        kept = edit.start - raw_position
        pieces.append(clean[position : position + kept])
        pieces.append(edit.raw)
        position += kept + len(edit.replacement)
        raw_position = edit.start + edit.length
    pieces.append(clean[position:])
    return "".join(pieces)

"""What opens and closes an article around its text: signatures, by-lines with what stands below them, and the labels at its end.

These lines are told by their place in a part, so they are looked for after the text was split.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise, takewhile
from operator import attrgetter
from typing import Final

from services.normaliser.date_lines import cut_date, visible_date
from services.normaliser.lines import CLOSING_QUOTES, FULL_STOPS, LIST_SIGNS, Line
from services.normaliser.moments import DateWords
from services.normaliser.remains import kept_text, take_out
from services.normaliser.rules import Selection

_TOP_LINES: Final = 5  # a by-line that opens an article stands within so many lines below the title
_BOTTOM_LINES: Final = 3  # a date line that closes an article stands within so many
_LONGEST_LABEL: Final = 60
_LONGEST_LINK: Final = 140
_LONGEST_ROLE: Final = 45
_MOST_ROLE_WORDS: Final = 6
_BOX_FAMILIES: Final = frozenset({"insert", "other", "share"})
_CLOSING_FAMILIES: Final = frozenset({"author", "other", "related", "share"})


def cut_signatures(lines: Sequence[Line], starts: Sequence[int], rules: Selection, title_is_given: bool) -> None:
    """Take out the lines that only sign an article: at the end of a part, or under its headline.

    `starts` are the indices of the lines with which parts begin; a title can only be given for the first part.
    """
    for number, part in enumerate(_parts(lines, starts)):
        for line in _signatures(part, title_is_given and number == 0):
            _sign(line, rules)


def cut_closing_dates(lines: Sequence[Line], starts: Sequence[int], dates: DateWords) -> None:
    """Take out the lines below a part's text that state its date and nothing else; read the date of those taken out before."""
    for part in _parts(lines, starts):
        for line in takewhile(lambda line: not line.is_paragraph, reversed(part[-_BOTTOM_LINES:])):
            if line.removed:
                line.visible = line.visible or visible_date(line.text, dates)
            elif not line.cuts:
                cut_date(line, dates)


def cut_closing_zones(lines: Sequence[Line], starts: Sequence[int], rules: Selection) -> None:
    """Take out the short lines among the boilerplate that closes an article: labels and links no rule knows.

    Where a part ends in a signature, share bar, links or notices, what stands below the first of them and has no shape of text
    goes too.
    """
    for part in _parts(lines, starts):
        zone = list(takewhile(_may_close, reversed(part[1:])))
        begins = False
        for line in reversed(zone):
            if line.removed:
                begins = begins or line.family in _CLOSING_FAMILIES
            elif line.may_sign:
                _sign(line, rules)
                begins = True
            elif begins:
                line.remove("any.other.closing-zone", "other")


def cut_between(lines: Sequence[Line], starts: Sequence[int]) -> None:
    """Take out a label that stands between two lines of one box: what a newsletter offers, the section a notice belongs to."""
    for part in _parts(lines, starts):
        body_seen = False
        for before, line, after in zip(part, part[1:], part[2:], strict=False):
            body_seen = body_seen or before.is_paragraph
            in_box = before.family in _BOX_FAMILIES and after.family in _BOX_FAMILIES and not after.visible
            if body_seen and in_box and _may_be_label(line, _LONGEST_LABEL):
                line.remove("any.other.between", "other")


def cut_roles(lines: Sequence[Line], starts: Sequence[int], title_is_given: bool) -> None:
    """Take out what stands under a by-line above the text and says who the author is: an outlet and a place, a post."""
    for number, part in enumerate(_parts(lines, starts)):
        has_title = title_is_given and number == 0
        for line, following in pairwise(part[: _TOP_LINES + 1]):
            has_title = has_title or not line.removed
            if following.is_paragraph:
                break
            if has_title and line.family == "author" and _may_be_role(following):
                following.remove("any.author.role", "author")


def _parts(lines: Sequence[Line], starts: Sequence[int]) -> Iterator[Sequence[Line]]:
    for first, after in pairwise([*starts, len(lines)]):
        yield lines[first:after]


def _sign(line: Line, rules: Selection) -> None:
    if not line.removed and (found := rules.full("closing", kept_text(line))):
        take_out(line, found[0].id, found[0].family)


def _stands_above_headline(part: Sequence[Line], kept: Sequence[Line]) -> bool:
    """Whether a first line that may sign is followed by a date line or the headline, so that it is no headline itself."""
    return (kept[0] is part[0] and len(part) > 1 and part[1].visible is not None) or (
        len(kept) > 2 and kept[1].is_headline
    )


def _may_close(line: Line) -> bool:
    return line.removed or line.may_sign or _may_be_label(line, _LONGEST_LINK)


def _may_be_label(line: Line, longest: int) -> bool:
    """Whether a line is short, ends no sentence, is cut nowhere and opens no list item."""
    return (
        len(line.text) <= longest
        and not line.removed
        and not line.cuts
        and line.text.rstrip(CLOSING_QUOTES)[-1:] not in FULL_STOPS
        and line.text[0] not in LIST_SIGNS
        and not line.text[0].isdigit()
    )


def _may_be_role(line: Line) -> bool:
    return _may_be_label(line, _LONGEST_ROLE) and line.text.count(" ") < _MOST_ROLE_WORDS and ":" not in line.text


def _signatures(part: Sequence[Line], has_title: bool) -> Iterator[Line]:
    """Yield the lines that stand where an article is signed; names among the paragraphs are subheadings, the first one too.

    A first line that is a paragraph, and not the title, opens the text: what stands below it is no by-line.
    """
    kept = [line for line in part if not line.removed]
    closing = list(takewhile(attrgetter("may_sign"), reversed(kept[1:])))
    titles = kept[:1] if kept and not has_title and kept[0].may_be_title else []
    top = titles + list(takewhile(lambda line: not line.is_paragraph, kept[len(titles) : len(titles) + _TOP_LINES]))
    has_names_inside = any(line.may_sign for line in kept[max(1, len(top)) : len(kept) - len(closing)])
    if top and top[0].may_sign and not has_names_inside and _stands_above_headline(part, kept):
        yield top.pop(0)
    yield from closing
    if not has_names_inside:
        yield from filter(attrgetter("may_sign"), top[1:])

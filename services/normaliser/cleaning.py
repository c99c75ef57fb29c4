"""Finding what the outlet or the page added to an article, line by line, with the rule that found each piece.

Only what stands as a formula goes: whole lines, the opening of a paragraph, the tail of a line, a credit inside one. The same
words in a sentence stay.
"""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from services.normaliser.changes import Change
from services.normaliser.date_lines import cut_date, visible_date
from services.normaliser.lines import CLOSING_QUOTES, LIST_SIGNS, LONGEST_HEADLINE, Line, split_lines
from services.normaliser.moments import DateWords, read_moment
from services.normaliser.rules import WINDOW, Rule, Selection, cut_of

LONGEST_CAPTION: Final = 300
_LONGEST_BOILERPLATE = 240
_SHORTEST_CAPTION = 25  # above a credit; shorter ones are subheadings
_LONGEST_BARE_CAPTION = 110  # after a prefix, without a credit
_MOST_TEASERS = {"insert": 3, "related": 8}
_MOST_OPENINGS = 4  # prefix, dateline, a second dateline
_LONGEST_TEASER = 140
_SHORTEST_OPENED = 15  # characters of text that a dateline opens

_SENTENCE_BREAK = re.compile(r"(?<![\s.(][^\W\d_])(?<!^[^\W\d_])[.!?…][\"”»')]*\s+(?=[\"“«„(]?[^\W_a-zа-яёіїєґ])")
_LONGEST_NAME = 40
_LONGEST_SIGNATURE = 120
_LAST_NAME = re.compile(r"[^\W_][\w.+&-]*(?:\s[^\W\d_][\w.+&-]*)?")


def clean(text: str, rules: Selection, dates: DateWords, has_title: bool = False) -> list[Line]:
    """Return the lines of a text with everything marked that is not the article's own.

    Where no title was given, the first line may be it: then it does not begin the text.
    """
    lines = split_lines(text)
    body_seen = False
    dateline: tuple[str, str] | None = None
    index = 0
    while index < len(lines):
        line = lines[index]
        may_open = not body_seen or lines[index - 1].is_headline
        taken = _cut_whole_line(lines, index, rules, dates, may_open) if len(line.text) <= _LONGEST_BOILERPLATE else 0
        if taken:
            body_seen = body_seen and line.family != "ending"
            index += taken
            continue
        may_repeat = dateline is not None and dateline[1] in line.text[:WINDOW]
        written = _dateline(line.text, rules) if may_open or may_repeat else None
        line.repeats_dateline = bool(dateline) and written == dateline
        _cut_openings(line, rules, dates, may_have_dateline=may_open or line.repeats_dateline)
        if line.has_dateline and not line.has_prefix:
            dateline = dateline or written
        if not line.removed:
            cut_tail(line, rules)
            _cut_inside(line, rules)
            if line.credit_inside and line.head:
                _cut_openings(line, rules, dates, may_have_dateline=True)
        line.may_sign = line.may_sign or (not line.cuts and may_sign(line.text, rules))
        if line.has_ending or line.may_sign:
            body_seen = False
        elif line.is_paragraph:
            body_seen = has_title or not line.may_be_title
        has_title = has_title or not line.removed
        index += 1
    _cut_bare_captions(lines)
    _cut_captions_above_credits(lines)
    return lines


def _dateline(text: str, rules: Selection) -> tuple[str, str] | None:
    """Return the rule of the dateline that opens a text and the last name in it: the agency or outlet, where it gives one."""
    found = rules.at_start("opening", text[:WINDOW])
    if not found:
        return None
    rule, match = found
    return rule.id, _LAST_NAME.findall(match[0])[-1]


def _cut_openings(line: Line, rules: Selection, dates: DateWords, may_have_dateline: bool) -> None:
    """Cut prefixes and datelines off the head of a line."""
    for _ in range(_MOST_OPENINGS):
        window = line.text[line.head : line.head + WINDOW]
        found = rules.at_start("start", window)
        if not found and (may_have_dateline or line.has_prefix):
            found = rules.at_start("opening", window)
        if not found:
            return
        rule, match = found
        start, end = cut_of(match)
        if (
            start != 0
            or end == 0
            or (rule.family == "dateline" and line.head + end + _SHORTEST_OPENED > len(line.text))
        ):
            return
        line.cuts.append(Change(line.start + line.head, line.start + line.head + end, "", rule.id, rule.family))
        line.head += end
        if rule.family == "prefix":
            line.has_prefix = True
            line.prefix = line.prefix or read_moment(match[0].strip(" -–—|:.,"), dates)
        else:
            line.has_dateline = True
        if line.head >= len(line.text):
            line.family = rule.family
            return


def _cut_whole_line(lines: Sequence[Line], index: int, rules: Selection, dates: DateWords, may_open: bool) -> int:
    """Take out a line that is boilerplate as a whole, with the teasers under a heading; return how many lines went."""
    line = lines[index]
    if (found := rules.full("line", line.text)) and not (index == 0 and _reads_as_headline(found[0], line.text)):
        line.remove(found[0].id, found[0].family)
        line.visible = visible_date(line.text, dates) if may_open else None
        return 1
    if found := rules.full("block", line.text):
        line.remove(found[0].id, found[0].family)
        teasers = _teasers(lines, index, found[0], rules)
        for teaser in teasers:
            teaser.remove(found[0].id, found[0].family)
        return 1 + len(teasers)
    return int(may_open and cut_date(line, dates))


def _reads_as_headline(rule: Rule, text: str) -> bool:
    """Whether a first line that a rule for credits or video links matches is a headline: its words are not mostly names."""
    if rule.family == "insert":
        return True
    words = text.partition(":")[2].split()
    return rule.family == "credit" and sum(word[0].islower() for word in words) > len(words) / 2


def _teasers(lines: Sequence[Line], index: int, heading: Rule, rules: Selection) -> list[Line]:
    """Return the lines under a heading that have the shape of links to other articles."""
    teasers: list[Line] = []
    for line in lines[index + 1 : index + 1 + _MOST_TEASERS.get(heading.family, 0)]:
        if (
            len(line.text) > _LONGEST_TEASER
            or re.search(r"[.,;:…][\"”»)\]]{0,2}$", line.text)
            or line.text.count(" ") < 2
        ):
            break
        if rules.full("line", line.text) or rules.full("block", line.text) or rules.at_start("opening", line.text):
            break
        is_name = len(line.text) <= _LONGEST_NAME and rules.full("closing", line.text)
        if is_name or (teasers and line.gap > teasers[-1].gap):
            break
        teasers.append(line)
    return teasers


def may_sign(text: str, rules: Selection) -> bool:
    """Whether a line could be the signature of an article."""
    return len(text) <= _LONGEST_SIGNATURE and rules.full("closing", text) is not None


def cut_tail(line: Line, rules: Selection) -> None:
    """Cut what closes a line: the sign that ends an agency's text, a credit and the caption before it."""
    for _ in range(2):
        end = line.cuts[-1].start - line.start if line.cuts and line.cuts[-1].end == line.next_start else len(line.text)
        window_start = max(line.head, end - WINDOW)
        window = line.text[window_start:end]
        found = next(rules.anywhere("tail", window), None)
        if not found:
            return
        rule, match = found
        start, stop = cut_of(match)
        start += window_start
        if rule.family == "credit":
            _cut_credit(line, start, end, rule)
            return
        line.has_ending = line.has_ending or rule.family == "ending"
        full_stop = "" if start and line.text[start - 1] in '.!?…”"»)' else "."
        replacement = full_stop if rule.family == "ending" else ""
        line.cuts.append(
            Change(line.start + start, line.start + window_start + stop, replacement, rule.id, rule.family)
        )
        return


def _cut_credit(line: Line, start: int, end: int, rule: Rule) -> None:
    """Cut a credit that closes a line, and the caption before it."""
    before = line.text[line.head : start]
    caption = _caption_start(before, len(line.text) <= LONGEST_CAPTION + line.head)
    caption_at = line.head + caption
    if before[caption:].strip():
        line.cuts.append(
            Change(line.start + caption_at, line.start + start, "", "any.caption.before-credit", "caption")
        )
    line.cuts.append(Change(line.start + start, line.start + end, "", rule.id, "credit"))
    if not line.text[line.head : caption_at].strip():
        line.family = "credit" if not before.strip() else "caption"
        _widen_to_line_break(line)


def _widen_to_line_break(line: Line) -> None:
    last = line.cuts[-1]
    line.cuts[-1] = Change(last.start, line.next_start, last.replacement, last.rule, last.family)


def _caption_start(before: str, whole: bool) -> int:
    """Return where the caption begins in the text before a credit: at its start, or with its last sentence."""
    stripped = before.rstrip()
    breaks = [match.end() for match in _SENTENCE_BREAK.finditer(stripped)]
    if whole and len(breaks) <= 1:
        return 0
    return breaks[-1] if breaks else 0


def _cut_inside(line: Line, rules: Selection) -> None:
    """Cut credits, with the sentence before each as its caption, and inserts that stand inside a paragraph."""
    last = line.head
    # Of two that begin together the shorter goes: the longer may hold the first word of the next sentence.
    for rule, match in sorted(rules.anywhere("inside", line.text), key=lambda found: found[1].span()):
        start, end = cut_of(match)
        if start < last or any(line.start + start < cut.end and cut.start < line.start + end for cut in line.cuts):
            continue
        if rule.family == "credit":
            line.credit_inside = True
            before = line.text[last:start]
            caption = last + _caption_start(before, whole=False)
            if line.text[caption:start].strip():
                line.cuts.append(
                    Change(line.start + caption, line.start + start, "", "any.caption.before-credit", "caption")
                )
        line.cuts.append(Change(line.start + start, line.start + end, "", rule.id, rule.family))
        if rule.family == "credit" and caption == line.head:
            line.head = end
        last = end
    line.cuts.sort(key=lambda cut: cut.start)


def _cut_captions_above_credits(lines: Sequence[Line]) -> None:
    """Take out a caption that stands on a line of its own, right above the line with the credit and below a paragraph."""
    for before, line, credit in zip(lines, lines[1:], lines[2:], strict=False):
        if (
            credit.family == "credit"
            and credit.gap == 1
            and not credit.cuts[0].rule.startswith("any.caption")
            and before.is_paragraph
            and not before.has_ending
            and not line.cuts
            and not line.may_sign
            and _SHORTEST_CAPTION <= len(line.text) <= LONGEST_HEADLINE
            and line.text.rstrip(CLOSING_QUOTES)[-1:].isalnum()
            and line.text[0] not in LIST_SIGNS
        ):
            line.remove("any.caption.above-credit", "caption")


def _cut_bare_captions(lines: Sequence[Line]) -> None:
    """Take out a caption told by its place alone: one short sentence between the prefix and the text."""
    for line, following in pairwise(lines):
        rest = line.rest.strip()
        if (
            line.has_prefix
            and not line.has_dateline
            and not line.removed
            and len(rest) <= _LONGEST_BARE_CAPTION
            and rest.endswith(".")
            and not _SENTENCE_BREAK.search(rest)
            and following.gap > 1
        ):
            line.remove("any.caption.after-prefix", "caption", line.head)

"""What cuts leave of a line."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from operator import attrgetter

from services.normaliser.changes import Change
from services.normaliser.cleaning import cut_tail, may_sign
from services.normaliser.lines import Line
from services.normaliser.rules import Selection


def cut_remains(lines: Sequence[Line], rules: Selection) -> None:
    """Take out what is left of a line when that is boilerplate itself, as the invitation to share after a credit.

    What may sign the article is marked: its place decides later.
    """
    for line in lines:
        if not line.cuts or line.removed:
            continue
        text = kept_text(line)
        rest = Line(0, len(text), len(text), line.gap, text)
        if found := rules.full("line", text):
            rest.remove(found[0].id, found[0].family)
        elif text:
            cut_tail(rest, rules)
        if rest.removed:
            take_out(line, rest.cuts[-1].rule, rest.family)
        else:
            line.may_sign = line.may_sign or may_sign(text, rules)


def kept_text(line: Line) -> str:
    """Return what is left of a line after its cuts."""
    if not line.cuts:
        return line.text
    pieces: list[str] = []
    position = line.start
    for cut in sorted(line.cuts, key=attrgetter("start")):
        pieces.append(line.text[position - line.start : cut.start - line.start] + cut.replacement)
        position = cut.end
    pieces.append(line.text[position - line.start :])
    return "".join(pieces).strip()


def holds_text(line: Line) -> bool:
    """Whether anything is left of a line after its cuts."""
    return not line.removed and bool(kept_text(line))


def take_out(line: Line, rule: str, family: str) -> None:
    """Remove what a line's own cuts leave of it."""
    line.cuts.extend(taken(line, rule, family))
    line.family = family


def taken(line: Line, rule: str, family: str) -> Iterator[Change]:
    """Yield the cuts that take out what the line's own cuts leave, what they wrote in its place included."""
    position = line.start
    for cut in sorted(line.cuts, key=attrgetter("start")):
        if position < cut.start:
            yield Change(position, cut.start, "", rule, family)
        if cut.replacement:
            yield replace(cut, replacement="")
        position = cut.end
    if position < line.next_start:
        yield Change(position, line.next_start, "", rule, family)

"""The lines of a text, with what was found out about each."""

from dataclasses import dataclass, field
from typing import Final

from services.normaliser.changes import Change
from services.normaliser.moments import Moment

LONGEST_HEADLINE: Final = 140
_SHORTEST_PARAGRAPH: Final = 60
LIST_SIGNS: Final = "-–—•*·"
CLOSING_QUOTES: Final = "\"”»')] \t"
_SENTENCE_ENDS = ".!…:;,"
FULL_STOPS: Final = ".!?…"


@dataclass
class Line:
    """A line of text that is not blank, with what was found out about it. Offsets are into the whole text."""

    start: int
    end: int
    next_start: int
    gap: int
    text: str
    cuts: list[Change] = field(default_factory=list)
    family: str = ""
    head: int = 0
    prefix: Moment | None = None
    visible: Moment | None = None
    has_prefix: bool = False
    has_dateline: bool = False
    repeats_dateline: bool = False
    has_ending: bool = False
    may_sign: bool = False
    credit_inside: bool = False

    @property
    def removed(self) -> bool:
        """Whether nothing of the line is left."""
        return self.family != ""

    @property
    def rest(self) -> str:
        """The line without the cuts at its head."""
        return self.text[self.head :]

    @property
    def is_paragraph(self) -> bool:
        """Whether the line is running text: long, and with a sentence that ends."""
        return (
            not self.removed
            and len(self.text) - self.head >= _SHORTEST_PARAGRAPH
            and self.text.rstrip(CLOSING_QUOTES)[-1:] in FULL_STOPS
        )

    @property
    def is_headline(self) -> bool:
        """Whether the line has the shape of a headline: short, several words, no end of a sentence."""
        rest = self.rest.strip()
        return (
            not self.removed
            and 15 <= len(rest) <= LONGEST_HEADLINE
            and rest.count(" ") >= 3
            and rest.rstrip(CLOSING_QUOTES)[-1:] not in _SENTENCE_ENDS
            and not rest[0].islower()
            and rest[0] not in LIST_SIGNS
        )

    @property
    def may_be_title(self) -> bool:
        """Whether the line is short enough to be the title of what follows."""
        return len(self.rest) <= LONGEST_HEADLINE

    @property
    def is_truncated(self) -> bool:
        """Whether the line breaks off with an ellipsis."""
        if self.removed:
            return False
        bare = self.text.rstrip(CLOSING_QUOTES)
        return bare.endswith(("...", "…")) and bare.rstrip(".…")[-1:].isalnum()

    def remove(self, rule: str, family: str, start: int = 0) -> None:
        """Take the line out from `start` (counted in the line) to its end, its line break included."""
        self.cuts.append(Change(self.start + start, self.next_start, "", rule, family))
        self.family = family


def split_lines(text: str) -> list[Line]:
    """Return the lines of a text that are not blank."""
    lines: list[Line] = []
    position, gap = 0, 0
    for raw in text.split("\n"):
        stripped = raw.strip()
        if stripped:
            start = position + raw.index(stripped[0])
            lines.append(Line(start, start + len(stripped), len(text), gap, stripped))
            if len(lines) > 1:
                lines[-2].next_start = start
            gap = 0
        gap += 1
        position += len(raw) + 1
    if lines:
        lines[0].gap = 0
    return lines

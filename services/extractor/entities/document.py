"""One text on its way through the rules: what was found so far, and which characters are taken."""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, NamedTuple

import regex

from services.extractor.entities.context import Place
from services.extractor.entities.cues import Cues
from services.extractor.entities.grammar import Grammar
from services.extractor.entities.lexicon import PLACE_RANK, Hit, Lexicon, Name
from services.extractor.entities.texts import lower
from shared.models import EntityType

_CAPITALISED: Final = r"\p{Lu}[\p{L}\p{M}]*+(?:'(?!s?(?!\p{L}))[\p{L}\p{M}]*+)*"
_WORD: Final = regex.compile(
    rf"(?<![\w'-])(?:\p{{Lu}}(?:\.\p{{Lu}}){{0,2}}\.|(?:(?:al|el|as|аль|эль|ас|ель)-)?{_CAPITALISED}(?:-{_CAPITALISED})*)"
)
_ANY_WORD_BEFORE: Final = regex.compile(r"(\p{L}+)\P{L}*$")
_ANY_WORD_AFTER: Final = regex.compile(r"\P{L}*(\p{L}+)")
_SHOUT_REACH: Final = 24


@dataclass(slots=True)
class Span:
    """A mention found by a rule; `sure` is false for names that only GeoNames knows."""

    start: int
    end: int
    type: EntityType
    canonical: str
    label: str
    rule: str
    alias: str
    territory: str | None = None
    sure: bool = True


class Capital(NamedTuple):
    """A capitalised word: where it stands."""

    start: int
    end: int
    text: str


@dataclass
class Document:
    """An aligned text (`texts.align`) with its hits and the spans found so far."""

    text: str
    folded: str
    language: str
    grammar: Grammar
    hits: list[Hit]
    spans: dict[int, Span] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str, language: str, lexicon: Lexicon, grammar: Grammar) -> "Document":
        """Return the document of an aligned text."""
        folded = lower(text)
        document = cls(text, folded, language, grammar, lexicon.find(text, folded))
        document._taken = bytearray(len(text))
        return document

    _taken: bytearray = field(default_factory=bytearray)

    @cached_property
    def capitals(self) -> list[Capital]:
        """All capitalised words and initials, in text order."""
        return [Capital(*match.span(), match[0]) for match in _WORD.finditer(self.text)]

    def describes(self, start: int, end: int) -> bool:
        """Return whether a word is the adjective of a compass point before a noun: "Південного командування"."""
        if not self.folded.startswith(self.grammar.compass, start) or self.text[end - 1].isupper():
            return False
        return self.text[end : end + 1] == " " and self.text[end + 1 : end + 2].islower()

    @cached_property
    def cues(self) -> Cues:
        """The words that point at names."""
        return Cues(self.text, self.hits)

    @cached_property
    def private(self) -> str:
        """What makes the ids of private persons hold in this article only."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:8]

    def add(self, span: Span) -> None:
        """Take a span; what it covers, or reaches into, gives way."""
        if not self.is_free(span.start, span.end):
            for start in [key for key in range(span.start, span.end) if key in self.spans]:
                self.remove(self.spans[start])
            if (before := self._holding(span.start)) is not None:
                self.remove(before)
        self.spans[span.start] = span
        self._taken[span.start : span.end] = b"\1" * (span.end - span.start)

    def remove(self, span: Span) -> None:
        """Give a span up."""
        del self.spans[span.start]
        self._taken[span.start : span.end] = bytes(span.end - span.start)

    def is_free(self, start: int, end: int) -> bool:
        """Return whether no span covers any of these characters."""
        return self._taken.find(1, start, end) < 0

    def is_covered(self, start: int, end: int) -> bool:
        """Return whether a longer span holds all of these characters."""
        span = self._holding(start)
        return span is not None and span.end >= end and span.end - span.start > end - start

    def span_ending(self, end: int) -> Span | None:
        """Return the span that ends at a position."""
        span = self._holding(end - 1) if end > 0 else None
        return span if span is not None and span.end == end else None

    def _holding(self, position: int) -> Span | None:
        """Return the span that covers a character: spans never overlap."""
        if not self._taken[position]:
            return None
        while position not in self.spans:
            position -= 1
        return self.spans[position]

    def in_order(self) -> list[Span]:
        """Return the spans in text order."""
        return [self.spans[start] for start in sorted(self.spans)]

    def place(self, start: int, end: int, capitals: bool) -> Place:
        """Return where a name stands, for its context."""
        return Place(self.text, self.folded, start, end, self.language, capitals)

    def shouted(self, start: int, end: int) -> bool:
        """Return whether a neighbouring word is all capitals: the name stands in a headline in capitals."""
        before = _ANY_WORD_BEFORE.search(self.text[max(0, start - _SHOUT_REACH) : start])
        after = _ANY_WORD_AFTER.match(self.text[end : end + _SHOUT_REACH])
        return any(match is not None and len(match[1]) > 1 and match[1].isupper() for match in (before, after))

    def span_of(self, start: int, end: int, name: Name) -> Span:
        """Return a span for a name that was chosen."""
        meaning, alias = name.meaning, name.alias
        return Span(
            start, end, meaning.type, meaning.id, meaning.label, meaning.rule, alias, meaning.territory,
            sure=meaning.rank < PLACE_RANK,
        )  # fmt: skip

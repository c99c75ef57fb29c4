"""Whether an ambiguous name counts where it stands: the neighbours and the article are held against its context."""

import re
from collections.abc import Iterable
from typing import Final

from services.extractor.entities.grammar import Grammar
from services.extractor.entities.sets import Context

_REACH: Final = 40
_OPENERS: Final = frozenset((*".!?:;…\n\"'“”«»„—–([-", ""))
_CAPITALISED: Final = re.compile(r" ([^\W\d_][\w'-]+)")
_CLOSED: Final = re.compile(r"[^\W\d_]", re.UNICODE)


class Place:
    """Where a name stands in an article: `left` and `right` are the words beside it, in lower case, behind one space."""

    __slots__ = ("capitals", "end", "folded", "language", "left", "right", "start", "text")

    def __init__(self, text: str, folded: str, start: int, end: int, language: str, capitals: bool) -> None:
        self.text = text
        self.folded = folded
        self.start = start
        self.end = end
        self.language = language
        self.capitals = capitals
        self.left = " " + folded[max(0, start - _REACH) : start].rstrip(' "“«(')
        self.right = folded[end : end + _REACH].lstrip(' "”»') + " "


class Condition:
    """A context made ready for matching."""

    def __init__(self, context: Context, grammar: Grammar) -> None:
        self._after = _lefts(context.after)
        self._before = _rights(context.before)
        self._not_after = _lefts(context.not_after)
        self._not_before = _rights(context.not_before)
        self._opening_before = _rights(context.opening_before)
        self._near = tuple(word.casefold() for word in context.near)
        self._languages = frozenset(context.languages)
        self._apart = context.apart_from_names
        self._grammar = grammar

    def holds(self, place: Place) -> bool:
        """Return whether the name counts at this place."""
        if self._languages and place.language not in self._languages:
            return False
        left, right = place.left, place.right
        if (
            self._not_after
            and left.endswith(self._not_after)
            and not (self._apart and self._before_foreign_name(place))
        ):
            return False
        if self._not_before and _starts(right, self._not_before):
            return False
        if (self._after or self._before) and not (
            (self._after and left.endswith(self._after)) or _starts(right, self._before)
        ):
            return False
        if self._opening_before and opens_sentence(place.text, place.start) and not place.capitals:
            follows = place.text[place.end : place.end + 2]
            if follows[:1] == " " and follows[1:2].islower() and not _starts(right, self._opening_before):
                return False
        if self._near and not any(word in place.folded for word in self._near):
            return False
        return not (self._apart and not place.capitals and self._beside_name(place))

    def _before_foreign_name(self, place: Place) -> bool:
        """Return whether a capitalised word follows that no Vietnamese bears: "bác sĩ Ý Chiara Bianchi"."""
        word = _CAPITALISED.match(place.text, place.end)
        return word is not None and not place.capitals and not self._grammar.is_syllable(word[1])

    def _beside_name(self, place: Place) -> bool:
        """Return whether a neighbour is a syllable of a Vietnamese name: "Trần Đức", "Anh Tuấn"."""
        before = place.text[max(0, place.start - 12) : place.start]
        if before.endswith(" ") and before.split(" ")[-2] in self._grammar.vietnamese_names:
            return True
        after = place.text[place.end : place.end + 12]
        if not after.startswith(" "):
            return False
        word = re.match(r"\w*", after[1:])
        return bool(word) and self._grammar.is_vietnamese_given(word.group() if word else "")


def opens_sentence(text: str, start: int) -> bool:
    """Return whether a word at `start` is the first of a sentence, quotation or line."""
    return text[max(0, start - 4) : start].rstrip(" ")[-1:] in _OPENERS


def _lefts(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(
        form for word in words for form in (f" {word.casefold()}", f"\n{word.casefold()}", f'"{word.casefold()}')
    )


def _rights(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(word.casefold() for word in words)


def _starts(right: str, words: tuple[str, ...]) -> bool:
    return right.startswith(words) and any(
        right.startswith(word) and not _CLOSED.match(right[len(word) : len(word) + 1]) for word in words
    )

"""Case forms of Russian and Ukrainian names, from the table of endings in data/inflection.yaml."""

import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import Final

from pydantic import BaseModel

from services.extractor.entities.tables import read_table
from shared.models import EntityType

_CASES: Final = 5
_RUSSIAN: Final = frozenset("ёъыэ")
_UKRAINIAN: Final = frozenset("ґєії'")
_ADJECTIVE_ENDS: Final = ("ий", "ый", "ой", "ая", "яя", "ое", "ее", "ська", "цька", "не", "ське", "на")


class Ending(BaseModel):
    """One line of the table: which words it declines, and how."""

    ends: list[str]
    cut: int
    forms: list[str]
    example: list[str]


def decline(name: str, kind: EntityType, language: str | None = None) -> Iterator[str]:
    """Yield the other case forms of a Cyrillic name; none for names in another script.

    Every word of a person's name declines. Of other names the adjectives in front and the first noun do: what follows
    ("Служба безпеки України") stands in the genitive already.
    """
    words = name.split(" ")
    if not _is_cyrillic(name) or any(word.isupper() for word in words):
        return
    declined = len(words) if kind is EntityType.PERSON else _head_length(words)
    for tongue in _languages(name.casefold(), language):
        columns = [_forms(word, tongue) if at < declined else ((word,),) * _CASES for at, word in enumerate(words)]
        for case in range(_CASES):
            yield from _combine([column[case] for column in columns])


def _head_length(words: list[str]) -> int:
    for position, word in enumerate(words):
        if not word.endswith(_ADJECTIVE_ENDS):
            return position + 1
    return len(words)


def _languages(folded: str, language: str | None) -> tuple[str, ...]:
    if language in ("ru", "uk"):
        return (language,)
    if not _UKRAINIAN.isdisjoint(folded):
        return ("uk",)
    return ("ru",) if not _RUSSIAN.isdisjoint(folded) else ("ru", "uk")


def _is_cyrillic(name: str) -> bool:
    return any("CYRILLIC" in unicodedata.name(character, "") for character in name[:2])


def _combine(columns: list[tuple[str, ...]]) -> Iterator[str]:
    """Yield the phrases of one case; alternatives of several words are paired in order, not crossed."""
    for alternative in range(max(map(len, columns))):
        yield " ".join(column[min(alternative, len(column) - 1)] for column in columns)


@cache
def _endings(language: str) -> dict[str, Ending]:
    lines = read_table("inflection.yaml")[language]
    return {suffix: line for line in map(Ending.model_validate, lines) for suffix in line.ends}


@cache
def _forms(word: str, language: str) -> tuple[tuple[str, ...], ...]:
    table = _endings(language)
    for length in range(min(5, len(word) - 1), 0, -1):
        line = table.get(word[-length:])
        if line is None:
            continue
        if not line.forms:
            break
        stem = word[: len(word) - line.cut]
        return tuple(tuple(stem + ending for ending in form.split("/")) for form in line.forms)
    return ((word,),) * _CASES

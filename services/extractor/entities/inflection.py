"""Case forms of Russian and Ukrainian names, from the table of endings in data/inflection.yaml."""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache, cached_property, lru_cache, partial
from itertools import product
from typing import Final, Generic, TypeVar

import regex
from pydantic import BaseModel

from services.extractor.entities.tables import read_table
from shared.models import EntityType

P = TypeVar("P")

_CASES: Final = 5
_RUSSIAN: Final = frozenset("ёъыэ")
_UKRAINIAN: Final = frozenset("ґєії'")
_ADJECTIVE_ENDS: Final = ("ий", "ый", "ой", "ая", "яя", "ое", "ее", "ська", "цька", "не", "ське", "на")
_CAPITAL: Final = re.compile(r"[А-ЯЁІЇЄҐ]")
_WORD: Final = regex.compile(r"(?<![\p{L}'])[А-ЯЁІЇЄҐ][А-Яа-яЁёІіЇїЄєҐґ']+")
_SECOND_HALF: Final = regex.compile(r"-[А-ЯЁІЇЄҐ][А-Яа-яЁёІіЇїЄєҐґ']+")
_LONGEST_ENDING: Final = 5
_MAX_COMBINATIONS: Final = 9


class Ending(BaseModel):
    """One line of the table: which words it declines, and how."""

    ends: list[str]
    cut: int
    forms: list[str]
    plural: list[str] = []
    example: list[str]


# A payload with the ways in which its name's case forms may be written where a given word stands.
_Candidate = tuple[P, tuple[str, ...]]
_Stems = dict[str, list[tuple[str, EntityType, str, P]]]


class Inflections(Generic[P]):
    """Finds the case forms of names without listing them: by the stem of the first word, then by its forms.

    `as_form` gives what a payload means where not the name itself but a case form of it stands.
    """

    def __init__(self, as_form: Callable[[P], P]) -> None:
        self._as_form = as_form
        self._names: list[tuple[str, EntityType, str | None, P]] = []

    def add(self, name: str, kind: EntityType, language: str | None, payload: P) -> None:
        """Add a name in the nominative; `language` None means that its letters decide, or both."""
        if not name.isupper():
            self._names.append((name, kind, language, payload))

    @cached_property
    def _candidates(self) -> Callable[[str], tuple[_Candidate[P], ...]]:
        """What a word may begin; the stems are made when the first Cyrillic text comes, since it takes a third of a second."""
        stems: _Stems[P] = {}
        for name, kind, language, payload in self._names:
            first = name.split(" ", 1)[0]
            for tongue in _languages(name.casefold(), language):
                stems.setdefault(_stem(first, tongue), []).append((name, kind, tongue, payload))
        return lru_cache(maxsize=20_000)(partial(_candidates, stems, self._as_form))

    def find(self, text: str) -> Iterator[tuple[int, int, list[P]]]:
        """Yield start, end and payloads of every case form in an aligned text, in capitals too."""
        if _CAPITAL.search(text) is None:
            return
        for match in _WORD.finditer(text):
            start, end = match.span()
            if candidates := self._candidates(match[0]):
                yield from _written(text, start, candidates)
            if second := text.startswith("-", end) and _SECOND_HALF.match(text, end):
                yield from _written(text, start, self._candidates(match[0] + second[0]))


def _candidates(stems: _Stems[P], as_form: Callable[[P], P], word: str) -> tuple[_Candidate[P], ...]:
    """Return the names of which a case form begins with a word: a whole one, or both halves of one like "Тель-Авиве"."""
    shouted = word.isupper()
    plain = "-".join(part[0] + part[1:].lower() for part in word.split("-")) if shouted else word
    found: dict[P, dict[str, None]] = {}
    for length in range(max(2, len(plain) - _LONGEST_ENDING), len(plain) + 1):
        for name, kind, tongue, payload in stems.get(plain[:length], ()):
            forms = _forms_of(name, kind, tongue)
            spellings = (way for form in forms for way in ((form, form.upper()) if shouted else (form,)))
            fitting = dict.fromkeys(way for way in spellings if way.startswith(word) or word.startswith(way))
            if fitting:
                found.setdefault(payload, {}).update(fitting)
    return tuple((as_form(payload), tuple(spellings)) for payload, spellings in found.items())


def _written(text: str, start: int, candidates: Iterable[_Candidate[P]]) -> Iterator[tuple[int, int, list[P]]]:
    """Yield start, end and payloads of the case forms that stand at a position."""
    found: dict[int, list[P]] = {}
    for payload, spellings in candidates:
        if not text.startswith(spellings, start):
            continue
        for spelling in spellings:
            end = start + len(spelling)
            if text.startswith(spelling, start) and not text[end : end + 1].isalnum():
                found.setdefault(end, []).append(payload)
                break
    for end, payloads in found.items():
        yield start, end, payloads


@lru_cache(maxsize=20_000)
def _forms_of(name: str, kind: EntityType, language: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(form for form in decline(name, kind, language) if form != name))


def decline(name: str, kind: EntityType, language: str | None = None) -> Iterator[str]:
    """Yield the case forms of a Cyrillic name, and of a weapon's the plural.

    Every word of a person's name declines. Of other names the adjectives in front and the first noun do: what follows
    ("Служба безпеки України") stands in the genitive already.
    """
    words = name.split(" ")
    declined = len(words) if kind is EntityType.PERSON else _head_length(words)
    for tongue in _languages(name.casefold(), language):
        columns = [_forms(word, tongue) if at < declined else ((word,),) * _CASES for at, word in enumerate(words)]
        for case in range(_CASES):
            yield from _combine([column[case] for column in columns])
        if kind is EntityType.WEAPON and len(words) == 1:
            yield from _plural(name, tongue)


def _plural(word: str, language: str) -> Iterator[str]:
    line = _ending(word, language)
    if line is not None:
        stem = word[: len(word) - line.cut]
        yield from (stem + ending for form in line.plural for ending in form.split("/"))


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


def _combine(columns: list[tuple[str, ...]]) -> Iterator[str]:
    """Yield the phrases of one case; where the alternatives of several words are many, they are paired in order."""
    combinations = 1
    for column in columns:
        combinations *= len(column)
    if combinations <= _MAX_COMBINATIONS:
        yield from map(" ".join, product(*columns))
        return
    for alternative in range(max(map(len, columns))):
        yield " ".join(column[min(alternative, len(column) - 1)] for column in columns)


@cache
def _endings(language: str) -> dict[str, Ending]:
    lines = read_table("inflection.yaml")[language]
    return {suffix: line for line in map(Ending.model_validate, lines) for suffix in line.ends}


def _ending(word: str, language: str) -> Ending | None:
    table = _endings(language)
    for length in range(min(_LONGEST_ENDING, len(word) - 1), 0, -1):
        line = table.get(word[-length:])
        if line is not None:
            return line if line.forms else None
    return None


def _stem(word: str, language: str) -> str:
    line = _ending(word, language)
    return word[: len(word) - line.cut] if line else word


def _forms(word: str, language: str) -> tuple[tuple[str, ...], ...]:
    line = _ending(word, language)
    if line is None:
        return ((word,),) * _CASES
    stem = word[: len(word) - line.cut]
    return tuple(tuple(stem + ending for ending in form.split("/")) for form in line.forms)

"""The language knowledge that is not operator data: cue words, institutions, first names (data/*.yaml)."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

from services.extractor.entities.tables import read_table

_TONED: Final = frozenset("\u0300\u0301\u0303\u0309\u0323\u031b\u0306")

_MARKS: Final = re.compile("[\u0300-\u036f]")
_SYLLABLE: Final = re.compile(
    "(?:b|c|ch|d|g|gh|gi|h|k|kh|l|m|n|ng|ngh|nh|p|ph|qu|r|s|t|th|tr|v|x)?[aeiouy]{1,3}(?:c|ch|m|n|ng|nh|p|t)?"
)
_ADJECTIVE_ENDINGS: Final = (
    "ого", "ому", "им", "ом", "ая", "ой", "ую", "ое", "ие", "их", "ими", "а", "ої", "ій", "у", "ою", "е", "і",
)  # fmt: skip

Side = Literal["left", "right", "head", "adjective", "first"]


@dataclass(frozen=True, slots=True)
class Cue:
    """A word that points at a name: `kind` says at what, `side` where it stands, `value` an institution or country code.

    `bare` institutions need no country beside them; `home` is the country they belong to then.
    """

    side: Side
    kind: str
    value: str = ""
    bare: bool = False
    home: str = ""


@dataclass(frozen=True)
class Grammar:
    """The tables, ready for look-up."""

    cues: tuple[tuple[str, str | None, Cue], ...]
    vietnamese_names: frozenset[str]
    vietnamese_surnames: frozenset[str]
    vietnamese_given: frozenset[str]
    openers: frozenset[str]
    abbreviations: frozenset[str]
    no_surnames: frozenset[str]
    descriptors: frozenset[str]
    callsigns: frozenset[str]
    offices: frozenset[str]
    geography: frozenset[str]
    compass: tuple[str, ...]
    office_stems: tuple[str, ...]

    def is_vietnamese_given(self, word: str) -> bool:
        """Return whether a word can be a syllable of a Vietnamese name: listed, or capitalised with Vietnamese marks."""
        if not word or not word[0].isupper() or word.isupper():
            return False
        if word in self.vietnamese_given:
            return True
        return not _TONED.isdisjoint(unicodedata.normalize("NFD", word)) and self.is_syllable(word)

    @staticmethod
    def is_syllable(word: str) -> bool:
        """Return whether a word is spelt like one syllable of Vietnamese: "Đức", "Xung", but not "Péter"."""
        letters = unicodedata.normalize("NFD", word.lower().replace("đ", "d"))
        return _SYLLABLE.fullmatch(_MARKS.sub("", letters)) is not None


@cache
def read_grammar() -> Grammar:
    """Return the grammar of the data folder."""
    names = read_table("names.yaml")
    surnames, middle, given = (frozenset(names["vietnamese"][part]) for part in ("surnames", "middle", "given"))
    openers = frozenset(word for words in names["openers"].values() for word in words)
    cues = (*_cues(), *_institutions(), *_first_names(names["first"]))
    words = read_table("cues.yaml")
    return Grammar(
        cues=cues,
        vietnamese_names=surnames | middle,
        vietnamese_surnames=surnames,
        vietnamese_given=given,
        openers=openers,
        abbreviations=_words(names["abbreviations"]),
        no_surnames=_words(names["no_surnames"]),
        descriptors=_words(words["descriptors"]),
        callsigns=_words(words["callsigns"]),
        offices=_words(words["offices"]),
        geography=_words(words["geography"]),
        compass=tuple(words["compass"]),
        office_stems=tuple(words["office_stems"]),
    )


def _words(words: list[str]) -> frozenset[str]:
    return frozenset(unicodedata.normalize("NFC", word) for word in words)


def _cues() -> Iterator[tuple[str, str | None, Cue]]:
    table = read_table("cues.yaml")
    for side in ("left", "right"):
        for kind, by_language in table[side].items():
            for words in by_language.values():
                for word in words:
                    yield word, None, Cue(side, kind)


def _institutions() -> Iterator[tuple[str, str | None, Cue]]:
    table = read_table("institutions.yaml")
    homes = {name: country for country, names in table["homes"].items() for name in names}
    for institution in table["institutions"]:
        for language in ("en", "ru", "uk", "vi"):
            for name in institution.get(language, ()):
                cue = Cue("head", "ORG", institution["id"], name in institution.get("bare", ()), homes.get(name, ""))
                yield name, language if language in ("ru", "uk") else None, cue
    for code, by_language in table["adjectives"].items():
        cue = Cue("adjective", "LOC", code)
        for language, words in by_language.items():
            for word in words:
                yield word, None, cue
                if language in ("ru", "uk"):
                    yield from ((word.removesuffix("ий") + ending, None, cue) for ending in _ADJECTIVE_ENDINGS)


def _first_names(table: dict[str, list[str]]) -> Iterator[tuple[str, str | None, Cue]]:
    cue = Cue("first", "PERSON")
    for name in table["latin"]:
        yield name, None, cue
    for name in table["cyrillic"]:
        yield name, "ru", cue
        yield name, "uk", cue

"""The watched keywords of watchlist.yaml (shared/watchlist.py): where one is found in an article."""

import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from ahocorasick_rs import AhoCorasick

from shared.models import EntityMention, KeywordHit
from shared.text import fold
from shared.watchlist import ID_PATTERN, Keyword, WatchlistFile
from shared.yaml_config import ConfigError, Problem, line_of, load, read_text

_IS_ID: Final = re.compile(ID_PATTERN)
FieldName = Literal["title", "body"]


@dataclass(frozen=True)
class Found:
    """A term in the text of an article: what matched, and where."""

    alias: str
    field: FieldName
    start: int
    end: int
    text: str


class Watchlist:
    """The keywords with their phrases in two automata, one for exact and one for folded accents."""

    def __init__(self, keywords: Sequence[Keyword]) -> None:
        self.keywords = tuple(keywords)
        self._exact = Phrases(_phrases(keywords, "exact"), str.lower)
        self._folded = Phrases(_phrases(keywords, "folded"), fold)
        self._ids = frozenset(term for keyword in keywords for _, _, term in keyword.terms() if _IS_ID.match(term))

    def find(
        self, fields: Mapping[FieldName, str], entities: Iterable[EntityMention], *, language: str, source: str
    ) -> list[KeywordHit]:
        """Return every hit of every keyword in an article's fields and entity mentions, in text order by keyword."""
        by_id: dict[str, list[Found]] = {}
        for mention in entities:
            if mention.canonical in self._ids:
                found = Found(mention.alias, mention.field, mention.start, mention.end, mention.text)
                by_id.setdefault(mention.canonical, []).append(found)
        exact, folded = self._exact.find(fields), self._folded.find(fields)
        hits: list[KeywordHit] = []
        for keyword in self.keywords:
            if keyword.languages and language not in keyword.languages:
                continue
            if keyword.sources and source not in keyword.sources:
                continue
            phrases = exact if keyword.accents == "exact" else folded
            hits.extend(_hits(keyword, by_id, phrases))
        return hits


def _hits(
    keyword: Keyword, by_id: Mapping[str, list[Found]], phrases: Mapping[str, list[Found]]
) -> Iterator[KeywordHit]:
    def found(term: str) -> Sequence[Found]:
        return by_id.get(term) or phrases.get(term) or ()

    if any(found(term) for term in keyword.none_of) or not all(found(term) for term in keyword.all_of):
        return
    either = [place for term in keyword.any_of for place in found(term)]
    if keyword.any_of and not either:
        return
    places = {*either, *(place for term in keyword.all_of for place in found(term))}
    for place in sorted(places, key=lambda item: (item.field != "title", item.start, item.end)):
        yield KeywordHit(
            keyword=keyword.name, alias=place.alias, field=place.field, start=place.start, end=place.end, text=place.text
        )  # fmt: skip


def _phrases(keywords: Iterable[Keyword], accents: str) -> list[str]:
    terms = (term for keyword in keywords if keyword.accents == accents for _, _, term in keyword.terms())
    return sorted({term for term in terms if not _IS_ID.match(term)})


class Phrases:
    """Finds phrases as whole words in the form of the text that `shape` (lower case, or folded) gives."""

    def __init__(self, phrases: list[str], shape: Callable[[str], str]) -> None:
        self._phrases = phrases
        self._shape = shape
        self._automaton = AhoCorasick([shape(phrase) for phrase in phrases]) if phrases else None

    def find(self, fields: Mapping[FieldName, str]) -> dict[str, list[Found]]:
        """Return the places of every phrase in the fields."""
        result: dict[str, list[Found]] = {}
        if self._automaton is None:
            return result
        for field, text in fields.items():
            shaped, offsets = _shaped(text, self._shape)
            for index, start, end in self._automaton.find_matches_as_indexes(shaped, overlapping=True):
                if _inside_word(shaped, start) or _inside_word(shaped, end):
                    continue
                phrase = self._phrases[index]
                first, last = offsets[start], offsets[end]
                result.setdefault(phrase, []).append(Found(phrase, field, first, last, text[first:last]))
        return result


def _inside_word(text: str, position: int) -> bool:
    return 0 < position < len(text) and text[position - 1].isalnum() and text[position].isalnum()


def _shaped(text: str, shape: Callable[[str], str]) -> tuple[str, Sequence[int]]:
    """Return the shaped text and, for each of its positions, the offset in the text; one by one where lengths differ."""
    shaped = shape(text)
    if len(shaped) == len(text):
        return shaped, range(len(text) + 1)
    parts = [shape(character) for character in text]
    offsets = [position for position, part in enumerate(parts) for _ in part]
    return "".join(parts), [*offsets, len(text)]


def load_watchlist(path: Path, known_ids: Container[str]) -> tuple[Watchlist | None, list[Problem]]:
    """Return the watchlist of a file, or everything that is wrong in it: unknown ids and repeated names included."""
    try:
        keywords = load(path, WatchlistFile).keywords
    except ConfigError as error:
        return None, error.problems
    problems = list(_problems(path, keywords, known_ids))
    return (None, problems) if problems else (Watchlist(keywords), [])


def _problems(path: Path, keywords: Sequence[Keyword], known_ids: Container[str]) -> Iterator[Problem]:
    names: set[str] = set()
    for number, keyword in enumerate(keywords):
        if keyword.name in names:
            yield _problem(
                path, ("keywords", number, "name"), f"`{keyword.name}` is defined twice", "choose another name"
            )
        names.add(keyword.name)
        for key, position, term in keyword.terms():
            if _IS_ID.match(term) and term not in known_ids:
                yield _problem(
                    path, ("keywords", number, key, position), f"unknown id `{term}`", "is it in the alias sets?"
                )


def _problem(path: Path, location: Sequence[int | str], reason: str, remedy: str) -> Problem:
    return Problem(str(path), line_of(read_text(path), location), ".".join(map(str, location)), reason, remedy)

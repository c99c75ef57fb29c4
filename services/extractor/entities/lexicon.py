"""Everything that is looked up in a text: names, and the words that point at names, in one Aho-Corasick automaton.

Patterns are in lower case; how a hit is written decides in `find` whether it counts. Russian and Ukrainian case forms are
found by stem (`inflection.Inflections`), not listed: that would quadruple the patterns.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Final, NamedTuple

from ahocorasick_rs import AhoCorasick, Implementation

from services.extractor.entities.context import Condition
from services.extractor.entities.grammar import Cue, Grammar
from services.extractor.entities.inflection import Inflections
from services.extractor.entities.places import Place, Territory
from services.extractor.entities.sets import Alias, AliasSet
from services.extractor.entities.texts import align, lower
from shared.models import EntityType

PLACE_RANK: Final = 4
_INFLECTED: Final = 2


class Meaning(NamedTuple):
    """One thing a surface form may stand for. Of several, a lower `rank` and then a greater `weight` wins."""

    id: str
    type: EntityType
    label: str
    rule: str
    rank: int = 0
    weight: int = 0
    condition: Condition | None = None
    territory: str | None = None


class Name(NamedTuple):
    """A name as an alias writes it, and what it means."""

    meaning: Meaning
    alias: str


class Hit(NamedTuple):
    """Something found between word boundaries: names, cues or both; `capitals` when it is a name in capitals only."""

    start: int
    end: int
    names: tuple[Name, ...]
    cues: tuple[Cue, ...]
    capitals: bool


_Payload = Name | Cue
_Entry = list[tuple[str, _Payload]]


class Lexicon:
    """The automaton and the stems with what they mean; built once, then read only."""

    def __init__(self, entries: Mapping[str, _Entry], inflections: Inflections[_Payload]) -> None:
        self._entries = list(entries.values())
        self._inflections = inflections
        # Names come back: what a surface means is worked out once.
        self._meant = lru_cache(maxsize=20_000)(partial(_as_written, self._entries))
        self._automaton = AhoCorasick(list(entries), implementation=Implementation.ContiguousNFA, store_patterns=False)

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, text: str, folded: str) -> list[Hit]:
        """Return all hits between word boundaries, overlapping ones too. `folded` is the aligned `text` in lower case."""
        hits: list[Hit] = []
        length = len(text)
        for index, start, end in self._automaton.find_matches_as_indexes(folded, overlapping=True):
            if start and text[start - 1].isalnum() and text[start].isalnum():
                continue
            if end < length and text[end].isalnum() and text[end - 1].isalnum():
                continue
            meant = self._meant(index, text[start:end])
            if meant is not None:
                hits.append(Hit(start, end, *meant))
        for start, end, payloads in self._inflections.find(text):
            hits.append(Hit(start, end, *_parted(payloads), text[start:end].isupper()))
        return hits


def _inflected(payload: _Payload) -> _Payload:
    """Return a name as its case forms mean it: after those who bear the form itself as their name."""
    if isinstance(payload, Cue):
        return payload
    meaning = payload.meaning
    return Name(meaning._replace(rule="inflected", rank=meaning.rank + _INFLECTED), payload.alias)


def _as_written(
    entries: Sequence[_Entry], index: int, surface: str
) -> tuple[tuple[Name, ...], tuple[Cue, ...], bool] | None:
    """Return names, cues and `capitals` if a surface is written as a name's alias, in capitals, or is a cue with its case."""
    entry = entries[index]
    exact = [payload for form, payload in entry if surface == form or _is_variant(surface, form, payload)]
    if exact:
        return *_parted(exact), False
    if surface.isupper():
        return *_parted([payload for _, payload in entry]), True
    return None


def _is_variant(surface: str, form: str, payload: _Payload) -> bool:
    """Return whether a cue or the name of a body may be written so."""
    if isinstance(payload, Cue):
        return _is_cue(surface, form) or (payload.side == "head" and _has_fewer_capitals(surface, form))
    return payload.meaning.type is EntityType.ORG and surface[0].isupper() and _has_fewer_capitals(surface, form)


def _is_cue(surface: str, form: str) -> bool:
    """Return whether a cue may be written so: with a capital in front, phrases with capitals anywhere."""
    return form[0].islower() and (" " in form or surface[1:] == form[1:])


def _has_fewer_capitals(surface: str, form: str) -> bool:
    """Return whether other outlets write a Vietnamese name of three words or more so: "Bộ quốc phòng", "bộ Quốc phòng"."""
    words = form.split(" ")
    return (
        len(words) > 2
        and not form.isascii()
        and not surface.islower()
        and all(
            written == word or (written == word.lower() and Grammar.is_syllable(word))
            for written, word in zip(surface.split(" "), words, strict=True)
        )
    )


def _parted(payloads: Sequence[_Payload]) -> tuple[tuple[Name, ...], tuple[Cue, ...]]:
    """Return names and cues apart."""
    names = tuple(payload for payload in payloads if isinstance(payload, Name))
    return names, tuple(payload for payload in payloads if isinstance(payload, Cue))


class Builder:
    """Collects surface forms and what they mean, and makes the lexicon of them."""

    def __init__(self, conditions: Mapping[str, Condition]) -> None:
        self._conditions = conditions
        self._entries: dict[str, _Entry] = {}
        self._inflections: Inflections[_Payload] = Inflections(_inflected)

    def add_set(self, item: AliasSet, territory: Territory | None, place: Place | None) -> None:
        """Add an alias set and, where it names them, the names of its country or place."""
        label = preferred_label(item, territory, place)
        own = {alias.text for alias in item.spellings()}
        for alias in item.spellings():
            self._add_alias(item, alias, label)
        named = list(territory.names.items()) if territory else []
        for language, name in (*named, *((None, name) for name in (place.names if place else ()))):
            if name not in own:
                rule = "place" if language is None else "territory"
                meaning = Meaning(item.id, item.type, label, rule, 1, 0, None, item.territory)
                self._add_name(meaning, name, language, True)

    def _add_alias(self, item: AliasSet, alias: Alias, label: str) -> None:
        condition = self._conditions[alias.when] if alias.when else None
        meaning = Meaning(item.id, item.type, label, "alias", 0, 0, condition, item.territory)
        self._add_name(meaning, alias.text, item.language_of(alias.text), alias.inflect)

    def add_place(self, place: Place, label: str) -> None:
        """Add a GeoNames place under all its names."""
        meaning = Meaning(f"gn:{place.id}", EntityType.LOC, label, "place", PLACE_RANK, place.population)
        for name in place.names:
            self._add_name(meaning, name, None, True)

    def _add_name(self, meaning: Meaning, alias: str, language: str | None, inflect: bool) -> None:
        text = align(alias)[0]
        name = Name(meaning, alias)
        self._add(text, name)
        if inflect and text[0] > "\u0400":
            self._inflections.add(text, meaning.type, language, name)

    def add_cues(self, cues: Iterable[tuple[str, str | None, Cue]]) -> None:
        """Add the words that point at names, with the language in which they are inflected, if they are."""
        for word, language, cue in cues:
            self._add(word, cue)
            if language:
                kind = EntityType.PERSON if cue.side == "first" else EntityType.ORG
                self._inflections.add(word, kind, language, cue)

    def _add(self, text: str, payload: _Payload) -> None:
        entry = self._entries.setdefault(lower(text), [])
        if (text, payload) not in entry:
            entry.append((text, payload))

    def build(self) -> Lexicon:
        """Return the lexicon of everything added."""
        return Lexicon(self._entries, self._inflections)


def preferred_label(item: AliasSet, territory: Territory | None, place: Place | None) -> str:
    """Return the name an alias set is shown by: Vietnamese, then English, then any."""
    for labels in (item.labels, territory.names if territory else {}):
        for language in ("vi", "en", "ru", "uk"):
            if language in labels:
                return labels[language]
    if place:
        return place.names[0]
    return next(alias.text for alias in item.spellings())

"""Everything that is looked up in a text, in one Aho-Corasick automaton: names, and the words that point at names."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from ahocorasick_rs import AhoCorasick, Implementation

from services.extractor.entities.context import Condition
from services.extractor.entities.grammar import Cue
from services.extractor.entities.inflection import decline
from services.extractor.entities.places import Place, Territory
from services.extractor.entities.sets import Alias, AliasSet
from services.extractor.entities.texts import align
from shared.models import EntityType

PLACE_RANK: Final = 4
_MIN_PLACE_CAPITALS: Final = 4


@dataclass(frozen=True, slots=True)
class Meaning:
    """One thing a surface form may stand for. Of several, a lower `rank` and then a greater `weight` wins."""

    id: str
    type: EntityType
    label: str
    rule: str
    rank: int = 0
    weight: int = 0
    condition: Condition | None = None
    territory: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """What one pattern of the automaton means: names (each with the alias it comes from) or cues."""

    names: tuple[tuple[Meaning, str], ...] = ()
    cues: tuple[Cue, ...] = ()
    capitals: bool = False


@dataclass(frozen=True)
class Hit:
    """A pattern found between word boundaries."""

    start: int
    end: int
    entry: Entry


class Lexicon:
    """The automaton with its entries; built once, then read only."""

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        self._entries = list(entries.values())
        self._automaton = AhoCorasick(list(entries), implementation=Implementation.ContiguousNFA, store_patterns=False)

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, text: str) -> list[Hit]:
        """Return all hits between word boundaries, overlapping ones too, in an aligned text (`texts.align`)."""
        hits: list[Hit] = []
        length = len(text)
        entries = self._entries
        for index, start, end in self._automaton.find_matches_as_indexes(text, overlapping=True):
            if start and text[start - 1].isalnum() and text[start].isalnum():
                continue
            if end < length and text[end].isalnum() and text[end - 1].isalnum():
                continue
            hits.append(Hit(start, end, entries[index]))
        return hits


class Builder:
    """Collects surface forms and what they mean, and makes the lexicon of them."""

    def __init__(self, conditions: Mapping[str, Condition]) -> None:
        self._conditions = conditions
        self._names: dict[str, dict[Meaning, str]] = defaultdict(dict)
        self._capitals: dict[str, dict[Meaning, str]] = defaultdict(dict)
        self._cues: dict[str, list[Cue]] = defaultdict(list)

    def add_set(self, item: AliasSet, territory: Territory | None, place: Place | None) -> None:
        """Add an alias set with its inflected and upper-case forms and, where it names them, country or place names."""
        label = preferred_label(item, territory, place)
        for alias in item.spellings():
            self._add_alias(item, alias, label)
        if territory:
            own = {alias.text for alias in item.spellings()}
            for language, name in territory.names.items():
                if name in own:
                    continue
                self._add_forms(item, name, label, "territory", 1, language)
        if place:
            for name in place.names:
                self._add_forms(item, name, label, "place", 1, None)

    def _add_alias(self, item: AliasSet, alias: Alias, label: str) -> None:
        condition = self._conditions[alias.when] if alias.when else None
        text = align(alias.text)[0]
        meaning = Meaning(item.id, item.type, label, "alias", 0, 0, condition, item.territory)
        self._add(text, meaning, alias.text)
        if not alias.inflect:
            return
        language = next((code for code, name in item.labels.items() if name == alias.text), None)
        self._add_inflected(text, meaning, alias.text, language)

    def _add_forms(self, item: AliasSet, name: str, label: str, rule: str, rank: int, language: str | None) -> None:
        meaning = Meaning(item.id, item.type, label, rule, rank, 0, None, item.territory)
        text = align(name)[0]
        self._add(text, meaning, name)
        self._add_inflected(text, meaning, name, language)

    def _add_inflected(self, text: str, base: Meaning, alias: str, language: str | None) -> None:
        meaning = Meaning(
            base.id, base.type, base.label, "inflected", base.rank + 2, base.weight, base.condition, base.territory
        )
        for form in decline(text, base.type, language):
            if form != text:
                self._add(form, meaning, alias)

    def _add(self, text: str, meaning: Meaning, alias: str) -> None:
        self._names[text].setdefault(meaning, alias)
        upper = text.upper()
        if upper != text and len(upper) == len(text):
            self._capitals[upper].setdefault(meaning, alias)

    def add_place(self, place: Place, label: str) -> None:
        """Add a GeoNames place under all its names."""
        meaning = Meaning(f"gn:{place.id}", EntityType.LOC, label, "place", PLACE_RANK, place.population)
        for name in place.names:
            text = align(name)[0]
            self._names[text].setdefault(meaning, name)
            if len(name) >= _MIN_PLACE_CAPITALS:
                self._capitals[text.upper()].setdefault(meaning, name)
            self._add_inflected(text, meaning, name, None)

    def add_cues(self, cues: Iterable[tuple[str, Cue]]) -> None:
        """Add the words that point at names, in lower case, with a capital and in capitals."""
        for word, cue in cues:
            for form in dict.fromkeys((word, word[0].upper() + word[1:], word.upper())):
                self._cues[form].append(cue)

    def build(self) -> Lexicon:
        """Return the lexicon of everything added."""
        entries: dict[str, Entry] = {}
        for text in (*self._names, *self._capitals, *self._cues):
            if text in entries:
                continue
            names = self._names.get(text)
            entries[text] = Entry(
                tuple((names if names is not None else self._capitals.get(text, {})).items()),
                tuple(self._cues.get(text, ())),
                names is None,
            )
        return Lexicon(entries)


def preferred_label(item: AliasSet, territory: Territory | None, place: Place | None) -> str:
    """Return the name an alias set is shown by: Vietnamese, then English, then any."""
    for labels in (item.labels, territory.names if territory else {}):
        for language in ("vi", "en", "ru", "uk"):
            if language in labels:
                return labels[language]
    if place:
        return place.names[0]
    return next(alias.text for alias in item.spellings())

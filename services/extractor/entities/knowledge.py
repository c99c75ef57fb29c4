"""Alias sets, watchlist and compiled names as one immutable value that workers swap when the files change."""

import gc
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from services.extractor.entities.context import Condition
from services.extractor.entities.dead_rules import dead_aliases, dead_words
from services.extractor.entities.grammar import Grammar, read_grammar
from services.extractor.entities.lexicon import Builder, Lexicon, preferred_label
from services.extractor.entities.persons import person_key
from services.extractor.entities.places import Place, Territory, read_places, read_territories
from services.extractor.entities.sets import AliasFile, AliasSet, Context, alias_files
from services.extractor.entities.tables import quick_load
from services.extractor.entities.tagging import Taggers
from services.extractor.entities.weapons import base_of
from services.extractor.watchlist import Watchlist, load_watchlist
from shared.models import EntityType
from shared.watchlist import WATCHLIST
from shared.yaml_config import ConfigError, Problem, line_of, read_text

ALIASES: Final = "aliases"

_NO_TAGGERS: Final[Taggers] = {}

_Located = tuple[Path, int, AliasSet]


@dataclass(frozen=True)
class Knowledge:
    """What the extractor knows about names; `content_hash` tells two states of the operator's files and taggers apart."""

    lexicon: Lexicon
    grammar: Grammar
    watchlist: Watchlist
    countries: dict[str, tuple[str, str]]
    people: dict[str, tuple[str, str]]
    weapons: dict[str, tuple[str, str]]
    content_hash: str
    taggers: Taggers


def knowledge_files(config_dir: Path) -> list[Path]:
    """Return the operator files that `load_knowledge` reads: all alias files and the watchlist."""
    return [*alias_files(config_dir / ALIASES), config_dir / WATCHLIST]


def load_knowledge(
    config_dir: Path, *, aliases: Path | None = None, watchlist: Path | None = None, taggers: Taggers = _NO_TAGGERS
) -> Knowledge:
    """Return the knowledge of a configuration folder.

    `aliases` is read instead of the folder's alias file of the same name (or beside them), `watchlist` instead of its watchlist.
    `taggers` find by language what no rule covers.
    Raises `ConfigError` with everything that is wrong in the files.
    """
    paths = {path.name: path for path in (*alias_files(config_dir / ALIASES), *([aliases] if aliases else ()))}
    with _no_collection():
        return _load([paths[name] for name in sorted(paths)], watchlist or config_dir / WATCHLIST, taggers)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keep the collector of cycles from searching half a million new objects, which all stay: a third of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _load(alias_paths: Sequence[Path], watchlist_path: Path, taggers: Taggers) -> Knowledge:
    files, problems = _read(alias_paths)
    located = [(path, number, item) for path, file in files for number, item in enumerate(file.sets)]
    contexts = {name: context for _, file in files for name, context in file.contexts.items()}
    problems.extend(_set_problems(located, contexts))
    problems.extend(_context_problems(files, located))
    known = {item.id for _, _, item in located} | {f"gn:{number}" for number in _places()}
    watchlist, watchlist_problems = load_watchlist(watchlist_path, known)
    problems.extend(watchlist_problems)
    if problems or watchlist is None:
        raise ConfigError(problems)
    sets = [item for _, _, item in located]
    return Knowledge(
        lexicon=_build(sets, contexts),
        grammar=read_grammar(),
        watchlist=watchlist,
        countries=_countries(sets),
        people=_people(sets),
        weapons=_weapons(sets),
        content_hash=_content_hash([*alias_paths, watchlist_path], taggers),
        taggers=taggers,
    )


def _read(paths: Iterable[Path]) -> tuple[list[tuple[Path, AliasFile]], list[Problem]]:
    files: list[tuple[Path, AliasFile]] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            files.append((path, quick_load(path, AliasFile)))
        except ConfigError as error:
            problems.extend(error.problems)
    return files, problems


def _set_problems(located: Sequence[_Located], contexts: dict[str, Context]) -> Iterator[Problem]:
    """Yield repeated ids, unknown references, aliases of two sets that no context tells apart, and dead ones."""
    ids: dict[str, Path] = {}
    owners: dict[tuple[str, str | None], str] = {}
    for path, number, item in located:
        where = ("sets", number)
        if item.id in ids:
            yield _problem(path, (*where, "id"), f"`{item.id}` is also in {ids[item.id].name}", "merge the two sets")
        ids.setdefault(item.id, path)
        if item.place and item.place not in _places():
            yield _problem(path, (*where, "place"), f"no place {item.place} in the compiled GeoNames table")
        if item.territory and item.territory not in _territories():
            yield _problem(path, (*where, "territory"), f"no territory {item.territory} in the compiled CLDR table")
        for alias in item.spellings():
            if alias.when and alias.when not in contexts:
                yield _problem(path, (*where, "aliases"), f"`{alias.text}` needs an unknown context `{alias.when}`")
            other = owners.setdefault((alias.text, alias.when), item.id)
            if other != item.id:
                remedy = (
                    "give one of them another context (when)" if alias.when else "give one of them a context (when)"
                )
                yield _problem(path, where, f"alias `{alias.text}` belongs to {other} and {item.id}", remedy)
        for text, reason in dead_aliases(item):
            yield _problem(path, (*where, "aliases"), f"`{text}` {reason}: a dead rule", "remove it")


def _context_problems(files: Sequence[tuple[Path, AliasFile]], located: Sequence[_Located]) -> Iterator[Problem]:
    """Yield contexts that no alias uses, that say nothing, or that are defined twice, and their words that others cover."""
    used = {alias.when for _, _, item in located for alias in item.spellings()}
    seen: set[str] = set()
    for path, file in files:
        for name, context in file.contexts.items():
            where = ("contexts", name)
            if name in seen:
                yield _problem(path, where, "is defined twice", "rename one of them")
            seen.add(name)
            if not context.model_dump(exclude_defaults=True):
                yield _problem(path, where, "has no condition: a dead rule", "add a condition or remove it")
            elif name not in used:
                yield _problem(
                    path, where, "no alias uses it: a dead rule", "remove it or name it in an alias's `when`"
                )
            for condition, word, other in dead_words(context):
                yield _problem(path, (*where, condition), f"`{word}` is covered by `{other}`: a dead rule", "remove it")


def _problem(path: Path, location: Sequence[int | str], reason: str, remedy: str = "") -> Problem:
    return Problem(str(path), line_of(read_text(path), location), ".".join(map(str, location)), reason, remedy)


@cache
def _places() -> dict[int, Place]:
    return {place.id: place for place in read_places()}


@cache
def _territories() -> dict[str, Territory]:
    return {territory.code: territory for territory in read_territories()}


def _build(sets: Iterable[AliasSet], contexts: dict[str, Context]) -> Lexicon:
    grammar = read_grammar()
    builder = Builder({name: Condition(context, grammar) for name, context in contexts.items()})
    claimed: dict[int, str] = {}
    for item in sets:
        place = _places().get(item.place) if item.place else None
        if item.id.startswith("gn:"):
            claimed[int(item.id.removeprefix("gn:"))] = preferred_label(item, None, place)
        if item.place:
            claimed[item.place] = ""
        builder.add_set(item, _territories().get(item.territory) if item.territory else None, place)
    for identifier, place in _places().items():
        if claimed.get(identifier) != "":
            builder.add_place(place, claimed.get(identifier, place.names[0]))
    builder.add_cues(grammar.cues)
    return builder.build()


def _countries(sets: Iterable[AliasSet]) -> dict[str, tuple[str, str]]:
    """Return id and English name of each country by its ISO code."""
    named = ((item, _territories()[item.territory]) for item in sets if item.territory)
    return {territory.code: (item.id, territory.names["en"]) for item, territory in named}


def _people(sets: Iterable[AliasSet]) -> dict[str, tuple[str, str]]:
    """Return id and label of each known person by the stems of every full name, for spellings nobody listed."""
    return {
        person_key(alias.text): (item.id, preferred_label(item, None, None))
        for item in sets
        if item.type is EntityType.PERSON
        for alias in item.spellings()
        if " " in alias.text
    }


def _weapons(sets: Iterable[AliasSet]) -> dict[str, tuple[str, str]]:
    """Return id and label of each known weapon by its designations without version."""
    return {
        base: (item.id, preferred_label(item, None, None))
        for item in sets
        if item.type is EntityType.WEAPON
        for alias in item.spellings()
        if (base := base_of(alias.text)) is not None
    }


def _content_hash(paths: Iterable[Path], taggers: Taggers) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    for language, tagger in sorted(taggers.items()):
        digest.update(f"{language}={tagger.name}".encode() + b"\0")
    return digest.hexdigest()[:12]

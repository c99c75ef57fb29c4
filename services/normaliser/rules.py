"""The clean-up's knowledge as data: words and rules in YAML, one line each, every rule with an example that is its test.

Built-in rules stand in `rules/<language>/` (`any` for all languages); an operator's stand in a folder of theirs. A pattern is
a regular expression in which `%name%` stands for the words of that name, in capitals too (or for a fragment). It sees at most
`WINDOW` characters of a line (those that look `inside` see the whole line), so that no pattern can make the time grow faster
than the text. The group `cut`, where there is one, is what is removed; else it is the whole match.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field

from services.normaliser.moments import DateWords
from services.normaliser.patterns import Sieve, refuse_nested_repeats
from shared.text import fold
from shared.yaml_config import ConfigError, ConfigModel, Problem, line_of, load, read_text

BUILT_IN: Final = Path(__file__).with_name("rules")
EVERY_LANGUAGE: Final = "any"
WINDOW: Final = 300

Family = Literal[
    "author", "caption", "credit", "dateline", "ending", "insert", "other", "prefix", "related", "share", "space", "title"
]  # fmt: skip
Where = Literal["block", "closing", "inside", "line", "opening", "start", "tail"]

_FRAGMENTS: Final[Mapping[str, str]] = {
    "clock": r"\d{1,2}[:hg]\d{2}(?::\d{2})?",
    "dash": r"(?:\s?[-\u2010-\u2015\u2212]{1,2}(?=\s|[\"\u201c\u00ab]|[^\W\d_a-z\u0430-\u044f])\s*)",
    "iso_day": r"\d{4}-\d{1,2}-\d{1,2}",
    "numeric_day": r"\d{1,2}[/.-]\d{1,2}(?:[/.-]\d{2,4})?",
    "open": r"[\"\u201c\u201e\u00ab'\u2018(\[]",
    "upper": r"[A-Z\u00c0-\u00d6\u00d8-\u00de\u0102\u0110\u0128\u0168\u01a0\u01af"
             r"\u1ea0\u1ea2\u1ea4\u1ea6\u1ea8\u1eaa\u1eac\u1eae\u1eb0\u1eb2\u1eb4\u1eb6\u1eb8\u1eba\u1ebc\u1ebe"
             r"\u1ec0\u1ec2\u1ec4\u1ec6\u1ec8\u1eca\u1ecc\u1ece\u1ed0\u1ed2\u1ed4\u1ed6\u1ed8\u1eda\u1edc\u1ede"
             r"\u1ee0\u1ee2\u1ee4\u1ee6\u1ee8\u1eea\u1eec\u1eee\u1ef0\u1ef2\u1ef4\u1ef6\u1ef8"
             r"\u0400-\u042f\u0490]",
}  # fmt: skip

_GROUP_NAME = re.compile(r"\(\?P<\w+>")
_SEARCHED: Final[tuple[Where, ...]] = ("inside", "tail")
_PLACEHOLDER = re.compile(r"%([a-z_0-9]+)%")


class RuleLine(ConfigModel):
    """One rule as it is written: what it is, where it looks, its pattern, and a text before and after it."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")
    family: Family
    where: Where
    pattern: str = Field(min_length=1)
    before: str
    after: str
    outlets: tuple[str, ...] = ()


class RulesFile(ConfigModel):
    """A file of the clean-up's knowledge: lists of words, of pattern fragments, and rules that use both by name."""

    words: dict[str, list[str]] = Field(default_factory=dict)
    fragments: dict[str, list[str]] = Field(default_factory=dict)
    rules: list[RuleLine] = Field(default_factory=list)


@dataclass(frozen=True)
class Rule:
    """A rule ready for use, with the file and line it was read from."""

    id: str
    family: Family
    where: Where
    pattern: "re.Pattern[str]"
    before: str
    after: str
    outlets: frozenset[str]
    file: str
    line: int

    def compiled(self, unaccented: bool) -> "re.Pattern[str]":
        """Return the pattern for a text, or the one without marks for a Vietnamese text that was typed without them."""
        return re.compile(_without_marks(self.pattern.pattern)) if unaccented else self.pattern


@dataclass(frozen=True)
class Rules:
    """All rules and words in force."""

    rules: tuple[Rule, ...]
    words: Mapping[str, tuple[str, ...]]
    version: str
    languages: tuple[str, ...]
    selections: dict[tuple[str, bool], "Selection"] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def files(self) -> Mapping[str, str]:
        """The file each rule is written in, by the rule's id."""
        return {rule.id: rule.file for rule in self.rules}

    @cached_property
    def date_words(self) -> DateWords:
        """The words of dates, folded."""
        months = {
            fold(word): number
            for number in range(1, 13)
            for word in (*self.words.get(f"month_{number:02}", ()), *_numbered_months(number))
        }
        pairs = [word.split("=", 1) for word in self.words.get("zone", ())]
        zones = {fold(phrase): zone for phrase, zone in sorted(pairs, key=_longest_first)}
        ignored = {fold(word) for name in ("weekday", "date_label") for word in self.words.get(name, ())}
        either = "|".join(map(re.escape, sorted(ignored, key=_longest_first)))
        return DateWords(months, zones, re.compile(rf"(?:{either})(?!\w)"))

    @cached_property
    def _named_outlets(self) -> frozenset[str]:
        return frozenset().union(*(rule.outlets for rule in self.rules))

    def for_outlet(self, outlet: str, unaccented: bool) -> "Selection":
        """Return the rules that apply to an outlet's articles, general ones included."""
        key = (outlet if outlet in self._named_outlets else "", unaccented)
        if key not in self.selections:
            chosen = [rule for rule in self.rules if not rule.outlets or outlet in rule.outlets]
            self.selections[key] = Selection(chosen, unaccented)
        return self.selections[key]


def _numbered_months(number: int) -> list[str]:
    """Return a month's names by its number, as Vietnamese gives them: "tháng 7", "thg 07"."""
    return [f"{word} {written}" for word in ("tháng", "thg") for written in (str(number), f"{number:02}")]


def _longest_first(item: Sequence[Any]) -> tuple[int, Any]:
    text = item if isinstance(item, str) else item[0]
    return (-len(text), text)


class Selection:
    """The rules for one outlet, by the place they look at, each place with one pattern that tells whether any rule applies."""

    def __init__(self, rules: Iterable[Rule], unaccented: bool) -> None:
        self._by_place: dict[Where, list[tuple[Rule, re.Pattern[str]]]] = {}
        for rule in rules:
            self._by_place.setdefault(rule.where, []).append((rule, rule.compiled(unaccented)))
        self._any = {
            where: re.compile("|".join(f"(?:{_GROUP_NAME.sub('(?:', pattern.pattern)})" for _, pattern in patterns))
            for where, patterns in self._by_place.items()
        }
        self._sieves = {where: Sieve([pattern for _, pattern in self._by_place.get(where, ())]) for where in _SEARCHED}

    def full(self, where: Where, text: str) -> tuple[Rule, "re.Match[str]"] | None:
        """Return the first rule of a place whose pattern is the whole text, with its match."""
        if where not in self._any or not self._any[where].fullmatch(text):
            return None
        return next(
            ((rule, match) for rule, pattern in self._by_place[where] if (match := pattern.fullmatch(text))), None
        )

    def at_start(self, where: Where, text: str) -> tuple[Rule, "re.Match[str]"] | None:
        """Return the first rule of a place whose pattern opens the text, with its match."""
        if where not in self._any or not self._any[where].match(text):
            return None
        return next(((rule, match) for rule, pattern in self._by_place[where] if (match := pattern.match(text))), None)

    def anywhere(self, where: Where, text: str) -> Iterator[tuple[Rule, "re.Match[str]"]]:
        """Return every match of every rule of a place."""
        for place in self._sieves[where].possible(text):
            rule, pattern = self._by_place[where][place]
            for match in pattern.finditer(text):
                yield rule, match


def cut_of(match: "re.Match[str]") -> tuple[int, int]:
    """Return what a match removes: its group `cut`, or the whole match."""
    return match.span("cut") if "cut" in match.re.groupindex and match["cut"] is not None else match.span()


@dataclass(frozen=True)
class _File:
    """A file of rules, with the language its folder stands for (none for an operator's)."""

    language: str
    path: Path
    content: RulesFile
    text: str


def load_rules(folders: Sequence[Path] = ()) -> Rules:
    """Return the built-in rules together with those of an operator's folders (every `*.yaml` in them).

    Raises `ConfigError` with every problem: unreadable files, unknown keys, bad patterns, ids used twice.
    """
    problems: list[Problem] = []
    files = list(_built_in_files())
    for folder in folders:
        for path in sorted(folder.glob("*.yaml")):
            try:
                files.append(_File("", path, load(path, RulesFile), read_text(path)))
            except ConfigError as error:
                problems.extend(error.problems)
    vocabularies = _vocabularies(files)
    rules: list[Rule] = []
    for file in files:
        for index, written in enumerate(file.content.rules):
            line = _line_in(file.text, written.id, index)
            try:
                rules.append(_compile(written, vocabularies[file.language], str(_short(file.path)), line))
            except ValueError as error:
                problems.append(Problem(str(file.path), line, f"rules.{index}.pattern", str(error)))
    problems.extend(_used_twice(rules))
    if problems:
        raise ConfigError(problems)
    everything = {name: tuple(found) for name, found in vocabularies[""].words.items()}
    languages = tuple(sorted({file.language for file in files} - {"", EVERY_LANGUAGE}))
    return Rules(tuple(rules), everything, _version(file.text for file in files), languages)


@cache
def _built_in_files() -> tuple[_File, ...]:
    paths = sorted(BUILT_IN.glob("*/*.yaml"))
    return tuple(_File(path.parent.name, path, load(path, RulesFile), read_text(path)) for path in paths)


def _short(path: Path) -> Path:
    return path.relative_to(BUILT_IN.parent) if path.is_relative_to(BUILT_IN) else path


@dataclass
class _Vocabulary:
    """What `%name%` can mean in the rules of one language."""

    words: dict[str, list[str]] = field(default_factory=dict)
    fragments: dict[str, list[str]] = field(default_factory=dict)


def _vocabularies(files: Sequence[_File]) -> dict[str, _Vocabulary]:
    """Return what each language's rules see: its own words with those of every language; `any` and operators see all."""
    languages = {file.language for file in files} | {"", EVERY_LANGUAGE}
    result = {language: _Vocabulary() for language in languages}
    for file in files:
        readers = languages if file.language in ("", EVERY_LANGUAGE) else {file.language, "", EVERY_LANGUAGE}
        for reader in readers:
            for name, found in file.content.words.items():
                result[reader].words.setdefault(name, []).extend(found)
            for name, found in file.content.fragments.items():
                result[reader].fragments.setdefault(name, []).extend(found)
    return result


def _line_in(text: str, rule_id: str, index: int) -> int:
    """Return the line of a rule; a search for its id is enough where every rule has a line of its own."""
    written = re.compile(rf"\bid:\s*[\"']?{re.escape(rule_id)}[\"'\s,}}]")
    for number, line in enumerate(text.splitlines(), 1):
        if written.search(line):
            return number
    return line_of(text, ("rules", index))


def _compile(written: RuleLine, vocabulary: _Vocabulary, file: str, line: int) -> Rule:
    pattern = _safe_pattern(_expand(written.pattern, vocabulary))
    outlets = frozenset(written.outlets)
    return Rule(written.id, written.family, written.where, pattern, written.before, written.after, outlets, file, line)


@lru_cache(maxsize=1000)
def _safe_pattern(source: str) -> "re.Pattern[str]":
    try:
        pattern = re.compile(source)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    refuse_nested_repeats(source)
    return pattern


def _expand(pattern: str, vocabulary: _Vocabulary) -> str:
    """Return a pattern with its `%names%` replaced by what they mean. Raises `ValueError` for a name nobody knows."""

    def meaning(match: "re.Match[str]") -> str:
        name = match[1]
        if name in _FRAGMENTS:
            return _FRAGMENTS[name]
        known = vocabulary.words.get(name, ())
        choices = [_literal(word) for word in sorted({*known, *map(str.upper, known)}, key=_longest_first)]
        choices += vocabulary.fragments.get(name, ())
        if not choices:
            raise ValueError(f"no words are called %{name}%")
        return f"(?:{'|'.join(choices)})"

    return _PLACEHOLDER.sub(meaning, pattern)


def _literal(word: str) -> str:
    return r"\s".join(re.escape(piece) for piece in word.split(" "))


def _without_marks(pattern: str) -> str:
    """Return a pattern without the marks on Latin letters, their case kept, for text typed without them."""
    return "".join(
        (plain.upper() if character.isupper() else plain) if len(plain := fold(character)) == 1 else character
        for character in pattern
    )


def _used_twice(rules: Iterable[Rule]) -> Iterator[Problem]:
    seen: dict[str, Rule] = {}
    for rule in rules:
        if rule.id in seen:
            first = seen[rule.id]
            yield Problem(rule.file, rule.line, "id", f"{rule.id} is used twice", f"first in {first.file}:{first.line}")
        seen.setdefault(rule.id, rule)


def _version(texts: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode())
    return digest.hexdigest()[:8]

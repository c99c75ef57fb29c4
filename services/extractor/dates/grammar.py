"""The grammar of one language: its YAML tables and patterns, checked and compiled for the engine.

A language is a folder with `words.yaml` (tables of word forms, macros, cue words) and `rules.yaml` (patterns). In a
pattern a space stands for up to three blanks, `{name}` for one form of the table `name`, or for a macro, and
`{name:group}` stores the value under another name. Built in are `{d}` (day, 1-31), `{m}` (month, 1-12), `{y}` (four-digit
year) and `{yy}` (year of two or four digits) and `{up}` (a capital letter; all
else matches either case). The table `n` also takes numerals. In a table "год[- а у]" stands
for the word with each of these endings. Every rule carries an example which is also its test.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import date
from functools import cache, cached_property
from itertools import count
from pathlib import Path
from typing import Final, TypeVar

import regex
from pydantic import Field

from services.extractor.dates.values import Unit
from shared.yaml_config import ConfigModel, load

_HERE: Final = Path(__file__).parent
LANGUAGES: Final = tuple(sorted(rules.parent.name for rules in _HERE.glob("*/rules.yaml")))
"""A folder with rules is a language."""
_MACRO: Final = re.compile(r"\{([a-z_]+)(?::([a-z_0-9]+))?\}")
_BUILT_IN: Final = {
    "d": ("day", r"(?:3[01]|[12][0-9]|0?[1-9])(?![0-9])"),
    "m": ("month", r"(?:1[0-2]|0?[1-9])(?![0-9])"),
    "y": ("year", r"[12][0-9]{3}(?![0-9])"),
    "yy": ("year", r"(?:[12][0-9]{3}|[0-9]{2})(?![0-9])"),
}
_CAPITALS: Final = "".join(chr(code) for code in (*range(0xC0, 0x1B0), *range(0x1EA0, 0x1F00)) if chr(code).isupper())
_CAPITAL: Final = f"(?-i:[A-ZА-ЯІЇЄҐ{_CAPITALS}])"
_COUNT: Final = "[0-9]{1,3}(?![0-9])"
_GROUP: Final = re.compile(r"\(\?P<(\w+)>")
NO_FIELD: Final = "form"
"""The group name of a word form whose value is of no interest: `{recent:form}`."""
_NUMERALS: Final = ("1", "12", "2025", "2014", "07", "31", "1990s", "7th", "48h")
"""Shapes of number a pattern may begin with; used only to find which patterns do."""
_GATED: Final = 6
"""With fewer rules than this, trying each costs less than compiling their gate."""
_ENDINGS: Final = re.compile(r"\[([^\]]*)\]")
_WORD: Final = re.compile(r"\w+")

T = TypeVar("T")
Tables = Mapping[str, Mapping[str, int]]


class Example(ConfigModel):
    """A sentence whose expected mentions stand in square brackets, and the interval of the last of them."""

    text: str
    gives: str | date
    on: date = date(2025, 11, 7)


class RuleSpec(ConfigModel):
    """One pattern: `value` names the reading, `with` adds fixed fields, the rest are guards.

    `before` must match and `not_before` must not match the text that ends where the mention begins; `follows` limits the rule
    to places right after a mention of these kinds, `partial` to the ends of a range; `operand` false keeps it out of
    "since …", "until …" and ranges.
    """

    rule: str
    pattern: str
    value: str
    fields: dict[str, int | str] = Field(default_factory=dict, alias="with")
    before: str = ""
    not_before: str = ""
    follows: tuple[str, ...] = ()
    partial: bool = False
    operand: bool = True
    examples: list[Example]


class WrapSpec(ConfigModel):
    """Words around one or two expressions that change their value: since, before, after, until, between, to_now, from_now."""

    rule: str
    lead: str = ""
    join: str = ""
    tail: str = ""
    value: str
    not_before: str = ""
    examples: list[Example]


class Words(ConfigModel):
    """Word forms with their values, pattern fragments, and the cue words of tense and speech."""

    tables: dict[str, dict[int | str, list[str]]]
    macros: dict[str, str] = Field(default_factory=dict)
    join: str
    future: list[str]
    past: list[str]
    surely_past: list[str]
    speech: list[str]
    occasion: list[str]
    same_occasion: list[str]
    said_so: list[str]
    clause: list[str]
    elsewhere: list[str]


class Rules(ConfigModel):
    """The patterns of a language, in the order in which ties are broken."""

    rules: list[RuleSpec]
    wraps: list[WrapSpec]


@dataclass(frozen=True, slots=True)
class Rule:
    """A compiled pattern."""

    name: str
    pattern: re.Pattern[str]
    value: str
    fields: Mapping[str, int]
    groups: Mapping[str, Mapping[str, int] | None]
    before: re.Pattern[str] | None
    not_before: re.Pattern[str] | None
    follows: frozenset[str]
    partial: bool
    operand: bool


@dataclass(frozen=True, slots=True)
class Wrap:
    """A compiled wrapper."""

    name: str
    lead: re.Pattern[str] | None
    join: re.Pattern[str] | None
    tail: re.Pattern[str] | None
    value: str
    not_before: re.Pattern[str] | None


@dataclass(frozen=True)
class Bucket:
    """The patterns that can begin with one word."""

    rules: tuple[Rule, ...]

    @cached_property
    def gate(self) -> re.Pattern[str] | None:
        """A pattern that matches where any of many rules does: most words stop there. Compiled when the word first comes up."""
        return None if len(self.rules) < _GATED else _gate(tuple(rule.pattern.pattern for rule in self.rules))


@dataclass(frozen=True, slots=True)
class Cues:
    """Compiled cue words, each a whole-word pattern."""

    future: re.Pattern[str]
    past: re.Pattern[str]
    surely_past: re.Pattern[str]
    speech: re.Pattern[str]
    occasion: re.Pattern[str]
    same_occasion: re.Pattern[str]
    said_so: re.Pattern[str]
    clause: re.Pattern[str]
    elsewhere: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class Grammar:
    """Everything the engine needs of a language. `rules`, `operands` and `wraps` map a first word (or "0" for any
    number) to the patterns of expressions, of the parts of wrapped ones, and of wrappers."""

    language: str
    rules: Mapping[str, Bucket]
    operands: Mapping[str, Bucket]
    following: tuple[Rule, ...]
    wraps: Mapping[str, tuple[Wrap, ...]]
    joins: tuple[Wrap, ...]
    join: re.Pattern[str]
    cues: Cues
    specs: Rules


@cache
def grammar(language: str) -> Grammar:
    """Return the compiled grammar of a language in `LANGUAGES`. Raises `ConfigError` for a mistake in its YAML."""
    words = load(_HERE / language / "words.yaml", Words)
    specs = load(_HERE / language / "rules.yaml", Rules)
    tables = {name: _flatten(rows) for name, rows in words.tables.items()}
    rules = [_compile_rule(spec, words, tables) for spec in specs.rules]
    wraps = [_compile_wrap(spec, words, tables) for spec in specs.wraps]
    by_word = _by_first_word([(rule.pattern, rule) for rule in rules if not rule.follows])
    return Grammar(
        language=language,
        rules={word: Bucket(tuple(rule for rule in rules if not rule.partial)) for word, rules in by_word.items()},
        operands={word: Bucket(tuple(rule for rule in rules if rule.operand)) for word, rules in by_word.items()},
        following=tuple(rule for rule in rules if rule.follows),
        wraps=_by_first_word([(wrap.lead, wrap) for wrap in wraps if wrap.lead]),
        joins=tuple(wrap for wrap in wraps if wrap.lead is None),
        join=re.compile(_blanks(words.join)),
        cues=Cues(**{cue.name: _cue(getattr(words, cue.name), words, tables) for cue in fields(Cues)}),
        specs=specs,
    )


def first_key(word: str) -> str:
    """Return the key under which patterns beginning with a word are filed."""
    return "0" if "0" <= word[0] <= "9" else word


def _flatten(rows: Mapping[int | str, list[str]]) -> dict[str, int]:
    return {form: _number(value) for value, forms in rows.items() for entry in forms for form in _inflected(entry)}


def _inflected(entry: str) -> list[str]:
    """Return the forms an entry stands for: each "[a b c]" in it is one of these endings, "-" the empty one."""
    found = _ENDINGS.search(entry)
    if found is None:
        return [entry]
    heads = (entry[: found.start()] + ("" if ending == "-" else ending) for ending in found[1].split())
    return [head + tail for head in heads for tail in _inflected(entry[found.end() :])]


def _number(value: int | str) -> int:
    return value if isinstance(value, int) else int(Unit[value.upper()])


def _compile_rule(spec: RuleSpec, words: Words, tables: Tables) -> Rule:
    source, groups = _expand(spec.pattern, words, tables)
    return Rule(
        name=spec.rule,
        pattern=re.compile(source + r"(?!\w)", re.IGNORECASE),
        value=spec.value,
        fields={name: _number(value) for name, value in spec.fields.items()},
        groups=groups,
        before=_ending(spec.before, words, tables),
        not_before=_ending(spec.not_before, words, tables),
        follows=frozenset(spec.follows),
        partial=spec.partial,
        operand=spec.operand,
    )


def _compile_wrap(spec: WrapSpec, words: Words, tables: Tables) -> Wrap:
    def compiled(source: str) -> re.Pattern[str] | None:
        return re.compile(_expand(source, words, tables)[0], re.IGNORECASE) if source else None

    return Wrap(
        name=spec.rule,
        lead=compiled(spec.lead if spec.lead.startswith("(?=") else f"(?:{spec.lead}) " if spec.lead else ""),
        join=compiled(spec.join),
        tail=compiled(f"(?:{spec.tail})(?!\\w)" if spec.tail else ""),
        value=spec.value,
        not_before=_ending(spec.not_before, words, tables),
    )


def _ending(source: str, words: Words, tables: Tables) -> re.Pattern[str] | None:
    return re.compile(rf"(?:{_expand(source, words, tables)[0]})\Z", re.IGNORECASE) if source else None


def _expand(pattern: str, words: Words, tables: Tables) -> tuple[str, dict[str, Mapping[str, int] | None]]:
    """Return a pattern as a regular expression, and the table (or None for a number) behind each of its groups."""
    groups: dict[str, Mapping[str, int] | None] = {}

    def replaced(found: re.Match[str]) -> str:
        name, group = found[1], found[2]
        if name in words.macros:
            return f"(?:{_MACRO.sub(replaced, words.macros[name])})"
        if name == "up":
            return _CAPITAL
        if name in _BUILT_IN:
            default, source = _BUILT_IN[name]
            groups[group or default] = None
            return f"(?P<{group or default}>{source})"
        forms = [re.escape(form) for form in sorted(tables[name], key=lambda form: (-len(form), form))]
        if name == "n":
            forms.append(_COUNT)
        groups[group or name] = {**(groups.get(group or name) or {}), **tables[name]}
        return f"(?P<{group or name}>{'|'.join(forms)})(?!\\w)"

    for name in _GROUP.findall(pattern):
        groups.setdefault(name, tables.get(name))
    return _told_apart(_blanks(_MACRO.sub(replaced, pattern))), groups


def _told_apart(source: str) -> str:
    """Return a pattern whose groups of one name are numbered, as `re` wants each name only once."""
    serial = count()
    return _GROUP.sub(lambda found: f"(?P<{found[1]}__{next(serial)}>", source)


def group_name(numbered: str) -> str:
    """Return the name a numbered group had in the pattern."""
    return numbered.partition("__")[0]


def _blanks(source: str) -> str:
    return re.sub(r"\\? (\??)", lambda found: "[ ]{0,3}" if found[1] else "[ ]{1,3}", source)


def _cue(entries: Iterable[str], words: Words, tables: Tables) -> re.Pattern[str]:
    forms = (_expand(form, words, tables)[0] for entry in entries for form in _inflected(entry))
    return re.compile(rf"(?<!\w)(?:{'|'.join(forms)})(?!\w)")


@cache
def _gate(sources: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{_GROUP.sub('(?:', source)})" for source in sources) or r"(?!)", re.IGNORECASE)


def _by_first_word(patterns: Iterable[tuple[re.Pattern[str], T]]) -> dict[str, tuple[T, ...]]:
    """Return for each word the things whose pattern can begin with it, found by partial matching of the words in it."""
    found: dict[str, list[T]] = {}
    for pattern, thing in patterns:
        partial = regex.compile(pattern.pattern, regex.IGNORECASE)
        words = {*_WORD.findall(pattern.pattern), *_NUMERALS}
        forms = ((word, form) for word in words for form in (word, word.capitalize()))
        keys = {first_key(word) for word, form in forms if partial.match(form, partial=True)}
        for key in keys:
            found.setdefault(key, []).append(thing)
    return {key: tuple(things) for key, things in found.items()}

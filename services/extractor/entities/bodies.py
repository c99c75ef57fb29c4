"""Organisations by head word: ministries and services with their country inside, and military units by number or name."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Final, NamedTuple

import regex

from services.extractor.entities.document import Document, Span
from services.extractor.entities.grammar import Cue
from services.extractor.entities.slugs import slug
from services.extractor.entities.tables import read_table
from shared.models import EntityType

Countries = Mapping[str, tuple[str, str]]

_JOIN: Final = regex.compile(r"\s+(?:of (?:the )?)?")
_POSSESSIVE: Final = regex.compile(r"'s? $")
_UNIT_WORD: Final = regex.compile(r"\s+(\d{1,4}[\w-]*|\p{L}[\p{L}'-]*(?<!-)(?![\w-]))")
_UNIT_REACH: Final = 80
_UNIT_ARM: Final = (
    r" (?:(?:\p{Ll}+(?:ой|ей|ых|их|ого|его|ої) ){0,2}(?:авиации|авіації|артиллерии|артилерії|войск|військ|гвардии|гвардії"
    r"|назначения|обороны|оборони|охраны|охорони|пехоты|піхоти|призначення|разведки|розвідки|систем)"
    r"|(?:Национальной гвардии|Національної гвардії|Нацгвардии|Нацгвардії|Сил ТрО|ТрО|ДШВ|ВДВ|НГУ|ССО|СБС))"
)
_OWN_NAME: Final = regex.compile(r" [\"“«](\p{Lu}[^\"”»\n]{2,30})[\"”»]")
_AGENCY_REACH: Final = 90
_AGENCY_CAPITALS: Final = 2


def join_institutions(document: Document, countries: Countries) -> None:
    """Add "Bộ Quốc phòng Nga", "Russian Defence Ministry", "Минобороны России": head and country are one flat span."""
    for start, end, cue in sorted(document.cues.heads, key=lambda item: (item[0], -item[1])):
        if document.text[start:end].islower() or document.is_covered(start, end):
            continue
        span = _with_country_behind(document, start, end, cue, countries) or _with_country_before(
            document, start, end, cue, countries
        )
        if span is None and cue.bare and not (start in document.spans and document.spans[start].end >= end):
            span = _span(document, start, end, cue, _home(document, cue, countries))
        if span is not None:
            document.add(span)


def _with_country_behind(document: Document, start: int, end: int, cue: Cue, countries: Countries) -> Span | None:
    joint = _JOIN.match(document.text, end)
    country = document.spans.get(joint.end()) if joint else None
    if country is None or country.territory is None:
        return None
    return _span(document, start, country.end, cue, countries[country.territory][1])


def _with_country_before(document: Document, start: int, end: int, cue: Cue, countries: Countries) -> Span | None:
    for first, adjective in document.cues.adjectives.get(start - 1, ()):
        if adjective.value in countries:
            first_letter = first if document.text[first].isupper() or document.language != "en" else start
            return _span(document, first_letter, end, cue, countries[adjective.value][1])
    if document.language != "en":
        return None
    before = document.span_ending(start - 1)
    if before is not None and before.territory:
        return _span(document, before.start, end, cue, countries[before.territory][1])
    owner = document.span_ending(start - 3)
    if owner is not None and owner.territory and _POSSESSIVE.search(document.text[start - 3 : start]):
        return _span(document, start, end, cue, countries[owner.territory][1])
    return None


def institution_at(document: Document, start: int, end: int, countries: Countries) -> Span | None:
    """Return the institution of the table whose name stands here without a country: "Министерство обороны"."""
    for stop, cue in document.cues.starting.get(start, ()):
        if cue.side == "head" and stop == end:
            return _span(document, start, end, cue, _home(document, cue, countries))
    return None


def _home(document: Document, cue: Cue, countries: Countries) -> str:
    """Return the country a bare head word means: one named with it before in the article, or the language's own."""
    prefix = f"org:{cue.value}-"
    named = [span.canonical for span in document.in_order() if span.canonical.startswith(prefix)]
    if named and not cue.home:
        return named[0].removeprefix(prefix)
    code = cue.home or {"ru": "RU", "uk": "UA"}.get(document.language, "")
    return countries[code][1] if code in countries else ""


def _span(document: Document, start: int, end: int, cue: Cue, country: str) -> Span:
    canonical = f"org:{cue.value}-{slug(country)}" if country else f"org:{cue.value}"
    text = document.text[start:end]
    return Span(start, end, EntityType.ORG, canonical, text, "institution", text)


def name_agencies(document: Document, countries: Countries) -> None:
    """Add Vietnamese bodies nobody listed: a head word and what it deals with, "Cơ quan Tình báo Quốc gia Hàn Quốc"."""
    if document.language != "vi":
        return
    words = _agency_words()
    for match in words.heads.finditer(document.text):
        if match[0].isupper() or document.is_covered(match.start(), match.end()):
            continue
        if match[0] in words.groups:
            _add_group(document, match)
            continue
        end, weight = _read_agency(document, match)
        name = document.text[match.start() : end].removesuffix(" và")
        joint = _JOIN.match(document.text, end)
        owner = document.spans.get(joint.end()) if joint else None
        seat = owner is not None and owner.type is EntityType.LOC and match[0] in words.named | words.schools
        country = owner if owner is not None and (owner.territory or seat) else None
        led = country is not None or _follows_class_word(document, match.start())
        school = match[0] in words.schools
        if not (weight or (school and seat)) or weight + led + school < _AGENCY_CAPITALS:
            continue
        suffix = f"-{slug(_owner_name(country, countries))}" if country else ""
        text = document.text[match.start() : country.end] if country else name
        identifier = f"org:{slug(name)}{suffix}"
        document.add(Span(match.start(), match.start() + len(text), EntityType.ORG, identifier, text, "agency", text))


def _owner_name(owner: Span, countries: Countries) -> str:
    return countries[owner.territory][1] if owner.territory else owner.label


def _add_group(document: Document, match: re.Match[str]) -> None:
    """Add a party or movement by its own name, without the class word: "đảng Giấc mơ Gruzia"."""
    end, weight = _read_agency(document, match)
    start = match.end() + 1
    if not weight or not document.text[start].isupper() or " " not in document.text[start:end]:
        return
    owner = document.spans.get(end + 1) if document.text[end : end + 1] == " " else None
    end = owner.end if owner is not None and owner.territory else end
    name = document.text[start:end].removesuffix(" và")
    document.add(Span(start, start + len(name), EntityType.ORG, f"org:{slug(name)}", name, "agency", name))


def _follows_class_word(document: Document, start: int) -> bool:
    cue = document.cues.left.get(start - 1)
    return cue is not None and cue.kind == "ORG"


def _read_agency(document: Document, head: re.Match[str]) -> tuple[int, int]:
    """Return where the name that a head word begins ends, and how many capitals it has.

    Words of the list belong to it, and the second syllable of any Vietnamese word that has a capital ("Liên đoàn Bóng đá"). A
    foreign name ends it, behind the head words that are part of such names ("Viện Carnegie"), and counts as two.
    """
    words = _agency_words()
    end, weight, open_word = head.end(), 0, False
    for word in _UNIT_WORD.finditer(document.text, end, end + _AGENCY_REACH):
        text = word[1]
        if (
            word.start() != end
            or word.start(1) in document.spans
            or (text == "và" and _begins_body(document, word.end() + 1))
        ):
            break
        if text[0].isupper():
            if not (text.casefold() in words.inside or _is_vietnamese(document, word.end(), text)):
                if head[0] in words.named:
                    end, weight = word.end(), weight + _AGENCY_CAPITALS
                break
            end, weight, open_word = word.end(), weight + 1, True
        elif text in words.inside or (open_word and text not in words.outside):
            end, open_word = word.end(), False
        else:
            break
    return end, weight


def _begins_body(document: Document, start: int) -> bool:
    """Return whether another Vietnamese body or unit begins here: "Bộ Tư lệnh Không quân và Quân khu …"."""
    return bool(
        _agency_words().heads.match(document.text, start) or _vietnamese_unit_heads().match(document.text, start)
    )


def _is_vietnamese(document: Document, end: int, word: str) -> bool:
    """Return whether a capitalised word is Vietnamese, by its marks or by those of the syllable behind it: "Xung đột"."""
    grammar = document.grammar
    second = _UNIT_WORD.match(document.text, end)
    return grammar.is_vietnamese_given(word) or (
        grammar.is_syllable(word)
        and second is not None
        and second[1].islower()
        and second[1] not in _agency_words().outside
        and grammar.is_vietnamese_given(second[1].capitalize())
    )


class _AgencyWords(NamedTuple):
    """The words of Vietnamese bodies: head words, which of them are groups, those of names, those that end a name, heads
    before foreign names, and schools.
    """

    heads: re.Pattern[str]
    groups: frozenset[str]
    inside: frozenset[str]
    outside: frozenset[str]
    named: frozenset[str]
    schools: frozenset[str]


@cache
def _agency_words() -> _AgencyWords:
    table = read_table("institutions.yaml")["vietnamese"]
    parts = ("groups", "words", "outside", "named", "schools")
    lists = (frozenset(unicodedata.normalize("NFC", word) for word in table[part]) for part in parts)
    heads = _begun((*sorted(table["heads"], key=len, reverse=True), *table["groups"]))
    offices = "|".join(table["offices"])
    return _AgencyWords(re.compile(rf"(?:{heads})(?![^\W\d_]| (?:{offices}))"), *lists)


def _begun(words: Iterable[str]) -> str:
    """Return the alternatives of a pattern, none of them inside of a word.

    What may not stand in front is asked behind the first letter: then `re` searches for first letters, four times as fast.
    """
    return "|".join(rf"{word[0]}(?<![^\W\d_].){word[1:]}" for word in words)


def name_english_bodies(document: Document) -> None:
    """Add English bodies nobody listed, by the noun at their end or before "of": "Rapid Support Forces", "Party of Regions"."""
    if document.language != "en":
        return
    for match in _english_pattern().finditer(document.text):
        start, end = match.span()
        inside = [document.spans[key] for key in range(start, end) if key in document.spans]
        if document.is_covered(start, end) or any(
            span.type is EntityType.PERSON or span.end > end or (span.start, span.end) == (start, end)
            for span in inside
        ):
            continue
        text = match[0]
        document.add(Span(start, end, EntityType.ORG, f"org:{slug(text)}", text, "agency", text))


@cache
def _english_pattern() -> "regex.Pattern[str]":
    table = read_table("institutions.yaml")["english"]
    heads, skipped = "|".join(table["heads"]), "|".join(table["openers"])
    word = r"\p{Lu}[\p{L}-]+"
    before = rf"(?!(?:{skipped})\b)(?:{word} (?:(?:of|and|for|on) (?:the )?)?){{1,6}}?"
    behind = rf"(?: (?:of|for|on) (?:the )?{word}(?: (?:and )?{word}){{0,3}})"
    return regex.compile(
        rf"(?<![\p{{L}}-])(?:{before}(?:{heads})(?![\p{{L}}-]){behind}?|(?:{heads}){behind})(?! \p{{Lu}})(?![\p{{L}}-])"
    )


def name_units(document: Document) -> None:
    """Add units: "Lữ đoàn cơ giới 47", "47th Mechanized Brigade", "47-я бригада"."""
    if document.language == "vi":
        for head in _vietnamese_unit_heads().finditer(document.text):
            _add_vietnamese_unit(document, head)
        return
    for match in _unit_pattern(document.language).finditer(document.text):
        if not document.is_covered(match.start(), match.end()):
            _add_unit(document, match.start(), match.end(), match["head"], match["number"] or match["name"] or "")


@cache
def _unit_heads(language: str) -> tuple[str, ...]:
    tables = read_table("units.yaml")["heads"]
    forms = {form for heads in tables.get(language, tables["en"]).values() for form in heads}
    return tuple(sorted(forms, key=len, reverse=True))


@cache
def _vietnamese_unit_heads() -> re.Pattern[str]:
    forms = _unit_heads("vi")
    return re.compile(rf"(?:{_begun((*forms, *map(str.upper, forms)))})(?![^\W\d_])")


@cache
def _unit_pattern(language: str) -> "regex.Pattern[str]":
    heads = "|".join(_unit_heads(language))
    if language in ("ru", "uk"):
        number = r"(?P<number>\d{1,4})-\p{Ll}{1,3}(?P<name>)"
        return regex.compile(
            rf"(?<![\p{{L}}\d]){number}(?: \p{{Ll}}+){{0,3}}? (?P<head>{heads})(?:{_UNIT_ARM})?(?!\p{{L}})"
        )
    number = r"(?P<number>\d{1,4})(?:st|nd|rd|th) (?:(?:\p{Lu}[\p{L}-]*|of) ){0,4}?"
    name = r"(?P<name>\p{Lu}[\p{L}-]+) "
    return regex.compile(rf"(?<![\p{{L}}\d])(?:{number}|{name})(?P<head>{heads})(?!\p{{L}})")


def _add_vietnamese_unit(document: Document, head: re.Match[str]) -> None:
    """Read on from a Vietnamese head word over what may belong to a unit's name, up to its number or proper name."""
    end, name = head.end(), ""
    for word in _UNIT_WORD.finditer(document.text, end, end + _UNIT_REACH):
        if word.start() != end:
            break
        text = word[1]
        span = document.spans.get(word.start(1))
        if span is not None and (span.territory or span.type is EntityType.PERSON):
            break
        if text[0].isdigit():
            end, name = word.end(), f"{name} {text}" if name and not name[0].isdigit() else text
            break
        if text.casefold() in _unit_words():
            end = word.end()
        elif text[0].isupper():
            end, name = word.end(), f"{name} {text}".strip()
        else:
            break
    if not name:
        return
    country = _JOIN.match(document.text, end)
    owner = document.spans.get(country.end()) if country else None
    _add_unit(document, head.start(), owner.end if owner and owner.territory else end, head[0], name)


def _add_unit(document: Document, start: int, end: int, head: str, name: str) -> None:
    kind = _unit_kinds()[head.casefold()]
    text = document.text[start:end]
    if document.spans.get(start) and document.spans[start].end == end:
        return
    canonical = f"org:{kind}-{slug(name)}"
    document.add(Span(start, end, EntityType.ORG, canonical, text, "unit", text))
    own = _OWN_NAME.match(document.text, end)
    if own:
        document.add(Span(*own.span(1), EntityType.ORG, canonical, text, "unit", own[1]))


@cache
def _unit_words() -> frozenset[str]:
    return frozenset(unicodedata.normalize("NFC", word).casefold() for word in read_table("units.yaml")["vi_words"])


@cache
def _unit_kinds() -> dict[str, str]:
    heads = read_table("units.yaml")["heads"]
    return {form.casefold(): kind for table in heads.values() for kind, forms in table.items() for form in forms}

"""Organisations by head word: ministries and services with their country inside, and military units by number or name."""

import unicodedata
from collections.abc import Mapping
from functools import cache
from typing import Final

import regex

from services.extractor.entities.document import Document, Span
from services.extractor.entities.grammar import Cue
from services.extractor.entities.slugs import slug
from services.extractor.entities.tables import read_table
from shared.models import EntityType

Countries = Mapping[str, tuple[str, str]]

_JOIN: Final = regex.compile(r"\s+(?:of (?:the )?)?")
_POSSESSIVE: Final = regex.compile(r"'s? $")
_UNIT_WORD: Final = regex.compile(r"\s+(\d{1,4}[\w-]*|\p{L}[\p{L}'-]*)")
_UNIT_REACH: Final = 80
_AGENCY_REACH: Final = 90
_AGENCY_CAPITALS: Final = 2


def join_institutions(document: Document, countries: Countries) -> None:
    """Add "Bộ Quốc phòng Nga", "Russian Defence Ministry", "Минобороны России": head and country are one flat span."""
    for start, end, cue in sorted(document.cues.heads, key=lambda item: (item[0], -item[1])):
        if not document.text[start].isupper() or _covered(document, start, end):
            continue
        span = _with_country_behind(document, start, end, cue, countries) or _with_country_before(
            document, start, end, cue, countries
        )
        if span is None and cue.bare and start not in document.spans:
            span = _span(document, start, end, cue, _home(document, cue, countries))
        if span is not None:
            document.add(span)


def _covered(document: Document, start: int, end: int) -> bool:
    """Return whether a longer name already holds the head word."""
    return any(
        span.start <= start and span.end >= end and (span.end - span.start) > (end - start)
        for span in document.spans.values()
    )


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
    heads, words = _agency_words()
    for match in heads.finditer(document.text):
        if document.text[match.start() : match.end()].isupper() or _covered(document, match.start(), match.end()):
            continue
        end, capitals = match.end(), 0
        for word in _UNIT_WORD.finditer(document.text, end, end + _AGENCY_REACH):
            if word.start() != end or word[1].casefold() not in words or word.start(1) in document.spans:
                break
            end, capitals = word.end(), capitals + word[1][0].isupper()
        name = document.text[match.start() : end]
        joint = _JOIN.match(document.text, end)
        owner = document.spans.get(joint.end()) if joint else None
        country = owner if owner is not None and owner.territory else None
        if capitals + (country is not None) < _AGENCY_CAPITALS or not capitals or name.endswith(" và"):
            continue
        suffix = f"-{slug(countries[country.territory][1])}" if country and country.territory else ""
        text = document.text[match.start() : country.end if country else end]
        document.add(
            Span(
                match.start(),
                match.start() + len(text),
                EntityType.ORG,
                f"org:{slug(name)}{suffix}",
                text,
                "agency",
                text,
            )
        )


@cache
def _agency_words() -> tuple["regex.Pattern[str]", frozenset[str]]:
    table = read_table("institutions.yaml")["vietnamese"]
    heads = "|".join(sorted(table["heads"], key=len, reverse=True))
    words = frozenset(unicodedata.normalize("NFC", word) for word in table["words"])
    return regex.compile(rf"(?<!\p{{L}})(?:{heads})(?!\p{{L}})"), words


def name_units(document: Document) -> None:
    """Add units: "Lữ đoàn cơ giới 47", "47th Mechanized Brigade", "47-я бригада"."""
    for match in _unit_pattern(document.language).finditer(document.text):
        if document.language == "vi":
            _add_vietnamese_unit(document, match)
        elif not _covered(document, match.start(), match.end()):
            _add_unit(document, match.start(), match.end(), match["head"], match["number"] or match["name"] or "")


@cache
def _unit_pattern(language: str) -> "regex.Pattern[str]":
    words = read_table("units.yaml")["heads"].get(language) or read_table("units.yaml")["heads"]["en"]
    heads = "|".join(sorted({form for forms in words.values() for form in forms}, key=len, reverse=True))
    if language == "vi":
        upper = "|".join(form.upper() for form in heads.split("|"))
        return regex.compile(rf"(?<!\p{{L}})(?P<head>{heads}|{upper})(?!\p{{L}})")
    if language in ("ru", "uk"):
        number = r"(?P<number>\d{1,4})-\p{Ll}{1,3}(?P<name>)"
        return regex.compile(rf"(?<![\p{{L}}\d]){number}(?: \p{{Ll}}+){{0,3}}? (?P<head>{heads})(?!\p{{L}})")
    number = r"(?P<number>\d{1,4})(?:st|nd|rd|th) (?:(?:\p{Lu}[\p{L}-]*|of) ){0,4}?"
    name = r"(?P<name>\p{Lu}[\p{L}-]+) "
    return regex.compile(rf"(?<![\p{{L}}\d])(?:{number}|{name})(?P<head>{heads})(?!\p{{L}})")


def _add_vietnamese_unit(document: Document, match: "regex.Match[str]") -> None:
    """Read on from a Vietnamese head word over what may belong to a unit's name, up to its number or proper name."""
    end, name = match.end(), ""
    for word in _UNIT_WORD.finditer(document.text, match.end(), match.end() + _UNIT_REACH):
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
    _add_unit(document, match.start(), owner.end if owner and owner.territory else end, match["head"], name)


def _add_unit(document: Document, start: int, end: int, head: str, name: str) -> None:
    kind = _unit_kinds()[head.casefold()]
    text = document.text[start:end]
    if document.spans.get(start) and document.spans[start].end == end:
        return
    document.add(Span(start, end, EntityType.ORG, f"org:{kind}-{slug(name)}", text, "unit", text))


@cache
def _unit_words() -> frozenset[str]:
    return frozenset(unicodedata.normalize("NFC", word).casefold() for word in read_table("units.yaml")["vi_words"])


@cache
def _unit_kinds() -> dict[str, str]:
    heads = read_table("units.yaml")["heads"]
    return {form.casefold(): kind for table in heads.values() for kind, forms in table.items() for form in forms}

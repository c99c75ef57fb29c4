"""Weapons by designation: "Su-34", "Х-101", "F-16V", "M777"; one id for all versions of a system."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Final

import regex

from services.extractor.entities.document import Document, Span
from services.extractor.entities.runs import cue_before
from services.extractor.entities.slugs import slug
from services.extractor.entities.tables import read_table
from shared.models import EntityType

Systems = Mapping[str, tuple[str, str]]

_VERSION: Final = regex.compile(
    r"(?:-\p{Lu}[\p{L}\d]{0,3}|-\d{1,3}\p{Lu}?| ?[AVMI]{1,2}\d{1,2}\p{Lu}?\d?)(?![\p{L}\d-])"
)
_INDEX: Final = regex.compile(r"(?<![\p{L}\d.-])\d{1,2}([AFKMSАФКМС])(\d{1,3})(?:\p{Lu}\d?)?(?![\p{L}\d])")
_SHIP_PREFIX: Final = re.compile("(?:BRP|HMAS|HMCS|HMS|JS|KRI|ROKS|TCG|USNS|USS) ")
_SHIP: Final = regex.compile(
    rf"(?<!\p{{L}}){_SHIP_PREFIX.pattern}"
    r"\p{Lu}[\p{L}'-]*(?: (?:\p{Lu}\.|\p{Lu}[\p{L}'-]+)){0,2}(?<![.'-])"
)
_RANKED: Final = regex.compile(
    r" [«\"“]?((?:Admiral|General|Marshal|Prince|Адмирал\p{Ll}{0,2}|Адмірал\p{Ll}{0,2}|Генерал\p{Ll}{0,2}|Маршал\p{Ll}{0,2}"
    r"|Hoàng tử|Nguyên soái|Đô đốc|Đại tướng) \p{Lu}\p{L}+(?: \p{Lu}\p{L}+)?)"
)
_VESSEL: Final = regex.compile(
    r"(?<!\p{L})(?:ship|vessel|tàu|катер\p{Ll}{0,2}|корабел\p{Ll}|корабл\p{Ll}{1,3}) [«\"“]?\Z"
)
_FULL_NAME: Final = regex.compile(r"\p{Lu}\p{L}+ \p{Lu}\p{L}+(?! \p{Lu})")
_VESSEL_REACH: Final = 12
_ROAD_REACH: Final = 20  # the longest of the words before a road's number, and the blanks around it
_LATIN_CLASS: Final = regex.compile(r"(?<![\p{L}\d.-])([A-Z]{1,5})-(\d{1,3})(?:[A-Z]\d?)?(?![\p{L}\d-])")
_MODEL: Final = regex.compile(
    r"(?=\p{Lu}\p{L}{0,5}+[- ]?+\d)"  # refuses most words at once
    r"(?<![\p{L}\d.-])(\p{Lu}\p{L}{0,5})(-| )?(\d{1,4})(?:[-/]?[\p{Lu}\d]{1,4}|[a-z]\d?)?(?![\p{L}\d])"
)


def name_weapons(document: Document, systems: Systems) -> None:
    """Extend known weapons by their version and add what is written like a designation.

    `systems` gives id and label of the known systems by the designation without its version ("f-16").
    """
    for span in document.in_order():
        version = _VERSION.match(document.text, span.end) if span.type is EntityType.WEAPON else None
        if version and document.is_free(span.end, version.end()):
            document.add(replace(span, end=version.end()))
    for start, end in _ships(document):
        if not _is_known(document, start, end):
            name = document.text[start:end]
            document.add(Span(start, end, EntityType.WEAPON, f"weapon:{slug(name)}", name, "ship", name))
    for start, end, base in _designated(document):
        if document.is_free(start, end) and not _is_road(document, start, end):
            document.add(
                _designation(document, start, end, systems.get(base, (f"weapon:{base}", document.text[start:end])))
            )


def _ships(document: Document) -> Iterator[tuple[int, int]]:
    """Yield where ships stand: "USS Ross", "khu trục hạm Đô đốc Tributs", "tàu Dmitry Rogachev"."""
    if _SHIP_PREFIX.search(document.text):
        yield from (ship.span() for ship in _SHIP.finditer(document.text))
    for position, cue in document.cues.left.items():
        ranked = _RANKED.match(document.text, position) if cue.kind == "WEAPON" else None
        if ranked:
            yield ranked.span(1)
    for start, _ in document.cues.first_names:
        name = _FULL_NAME.match(document.text, start)
        if name and _VESSEL.search(document.text, max(0, start - _VESSEL_REACH), start):
            yield name.span()


def _designation(document: Document, start: int, end: int, system: tuple[str, str]) -> Span:
    """Return the mention of a designation; a known name behind it says more: "2S22 Bohdana"."""
    behind = [hit for hit in document.hits if hit.start == end + 1] if document.text[end : end + 1] == " " else ()
    for hit in behind:
        for name in hit.names:
            if name.meaning.type is EntityType.WEAPON:
                end, system = hit.end, (name.meaning.id, name.meaning.label)
    return Span(start, end, EntityType.WEAPON, *system, "designation", document.text[start:end])


def _is_known(document: Document, start: int, end: int) -> bool:
    """Return whether an alias set names the ship, perhaps in other letters behind it: "USS Ross"."""
    span = document.spans.get(start)
    return span is not None and span.type is EntityType.WEAPON and span.end <= end


def _is_road(document: Document, start: int, end: int) -> bool:
    """Return whether a road bears the number: "quốc lộ H-20", "the M-30 highway"."""
    before, behind = _road_words()
    return f" {document.folded[max(0, start - _ROAD_REACH) : start]}".endswith(before) or document.folded.startswith(
        behind, end
    )


@cache
def _road_words() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what stands before and behind a road's number, with its blanks."""
    table = read_table("designations.yaml")
    return tuple(f" {word} " for word in table["road_before"]), tuple(f" {word}" for word in table["road_behind"])


def base_of(designation: str) -> str | None:
    """Return a designation without its version, in Latin letters: "f-16" of "F-16V", "su-34" of "Су-34М"; None if it is none.

    >>> base_of("Су-34М")
    'su-34'
    """
    match = _MODEL.fullmatch(designation)
    return _base(match[1], match[3]) if match and match[1] in _prefixes() else None


def is_designation(letters: str) -> bool:
    """Return whether these are the letters of designations, which stand alone, too: "KAB"."""
    return letters in _prefixes() and not _prefixes()[letters][1]


def _designated(document: Document) -> Iterator[tuple[int, int, str]]:
    """Yield start, end and base of what is written like a designation, or like any model number behind a weapon's word."""
    for match in _INDEX.finditer(document.text):
        yield match.start(), match.end(), slug(match[0])
    for match in _LATIN_CLASS.finditer(document.text):
        if match[1] not in _no_weapons():
            yield match.start(), match.end(), _base(match[1], match[2])
    for match in _MODEL.finditer(document.text):
        start, end = match.span()
        known = _prefixes().get(match[1])
        if known and (match[2] == "-" or not (known[1] or match[2])):
            yield start, end, _base(match[1], match[3])
        elif document.is_free(start, end) and (match[2] != " " or known):
            cue = cue_before(document, start)
            if cue is not None and cue.kind == "WEAPON":
                yield start, end, _base(match[1], match[3])


def _base(letters: str, number: str) -> str:
    latin, _ = _prefixes().get(letters, (letters, False))
    return f"{slug(latin)}-{number}"


@cache
def _prefixes() -> dict[str, tuple[str, bool]]:
    """Return for each written prefix its Latin form and whether it needs the hyphen."""
    table = read_table("designations.yaml")
    return {
        form: (latin, needs_hyphen)
        for needs_hyphen, part in ((True, "hyphen"), (False, "any"))
        for latin, forms in table[part].items()
        for form in (latin, *forms)
    }


@cache
def _no_weapons() -> frozenset[str]:
    """Return the letters before a hyphen and a number that stand for something else than a weapon."""
    return frozenset(read_table("designations.yaml")["other"])

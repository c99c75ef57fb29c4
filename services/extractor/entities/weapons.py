"""Weapons by designation: "Su-34", "Х-101", "F-16V", "M777"; one id for all versions of a system."""

from functools import cache
from typing import Final

import regex

from services.extractor.entities.document import Document, Span
from services.extractor.entities.runs import cue_before
from services.extractor.entities.slugs import slug
from services.extractor.entities.tables import read_table
from shared.models import EntityType

_VERSION: Final = regex.compile(
    r"(?:-\p{Lu}[\p{L}\d]{0,3}|-\d{1,3}\p{Lu}?| ?[AVMI]{1,2}\d{1,2}\p{Lu}?\d?)(?![\p{L}\d-])"
)

_BARE: Final = regex.compile(r"(?<![\p{L}\d.-])\p{Lu}\p{L}{0,4}-?\d{1,4}(?:[-/]?[\p{Lu}\d]{1,4})?(?![\p{L}\d])")


@cache
def _designation() -> "regex.Pattern[str]":
    prefixes = "|".join(sorted(_prefixes(), key=len, reverse=True))
    return regex.compile(
        rf"(?<![\p{{L}}\d.-])({prefixes})(-| )?(\d{{1,4}})((?:[-/]?[\p{{Lu}}\d]{{1,4}})?|[a-z]\d?)(?![\p{{L}}\d])"
    )


@cache
def _prefixes() -> dict[str, tuple[str, bool]]:
    """Return for each written prefix its Latin form and whether it needs the hyphen."""
    table = read_table("designations.yaml")
    return {
        form: (latin, need)
        for need, part in ((True, "hyphen"), (False, "any"))
        for latin, forms in table[part].items()
        for form in (latin, *forms)
    }


def name_weapons(document: Document) -> None:
    """Extend known weapons by their version and add what is written like a designation."""
    for span in document.in_order():
        if span.type is EntityType.WEAPON and (version := _VERSION.match(document.text, span.end)):
            end = version.end()
            if document.is_free(span.end, end):
                document.add(Span(span.start, end, span.type, span.canonical, span.label, span.rule, span.alias))
    for match in _BARE.finditer(document.text):
        cue = cue_before(document, match.start()) if document.is_free(match.start(), match.end()) else None
        if cue is not None and cue.kind == "WEAPON":
            name = match[0]
            document.add(
                Span(match.start(), match.end(), EntityType.WEAPON, f"weapon:{slug(name)}", name, "designation", name)
            )
    for match in _designation().finditer(document.text):
        latin, need = _prefixes()[match[1]]
        if (need and match[2] != "-") or (match[2] == " " and len(match[1]) < 2):
            continue
        if document.is_free(match.start(), match.end()):
            base = f"{latin}-{match[3]}"
            document.add(
                Span(
                    match.start(),
                    match.end(),
                    EntityType.WEAPON,
                    f"weapon:{base.lower()}",
                    base,
                    "designation",
                    match[0],
                )
            )

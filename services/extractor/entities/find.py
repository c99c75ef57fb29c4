"""All entity rules in order: known names first, then what the words around a name say about it, then a trained tagger."""

from typing import NamedTuple

from services.extractor.entities.bodies import join_institutions, name_agencies, name_english_bodies, name_units
from services.extractor.entities.choose import choose_names
from services.extractor.entities.cued import bind_brackets, name_by_cues
from services.extractor.entities.document import Document
from services.extractor.entities.knowledge import Knowledge
from services.extractor.entities.persons import name_persons
from services.extractor.entities.slavic import name_slavic_bodies
from services.extractor.entities.taggers import name_by_tagger
from services.extractor.entities.texts import align
from services.extractor.entities.weapons import name_weapons
from shared.models import EntityType


class Found(NamedTuple):
    """A mention: offsets in the text as given, what it stands for, and the rule and alias that found it."""

    start: int
    end: int
    text: str
    type: EntityType
    canonical: str
    label: str
    rule: str
    alias: str


def find_entities(text: str, *, language: str, knowledge: Knowledge) -> list[Found]:
    """Return the entity mentions of a text in text order; they never overlap. `language` is an ISO 639-1 code."""
    aligned, offsets = align(text)
    document = Document.read(aligned, language, knowledge.lexicon, knowledge.grammar)
    choose_names(document)
    join_institutions(document, knowledge.countries)
    name_agencies(document, knowledge.countries)
    name_english_bodies(document)
    name_slavic_bodies(document, knowledge.countries)
    name_units(document)
    name_weapons(document, knowledge.weapons)
    name_persons(document, knowledge.people)
    name_by_cues(document)
    bind_brackets(document)
    name_by_tagger(document, knowledge.taggers.get(language))
    return [
        Found(start, end, text[start:end], span.type, span.canonical, span.label, span.rule, span.alias)
        for span in document.in_order()
        for start, end in ((offsets[span.start], offsets[span.end]) if offsets else (span.start, span.end),)
    ]

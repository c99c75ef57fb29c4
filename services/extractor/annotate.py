"""Date and entity mentions of one document, for `frontwire annotate`: the same engines as the wire's."""

from collections.abc import Mapping
from typing import Any

from services.extractor.dates import annotate_dates
from services.extractor.entities import Knowledge, find_entities


def annotate_document(document: Mapping[str, Any], knowledge: Knowledge) -> dict[str, Any]:
    """Return {id, mentions, entities} of a document {id, text, lang?, published?}; offsets are code points of its text.

    `published` is an ISO date (or instant: its date as written) from which relative dates are counted. Raises `KeyError`
    for a document without id or text and `ValueError` for a date that cannot be read.
    """
    entities = find_entities(document["text"], language=document.get("lang") or "vi", knowledge=knowledge)
    return {
        "id": document["id"],
        "mentions": annotate_dates(document),
        "entities": [
            {"start": item.start, "end": item.end, "text": item.text, "type": item.type.value,
             "canonical": item.canonical, "label": item.label, "rule": item.rule}
            for item in entities
        ],
    }  # fmt: skip

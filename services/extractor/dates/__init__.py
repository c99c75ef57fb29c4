"""Date mentions: every expression that names a day or an interval of days, read against what it is counted from."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from services.extractor.dates.engine import Mention, find_mentions
from services.extractor.dates.inference import latest_told
from services.extractor.dates.language import guess

__all__ = ["Mention", "annotate_dates", "find_dates", "latest_told"]


def find_dates(text: str, *, language: str, published: date | None) -> list[Mention]:
    """Return the date mentions of a text from left to right, without overlap.

    `language` is vi, en, ru or uk; anything else lets the script decide. `published` is the day of publication in the outlet's
    own time zone, or None: then relative expressions are kept unanchored. Offsets are code points of `text` as given.
    """
    return find_mentions(text, guess(text, language), published)


def annotate_dates(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the mentions of a document {text, lang?, published?} as JSON objects with ISO dates, null for an open side."""
    published = document.get("published")
    mentions = find_dates(
        document["text"],
        language=document.get("lang") or "und",
        published=date.fromisoformat(published[:10]) if published else None,
    )
    return [
        {
            "start": mention.start,
            "end": mention.end,
            "text": mention.text,
            "from": mention.from_.isoformat() if mention.from_ else None,
            "to": mention.to.isoformat() if mention.to else None,
            "kind": mention.kind,
            "rule": mention.rule,
            "anchor": mention.anchor,
        }
        for mention in mentions
    ]

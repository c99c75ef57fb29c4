"""The clean-up of one plain document, for `frontwire normalise` and for trying a rule: the same code as the service.

In: `{"id", "input": {"text", "title"?, "url"?, "feed_published"?, "feed_timezone"?, "outlet"?, "fetched_at"}}`.
Out: `{"id", "language", "languages", "parts", "removed", "published", "text"?}` with code-point offsets into the given text.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from services.normaliser.changes import apply
from services.normaliser.markup import FAMILY_MARKUP
from services.normaliser.repair import FAMILIES as REPAIR_FAMILIES
from services.normaliser.repair import repair
from services.normaliser.rules import Rules
from services.normaliser.titles import FAMILY_TITLE
from services.normaliser.transform import normalise
from shared.errors import Reason, Rejected
from shared.ids import article_id_for_text, trace_id_for
from shared.models import Edit, NormalisedArticle, RawArticle, Source, milliseconds

_NOT_REMOVED = REPAIR_FAMILIES | {FAMILY_MARKUP, FAMILY_TITLE}


def normalise_document(document: dict[str, Any], rules: Rules) -> dict[str, Any]:
    """Return what the clean-up makes of one document.

    Raises `Rejected` with the reason when a field is missing or of a wrong type, or when no text is left.
    """
    raw = _raw(document)
    parts = list(normalise(raw, rules=rules))
    result: dict[str, Any] = {
        "id": document.get("id"),
        "language": parts[0].language.code,
        "languages": sorted({passage.language.code for part in parts for passage in part.passages}),
        "parts": [_part(part) for part in parts],
        "removed": [removed for part in parts for removed in _removed(part.edits)],
        "published": _published(parts),
    }
    repaired = apply(raw.text, repair(raw.text))
    if repaired != raw.text:
        result["text"] = repaired
    return result


def _raw(document: dict[str, Any]) -> RawArticle:
    given = document.get("input")
    if not isinstance(given, dict):
        raise Rejected(Reason.MISSING_FIELD, "input: an object with the text is required")
    if not isinstance(given.get("text"), str):
        raise Rejected(Reason.MISSING_FIELD, "input.text: a string is required")
    try:
        fetched_at = datetime.fromisoformat(str(given.get("fetched_at")).replace("Z", "+00:00"))
        article_id = article_id_for_text(given["text"])
        return RawArticle(
            article_id=article_id,
            feed="document",
            source=Source(name=given.get("outlet") or "document", timezone=given.get("feed_timezone")),
            url=given.get("url"),
            title=given.get("title"),
            text=given["text"],
            feed_published=given.get("feed_published"),
            fetched_at=fetched_at,
            first_seen_at=fetched_at,
            trace_id=trace_id_for(article_id, milliseconds(fetched_at)),
        )
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        raise Rejected(Reason.WRONG_TYPE, f"input.{where}: {first['msg']}") from None
    except ValueError:
        raise Rejected(Reason.WRONG_TYPE, "input.fetched_at: an ISO 8601 time with its offset is required") from None


def _part(part: NormalisedArticle) -> dict[str, Any]:
    return {
        "start": part.raw_start,
        "end": part.raw_end,
        "truncated": part.truncated,
        "title": part.title,
        "text": part.body,
    }


def _removed(edits: Sequence[Edit]) -> Iterator[dict[str, Any]]:
    for edit in edits:
        if edit.field == "text" and edit.family not in _NOT_REMOVED:
            yield {"start": edit.start, "end": edit.start + edit.length, "rule": edit.rule, "family": edit.family} | (
                {"file": edit.file} if edit.file else {}
            )


def _published(parts: Sequence[NormalisedArticle]) -> dict[str, Any]:
    """Return the date of the first part that has one."""
    chosen = next((part.published for part in parts if part.published.value), parts[0].published)
    return {
        "value": chosen.value,
        "origin": chosen.origin.value,
        "confidence": chosen.confidence,
        "precision": chosen.precision,
        "explanation": chosen.explanation,
    }

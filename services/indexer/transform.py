"""From a finished article to its Elasticsearch document: pure, and the one place that knows the document's fields."""

from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from shared.models import DateMention, EntityMention, UniqueArticle
from shared.text import fold

ALIAS: Final = "news-articles"
# Elasticsearch's own limits of a date, kept well inside.
_FIRST_YEAR: Final = 1000
_LAST_YEAR: Final = 2999
# A single keyword may hold 32,766 bytes; longer text is no identifier.
MAX_KEYWORD_CHARACTERS: Final = 8000


def index_name(article: UniqueArticle) -> str:
    """Return the monthly index of an article: that of its immutable first sight, so one id never lives in two months."""
    return f"{ALIAS}-{article.first_seen_at.astimezone(UTC):%Y.%m}"


def document(article: UniqueArticle, *, indexed_at: datetime) -> dict[str, Any]:
    """Return the document of an article; its keys are exactly the fields of deploy/elasticsearch/news-articles.json."""
    return {
        "article_id": article.article_id,
        "parent_id": article.parent_id,
        "part": article.part,
        "parts_total": article.parts_total,
        "truncated": article.truncated,
        "title": article.title,
        "title_folded": fold(article.title),
        "body": article.body,
        "body_folded": fold(article.body),
        "language": article.language.code,
        "language_score": article.language.score,
        "other_languages": sorted({passage.language.code for passage in article.passages}),
        "feed": article.feed,
        "source": {
            "name": article.source.name,
            "country": article.source.country,
            "side": article.source.side,
        },
        "url": article.url,
        "author": article.author,
        "section": article.section,
        "captions": article.captions,
        "credits": article.credits,
        "published_at": published_instant(article),
        "published": {
            "value": article.published.value,
            "precision": article.published.precision,
            "origin": article.published.origin.value,
            "confidence": article.published.confidence,
            "explanation": article.published.explanation,
        },
        "fetched_at": article.fetched_at,
        "first_seen_at": article.first_seen_at,
        "indexed_at": indexed_at,
        "event_dates": [_range(mention) for mention in article.dates if _is_closed(mention)],
        "dates": [_date_mention(mention) for mention in article.dates],
        "unanchored_dates": sum(not mention.anchored for mention in article.dates),
        "entity_ids": sorted({entity.canonical for entity in article.entities}),
        "entities": _entities(article.entities),
        "keywords": sorted({hit.keyword for hit in article.hits}),
        "hits": [hit.model_dump() for hit in article.hits],
        "cluster_id": article.cluster_id,
        "story_id": article.story_id,
        "duplicate_of": article.duplicate_of,
        "linked_stories": article.linked_stories,
        "is_copy": bool(article.duplicate_of),
        "decision": article.decision.model_dump(),
        "removed_rules": sorted({edit.rule for edit in article.edits}),
        "removed_characters": sum(edit.length for edit in article.edits),
        "flags": [flag.value for flag in article.flags],
        "revision": article.revision,
        "backlog": article.backlog,
        "replay": article.replay,
        "normaliser_version": article.normaliser_version,
        "extractor_version": article.extractor_version,
        "trace_id": article.trace_id,
    }


def published_instant(article: UniqueArticle) -> datetime | None:
    """Return the publication as an instant: a bare day is its midnight in the outlet's time zone; None when undated."""
    value = article.published.value
    if value is None:
        return None
    moment = datetime.fromisoformat(value)
    return (
        moment if moment.tzinfo else moment.replace(tzinfo=_zone(article.published.timezone or article.source.timezone))
    )


def _zone(name: str | None) -> tzinfo:
    """Return a time zone by its IANA name or as `UTC+07:00`; UTC when it is not known or not a zone."""
    for read in (ZoneInfo, _fixed_offset):
        try:
            return read(name or "UTC")
        except (ZoneInfoNotFoundError, ValueError, OSError):
            continue
    return UTC


def _fixed_offset(name: str) -> tzinfo:
    return datetime.strptime(name, "UTC%z").tzinfo or UTC


def _is_closed(mention: DateMention) -> bool:
    return (
        mention.anchored
        and all(_in_range(day) for day in (mention.from_, mention.to) if day)
        and bool(mention.from_ or mention.to)
    )


def _in_range(day: str) -> bool:
    return _FIRST_YEAR <= int(day[:4]) <= _LAST_YEAR


def _range(mention: DateMention) -> dict[str, str]:
    """Return a date_range of whole days; an open side has no bound."""
    bounds: dict[str, str] = {}
    if mention.from_:
        bounds["gte"] = mention.from_
    if mention.to:
        bounds["lt"] = (date.fromisoformat(mention.to) + timedelta(days=1)).isoformat()
    return bounds


def _date_mention(mention: DateMention) -> dict[str, Any]:
    row = mention.model_dump(by_alias=True, exclude={"known"})
    row["known"] = {name: str(value) for name, value in mention.known.items()}
    return row


def _entities(mentions: list[EntityMention]) -> list[dict[str, Any]]:
    """Return one row per entity, with how often and in which forms it was named."""
    rows: dict[str, dict[str, Any]] = {}
    for mention in mentions:
        row = rows.setdefault(
            mention.canonical,
            {"id": mention.canonical, "label": mention.label, "type": mention.type.value, "mentions": 0, "forms": []},
        )
        row["mentions"] += 1
        if mention.text not in row["forms"]:
            row["forms"].append(mention.text)
    return list(rows.values())

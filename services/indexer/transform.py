"""From a finished article to its Elasticsearch document: pure, and the one place that knows the document's fields.

What is searched, counted or drawn is flat (ids, names, days); the mentions themselves are evidence, stored but not indexed. As
nested documents they cost Elasticsearch 60 % more time an article, and no question of ours needs them.
"""

from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct

from services.indexer.article import DateMention, EntityMention, IndexedArticle, Published
from services.indexer.places import point_of
from shared.ids import MAX_PARTS
from shared.models import EntityType
from shared.text import fold

ALIAS: Final = "news-articles"
# Elasticsearch's own limits of a date, kept well inside.
_FIRST_YEAR: Final = "1000"
_LAST_YEAR: Final = "2999"
# A longer interval ("in the nineties") has no place on a timeline of days.
_TIMELINE_DAYS: Final = 31
_KINDS: Final = {kind.value: kind.value.lower() for kind in EntityType}


def index_name(article: IndexedArticle) -> str:
    """Return the monthly index of an article: that of its immutable first sight, so one id never lives in two months."""
    return f"{ALIAS}-{article.first_seen_at.astimezone(UTC):%Y.%m}"


def document(article: IndexedArticle, *, indexed_at: datetime) -> dict[str, Any]:
    """Return the document of an article; its keys are exactly the fields of deploy/elasticsearch/news-articles.json."""
    published_at = published_instant(article)
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
        "published_at": published_at,
        "published": _published(article.published),
        "fetched_at": article.fetched_at,
        "first_seen_at": article.first_seen_at,
        "indexed_at": indexed_at,
        "lag_seconds": _lag(article, published_at),
        **_event_time(article.dates),
        "dates": article.dates,
        **_entities(article.entities),
        "keywords": sorted({hit.keyword for hit in article.hits}),
        "hits": article.hits,
        "cluster_id": article.cluster_id,
        "story_id": article.story_id,
        "duplicate_of": article.duplicate_of,
        "linked_stories": article.linked_stories,
        "is_copy": bool(article.duplicate_of),
        "decision": article.decision,
        "removed_rules": sorted({edit.rule for edit in article.edits}),
        "removed_by_files": sorted({edit.file for edit in article.edits if edit.file}),
        "removed_characters": sum(edit.length for edit in article.edits),
        "flags": article.flags,
        "revision": article.revision,
        "backlog": article.backlog,
        "replay": article.replay,
        "normaliser_version": article.normaliser_version,
        "extractor_version": article.extractor_version,
        "trace_id": article.trace_id,
    }


def published_instant(article: IndexedArticle) -> datetime | None:
    """Return the publication as an instant: a bare day is its midnight in the outlet's time zone; None when undated.

    Without any zone the outlet's clock may be ahead of UTC: then it is the time of the fetch at the latest.
    """
    value = article.published.value
    if value is None:
        return None
    moment = datetime.fromisoformat(value)
    if moment.tzinfo:
        return moment
    zone = article.published.timezone or article.source.timezone
    instant = moment.replace(tzinfo=_zone(zone))
    return instant if zone else min(instant, article.fetched_at)


def _published(published: Published) -> dict[str, Any]:
    return {
        "value": published.value,
        "precision": published.precision,
        "origin": published.origin,
        "confidence": published.confidence,
        "explanation": published.explanation,
        "earliest": published.earliest,
        "latest": published.latest,
    }


def stale_ids(article: IndexedArticle) -> list[str]:
    """Return the ids that an earlier revision with other parts may have left in the index."""
    parent = article.parent_id
    kept = article.parts_total if article.parts_total > 1 else 0
    stale = [f"{parent}#{part}" for part in range(kept + 1, MAX_PARTS + 1)]
    return stale if article.parts_total == 1 else [parent, *stale]


def _lag(article: IndexedArticle, published_at: datetime | None) -> int | None:
    """Return the seconds from the publication to the first sight; None where only a day, or nothing, is known."""
    if published_at is None or article.published.precision == "day":
        return None
    return max(0, int((article.first_seen_at - published_at).total_seconds()))


@lru_cache(maxsize=256)
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


def _event_time(mentions: list[DateMention]) -> dict[str, Any]:
    """Return when the events of an article were: every interval once, the days a timeline can show, and what has no place."""
    anchored = [mention for mention in mentions if mention.anchored]
    placed: set[tuple[str, str]] = set()
    precisions: set[str] = set()
    for mention in anchored:
        span = mention.from_ or "", mention.to or ""
        if _has_place(*span):
            placed.add(span)
            precisions.add(mention.precision)
    spans = sorted(placed)
    return {
        "event_dates": [_range(*span) for span in spans],
        "event_days": sorted({span[0] for span in spans if _is_short(*span)}),
        "event_precisions": sorted(precisions),
        "unanchored_dates": len(mentions) - len(anchored),
    }


# The news of one time names the same days again and again.
@lru_cache(maxsize=4096)
def _has_place(start: str, end: str) -> bool:
    days = [day for day in (start, end) if day]
    return bool(days) and all(_FIRST_YEAR <= day[:4] <= _LAST_YEAR for day in days)


@lru_cache(maxsize=4096)
def _is_short(start: str, end: str) -> bool:
    """Return whether an interval is closed and short enough for the timeline."""
    return bool(start and end) and (date.fromisoformat(end) - date.fromisoformat(start)).days < _TIMELINE_DAYS


@lru_cache(maxsize=4096)
def _range(start: str, end: str) -> dict[str, str]:
    """Return a date_range of whole days; an open side has no bound. Nobody may change it."""
    bounds: dict[str, str] = {}
    if start:
        bounds["gte"] = start
    if end:
        bounds["lt"] = (date.fromisoformat(end) + timedelta(days=1)).isoformat()
    return bounds


class _Entity(Struct, gc=False):
    """A thing that an article names: how often, and in which forms."""

    id: str
    label: str
    type: str
    mentions: int
    forms: list[str]


def _entities(mentions: list[EntityMention]) -> dict[str, Any]:
    """Return the entities of an article: one row each with how often and in which forms it was named, and flat ids and names."""
    rows: dict[str, _Entity] = {}
    for mention in mentions:
        row = rows.get(mention.canonical)
        if row is None:
            rows[mention.canonical] = _Entity(mention.canonical, mention.label, mention.type, 1, [mention.text])
            continue
        row.mentions += 1
        if mention.text not in row.forms:
            row.forms.append(mention.text)
    labels: dict[str, set[str]] = {kind: set() for kind in _KINDS}
    for row in rows.values():
        labels[row.type].add(row.label)
    ids = sorted(rows)
    return {
        "entities": list(rows.values()),
        "entity_ids": ids,
        "entity_names": sorted(set().union(*labels.values())),
        "named": {_KINDS[kind]: sorted(found) for kind, found in labels.items()},
        "locations": [point for canonical in ids if (point := point_of(canonical))],
    }

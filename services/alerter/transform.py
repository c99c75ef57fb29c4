"""What becomes of articles and feeds in the log: an article's hits, the feeds that fall silent, the configuration in force."""

import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from shared.alerts import AlertRule, ConfigSnapshot, Hit, LoggedArticle, Name, Named, NewTermRule, WatchedKeyword
from shared.models import FeedState, Published, UniqueArticle
from shared.watchlist import WatchlistFile

FAILED_VISITS: Final = 3
OVERDUE: Final = timedelta(hours=1)
GIVEN_UP: Final = timedelta(days=7)
"""A feed overdue for longer was taken out of the configuration: nobody expects it to speak."""


def records_of(article: UniqueArticle) -> Iterator[Hit | Named]:
    """Yield what the log keeps of an article: a hit for every watched keyword and, of what is no copy, its names."""
    logged = LoggedArticle(
        article_id=article.article_id,
        cluster_id=article.cluster_id,
        story_id=article.story_id,
        feed=article.feed,
        source=article.source.name,
        language=article.language.code,
        title=article.title,
        url=article.url,
        claimed_at=claimed_at(article.published),
        arrived_at=article.first_seen_at,
        backlog=article.backlog,
        replay=article.replay,
        trace_id=article.trace_id,
    )
    for keyword in sorted({hit.keyword for hit in article.hits}):
        yield Hit(**dict(logged), keyword=keyword)
    names = {
        found.canonical: Name(id=found.canonical, label=found.label, type=found.type) for found in article.entities
    }
    if names and not article.duplicate_of:
        yield Named(
            **dict(logged), names=tuple(names[each] for each in sorted(names)), knowledge=article.extractor_version
        )


def claimed_at(published: Published) -> datetime | None:
    """Return the latest moment at which an article can have been published by what it says, or None when it says nothing."""
    if published.value is None:
        return None
    if published.precision != "day":
        moment = datetime.fromisoformat(published.value)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    day = datetime.fromisoformat(published.value[:10]).date()
    return datetime.combine(day, time.max.replace(microsecond=0), _zone(published.timezone)).astimezone(UTC)


def silent_feeds(states: Iterable[FeedState], now: datetime) -> tuple[str, ...]:
    """Return the feeds that cannot be read: visits fail again and again, or none was made for an hour after it was due."""
    return tuple(sorted({state.feed for state in states if _is_silent(state, now)}))


def snapshot(watchlist: WatchlistFile, at: datetime) -> ConfigSnapshot:
    """Return a watchlist as the configuration that is in force from `at` on."""
    keywords = tuple(
        WatchedKeyword(
            name=keyword.name, rule=AlertRule.model_validate(keyword.alert.model_dump()), hash=keyword.content_hash()
        )
        for keyword in watchlist.keywords
    )
    new_terms = _new_terms(watchlist)
    whole = " ".join([*(f"{keyword.name}={keyword.hash}" for keyword in keywords), new_terms.model_dump_json()])
    return ConfigSnapshot(
        hash=hashlib.blake2b(whole.encode(), digest_size=8).hexdigest(), at=at, keywords=keywords, new_terms=new_terms
    )


def _new_terms(watchlist: WatchlistFile) -> NewTermRule:
    """Return how new terms are watched: names that a keyword looks for by themselves are its own."""
    watched = {term for keyword in watchlist.keywords if not keyword.all_of for term in keyword.any_of}
    rule = NewTermRule.model_validate(watchlist.new_terms.model_dump())
    return rule.model_copy(update={"ignore": tuple(sorted(watched | set(rule.ignore)))})


def _is_silent(state: FeedState, now: datetime) -> bool:
    overdue = now - state.next_visit_at if state.next_visit_at else timedelta(0)
    return overdue < GIVEN_UP and (state.failures >= FAILED_VISITS or overdue > OVERDUE)


def _zone(name: str | None) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")

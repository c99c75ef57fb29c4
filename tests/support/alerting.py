"""What the tests of alerting put on the wire: three quiet days, and articles that were published and fetched at a moment."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from services.alerter.transform import snapshot
from shared import yaml_config
from shared.alerts import Hit, LogRecord
from shared.ids import article_id_for_text, trace_id_for
from shared.models import RawArticle, Source
from shared.stage import single_key
from shared.topics import KEYWORD_HITS
from shared.watchlist import WATCHLIST, WatchlistFile
from tests.support.wire import Wire

HISTORY = timedelta(days=3)


def put_quiet_days(wire: Wire, now: datetime) -> None:
    """Write a quiet log before now: the configuration, and a story on Kupyansk every eight hours."""
    for record in _quiet_days(wire, now):
        wire.put(KEYWORD_HITS, single_key(record.kind).encode(), record.to_json())


def _quiet_days(wire: Wire, now: datetime) -> Iterator[LogRecord]:
    start = now - HISTORY
    yield snapshot(yaml_config.load(wire.settings.config_dir / WATCHLIST, WatchlistFile), start)
    for number in range(int(HISTORY / timedelta(hours=8))):
        at = start + timedelta(hours=8 * number, minutes=7)
        article_id = article_id_for_text(f"quiet {number}")
        yield Hit(
            article_id=article_id, keyword="Kupyansk", cluster_id=article_id, story_id=article_id, feed="Cũ",
            source=f"Báo {number % 4}", language="vi", claimed_at=at, arrived_at=at, trace_id=trace_id_for(article_id, 0),
        )  # fmt: skip


def article(text: str, source: str, at: datetime, name: str | None = None) -> RawArticle:
    """Return a raw article that a feed published, and that was fetched, at a moment; its id is that of its name or its text."""
    article_id = article_id_for_text(name or text)
    return RawArticle(
        article_id=article_id, feed=f"{source} – Tin", source=Source(name=source, language="vi"), text=text,
        url=f"https://{article_id[:8]}.example/tin", feed_published=at.isoformat(), fetched_at=at, first_seen_at=at,
        trace_id=trace_id_for(article_id, 1),
    )  # fmt: skip

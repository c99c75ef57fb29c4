"""Feeds that were taken out of feeds.yaml: what is remembered of them is kept for a month, then forgotten.

The month is there because a feed is easily removed by accident: put back, it goes on where it stopped. A feed that is only
switched off is never forgotten.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog

from services.fetcher.state import HostBook, StateBook, feed_row, forgotten_feed_row, forgotten_row
from shared.models import FeedState
from shared.stage import Outgoing

KEPT_FOR: Final = timedelta(days=30)
BATCH_ROWS: Final = 500

log = structlog.get_logger("frontwire.fetcher.retired")


async def sweep(
    book: StateBook,
    configured: Collection[tuple[str, str]],
    now: datetime,
    publish: Callable[[Sequence[Outgoing]], Awaitable[None]],
) -> None:
    """Mark feeds that are no longer configured (host and name) as retired, and forget those that were so for a month.

    Raises `Transient` when Kafka is away; what was not acknowledged is done by the next sweep.
    """
    for host, hosted in list(book.ready_hosts()):
        for state in [state for name, state in hosted.feeds.items() if (host, name) not in configured]:
            if state.retired_since is None:
                marked = state.model_copy(update={"retired_since": now})
                await publish([feed_row(host, marked)])
                hosted.feeds[state.feed] = marked
                log.info("feed_retired", feed=state.feed, host=host, forgotten_at=str(now + KEPT_FOR))
            elif now - state.retired_since >= KEPT_FOR:
                await _forget(host, hosted, state, publish)


async def _forget(
    host: str, book: HostBook, state: FeedState, publish: Callable[[Sequence[Outgoing]], Awaitable[None]]
) -> None:
    """Forget a feed's items, and then the feed: a sweep that is cut short leaves what the next one needs."""
    gone = [article_id for article_id, seen in book.seen.items() if seen.feed == state.feed]
    for start in range(0, len(gone), BATCH_ROWS):
        some = gone[start : start + BATCH_ROWS]
        await publish([forgotten_row(host, state.feed, article_id) for article_id in some])
        for article_id in some:
            book.seen.pop(article_id, None)
    await publish([forgotten_feed_row(host, state.feed)])
    book.feeds.pop(state.feed, None)
    log.info("feed_forgotten", feed=state.feed, host=host, items=len(gone))

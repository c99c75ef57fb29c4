"""What Prometheus is shown of each feed this copy owns; a feed that is removed or goes to another copy shows nothing more."""

import contextlib
from collections import deque
from collections.abc import Iterable
from statistics import median
from typing import Final

from services.fetcher.feeds import Feed
from services.fetcher.moves import moved_for
from shared import metrics
from shared.models import FeedState

# The lateness of fewer articles says nothing about a time zone.
LEAST_ARTICLES: Final = 10
LAST_ARTICLES: Final = 50
_BY_FEED: Final = (
    metrics.FEED_ARTICLES,
    metrics.FEED_FAILURES,
    metrics.FEED_LAST_NEW,
    metrics.FEED_LAST_SUCCESS,
    metrics.FEED_LATENESS,
    metrics.FEED_MOVED,
    metrics.FEED_PAUSED,
    metrics.FEED_SILENT_AFTER,
)


class FeedGauges:
    """The gauges of feeds by name."""

    def __init__(self) -> None:
        self._lateness: dict[str, deque[float]] = {}

    def show(self, feed: Feed, state: FeedState) -> None:
        """Show a feed's state."""
        metrics.FEED_FAILURES.labels(feed.name).set(state.failures)
        metrics.FEED_MOVED.labels(feed.name).set(moved_for(state).total_seconds())
        metrics.FEED_SILENT_AFTER.labels(feed.name).set(feed.silent_after.total_seconds())
        metrics.FEED_PAUSED.labels(feed.name).set(state.waits_since is not None)
        if state.last_success_at:
            metrics.FEED_LAST_SUCCESS.labels(feed.name).set(state.last_success_at.timestamp())
        if state.last_new_at:
            metrics.FEED_LAST_NEW.labels(feed.name).set(state.last_new_at.timestamp())

    def late(self, feed: Feed, seconds: Iterable[float]) -> None:
        """Take in how late new articles came after the time they state, and show the median of the last fifty."""
        last = self._lateness.setdefault(feed.name, deque(maxlen=LAST_ARTICLES))
        last.extend(seconds)
        if len(last) >= LEAST_ARTICLES:
            metrics.FEED_LATENESS.labels(feed.name).set(median(last))

    def forget(self, name: str) -> None:
        """Show nothing more of a feed."""
        self._lateness.pop(name, None)
        for metric in _BY_FEED:
            with contextlib.suppress(KeyError):
                metric.remove(name)

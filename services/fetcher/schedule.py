"""When a feed is visited next: pure rules on its state, with time and chance as arguments."""

from datetime import datetime, timedelta
from typing import Final

from services.fetcher.feeds import Feed
from shared.models import FeedState

FIRST_PERIOD: Final = timedelta(minutes=10)
SHORTEST_PERIOD: Final = timedelta(minutes=2)
LONGEST_PERIOD: Final = timedelta(hours=1)
FILE_PERIOD: Final = timedelta(seconds=10)
FIRST_BACKOFF: Final = timedelta(seconds=30)
LONGEST_BACKOFF: Final = timedelta(hours=1)
LONGEST_FILE_BACKOFF: Final = timedelta(minutes=1)
FULL_GET_AFTER: Final = timedelta(days=1)
LONGEST_HOLD: Final = timedelta(days=1)
DEFAULT_HOLD: Final = timedelta(minutes=5)
# Chance added to each wait, as a share of it: feeds of one host do not come in step.
SPREAD: Final = 0.1


def period_after_success(feed: Feed, before: FeedState | None, new_items: int) -> timedelta:
    """Return the wait until the next visit of a feed that answered.

    The operator's `every` when there is one; else the last wait, a quarter longer when nothing was new, halved when three or more
    items were new at once, between two minutes and an hour.
    """
    if feed.every is not None:
        return feed.every
    if feed.url is None:
        return FILE_PERIOD
    if before is None or before.next_visit_at is None or before.last_success_at is None or before.failures:
        return FIRST_PERIOD
    last = before.next_visit_at - before.last_success_at
    factor = 1.25 if new_items == 0 else 0.5 if new_items >= 3 else 1.0
    return min(max(last * factor, SHORTEST_PERIOD), LONGEST_PERIOD)


def backoff(feed: Feed, failures: int) -> timedelta:
    """Return the wait after so many failures in a row: doubling, capped at an hour (files: a minute), and never ending."""
    first = min(feed.every or FIRST_BACKOFF, LONGEST_BACKOFF)
    longest = LONGEST_BACKOFF if feed.url else LONGEST_FILE_BACKOFF
    return min(first * 2.0 ** min(failures - 1, 20), longest)


def spread(wait: timedelta, chance: float) -> timedelta:
    """Return a wait lengthened by up to a tenth; `chance` is in [0, 1)."""
    return wait * (1 + SPREAD * chance)


def due_at(feed: Feed, state: FeedState | None, now: datetime) -> datetime:
    """Return when a feed is to be visited: at once when never visited, never later than its `every` now asks for."""
    if state is None or state.next_visit_at is None:
        return now
    if feed.every is not None and not state.failures and state.last_success_at is not None:
        return min(state.next_visit_at, state.last_success_at + feed.every * (1 + SPREAD))
    return state.next_visit_at


def wants_full_get(state: FeedState | None, now: datetime) -> bool:
    """Return whether a visit goes without validators: once a day, because some feeds answer 304 wrongly."""
    return state is None or state.last_full_get_at is None or now - state.last_full_get_at >= FULL_GET_AFTER


def hold_after(retry_after: timedelta | None) -> timedelta:
    """Return how long a host that answered 429 or 503 is left alone: what it asks for, at most a day."""
    return min(retry_after, LONGEST_HOLD) if retry_after is not None else DEFAULT_HOLD

"""When a feed is visited next: pure rules on its state, with time and chance as arguments."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

from services.fetcher.feeds import Feed
from shared.models import FeedState

FIRST_PERIOD: Final = timedelta(minutes=10)
SHORTEST_PERIOD: Final = timedelta(minutes=2)
LONGEST_PERIOD: Final = timedelta(hours=1)
# How long a document's own wish is believed; an hour when it brought news, which contradicts a longer one.
LONGEST_WISH: Final = timedelta(hours=6)
FILE_PERIOD: Final = timedelta(seconds=10)
FIRST_BACKOFF: Final = timedelta(seconds=30)
LONGEST_BACKOFF: Final = timedelta(hours=1)
LONGEST_FILE_BACKOFF: Final = timedelta(minutes=1)
FULL_GET_AFTER: Final = timedelta(days=1)
LONGEST_HOLD: Final = timedelta(days=1)
DEFAULT_HOLD: Final = timedelta(minutes=5)
# Chance added to each wait, as a share of it: feeds of one host do not come in step.
SPREAD: Final = 0.1


def period_after_success(feed: Feed, before: FeedState | None, share: float) -> timedelta:
    """Return the wait until the next visit of a feed that answered; `share` is how much of the document was new, 0 to 1.

    The operator's `every` when there is one; else the last wait: a quarter longer when nothing was new, shorter when more than a
    tenth was, half when a third was (items fall out of the document before the next visit), from two minutes to an hour.
    """
    if feed.every is not None:
        return feed.every
    if feed.url is None:
        return FILE_PERIOD
    if before is None or before.period_seconds is None:
        return FIRST_PERIOD
    factor = 1.25 if share == 0 else 1.0 if share <= 0.1 else 0.8 if share <= 1 / 3 else 0.5
    return min(max(timedelta(seconds=before.period_seconds) * factor, SHORTEST_PERIOD), LONGEST_PERIOD)


def fresh_seconds(headers: Mapping[str, str]) -> float:
    """Return how long an answer says it stays good: Cache-Control's max-age less Age, else Expires less Date (RFC 9111 §4.2)."""
    parts = (part.partition("=") for part in headers.get("cache-control", "").split(","))
    directives = {name.strip().lower(): value.strip(' "') for name, _, value in parts}
    if directives.keys() & {"no-cache", "no-store"}:
        return 0.0
    if "max-age" in directives:
        return max(0.0, _number(directives["max-age"]) - _number(headers.get("age", "0")))
    try:
        expires, date = (parsedate_to_datetime(headers.get(name, "")) for name in ("expires", "date"))
        return max(0.0, (expires - date).total_seconds())
    except (TypeError, ValueError):
        return 0.0


def _number(text: str) -> int:
    return int(text[:9]) if text.isascii() and text.isdigit() else 0


def wait_after_success(feed: Feed, period: timedelta, wish_seconds: float, share: float) -> timedelta:
    """Return the wait after a visit: the period, lengthened to what the document asks for unless the operator wrote `every`."""
    if feed.every is not None:
        return period
    longest = LONGEST_PERIOD if share > 0.1 else LONGEST_WISH
    return max(period, min(timedelta(seconds=wish_seconds), longest))


def past_skipped(moment: datetime, hours: Collection[int], days: Collection[str]) -> datetime:
    """Return the first moment from this one on that is in none of the hours (UTC) and days a feed wants to be left alone."""
    moment = moment.astimezone(UTC)
    for _ in range(24 * 8):
        if moment.hour not in hours and f"{moment:%A}" not in days:
            return moment
        moment = moment.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    return moment


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

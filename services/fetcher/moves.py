"""Feeds that moved: a permanent redirect that stays the same becomes a proposal; the list of feeds stays the operator's.

A maintenance page answers 301 for an hour too, and would otherwise take the place of a good address.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from shared.models import FeedState

PROPOSED_AFTER: Final = timedelta(days=1)
PROPOSED_SEEN: Final = 3


def moved_fields(before: FeedState | None, moved: str | None, now: datetime) -> dict[str, Any]:
    """Return what a feed's state says about its move after a visit whose permanent redirects led to `moved`."""
    if moved is None:
        return {"moved_to": None, "moved_since": None, "moved_seen": 0}
    if before is None or before.moved_to != moved:
        return {"moved_to": moved, "moved_since": now, "moved_seen": 1}
    return {"moved_to": moved, "moved_since": before.moved_since, "moved_seen": before.moved_seen + 1}


def moved_for(state: FeedState) -> timedelta:
    """Return how long a feed has answered from another address, zero until that is a proposal: three visits and a day."""
    if state.moved_since is None or state.last_success_at is None or state.moved_seen < PROPOSED_SEEN:
        return timedelta(0)
    lasted = state.last_success_at - state.moved_since
    return lasted if lasted >= PROPOSED_AFTER else timedelta(0)


def proposed_address(state: FeedState | None) -> str | None:
    """Return the address a feed should have from now on, None when it is where it belongs."""
    return state.moved_to if state is not None and moved_for(state) else None

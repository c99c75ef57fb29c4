"""The documents beside the articles: alerts, feeds, dead letters, takedowns. Pure, and the one place that knows their fields."""

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from shared import headers, kibana_links
from shared.alerts import Action, Alert, AlertState, Handling
from shared.kibana_links import Kibana, Period
from shared.models import FeedState
from shared.stage import Record, trace_of
from shared.takedown_record import Takedown

ALERTS: Final = "news-alerts"
DEAD_LETTERS: Final = "news-dead-letters"
FEEDS: Final = "news-feeds"
# One index: a feed is one document, its latest state.
FEEDS_INDEX: Final = f"{FEEDS}-current"
TAKEDOWNS: Final = "news-takedowns"
TAKEDOWNS_INDEX: Final = f"{TAKEDOWNS}-current"
PREVIEW_CHARACTERS: Final = 500
# The score of a probability that is too small for a float.
_HIGHEST_SCORE: Final = 300.0
# Named one by one: a field that a model gains is no field of the index until its template has it.
_ALERT_FIELDS: Final = {
    "alert_id", "articles", "cluster_ids", "config_hash", "coverage", "detector_version", "entity_id", "group", "keyword",
    "kind", "late", "opened_at", "opening", "peak", "reason_en", "reason_vi", "replay", "resolved_at", "rule_hash",
    "sequence", "severity", "state", "subject", "updated_at",
}  # fmt: skip
_FEED_FIELDS: Final = {
    "failures", "feed", "items", "last_error", "last_error_detail", "last_full_get_at", "last_new_at", "last_success_at",
    "moved_to", "next_visit_at", "period_seconds", "url",
}  # fmt: skip


def alert_index(alert: Alert) -> str:
    """Return the monthly index of an alert: that of its opening, which never changes."""
    return f"{ALERTS}-{alert.opened_at.astimezone(UTC):%Y.%m}"


def alert_document(alert: Alert, *, indexed_at: datetime, kibana: Kibana) -> dict[str, Any]:
    """Return the document of an alert; `score` is -log10 of the probability of its strongest reading."""
    row = alert.model_dump(mode="json", include=_ALERT_FIELDS)
    acknowledged = _last(alert, Action.ACK)
    silenced = _last(alert, Action.SILENCE) if alert.state is AlertState.SUPPRESSED else None
    return row | {
        "acknowledged_at": acknowledged and acknowledged.at,
        "acknowledge_seconds": acknowledged and int((acknowledged.at - alert.opened_at).total_seconds()),
        "handling": [handling.model_dump(mode="json") for handling in alert.handling],
        "indexed_at": indexed_at,
        "languages": [tally.name for tally in alert.languages],
        "language_tally": [tally.model_dump() for tally in alert.languages],
        "links": alert_links(alert, kibana),
        "marked_false": _last(alert, Action.MARK_FALSE) is not None,
        "score": _score(alert.peak.probability),
        "silenced_until": silenced and silenced.until,
        "sources": [tally.name for tally in alert.sources],
        "source_tally": [tally.model_dump() for tally in alert.sources],
        "stories": [story.model_dump(mode="json") for story in alert.stories],
        "story_ids": [story.story_id for story in alert.stories],
        "titles": [story.title for story in alert.stories],
        "windows": [reading.model_dump(mode="json") for reading in alert.windows],
    }


def alert_links(alert: Alert, kibana: Kibana) -> dict[str, str]:
    """Return the pages that show what an alert is about, over its widest window with what came before it."""
    field = {"keyword": "keywords", "feed": "feed", "language": "language", "entity": "entity_ids"}[alert.subject]
    query = kibana_links.is_exactly(field, alert.entity_id or alert.keyword)
    period = Period.of_window(min(alert.opening.start, alert.peak.start), max(alert.updated_at, alert.peak.end))
    return {
        "dashboard": kibana_links.dashboard(kibana, query, period),
        "discover": kibana_links.discover(kibana, f"{query} and is_copy: false", period),
    }


def feed_document(host: str, state: FeedState, *, updated_at: datetime) -> dict[str, Any]:
    """Return the document of a feed: its health, without what only the fetcher needs."""
    row = state.model_dump(mode="json", include=_FEED_FIELDS)
    return row | {"host": host, "updated_at": updated_at}


def letter_index(letter: Record) -> str:
    """Return the monthly index of a dead letter: that of its arrival."""
    return f"{DEAD_LETTERS}-{arrival(letter):%Y.%m}"


def letter_document(letter: Record) -> dict[str, Any]:
    """Return the document of a dead letter: what its headers say, and the beginning of the value as text."""
    value = letter.value or b""
    said: Callable[[str], str | None] = lambda name: headers.value_of(letter.headers, name)  # noqa: E731
    origin = said(headers.DLQ_ORIGIN) or letter.origin
    return {
        "article_id": article_of_letter(letter),
        "at": arrival(letter),
        "cut": said(headers.DLQ_SHA256) is not None,
        "error": said(headers.DLQ_ERROR),
        "origin": origin,
        "preview": value[: 4 * PREVIEW_CHARACTERS].decode("utf-8", "replace")[:PREVIEW_CHARACTERS],
        "reason": said(headers.DLQ_REASON) or "unknown",
        "size": int(said(headers.DLQ_SIZE) or len(value)),
        "stage": said(headers.DLQ_STAGE) or "unknown",
        "topic": origin.partition("/")[0],
        "trace_id": trace_of(letter),
    }


def article_of_letter(letter: Record) -> str:
    """Return the id of the article, or of the part, that a refused record was about; its key where that names none."""
    key = (headers.bytes_of(letter.headers, headers.DLQ_KEY) or b"").decode("utf-8", "replace")
    return key.rpartition("|")[2].partition("/")[0]


def takedown_document(takedown: Takedown) -> dict[str, Any]:
    """Return the document of a takedown: by whom, why, when, where and how many records were removed; never what they said."""
    lifted = takedown.lifted
    return {
        **takedown.model_dump(mode="json", include={"article_id", "at", "author", "host", "reason", "removed"}),
        "active": lifted is None,
        "lift_reason": lifted and lifted.reason,
        "lifted_at": lifted and lifted.at,
        "lifted_by": lifted and lifted.author,
        "places": sorted(takedown.removed),
        "records": sum(takedown.removed.values()),
    }


def arrival(record: Record) -> datetime:
    """Return when a record came to its topic."""
    return datetime.fromtimestamp(record.timestamp_ms / 1000, UTC)


def _last(alert: Alert, action: Action) -> Handling | None:
    return next((handling for handling in reversed(alert.handling) if handling.action is action), None)


def _score(probability: float) -> float:
    return round(-math.log10(probability), 2) if probability > 0 else _HIGHEST_SCORE

"""The one table of metrics. Names follow Prometheus' rules: base units, `_total` for counters, bounded labels."""

from contextlib import suppress
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from shared.errors import Reason

REGISTRY: Final = CollectorRegistry(auto_describe=True)
ProcessCollector(registry=REGISTRY)

_DELAY_BUCKETS: Final = (0.5, 1, 2, 5, 10, 30, 60, 120, 300, 900, 3600, 21600, 86400)

RECORDS_IN: Final = Counter("frontwire_records_in_total", "Records read by a stage.", ["stage"], registry=REGISTRY)
RECORDS_OUT: Final = Counter(
    "frontwire_records_out_total", "Records written by a stage and acknowledged.", ["stage"], registry=REGISTRY
)
RECORDS_DROPPED: Final = Counter(
    "frontwire_records_dropped_total", "Records that end at a stage on purpose.", ["stage", "reason"], registry=REGISTRY
)
DEAD_LETTERS: Final = Counter(
    "frontwire_dead_letters_total", "Records sent to a dead-letter topic.", ["stage", "reason"], registry=REGISTRY
)
RETRIES: Final = Counter(
    "frontwire_retries_total", "Attempts repeated because something outside is unwell.", ["stage"], registry=REGISTRY
)
PROCESSING_SECONDS: Final = Histogram(
    "frontwire_processing_seconds", "Time to transform one record.", ["stage"],
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5), registry=REGISTRY,
)  # fmt: skip
LAG_RECORDS: Final = Gauge(
    "frontwire_lag_records", "Records waiting in front of a stage on this worker.", ["stage"], registry=REGISTRY
)
LAG_SECONDS: Final = Gauge(
    "frontwire_lag_seconds", "Age of the record a stage works on; 0 when nothing waits.", ["stage"], registry=REGISTRY
)
READY: Final = Gauge("frontwire_ready", "1 when the stage can do its work, else 0.", ["stage"], registry=REGISTRY)
SEARCHABLE_DELAY_SECONDS: Final = Histogram(
    "frontwire_searchable_delay_seconds", "From fetched to accepted by Elasticsearch.", ["stage"],
    buckets=_DELAY_BUCKETS, registry=REGISTRY,
)  # fmt: skip
CONFIG_RELOADS: Final = Counter(
    "frontwire_config_reloads_total", "Configuration reloads.", ["file", "outcome"], registry=REGISTRY
)
CONFIG_REFUSED: Final = Gauge(
    "frontwire_config_refused", "1 while an edited configuration file is refused.", ["file"], registry=REGISTRY
)
FEED_VISITS: Final = Counter("frontwire_feed_visits_total", "Visits of feeds.", ["outcome"], registry=REGISTRY)
FEED_ARTICLES: Final = Counter(
    "frontwire_feed_articles_total", "Articles published from a feed.", ["feed"], registry=REGISTRY
)
FEED_LAST_SUCCESS: Final = Gauge(
    "frontwire_feed_last_success_timestamp_seconds", "When a feed was last read.", ["feed"], registry=REGISTRY
)
FEED_LAST_NEW: Final = Gauge(
    "frontwire_feed_last_new_timestamp_seconds", "When a feed last had something new.", ["feed"], registry=REGISTRY
)
FEED_FAILURES: Final = Gauge(
    "frontwire_feed_failures", "Failed visits of a feed in a row.", ["feed"], registry=REGISTRY
)
FEED_LATENESS: Final = Gauge(
    "frontwire_feed_lateness_seconds", "Median time from what articles state to when they were seen.", ["feed"],
    registry=REGISTRY,
)  # fmt: skip
FEED_MOVED: Final = Gauge(
    "frontwire_feed_moved_seconds",
    "How long a feed has answered from another address for good.",
    ["feed"],
    registry=REGISTRY,
)
FEED_PAUSED: Final = Gauge(
    "frontwire_feed_paused", "1 while a backfill of files makes room for live articles.", ["feed"], registry=REGISTRY
)
FEED_SILENT_AFTER: Final = Gauge(
    "frontwire_feed_silent_after_seconds", "How long a feed may bring nothing new.", ["feed"], registry=REGISTRY
)
PAGES: Final = Counter(
    "frontwire_pages_total", "Article pages asked for, by how that ended.", ["outcome"], registry=REGISTRY
)
DEDUP_WINDOW_ROWS: Final = Gauge("frontwire_dedup_window_rows", "Articles in the duplicate window.", registry=REGISTRY)
DEDUP_WINDOW_BYTES: Final = Gauge(
    "frontwire_dedup_window_bytes", "Memory of the index over the duplicate window.", registry=REGISTRY
)
DEDUP_ROWS_EXPIRED: Final = Counter(
    "frontwire_dedup_rows_expired_total", "Articles that left the duplicate window by their age.", registry=REGISTRY
)
DEDUP_REBUILD_SECONDS: Final = Gauge(
    "frontwire_dedup_rebuild_seconds", "How long the last rebuild of the index from its rows took.", registry=REGISTRY
)
DEDUP_STORY_CANDIDATES_CAPPED: Final = Counter(
    "frontwire_dedup_story_candidates_capped_total",
    "Keys and candidates for stories left out at a cap.",
    registry=REGISTRY,
)
DEDUP_CANDIDATES_CAPPED: Final = Counter(
    "frontwire_dedup_candidates_capped_total", "Candidate keys and candidates left out at a cap.", registry=REGISTRY
)
ALERT_CLOCK: Final = Gauge(
    "frontwire_alert_clock_timestamp_seconds",
    "The detector's time: how far the log has been judged.",
    registry=REGISTRY,
)
INDEX_PAUSED: Final = Gauge(
    "frontwire_index_paused", "1 while the indexer waits for Elasticsearch.", ["stage"], registry=REGISTRY
)
NOTIFICATIONS: Final = Counter(
    "frontwire_notifications_total", "Messages about alerts by what became of them.", ["channel", "kind", "outcome"],
    registry=REGISTRY,
)  # fmt: skip
WAITING_NOTIFICATIONS: Final = Gauge(
    "frontwire_waiting_notifications", "Messages that are due and not sent yet.", ["channel"], registry=REGISTRY
)
NOTIFICATION_DELAY_SECONDS: Final = Histogram(
    "frontwire_notification_delay_seconds", "From the opening of an alert to its first message.", ["channel"],
    buckets=_DELAY_BUCKETS, registry=REGISTRY,
)  # fmt: skip
CHANNEL_FAILURES: Final = Gauge(
    "frontwire_channel_failures", "Failed attempts of a channel in a row.", ["channel"], registry=REGISTRY
)


def announce(stage: str) -> None:
    """Show a stage's counters as 0 from its start, so that the first dead letter is a change that an alert rule sees."""
    for counter in (RECORDS_IN, RECORDS_OUT, RETRIES):
        counter.labels(stage)
    for reason in Reason:
        DEAD_LETTERS.labels(stage, reason.value)


def forget_channel(channel: str) -> None:
    """Show nothing more of a channel that was taken out of the configuration."""
    for gauge in (WAITING_NOTIFICATIONS, CHANNEL_FAILURES):
        with suppress(KeyError):
            gauge.remove(channel)

"""Alerts on the real engines: a planted spike ends in one alert, copies of one story end in none, a kill changes nothing."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from services.alerter.transform import snapshot
from shared import yaml_config
from shared.alerts import Alert, AlertState, Hit, LogRecord
from shared.ids import article_id_for_text, trace_id_for
from shared.models import RawArticle, Source
from shared.topics import ALERTS, KEYWORD_HITS
from shared.watchlist import WATCHLIST, WatchlistFile
from tests.support.wire import JOBS, Wire, wait_until

pytestmark = pytest.mark.engines

HISTORY = timedelta(days=3)
STAGES = tuple(JOBS[name] for name in ("normaliser", "extractor", "sketch", "decide", "alerter"))
SYLLABLES = (
    "ba", "chi", "đo", "gia", "hà", "khê", "lam", "minh", "ngà", "phú", "quỳ", "sơn", "thu", "vinh", "xuân", "yên", "bến", "đồi",
    "sông", "chợ", "cầu", "rừng", "thôn",
)  # fmt: skip


def history(wire: Wire, now: datetime) -> Iterator[LogRecord]:
    """Yield a quiet log before now: the configuration, and a story on Kupyansk every eight hours."""
    start = now - HISTORY
    yield snapshot(yaml_config.load(wire.settings.config_dir / WATCHLIST, WatchlistFile), start)
    for number in range(int(HISTORY / timedelta(hours=8))):
        at = start + timedelta(hours=8 * number, minutes=7)
        article_id = article_id_for_text(f"history {number}")
        yield Hit(
            article_id=article_id, keyword="Kupyansk", cluster_id=article_id, story_id=article_id, feed="Cũ",
            source=f"Báo {number % 4}", language="vi", claimed_at=at, arrived_at=at, trace_id=trace_id_for(article_id, 0),
        )  # fmt: skip


def article(name: str, text: str, source: str, now: datetime) -> RawArticle:
    article_id = article_id_for_text(name)
    return RawArticle(
        article_id=article_id, feed=f"{source} – Tin", source=Source(name=source, language="vi"), text=text,
        url=f"https://{article_id[:8]}.example/", feed_published=now.isoformat(), fetched_at=now, first_seen_at=now,
        trace_id=trace_id_for(article_id, 1),
    )  # fmt: skip


def story(place: str, seed: int) -> str:
    """Return a text about a place, unlike that of any other seed."""
    pick = random.Random(seed)
    sentences = (" ".join(pick.choice(SYLLABLES) for _ in range(14)).capitalize() + "." for _ in range(8))
    return f"Tin {' '.join(pick.choice(SYLLABLES) for _ in range(5))} tại {place}\n\n" + " ".join(sentences)


def latest(wire: Wire) -> dict[str, Alert]:
    """Return the last record of each alert, and hold that no sequence was written with two contents."""
    found: dict[str, Alert] = {}
    written: dict[tuple[str, int], bytes] = {}
    for record in wire.read(ALERTS):
        alert = Alert.model_validate_json(record.value or b"")
        assert written.setdefault((alert.alert_id, alert.sequence), record.value or b"") == record.value
        found[alert.alert_id] = alert
    return found


def test_a_spike_is_one_alert_fifty_copies_are_none_and_a_kill_changes_nothing(wire: Wire) -> None:
    now = datetime.now(UTC)
    for record in history(wire, now):
        wire.put(KEYWORD_HITS, record.kind.encode(), record.to_json())
    wire.start(*STAGES)
    wire.publish(article(f"copy {number}", story("Pokrovsk", 1), f"Đài {number}", now) for number in range(50))
    wire.publish(
        article(f"story {number}", story("Kupyansk", 100 + number), f"Báo {number % 5}", now) for number in range(9)
    )
    wait_until(lambda: len(latest(wire)) > 0, "an alert", 120)
    (alert,) = latest(wire).values()
    assert (alert.keyword, alert.state, alert.kind) == ("Kupyansk", AlertState.OPEN, "spike")
    assert alert.opened_at - now < timedelta(minutes=2)
    assert len(alert.sources) >= 2
    assert all(told.url and "Kupyansk" in told.title for told in alert.stories)
    assert alert.reason_vi.startswith("Đột biến: Kupyansk — ")
    wait_until(
        lambda: (
            sum(json.loads(record.value or b"{}").get("keyword") == "Pokrovsk" for record in wire.read(KEYWORD_HITS))
            >= 50
        ),
        "every copy in the log",
    )
    wire.supervisor.kill("alerter")
    wire.restart("alerter")
    wire.wait_ready("alerter")
    wire.publish([article("after the kill", story("Kupyansk", 999), "Báo 9", datetime.now(UTC))])
    before = wire.metric("alerter", "frontwire_records_in_total")
    wait_until(lambda: wire.metric("alerter", "frontwire_records_in_total") >= before + 2, "the article after the kill")
    assert set(latest(wire)) == {alert.alert_id}

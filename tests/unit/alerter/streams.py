"""Generated logs for the detector's tests: ordinary days, and what can be laid over them."""

import random
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from services.alerter.detector import Detector
from services.alerter.spikes import folded
from shared.alerts import Alert, AlertKind, Hit
from shared.ids import article_id_for_text

START = datetime(2025, 9, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
DAYS = 9
END = START + timedelta(days=DAYS)
PER_DAY = {"Kupyansk": 3.0, "Kherson": 20.0}


def hit(
    at: datetime,
    keyword: str = "Kupyansk",
    *,
    story: str,
    source: str = "Báo 1",
    claimed: datetime | None = None,
    backlog: bool = False,
    replay: bool = False,
    copy: str = "",
    language: str = "vi",
) -> Hit:
    return Hit.model_construct(
        kind="hit", article_id=article_id_for_text(f"{keyword}/{story}/{copy}"), keyword=keyword, cluster_id=story,
        story_id=story, feed=source, source=source, language=language, title=f"Tin {story}", url=f"https://x.example/{story}",
        claimed_at=claimed, arrived_at=at, backlog=backlog, replay=replay, trace_id="0" * 32,
    )  # fmt: skip


def ordinary(days: int = DAYS, per_day: dict[str, float] | None = None, seed: int = 1) -> list[Hit]:
    """Return ordinary days: stories at random times of the day, from eight sources, a third of them told twice."""
    pick = random.Random(seed)
    hits: list[Hit] = []
    for keyword, rate in (per_day or PER_DAY).items():
        at = START
        number = 0
        while (at := at + timedelta(days=pick.expovariate(rate))) < START + timedelta(days=days):
            number += 1
            at = at.replace(microsecond=0)
            name = f"{keyword} {number}"
            hits.append(hit(at, keyword, story=name, source=f"Báo {pick.randrange(8)}"))
            if pick.random() < 0.33:
                hits.append(hit(at + 20 * MINUTE, keyword, story=name, source=f"Báo {pick.randrange(8)}", copy="b"))
    return in_order(hits)


def spike(at: datetime, stories: int = 9, keyword: str = "Kupyansk", sources: int = 5) -> list[Hit]:
    """Return new stories, one every six minutes, from several sources."""
    return [
        hit(at + number * 6 * MINUTE, keyword, story=f"spike {at} {number}", source=f"Báo {number % sources}")
        for number in range(stories)
    ]


def in_order(hits: Iterable[Hit]) -> list[Hit]:
    return sorted(hits, key=lambda each: (each.arrived_at, each.article_id))


def run(hits: Iterable[Hit], detector: Detector | None = None) -> list[Alert]:
    return list(folded(in_order(hits), detector or Detector()))


def opened(alerts: Sequence[Alert]) -> list[Alert]:
    """Return the openings of spikes and new terms."""
    return [alert for alert in alerts if alert.sequence == 1 and alert.kind is not AlertKind.SILENCE]


def lines(alerts: Iterable[Alert]) -> Iterator[bytes]:
    return (alert.to_json() for alert in alerts)

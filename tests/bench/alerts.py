"""What the detector costs, with neither broker nor disk: hits a second of process time, and memory."""

import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Final

import psutil

from services.alerter import checkpoint
from services.alerter.detector import Detector
from shared.alerts import LOG_RECORD, ConfigSnapshot, Hit, LogRecord, Name, Named, NewTermRule, Tick, WatchedKeyword

KEYWORDS: Final = 1000
ARTICLES_A_DAY: Final = 100_000
HITS: Final = 2
NAMES: Final = 8
THINGS: Final = 20_000
NEW: Final = 0.65
_START: Final = datetime(2025, 9, 1, tzinfo=UTC)
_MINUTE: Final = timedelta(minutes=1)


def measure_detector(articles: int) -> str:
    """Fold a log of so many articles, written and read as JSON; return the section of the page."""
    detector = Detector()
    keywords = tuple(WatchedKeyword(name=f"k{number}", hash="h") for number in range(KEYWORDS))
    detector.apply(ConfigSnapshot(hash="c", at=_START, keywords=keywords, new_terms=NewTermRule()))
    before, cpu, counts = psutil.Process().memory_info().rss, 0.0, {"hit": 0, "named": 0, "tick": 0}
    for record in _log(articles):
        counts[record.kind] += 1
        value = record.to_json()
        began = time.process_time()
        detector.apply(LOG_RECORD.validate_json(value))
        cpu += time.process_time() - began
    folded = psutil.Process().memory_info().rss
    rows: dict[str, str] = {}
    began = time.process_time()
    checkpoint.save(rows, detector.state, 1, [])
    saved = time.process_time() - began
    began = time.process_time()
    checkpoint.load(rows)
    loaded = time.process_time() - began
    days = articles / ARTICLES_A_DAY
    return f"""## The detector alone, one process, CPU time

{KEYWORDS:,} keywords, {ARTICLES_A_DAY:,} articles a day, {days:.1f} days. An article has {HITS} hits; two thirds are no copies
and have {NAMES} names of {THINGS:,}. A record is decoded from JSON and folded. By itself:
`python -c "from tests.bench.alerts import measure_detector as m; print(m({articles}))"`

| what | number |
|---|---:|
| records: hits, names of an article, ticks | {counts["hit"]:,}, {counts["named"]:,}, {counts["tick"]:,} |
| hits a second, everything included | {counts["hit"] / cpu:,.0f} |
| process time for a day | {cpu / days:.0f} s |
| memory of the state | {(folded - before) >> 20} MB |
| a checkpoint | {sum(map(len, rows.values())) / 1e6:.0f} MB, {saved:.1f} s to write, {loaded:.1f} s to read |
"""


def _log(articles: int) -> Iterator[LogRecord]:
    pick = random.Random(3)
    weights = list(accumulate(1 / (number + 1) ** 0.8 for number in range(KEYWORDS)))
    things = list(accumulate(1 / (number + 1) for number in range(THINGS)))
    tick, cluster = _START, "0" * 32
    for number in range(articles):
        at = _START + timedelta(days=number / ARTICLES_A_DAY)
        while tick + _MINUTE <= at:
            tick += _MINUTE
            yield Tick(at=tick)
        new = pick.random() < NEW
        cluster = f"{pick.getrandbits(128):032x}" if new else cluster
        source = f"Báo {min(499, int(pick.paretovariate(0.7)))}"
        common = {
            "article_id": f"{number:032x}", "cluster_id": cluster, "story_id": cluster, "feed": source, "source": source,
            "language": "vi", "title": f"Giao tranh ác liệt tại mặt trận phía đông số {number}", "arrived_at": at,
            "url": f"https://bao-mau.example/the-gioi/{number}", "claimed_at": at, "trace_id": f"{number:032x}",
        }  # fmt: skip
        for keyword in pick.choices(range(KEYWORDS), cum_weights=weights, k=HITS):
            yield Hit.model_validate({**common, "keyword": f"k{keyword}"})
        if new:
            named = sorted(set(pick.choices(range(THINGS), cum_weights=things, k=NAMES)))
            yield Named.model_validate(
                {
                    **common,
                    "knowledge": "1",
                    "names": [Name(id=f"gn:{each + 1}", label=f"Tên {each}", type="LOC") for each in named],
                }
            )

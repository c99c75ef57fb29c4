"""The indexer at full size: killed five times, and the broker once, while it works."""

import time

import pytest

from shared import local_engines
from shared.topics import ARTICLES_UNIQUE
from tests.bench.indexer import publish_finished
from tests.prove.conftest import Record
from tests.support.wire import JOBS, Wire, wait_until

pytestmark = [pytest.mark.engines, pytest.mark.prove]

KILLS = 5
AWAY_SECONDS = 15


def test_an_indexer_killed_five_times_loses_nothing(wire: Wire, proof: Record, articles: int) -> None:
    """`kill -9` of the indexer in the midst of its batches, and of the broker, which stays away: every document once."""
    publish_finished(wire, articles, size=1200)
    wire.start(JOBS["indexer"])
    started = time.monotonic()
    for kill in range(1, KILLS + 2):
        goal = articles * kill // (KILLS + 2)
        wait_until(lambda goal=goal: wire.count() >= goal, f"{goal} documents", 3000, every=0.2)  # type: ignore[misc]
        if kill <= KILLS:
            wire.supervisor.kill("indexer")
            wire.restart("indexer")
    local_engines.kill(wire.engines, "kafka")
    time.sleep(AWAY_SECONDS)
    wire.start_engine("kafka")
    wait_until(lambda: wire.count() >= articles, f"{articles} documents", 3000, every=1)
    seconds = time.monotonic() - started
    found = wire.indexed()
    assert len(found) == articles
    assert set(found.values()) == {1}
    assert not wire.letters(ARTICLES_UNIQUE)
    proof(
        f"an indexer killed {KILLS} times with SIGKILL, then the broker, away for {AWAY_SECONDS} s", articles,
        f"{len(found):,} documents, once each; {articles / seconds:,.0f} articles/s, the pauses included",
    )  # fmt: skip

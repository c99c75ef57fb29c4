"""The guarantees at full size: `make prove` (50,000 articles under five kills, a window of 100,000)."""

import time

import pytest

from shared.topics import ARTICLES_SKETCHED, ARTICLES_UNIQUE
from tests.prove.conftest import Record
from tests.support.articles import raw_articles
from tests.support.wire import JOBS, WORKERS, Wire, wait_until

pytestmark = [pytest.mark.engines, pytest.mark.prove]


def test_nothing_is_lost_and_nothing_is_twice(wire: Wire, proof: Record, articles: int) -> None:
    """Every article once in the index, though each worker is killed once while they flow."""
    wire.start(*WORKERS)
    started = time.monotonic()
    wire.publish(raw_articles(articles, size=1200, seed=40))
    for position, job in enumerate(WORKERS, 1):
        goal = articles * position // (len(WORKERS) + 2)
        wait_until(lambda goal=goal: wire.count() >= goal, f"{goal} documents", 3000, every=1)  # type: ignore[misc]
        wire.supervisor.kill(job.label)
        wire.restart(job.label)
    wait_until(lambda: wire.count() >= articles, f"{articles} documents", 3000, every=2)
    seconds = time.monotonic() - started
    found = wire.indexed()
    assert len(found) == articles
    assert set(found.values()) == {1}
    repeated = len(wire.read(ARTICLES_UNIQUE)) - articles
    assert repeated >= 0
    proof(
        "nothing lost, nothing twice: every worker killed once with SIGKILL", articles,
        f"{len(found):,} documents, once each; {repeated:,} decisions repeated; {articles / seconds:,.0f} articles/s",
    )  # fmt: skip


def test_a_decider_is_ready_again_in_a_minute_with_a_full_window(wire: Wire, proof: Record, articles: int) -> None:
    """A decider with twice the articles in its window is killed; a new one, without its disk, is ready in under 60 s."""
    size = articles * 2
    jobs = [JOBS[name] for name in ("normaliser", "extractor", "sketch", "decide")]
    wire.start(*jobs)
    wire.publish(raw_articles(size, size=400, seed=41))
    wait_until(
        lambda: wire.committed("frontwire-decide", ARTICLES_SKETCHED) >= size, f"{size} decisions", 3400, every=2
    )
    rows = wire.metric("decide", "frontwire_dedup_window_rows")
    assert rows == size
    memory = wire.metric("decide", "process_resident_memory_bytes")
    wire.supervisor.stop()
    wire.forget_tables()
    started = time.monotonic()
    wire.start(JOBS["decide"])
    wait_until(lambda: wire.metric("decide", "frontwire_dedup_window_rows") == size, "the window to be complete", 120)
    seconds = time.monotonic() - started
    assert seconds < 60
    proof(
        "a decider recovers its window from the changelog, its own disk gone", size,
        f"ready after {seconds:.0f} s; {memory / 1e6:,.0f} MB resident before",
    )  # fmt: skip

"""The guarantees at full size: `make prove` (50,000 articles under five kills)."""

import time

import pytest

from shared.topics import ARTICLES_UNIQUE
from tests.prove.conftest import Record
from tests.support.articles import raw_articles
from tests.support.wire import WORKERS, Wire, wait_until

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

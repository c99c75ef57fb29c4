"""Duplicates at full size: any number of workers, killed ones among them, decide what one process in memory decides."""

import time

import orjson
import pytest

from services.deduplicator.article import EXTRACTED_TEXT, SKETCHED_TEXT
from services.deduplicator.run import TABLE
from services.deduplicator.transform import decide, sketch
from services.deduplicator.window import MAX_VERIFIED, Window
from shared.stage import article_message
from shared.supervisor import copies
from shared.topics import ARTICLES_EXTRACTED, ARTICLES_SKETCHED, ARTICLES_UNIQUE
from tests.prove.conftest import Record
from tests.support.articles import text_of
from tests.support.duplicates import (
    COPY_EVERY,
    answers_in,
    answers_in_memory,
    extracted_article,
    extracted_articles,
    pairs,
    publish_extracted,
    send_all,
    sketched_messages,
)
from tests.support.wire import JOBS, Wire, wait_until

pytestmark = [pytest.mark.engines, pytest.mark.prove]

SKETCHES = copies(JOBS["sketch"], 3)
DECIDERS = copies(JOBS["decide"], 2)
_TEMPLATE = (
    "Trong ngày qua đã có {0} đợt pháo kích vào các khu dân cư, {0}1 người bị thương và {0}2 ngôi nhà hư hại, tỉnh cho biết. "
    "Các đội sửa chữa đang khôi phục điện nước, người dân được khuyên ở gần nơi trú ẩn cho tới khi có thông báo mới."
)
TAKE_OVER_SECONDS = 20
READY_SECONDS = 60


def _wait_decided(wire: Wire, count: int) -> None:
    wait_until(lambda: wire.held(ARTICLES_UNIQUE) >= count, f"{count} decisions", 1800, every=2)


def _check_answers(wire: Wire, count: int) -> int:
    """Hold the answers on Kafka against those of one process in memory on the same order; return the pairs found."""
    found = answers_in(wire.read(ARTICLES_UNIQUE))
    assert len(found) == count
    assert all(len(given) == 1 for given in found.values())
    assert found == answers_in_memory(wire.read(ARTICLES_SKETCHED))
    assert pairs(found) >= 0.95 * (count // COPY_EVERY)
    return pairs(found)


def test_one_sketch_worker_gives_the_pairs_of_one_process(wire: Wire, proof: Record, articles: int) -> None:
    """A third of the articles are edited copies; one worker each."""
    count = articles // 5
    wire.start(SKETCHES[0], DECIDERS[0])
    started = time.monotonic()
    publish_extracted(wire, extracted_articles(range(count), seed=50))
    _wait_decided(wire, count)
    seconds = time.monotonic() - started
    found = _check_answers(wire, count)
    proof(
        "duplicate pairs through 1 sketch worker and 1 decider", count,
        f"{found:,} pairs, the same as one process in memory; {count / seconds:,.0f} articles/s",
    )  # fmt: skip


def test_killed_workers_lose_no_pair_and_are_replaced_at_once(wire: Wire, proof: Record, articles: int) -> None:
    """Of three sketch workers and two deciders, a worker and the active decider are killed in the middle, a worker at the end."""
    count, more = articles // 5, 60
    wire.start(*SKETCHES, *DECIDERS)
    publish_extracted(wire, extracted_articles(range(count), seed=51))
    _wait_decided(wire, count // 4)
    wire.supervisor.kill(SKETCHES[2].label)
    _wait_decided(wire, count // 2)
    active, standby = sorted(
        (job.label for job in DECIDERS), key=lambda label: -wire.metric(label, "frontwire_records_in_total")
    )
    assert wire.metric(standby, "frontwire_records_in_total") == 0
    wire.supervisor.kill(active)
    killed = time.monotonic()
    wait_until(lambda: wire.metric(standby, "frontwire_records_in_total") > 0, "the standby to decide", 120, every=0.1)
    decider_seconds = time.monotonic() - killed
    _wait_decided(wire, count)
    wire.supervisor.kill(SKETCHES[1].label)
    killed = time.monotonic()
    publish_extracted(wire, extracted_articles(range(count, count + more), seed=51))
    wait_until(lambda: len(answers_in(wire.read(ARTICLES_UNIQUE))) == count + more, "the articles after the kill", 120)
    sketch_seconds = time.monotonic() - killed
    found = _check_answers(wire, count + more)
    repeated = wire.held(ARTICLES_UNIQUE) - count - more
    assert max(decider_seconds, sketch_seconds) < TAKE_OVER_SECONDS
    _repeat(wire, standby)
    proof(
        "duplicate pairs through 3 sketch workers and 2 deciders; two sketch workers and the active decider killed", count + more,
        f"{found:,} pairs, none lost, the same as one process in memory, {repeated:,} decisions repeated; the standby "
        f"decided again after {decider_seconds:.1f} s, the articles of the sketch worker after {sketch_seconds:.1f} s",
    )  # fmt: skip


def _repeat(wire: Wire, decider: str) -> None:
    """Send articles a second time: they get the answers they have, and the window is as it was."""
    before, held = answers_in(wire.read(ARTICLES_UNIQUE)), wire.held(ARTICLES_UNIQUE)
    rows = wire.metric(decider, "frontwire_dedup_window_rows")
    again = send_all(wire, (article_message(ARTICLES_EXTRACTED, extracted_article(n, seed=51)) for n in range(200)))
    _wait_decided(wire, held + again)
    assert answers_in(wire.read(ARTICLES_UNIQUE)) == before
    assert wire.metric(decider, "frontwire_dedup_window_rows") == rows


@pytest.mark.parametrize("stream", ["copies of one article", "articles of one template"])
def test_hostile_streams_cost_the_last_article_what_they_cost_the_first(
    stream: str, proof: Record, articles: int
) -> None:
    """Ten thousand copies of one text, and ten thousand texts of one template: candidates are capped, and counted."""
    count = articles // 5
    window, quarters, candidates = Window({}), [0.0] * 4, 0
    for number in range(count):
        text = _TEMPLATE.format(number) if stream.startswith("articles") else text_of(1)
        given = extracted_article(number, seed=53).model_copy(update={"body": text})
        sketched = SKETCHED_TEXT.of(next(sketch(EXTRACTED_TEXT.of(given))))
        began = time.process_time()
        (decided,) = decide(sketched, window=window)
        quarters[number * 4 // count] += time.process_time() - began
        candidates = max(candidates, orjson.loads(decided.to_json())["decision"]["candidates"])
    assert candidates <= MAX_VERIFIED
    assert window.capped > 0
    rates = " / ".join(f"{count / 4 / quarter:,.0f}" for quarter in quarters)
    proof(
        f"a stream of {stream}", count,
        f"decided at {rates} articles/s of processor time by quarter; at most {candidates} candidates each, "
        f"{window.capped:,} left out and counted",
    )  # fmt: skip


def test_a_decider_is_ready_again_in_a_minute_with_a_full_window(wire: Wire, proof: Record, articles: int) -> None:
    """A decider with twice the articles in its window is killed; a new one, without its disk, is ready in under 60 s."""
    size = articles * 2
    decider = DECIDERS[0]
    send_all(wire, sketched_messages(extracted_articles(range(size), size=600, seed=52)))
    wire.start(decider)
    began, first = time.monotonic(), wire.held(ARTICLES_UNIQUE)
    _wait_decided(wire, size)
    rate = (size - first) / (time.monotonic() - began)
    assert wire.metric(decider.label, "frontwire_dedup_window_rows") == size
    memory = wire.metric(decider.label, "process_resident_memory_bytes")
    index = wire.metric(decider.label, "frontwire_dedup_window_bytes")
    wire.supervisor.kill(decider.label)
    wire.forget_tables()
    started = time.monotonic()
    wire.start(decider)
    wait_until(lambda: wire.metric(decider.label, "frontwire_dedup_window_rows") == size, "the whole window", 120)
    seconds = time.monotonic() - started
    assert seconds < READY_SECONDS
    # The rows are counted while they come in; the gauge is set at the end, and then says at least a µs a row.
    rebuilt = "frontwire_dedup_rebuild_seconds"
    wait_until(lambda: wire.metric(decider.label, rebuilt) > size / 1e6, "the rebuild to be timed", 60)
    rebuild = wire.metric(decider.label, rebuilt)
    proof(
        f"a killed decider recovers its window ({TABLE}) from the changelog, its own disk gone", size,
        f"ready after {seconds:.0f} s, {rebuild:.1f} s of it for the index; decided {rate:,.0f} articles/s before; "
        f"index {index / size:,.0f} bytes an article, {memory / 1e6:,.0f} MB resident in all",
    )  # fmt: skip

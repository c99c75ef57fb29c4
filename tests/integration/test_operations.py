"""What an operator does: status pages, reload of configuration, dead letters on the command line. One wire for the whole file."""

import json
import time
import urllib.error
import urllib.request
from datetime import timedelta
from functools import partial
from itertools import count
from typing import Any

import pytest

from shared.models import RawArticle
from shared.topics import ARTICLES_RAW
from tests.support.articles import raw_article, raw_articles
from tests.support.wire import JOBS, WORKERS, Wire, frontwire, wait_until

pytestmark = pytest.mark.engines


@pytest.fixture
def wire(standing_wire: Wire) -> Wire:
    """One wire for the whole file."""
    return standing_wire


def get(url: str) -> tuple[int, str]:
    """Return status and body of a page."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read().decode()


def test_every_service_shows_its_state(wire: Wire) -> None:
    """/healthz, /readyz and /metrics of each service; logs name the article and its trace."""
    wire.start(*JOBS.values())
    empty, good = raw_article(1, seed=30, text="  "), raw_article(2, seed=30)
    wire.publish([empty, good])
    wire.wait_indexed({good.article_id})
    for running in wire.supervisor.running.values():
        assert get(f"{running.metrics_url}/healthz")[0] == 200
        # A rebalance after another copy's start makes a stage wait for its partitions a moment.
        wait_until(partial(is_ready, running.metrics_url), f"{running.job.label} to be ready")
        assert get(f"{running.metrics_url}/other")[0] == 404
        metrics = get(f"{running.metrics_url}/metrics")[1]
        for name in ("frontwire_records_in_total", "frontwire_records_out_total", "frontwire_dead_letters_total"):
            assert name in metrics, (running.job.label, name)
    wait_until(lambda: wire.metric("indexer", "frontwire_searchable_delay_seconds_count") >= 1, "the measured delay")
    wait_until(lambda: refusals(wire, empty.trace_id), "the line on the dead letter")
    assert {(line["service"], line["reason"]) for line in refusals(wire, empty.trace_id)} == {
        ("normaliser", "empty_body")
    }


def is_ready(url: str) -> bool:
    """Return whether a service says that it can work."""
    status, body = get(f"{url}/readyz")
    return (status, json.loads(body)["ok"]) == (200, True)


def refusals(wire: Wire, trace: str) -> list[dict[str, Any]]:
    """Return the normaliser's log lines on the dead letters of a trace."""
    text = wire.supervisor.running["normaliser"].log.read_text(encoding="utf-8")
    lines = [json.loads(line) for line in text.splitlines() if trace in line]
    return [line for line in lines if line["event"] == "dead_letter"]


def test_an_indexer_without_elasticsearch_is_not_ready_and_loses_nothing(wire: Wire) -> None:
    """While Elasticsearch is away /readyz says so, the partitions are paused, nothing is dead-lettered; then it goes on."""
    wire.start(*WORKERS)
    wire.stop_engine("elasticsearch")
    raws = [raw_article(number, seed=31) for number in range(30)]
    wire.publish(raws)
    url = wire.supervisor.running["indexer"].metrics_url
    wait_until(lambda: get(f"{url}/readyz")[0] == 503, "the indexer to say that it cannot work")
    assert "Elasticsearch" in get(f"{url}/readyz")[1]
    assert wire.metric("indexer", "frontwire_index_paused") == 1
    wire.start_engine("elasticsearch")
    wire.wait_indexed({raw.article_id for raw in raws})
    wait_until(lambda: get(f"{url}/readyz")[0] == 200, "the indexer to be ready again")
    assert wire.metric("indexer", "frontwire_dead_letters_total") == 0


def test_a_keyword_added_while_the_extractor_runs_takes_effect_and_a_broken_edit_does_not(wire: Wire) -> None:
    """A good edit of watchlist.yaml is used within seconds; a broken one is refused and the last good one stays."""
    wire.start(*WORKERS)
    watchlist = wire.settings.config_dir / "watchlist.yaml"
    before = watchlist.read_text(encoding="utf-8")
    numbers = count(1)
    try:
        keyword = "keywords:\n  - name: Grain trains\n    any_of: [đoàn tàu chở thóc]\n"
        watchlist.write_text(before.replace("keywords:\n", keyword), encoding="utf-8")
        wait_until(lambda: keywords_of(wire, next(numbers)) == ["Grain trains"], "the keyword", 30)
        watchlist.write_text(before.replace("keywords:\n", keyword.replace("any_of", "any_off")), encoding="utf-8")

        def is_refused() -> bool:
            # Only an article makes the extractor look at its files.
            assert keywords_of(wire, next(numbers)) == ["Grain trains"]
            return wire.metric("extractor", "frontwire_config_refused") == 1

        wait_until(is_refused, "the refusal", 30)
        assert keywords_of(wire, next(numbers)) == ["Grain trains"]
    finally:
        watchlist.write_text(before, encoding="utf-8")
    log = wire.supervisor.running["extractor"].log.read_text()
    assert "any_off" in log
    assert "watchlist.yaml" in log


def keywords_of(wire: Wire, number: int) -> list[str]:
    """Return the keywords of an article on a grain train."""
    raw = raw_article(
        number, seed=32, text="Tin ngắn\n\nMột đoàn tàu chở thóc đã rời ga sáng nay và sẽ tới cảng vào ngày mai."
    )
    wire.publish([raw])
    wire.wait_indexed({raw.article_id})
    keywords: list[str] = wire.document(raw)["keywords"]
    return keywords


def test_a_later_revision_with_fewer_articles_leaves_no_stale_one_in_the_index(wire: Wire) -> None:
    """A file of three glued articles, later two, later one: what is gone is deleted, and an old revision brings nothing back."""
    wire.start(*WORKERS)
    first = raw_article(1, seed=33, text="./.\n".join(GLUED) + "./.")
    two, one = (
        first.model_copy(
            update={"text": text, "revision": number, "fetched_at": first.fetched_at + timedelta(minutes=number)}
        )
        for number, text in ((2, "./.\n".join(GLUED[:2]) + "./."), (3, GLUED[0] + "./."))
    )
    parts = [f"{first.article_id}#{number}" for number in (1, 2, 3)]
    steps = [(first, parts), (two, parts[:2]), (one, [first.article_id]), (first, [first.article_id])]
    for number, (raw, expected) in enumerate(steps, 10):
        marker = raw_article(number, seed=33)
        wire.publish([raw, marker])
        wire.wait_indexed({marker.article_id})
        wait_until(partial(are_indexed, wire, first, set(expected)), f"{len(expected)} documents")


GLUED = (
    "Cảng cá mở lại sau bão\nCảng cá ở Phú Quý mở lại sau ba ngày đóng cửa vì bão, ban quản lý cảng cho biết trong sáng nay",
    "Hãng tàu bán đội phà cũ\nHãng tàu ở Bergen bán bốn chiếc phà chạy dầu cho một công ty Hy Lạp, giám đốc Ola Lund xác nhận",
    "Chile khởi công hồ chứa\nChile khởi công hồ chứa lớn nhất ở Atacama trong mười năm, bộ trưởng Ana Rojas nói tại lễ động thổ",
)


def are_indexed(wire: Wire, raw: RawArticle, ids: set[str]) -> bool:
    """Return whether these are the ids of the documents that came of a raw article."""
    return {found for found in wire.indexed() if found.partition("#")[0] == raw.article_id} == ids


def test_an_operators_rule_takes_effect_while_the_normaliser_runs(wire: Wire) -> None:
    """A rule written into the configuration folder cleans the next articles, and the document names it."""
    wire.start(*WORKERS)
    folder = wire.settings.config_dir / "rules"
    folder.mkdir(exist_ok=True)
    (folder / "desk.yaml").write_text(
        "rules:\n  - {id: desk.other.footer, family: other, where: line, pattern: 'Bến phà số \\d+',"
        ' before: "Nước lên.\\nBến phà số 4", after: "Nước lên."}\n',
        encoding="utf-8",
    )
    numbers = count(1)  # a new article each time

    def is_cleaned() -> bool:
        number = next(numbers)
        text = f"Phà nghỉ\n\nNước lên nhanh và phà phải nghỉ {number} chuyến, theo ban quản lý bến.\n\nBến phà số 4"
        raw = raw_article(number, seed=36, text=text)
        wire.publish([raw])
        wire.wait_indexed({raw.article_id})
        document = wire.document(raw)
        return "Bến phà" not in document["body"] and "desk.other.footer" in document["removed_rules"]

    try:
        wait_until(is_cleaned, "the rule to be used", 30)
        assert frontwire(wire, "check").returncode == 0
    finally:
        (folder / "desk.yaml").unlink()


def test_dead_letters_on_the_command_line(wire: Wire) -> None:
    """`dlq list`, `show` and `replay` as an operator types them; `topics apply` finds nothing to do."""
    wire.start(JOBS["normaliser"])
    wire.put(ARTICLES_RAW, b"broken", b"{")
    wait_until(lambda: broken_letters(wire) == 1, "the dead letter")
    listed = frontwire(wire, "dlq", "list", "--json")
    assert {"topic": ARTICLES_RAW.name, "reason": "broken_json", "count": 1} in json.loads(listed.stdout)
    shown = frontwire(wire, "dlq", "show", "articles-raw-v1-dlq")
    assert shown.returncode == 0
    assert "normaliser: broken_json" in shown.stdout
    sent = len(wire.letters(ARTICLES_RAW))
    replayed = frontwire(wire, "dlq", "replay", ARTICLES_RAW.name)
    assert replayed.stdout.strip() == f"sent back {sent}, left 0"
    wait_until(lambda: broken_letters(wire) == 2, "the letter to come back")
    unknown = frontwire(wire, "dlq", "show", "nothing-v1")
    assert unknown.returncode == 2
    assert "choose one of" in unknown.stderr
    applied = frontwire(wire, "topics", "apply", "--check")
    assert (applied.returncode, applied.stdout) == (0, "")


def broken_letters(wire: Wire) -> int:
    """Return how often the record of the key `broken` was refused."""
    return sum(letter.key == b"broken" for letter in wire.letters(ARTICLES_RAW))


def test_every_service_stops_within_ten_seconds(wire: Wire) -> None:
    """SIGTERM ends every service with exit code 0 while records flow."""
    wire.start(*JOBS.values())
    wire.publish(raw_articles(300, seed=5))
    time.sleep(1)
    started = time.monotonic()
    codes = wire.supervisor.stop()
    assert time.monotonic() - started < 10
    assert set(codes) == set(JOBS)
    assert set(codes.values()) == {0}, codes

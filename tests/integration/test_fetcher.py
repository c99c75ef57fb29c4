"""The fetcher alone on the real Kafka: what it publishes, what it remembers, how copies share the work and survive."""

import json
import os
import signal
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from kafka import OffsetAndMetadata, TopicPartition

from services.cli import cli
from services.fetcher.ingest import ingest
from services.fetcher.ownership import GROUP
from shared import sample_site
from shared.ids import article_id_for_link
from shared.kafka_clients import make_consumer
from shared.links import clean_link
from shared.models import RawArticle
from shared.settings import environment_of
from shared.supervisor import copies
from shared.topics import ARTICLES_RAW, FEED_STATE, PAGES_TO_FETCH
from tests.support.wire import JOBS, Wire, wait_until

pytestmark = pytest.mark.engines

FETCHER = JOBS["fetcher"]


def write_feeds(wire: Wire, *feeds: dict[str, Any]) -> None:
    """Write feeds.yaml; JSON is YAML."""
    lines = ["delay: 10ms", "feeds:", *(f"  - {json.dumps(feed, ensure_ascii=False)}" for feed in feeds)]
    (wire.settings.config_dir / "feeds.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def site_feed(url: str, name: str = "Báo Mẫu", path: str = "bao-mau/rss.xml", **more: Any) -> dict[str, Any]:
    host = url.removeprefix("http://")
    return {"name": name, "url": f"{url}/{path}", "every": "1s", "allow_private": [host], **more}


def files_feed(name: str, folder: Path) -> dict[str, Any]:
    return {"name": name, "path": str(folder), "every": "1s"}


def write_lines(path: Path, host: str, numbers: range, text: str = "một") -> set[str]:
    """Write articles as JSON Lines in the past, so that the file counts as finished; return their ids."""
    links = [f"https://{host}/{number}" for number in numbers]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "".join(json.dumps({"url": link, "text": f"{text} {link}"}) + "\n" for link in links), encoding="utf-8"
    )
    os.utime(path, (time.time() - 60 + len(text),) * 2)
    return {article_id_for_link(clean_link(link) or "") for link in links}


def articles(wire: Wire) -> list[RawArticle]:
    return [RawArticle.model_validate_json(record.value or b"") for record in wire.read(ARTICLES_RAW)]


def listed(wire: Wire) -> list[dict[str, Any]]:
    """Return what `frontwire feeds list --json` prints."""
    result = CliRunner().invoke(cli, ["feeds", "list", "--json"], env=environment_of(wire.settings))
    assert result.exit_code == 0, result.output
    rows: list[dict[str, Any]] = json.loads(result.stdout)
    return rows


def stop(wire: Wire, label: str = "fetcher") -> None:
    """Ask a process to stop, and see that it does so cleanly and in time."""
    process = wire.supervisor.running[label].process
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0


def test_feeds_pages_and_files_are_published_once_and_remembered(wire: Wire, tmp_path: Path) -> None:
    ids = write_lines(tmp_path / "inbox" / "a.jsonl", "files.example", range(5))
    with sample_site.serve() as url:
        write_feeds(wire, site_feed(url), files_feed("hộp thư", tmp_path / "inbox"))
        wire.start(FETCHER)
        wait_until(lambda: wire.metric("fetcher", "frontwire_records_out_total") >= len(ids) + 8, "articles")
        published = articles(wire)
        stop(wire)
        pages = [article for article in published if article.feed == "Báo Mẫu"]
        assert {article.article_id for article in published if article.feed == "hộp thư"} == ids
        assert Counter(article.article_id for article in published).most_common(1)[0][1] == 1
        assert all(article.backlog and article.revision == 1 for article in published)
        assert sum(1 for article in pages if article.page_published and article.feed_published) >= 7
        assert wire.committed(GROUP, PAGES_TO_FETCH) == len(wire.read(PAGES_TO_FETCH)) == len(pages)
        rows = len(wire.read(FEED_STATE))
        status = {row["feed"]: (row["status"], row["failures"]) for row in listed(wire)}
        assert status == {"Báo Mẫu": ("ok", 0), "hộp thư": ("ok", 0)}

        wire.restart("fetcher")
        wire.wait_ready("fetcher")
        wait_until(lambda: wire.metric("fetcher", "frontwire_feed_visits_total") >= 4, "visits after the restart")
        stop(wire)
    assert articles(wire) == published
    assert len(wire.read(FEED_STATE)) > rows


def test_an_edited_article_is_a_revision_of_the_same_id(wire: Wire) -> None:
    edited = "bao-mau/kyiv-cat-dien-luan-phien"
    with sample_site.serve() as url:
        write_feeds(wire, site_feed(url))
        wire.start(FETCHER)
        wait_until(lambda: len(articles(wire)) >= 8, "articles")
        stop(wire)
    port = int(url.rpartition(":")[2])
    with sample_site.serve(port=port, revised=[edited]):
        wire.restart("fetcher")
        wait_until(lambda: any(article.revision == 2 for article in articles(wire)), "a revision")
        stop(wire)
    history = [article for article in articles(wire) if edited in (article.url or "")]
    assert [article.revision for article in history] == [1, 2]
    assert len({article.article_id for article in history}) == 1
    assert len({article.first_seen_at for article in history}) == 1
    assert history[1].fetched_at > history[0].fetched_at
    assert not history[1].backlog


def test_the_list_of_feeds_follows_its_file_and_a_broken_edit_changes_nothing(wire: Wire, tmp_path: Path) -> None:
    first = write_lines(tmp_path / "one" / "a.jsonl", "one.example", range(3))
    write_feeds(wire, files_feed("one", tmp_path / "one"))
    wire.start(FETCHER)
    wait_until(lambda: wire.metric("fetcher", "frontwire_records_out_total") == 3, "the first feed")

    write_feeds(wire, files_feed("one", tmp_path / "one"), {"name": "two", "pth": "x"})
    wait_until(lambda: wire.metric("fetcher", "frontwire_config_refused") == 1, "the refusal")
    log = wire.supervisor.running["fetcher"].log.read_text(encoding="utf-8")
    refused = [json.loads(line) for line in log.splitlines() if '"config_refused"' in line]
    assert [(line["line"], line["key"], line["reason"]) for line in refused] == [(4, "feeds.1.pth", "unknown key")]
    more = write_lines(tmp_path / "one" / "b.jsonl", "one.example", range(3, 6))
    wait_until(lambda: wire.metric("fetcher", "frontwire_records_out_total") == 6, "the last good configuration")

    second = write_lines(tmp_path / "two" / "a.jsonl", "two.example", range(4))
    write_feeds(wire, files_feed("one", tmp_path / "one"), files_feed("two", tmp_path / "two"))
    wait_until(lambda: wire.metric("fetcher", "frontwire_records_out_total") == 10, "the added feed")
    assert wire.metric("fetcher", "frontwire_config_refused") == 0
    assert {article.article_id for article in articles(wire)} == first | more | second


def test_copies_divide_the_hosts_and_a_killed_one_loses_nothing(wire: Wire, tmp_path: Path) -> None:
    feeds = [f"feed {number}" for number in range(12)]
    write_feeds(wire, *(files_feed(name, tmp_path / name) for name in feeds))
    expected: set[str] = set()
    for number, name in enumerate(feeds):
        expected |= write_lines(tmp_path / name / "a.jsonl", f"h{number}.example", range(200))
    both = copies(FETCHER, 2)
    wire.start(*both)
    labels = [job.label for job in both]
    wait_until(lambda: {article.article_id for article in articles(wire)} == expected, "every article")
    published = [wire.metric(label, "frontwire_records_out_total") for label in labels]
    once = Counter(article.article_id for article in articles(wire))
    assert sum(published) == len(expected) == once.total()

    for number, name in enumerate(feeds):
        expected |= write_lines(tmp_path / name / "b.jsonl", f"h{number}.example", range(200, 500))
    time.sleep(0.5)
    wire.supervisor.kill(labels[0])
    wait_until(lambda: {article.article_id for article in articles(wire)} == expected, "what the killed copy owned")
    wire.restart(labels[0])
    wire.wait_ready(labels[0])

    def both_publish() -> bool:
        """Give more files until each copy has published some: a rebalance may end later than the restart."""
        start = 500 + len(expected)
        for number, name in enumerate(feeds):
            expected.update(
                write_lines(tmp_path / name / f"{start}.jsonl", f"h{number}.example", range(start, start + 5))
            )
        return all(wire.metric(label, "frontwire_records_out_total") > before for label, before in counted.items())

    counted = {label: wire.metric(label, "frontwire_records_out_total") for label in labels}
    wait_until(both_publish, "both copies to work again", every=2)
    wait_until(lambda: {article.article_id for article in articles(wire)} == expected, "every article again")


def test_bad_files_are_dead_letters_and_their_neighbours_pass(wire: Wire, tmp_path: Path) -> None:
    folder = tmp_path / "inbox"
    ids = write_lines(folder / "good.jsonl", "good.example", range(3))
    (folder / "large.txt").write_text("x" * 20_000_000)
    (folder / "binary.txt").write_bytes(b"\x00\x01\x02" * 100)
    (folder / "empty.txt").write_bytes(b" ")
    (folder / "mixed.jsonl").write_bytes(b'{"text": "a"}\n{"text": \n{"text": "\xff"}\n{"title": "x"}\n{"text": "b"}\n')
    for path in folder.iterdir():
        os.utime(path, (time.time() - 60,) * 2)
    write_feeds(wire, files_feed("inbox", folder))
    wire.start(FETCHER)
    wait_until(lambda: wire.metric("fetcher", "frontwire_feed_visits_total") >= 2, "two visits")
    stop(wire)
    found = articles(wire)
    assert {article.article_id for article in found} >= ids
    assert sorted(article.text for article in found if article.article_id not in ids) == ["a", "b"]
    letters = {letter.reason: letter for letter in wire.letters(ARTICLES_RAW)}
    assert sorted(letter.reason for letter in wire.letters(ARTICLES_RAW)) == [
        "broken_json", "empty_body", "invalid_utf8", "missing_field", "too_large", "unreadable",
    ]  # fmt: skip
    assert letters["too_large"].record.value == b"x" * 64 * 1024
    assert letters["invalid_utf8"].record.value == b'{"text": "\xff"}'


def test_a_stop_is_prompt_and_loses_nothing_while_the_broker_is_away(wire: Wire, tmp_path: Path) -> None:
    first = write_lines(tmp_path / "inbox" / "a.jsonl", "away.example", range(50))
    write_feeds(wire, files_feed("inbox", tmp_path / "inbox"))
    wire.start(FETCHER)
    wait_until(lambda: wire.metric("fetcher", "frontwire_records_out_total") == 50, "the first articles")
    wire.stop_engine("kafka")
    second = write_lines(tmp_path / "inbox" / "b.jsonl", "away.example", range(50, 90))
    time.sleep(3)
    stop(wire)
    wire.start_engine("kafka")
    wire.restart("fetcher")
    wait_until(lambda: {article.article_id for article in articles(wire)} == first | second, "the other articles")


def catch_up(wire: Wire, offset: int | None = None) -> None:
    """Commit for the normaliser that it has read the raw topic up to an offset, or to its end."""
    with closing(make_consumer(wire.settings, "frontwire-normaliser", "tests")) as consumer:
        partitions = [TopicPartition(ARTICLES_RAW.name, number) for number in range(ARTICLES_RAW.partitions)]
        ends = consumer.end_offsets(partitions)
        marks = {each: ends[each] if offset is None else offset for each in partitions}
        consumer.commit({each: OffsetAndMetadata(mark, "", -1) for each, mark in marks.items()})


def test_files_are_ingested_once(wire: Wire, tmp_path: Path) -> None:
    ids = write_lines(tmp_path / "a.jsonl", "ingest.example", range(700))
    (tmp_path / "b.html").write_text(
        "<html><body><article><p>" + "Một câu dài vừa đủ để đọc. " * 9 + "</p></article></body></html>"
    )
    batches: list[int] = []
    waits: list[int | None] = []
    catch_up(wire, offset=0)

    def on_wait(on_their_way: int | None) -> None:
        waits.append(on_their_way)
        catch_up(wire)

    tally = ingest(wire.settings, [tmp_path], on_batch=lambda so_far: batches.append(so_far.published), on_wait=on_wait)
    assert waits == [500, None]
    assert (tally.published, tally.refused, tally.known) == (701, 0, 0)
    assert batches == [500, 701]
    again = ingest(wire.settings, [tmp_path])
    assert (again.published, again.refused, again.known) == (0, 0, 701)
    found = articles(wire)
    assert {article.article_id for article in found} > ids
    assert len(found) == 701
    assert {article.source.name for article in found} == {"ingest"}

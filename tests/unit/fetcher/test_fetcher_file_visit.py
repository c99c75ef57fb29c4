import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.fetcher import file_visit
from services.fetcher.documents import Page
from services.fetcher.feeds import Feed
from services.fetcher.file_visit import FileVisit, Tally
from services.fetcher.files import HtmlFile, Missing
from services.fetcher.state import HostBook, StateBook, partition_of_host
from shared.errors import Transient
from shared.headers import DLQ_ORIGIN, DLQ_REASON, DLQ_SHA256, DLQ_SIZE, value_of
from shared.ids import article_id_for_text
from shared.models import RawArticle, SeenItem
from shared.stage import Outgoing

START = datetime(2025, 11, 22, 3, 0, tzinfo=UTC)


@dataclass
class Desk:
    """A folder, a broker that remembers what it was given, and a clock that is turned by hand."""

    folder: Path
    sent: list[list[Outgoing]] = field(default_factory=list)
    book: HostBook = field(default_factory=HostBook)
    now: datetime = START
    page: Page = field(default_factory=lambda: Page(text="Thân bài", title="Tựa", published="2025-11-14"))
    fails: bool = False

    def send(self, messages: Sequence[Outgoing]) -> None:
        if self.fails:
            raise Transient("away")
        self.sent.append(list(messages))

    def extract(self, _: HtmlFile) -> Page:
        return self.page

    def visit(self, **options: object) -> FileVisit:
        feed = Feed(name="hộp", path=self.folder)
        return FileVisit(feed, self.book, self.send, self.extract, lambda: self.now, backlog=False, **options)  # type: ignore[arg-type]

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        os.utime(path, (START.timestamp() - 60,) * 2)
        return path

    def articles(self) -> list[RawArticle]:
        return [RawArticle.model_validate_json(m.value or b"") for m in self.messages("articles-raw-v1")]

    def messages(self, topic: str) -> list[Outgoing]:
        return [message for batch in self.sent for message in batch if message.topic.name == topic]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def line(**fields: object) -> str:
    return json.dumps(fields, ensure_ascii=False) + "\n"


def test_articles_go_out_before_the_rows_that_claim_them(desk: Desk) -> None:
    desk.write("a.txt", "một")
    desk.write("b.jsonl", line(url="https://bao.example/b", text="hai") + line(text="ba"))
    assert desk.visit().run() == Tally(published=3)
    assert [{message.topic.name for message in batch} for batch in desk.sent] == [
        {"articles-raw-v1"},
        {"feed-state-v1"},
    ]
    assert sorted(article.text for article in desk.articles()) == ["ba", "hai", "một"]
    rows = [SeenItem.model_validate_json(row.value or b"") for row in desk.messages("feed-state-v1")]
    assert (
        {row.article_id for row in rows} == {article.article_id for article in desk.articles()} == set(desk.book.seen)
    )


def test_a_second_visit_publishes_nothing_also_after_a_restart(desk: Desk) -> None:
    desk.write("a.txt", "một")
    desk.write("b.txt", "  một\n")
    assert desk.visit().run() == Tally(published=1, known=1)
    rows = desk.messages("feed-state-v1")
    rebuilt = StateBook()
    for row in rows:
        rebuilt.apply(row.partition, row.key, row.value)
    rebuilt.set_ready(partition_of_host("file:hộp"))
    desk.book = rebuilt.host("file:hộp") or HostBook()
    assert desk.visit().run() == Tally(known=2)
    assert len(desk.articles()) == 1


def test_files_that_did_not_change_are_not_read_again(desk: Desk) -> None:
    desk.write("a.txt", "một")
    visit = desk.visit()
    visit.run()
    desk.write("b.txt", "hai")
    assert visit.run() == Tally(published=1)


def test_a_changed_line_is_a_revision_of_the_same_article(desk: Desk) -> None:
    desk.write("a.jsonl", line(url="https://bao.example/a", text="một"))
    desk.visit().run()
    desk.now += timedelta(hours=1)
    desk.write("a.jsonl", line(url="https://bao.example/a?utm_source=x", text="hai"))
    desk.visit().run()
    first, second = desk.articles()
    assert (first.article_id, first.first_seen_at, first.revision) == (second.article_id, START, 1)
    assert (second.first_seen_at, second.fetched_at, second.revision) == (START, desk.now, 2)


def test_a_file_still_being_written_waits_for_the_next_visit(desk: Desk) -> None:
    path = desk.write("a.txt", "một")
    os.utime(path, (START.timestamp() - 0.5,) * 2)
    visit = desk.visit()
    assert visit.run() == Tally()
    desk.now += timedelta(seconds=1)
    assert visit.run() == Tally(published=1)


def test_a_saved_page_is_extracted_once_and_identified_by_its_markup(desk: Desk) -> None:
    desk.write("a.html", "<p>Thân bài</p>")
    desk.visit().run()
    desk.page = Page(text="a better extraction")
    assert desk.visit().run() == Tally(known=1)
    (article,) = desk.articles()
    assert (article.title, article.text, article.media_type) == ("Tựa", "Thân bài", "text/plain")
    assert (article.feed_published, article.page_published) == (None, "2025-11-14")


def test_refusals_are_dead_letters_once_with_origin_and_reason(desk: Desk) -> None:
    path = desk.write("a.jsonl", line(text="một") + "{\n" + line(text="hai"))
    desk.write("page.html", "<p></p>")
    desk.page = Page(text="")
    assert desk.visit().run() == Tally(published=2, refused=2)
    letters = desk.messages("articles-raw-v1-dlq")
    assert [value_of(letter.headers, DLQ_REASON) for letter in letters] == ["broken_json", "unreadable"]
    assert value_of(letters[0].headers, DLQ_ORIGIN) == f"{path}/0/2"
    assert letters[0].value == b"{"
    assert desk.visit().run() == Tally(known=4)


def test_what_is_too_large_is_a_dead_letter_with_size_and_hash(desk: Desk) -> None:
    desk.write("a.txt", "x" * 20_000_000)
    desk.write("b.jsonl", line(text="y" * 2_100_000) + line(text="một"))
    assert desk.visit().run() == Tally(published=1, refused=2)
    file, article = desk.messages("articles-raw-v1-dlq")
    assert (value_of(file.headers, DLQ_SIZE), len(file.value or b"")) == ("20000000", 64 * 1024)
    assert len(value_of(file.headers, DLQ_SHA256) or "") == 64
    assert value_of(article.headers, DLQ_REASON) == "too_large"


def test_batches_are_acknowledged_one_by_one(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_visit, "BATCH_ITEMS", 2)
    desk.write("a.jsonl", "".join(line(text=str(number)) for number in range(5)))
    tallies: list[int] = []
    desk.visit(on_batch=lambda tally: tallies.append(tally.published)).run()
    assert [len(batch) for batch in desk.sent] == [2, 2, 2, 2, 1, 1]
    assert tallies == [2, 4, 5]


def test_nothing_is_remembered_while_kafka_is_away(desk: Desk) -> None:
    desk.write("a.txt", "một")
    desk.fails = True
    visit = desk.visit()
    with pytest.raises(Transient):
        visit.run()
    assert desk.book.seen == {}
    desk.fails = False
    assert visit.run() == Tally(published=1)


def test_a_visit_ends_early_when_it_is_no_longer_wanted(desk: Desk) -> None:
    desk.write("a.txt", "một")
    desk.write("b.txt", "hai")
    assert desk.visit(stopped=lambda: True).run() == Tally(published=1)
    assert desk.sent == []


def test_an_absent_folder_is_an_error_of_the_feed(tmp_path: Path) -> None:
    with pytest.raises(Missing):
        Desk(tmp_path / "absent").visit().run()


def test_a_file_that_was_taken_down_is_left_out(desk: Desk) -> None:
    desk.write("a.txt", "một")
    desk.write("b.txt", "hai")
    gone = {article_id_for_text("một")}
    assert desk.visit(is_taken_down=gone.__contains__).run() == Tally(published=1, taken_down=1)
    assert [article.text for article in desk.articles()] == ["hai"]

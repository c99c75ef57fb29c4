from datetime import UTC, datetime, timedelta

from services.fetcher.state import StateBook, feed_row, partition_of_host, seen_row
from services.fetcher.transform import Seen
from shared.models import FeedState
from shared.stage import Outgoing, message_size

NOW = datetime(2025, 11, 22, 3, 0, tzinfo=UTC)
HOST = "bao.example"
PARTITION = partition_of_host(HOST)
SEEN = Seen("Báo", "a" * 24, NOW, 2)
STATE = FeedState(feed="Báo", url="https://bao.example/rss", failures=3)


def feed(book: StateBook, *messages: Outgoing) -> None:
    for message in messages:
        book.apply(message.partition, message.key, message.value)


def test_rows_come_back_as_they_were_written() -> None:
    book = StateBook()
    feed(book, feed_row(HOST, STATE), seen_row(HOST, "0" * 32, SEEN))
    book.set_ready(PARTITION)
    host = book.host(HOST)
    assert host is not None
    assert host.feeds == {"Báo": STATE}
    assert host.seen == {"0" * 32: SEEN}
    assert [name for name, _ in book.hosts(PARTITION)] == [HOST]


def test_all_rows_of_a_host_are_in_one_partition_and_small() -> None:
    rows = [feed_row(HOST, STATE), seen_row(HOST, "0" * 32, SEEN), seen_row(HOST, "1" * 32, SEEN)]
    assert {row.partition for row in rows} == {PARTITION}
    assert [row.key for row in rows] == [
        "bao.example|Báo".encode(), f"bao.example|Báo|{'0' * 32}".encode(), f"bao.example|Báo|{'1' * 32}".encode(),
    ]  # fmt: skip
    assert max(message_size(row) for row in rows) < 700


def test_a_host_is_known_only_while_its_partition_is_owned_and_read() -> None:
    book = StateBook()
    feed(book, feed_row(HOST, STATE))
    assert book.host(HOST) is None
    book.set_ready(PARTITION)
    assert book.host(HOST) is not None
    book.drop(PARTITION)
    assert book.host(HOST) is None
    book.set_ready(PARTITION)
    empty = book.host(HOST)
    assert empty is not None
    assert empty.feeds == {}


def test_a_null_row_forgets_and_a_broken_row_is_left_out() -> None:
    book = StateBook()
    feed(book, feed_row(HOST, STATE), seen_row(HOST, "0" * 32, SEEN))
    book.apply(PARTITION, f"{HOST}|Báo|{'0' * 32}".encode(), None)
    book.apply(PARTITION, f"{HOST}|Báo|{'1' * 32}".encode(), b"{broken")
    book.apply(PARTITION, b"no key of ours", b"{}")
    book.apply(PARTITION, None, None)
    book.set_ready(PARTITION)
    host = book.host(HOST)
    assert host is not None
    assert host.seen == {}
    assert list(host.feeds) == ["Báo"]


def test_the_earlier_sight_stands_when_two_feeds_announced_one_article() -> None:
    book = StateBook()
    later = Seen("Khác", "b" * 24, NOW + timedelta(hours=1), 1)
    feed(book, seen_row(HOST, "0" * 32, SEEN), seen_row(HOST, "0" * 32, later))
    book.set_ready(PARTITION)
    host = book.host(HOST)
    assert host is not None
    assert host.seen["0" * 32] == SEEN

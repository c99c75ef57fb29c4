from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.fetcher.documents import Item, Page
from services.fetcher.feeds import Feed
from services.fetcher.transform import (
    MAX_CARRIED_FEED_TEXT,
    Seen,
    Verdict,
    article_id_of,
    fingerprint,
    judge,
    media_type_of,
    page_task,
    raw_article,
    raw_from_page,
    remembered,
    stated_instant,
    without_build_times,
)
from shared.ids import article_id_for_link, article_id_for_text

NOW = datetime(2025, 11, 22, 3, 0, tzinfo=UTC)
WEB = Feed(name="Báo", url="https://bao.example/rss", source="Báo Mẫu", timezone="Asia/Ho_Chi_Minh")
FILES = Feed(name="hộp thư", path=Path("inbox"))
ITEM = Item(link="https://bao.example/a?utm_source=rss", guid="7", title="Tin", text="<p>Một đoạn</p>", published="x")


def seen(mark: str, feed: str = "Báo", revision: int = 1) -> Seen:
    return Seen(feed, mark, NOW - timedelta(days=1), revision)


@pytest.mark.parametrize(
    ("feed", "item", "identity"),
    [
        (WEB, ITEM, article_id_for_link("https://bao.example/a")),
        (WEB, Item(guid="https://bao.example/b#x"), article_id_for_link("https://bao.example/b")),
        (WEB, Item(link="tin.html", guid="7"), article_id_for_link("guid:Báo|7")),
        (WEB, Item(title="Tin  nóng"), article_id_for_link("title:bao.example|Tin nóng|2916")),
        (FILES, Item(text="Một đoạn"), article_id_for_text("Một đoạn")),
        (FILES, Item(link="https://bao.example/a", text="x"), article_id_for_link("https://bao.example/a")),
    ],
)
def test_identity_is_link_then_guid_then_text_or_title(feed: Feed, item: Item, identity: str) -> None:
    assert article_id_of(feed, item, NOW, {}) == identity


def test_a_title_is_the_same_article_for_seven_days() -> None:
    item = Item(title="Thời tiết hôm nay")
    first = article_id_of(WEB, item, NOW, {})
    book = {first: Seen("Báo", "x", NOW, 1)}
    assert article_id_of(WEB, item, NOW + timedelta(days=6), book) == first
    later = article_id_of(WEB, item, NOW + timedelta(days=8), book)
    assert later != first
    assert (
        article_id_of(WEB, item, NOW + timedelta(days=14), book | {later: Seen("Báo", "x", NOW + timedelta(days=8), 1)})
        == later
    )


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("Sat, 22 Nov 2025 10:00:00 +0700", "2025-11-22T03:00:00+00:00"),
        ("2025-11-22T03:00:00Z", "2025-11-22T03:00:00+00:00"),
        ("2025-11-22T10:00:00", "2025-11-22T03:00:00+00:00"),
        ("2025-11-22", "2025-11-21T17:00:00+00:00"),
        ("hôm qua", None),
        (None, None),
    ],
)
def test_a_stated_date_is_an_instant_in_the_zone_of_the_feed(text: str | None, instant: str | None) -> None:
    stated = stated_instant(text, "Asia/Ho_Chi_Minh")
    assert (stated.astimezone(UTC).isoformat() if stated else None) == instant


def test_a_fingerprint_follows_edits_and_not_decoration() -> None:
    mark = fingerprint(ITEM)
    assert mark == "a0dc126cdfdb7cf8ce1ea1c6"
    assert fingerprint(ITEM.model_copy(update={"text": "<div>Một\n đoạn</div>", "published": "y"})) == mark
    for edit in ({"title": "Tin mới"}, {"text": "<p>Hai đoạn</p>"}, {"updated": "2025-11-22"}):
        assert fingerprint(ITEM.model_copy(update=edit)) != mark


def test_a_revision_date_that_all_items_share_is_the_time_of_the_build() -> None:
    shared = [Item(guid=str(number), updated="2025-11-22") for number in range(3)]
    assert [item.updated for item in without_build_times(shared)] == [None, None, None]
    distinct = [shared[0], Item(guid="9", updated="2025-11-21")]
    assert without_build_times(distinct) == distinct
    assert without_build_times(shared[:1]) == shared[:1]


def test_an_article_belongs_to_the_feed_that_announced_it_first() -> None:
    assert judge(WEB, "a", None) is Verdict.NEW
    assert judge(WEB, "a", seen("a")) is Verdict.KNOWN
    assert judge(WEB, "b", seen("a")) is Verdict.CHANGED
    assert judge(WEB, "b", seen("a", feed="another feed of the host")) is Verdict.KNOWN


def test_a_revision_keeps_its_first_sight() -> None:
    assert remembered(WEB, "a", None, NOW) == Seen("Báo", "a", NOW, 1)
    assert remembered(WEB, "b", seen("a", revision=4), NOW) == Seen("Báo", "b", NOW - timedelta(days=1), 5)


def test_feed_text_becomes_a_raw_article() -> None:
    article = raw_article(WEB, ITEM, "0" * 32, seen("a"), fetched_at=NOW, backlog=True)
    assert (article.feed, article.source.name, article.media_type) == ("Báo", "Báo Mẫu", "text/html")
    assert article.backlog
    assert (article.first_seen_at, article.fetched_at) == (NOW - timedelta(days=1), NOW)
    plain = raw_article(FILES, Item(text="a < b & c &amp; d"), "0" * 32, seen("a"), fetched_at=NOW, backlog=False)
    assert plain.media_type == "text/plain"


@pytest.mark.parametrize(
    ("text", "media_type"),
    [
        ("a < b > c & d", "text/plain"),
        ("R&D", "text/plain"),
        ("a<br>b", "text/html"),
        ("a&nbsp;b &#8211; c", "text/html"),
    ],
)
def test_html_is_seen_by_its_tags_and_entities(text: str, media_type: str) -> None:
    assert media_type_of(text) == media_type


def test_a_page_task_carries_the_feed_text_unless_it_is_a_book() -> None:
    feed = WEB.model_copy(update={"allow_private": ("127.0.0.1:80",)})
    task = page_task(feed, ITEM, "0" * 32, seen("a"), now=NOW, backlog=False)
    assert (task.url, task.feed_text, task.allow_private) == (ITEM.link, ITEM.text, ["127.0.0.1:80"])
    book = ITEM.model_copy(update={"text": "x" * (MAX_CARRIED_FEED_TEXT + 1)})
    assert page_task(feed, book, "0" * 32, seen("a"), now=NOW, backlog=False).feed_text is None


def test_the_page_is_the_article_and_the_feed_names_it() -> None:
    task = page_task(WEB, ITEM, "0" * 32, seen("a"), now=NOW, backlog=False)
    page = Page(text="Một đoạn, hai đoạn", title="Tin | Báo", author="Minh An", published="2025-11-22T09:00:00+07:00")
    article = raw_from_page(task, page, NOW)
    assert (article.text, article.media_type, article.title, article.author) == (
        page.text,
        "text/plain",
        "Tin",
        "Minh An",
    )
    assert (article.feed_published, article.page_published) == ("x", page.published)
    assert (article.trace_id, article.revision) == (task.trace_id, task.revision)


@pytest.mark.parametrize("page", [None, Page(text="", published="2025"), Page(text="Mộ", published="2025")])
def test_the_feed_text_stands_in_for_a_page_that_is_absent_empty_or_shorter(page: Page | None) -> None:
    task = page_task(WEB, ITEM, "0" * 32, seen("a"), now=NOW, backlog=False)
    article = raw_from_page(task, page, NOW)
    assert (article.text, article.media_type) == (ITEM.text, "text/html")
    assert article.page_published == (page.published if page else None)

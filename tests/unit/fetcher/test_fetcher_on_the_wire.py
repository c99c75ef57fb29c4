"""The fetcher's manners, proven by the request log of a site: scheduler, pages, robots and HTTP client are the real ones."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from typing import Any
from unittest.mock import MagicMock

import pytest

from services.fetcher.documents import Document, Page, Reading
from services.fetcher.feed_parser import parse_feed
from services.fetcher.feeds import Feed, Feeds, HostManners, Selectors
from services.fetcher.manners import Manners
from services.fetcher.moves import proposed_address
from services.fetcher.pages import PageDesk
from services.fetcher.scheduler import Scheduler
from services.fetcher.state import StateBook
from services.fetcher.web import Web
from shared.models import FeedState, PageTask, RawArticle
from shared.stage import Outgoing, Record
from shared.topics import ARTICLES_RAW, FEED_STATE, PAGES_TO_FETCH
from tests.support.site import Site, serving

START = datetime(2025, 11, 22, 3, 0, tzinfo=UTC)
# Slack of a busy machine's clock against the pause that was asked for.
SLACK = 0.005


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    for module in ("scheduler", "pages", "feed_visit"):
        monkeypatch.setattr(f"services.fetcher.{module}.log", MagicMock())
    with serving() as server:
        yield server


@dataclass
class Fetcher:
    """A fetcher without Kafka: what it sends is kept, page tasks come back to it, and the clock is turned by hand."""

    site: Site
    delay: float = 0.0
    hosts: dict[str, HostManners] = field(default_factory=dict)
    blocks: list[Feed] = field(default_factory=list)
    now: datetime = START
    sent: list[Outgoing] = field(default_factory=list)

    def add(self, name: str, path: str, host: str = "127.0.0.1", **more: Any) -> None:
        port = self.site.server_port
        private = tuple(f"{name}:{port}" for name in ("127.0.0.1", "localhost"))
        self.blocks.append(
            Feed.model_validate({"name": name, "url": f"http://{host}:{port}{path}", "allow_private": private, **more})
        )

    def feeds(self) -> Feeds:
        return Feeds(feeds=tuple(self.blocks), hosts=self.hosts)

    async def feed(self, body: bytes, url: str, content_type: str | None, reading: Reading) -> Document:
        return parse_feed(body, url, content_type, reading)

    async def page(self, body: bytes, *_: object) -> Page:
        return Page(text=body.decode())

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        self.sent += messages
        tasks = [message for message in messages if message.topic is PAGES_TO_FETCH]
        for offset, task in enumerate(tasks, len(self.tasks()) - len(tasks)):
            self.desk.take([Record(task.topic.name, 0, offset, task.key, task.value)])

    def tasks(self) -> list[PageTask]:
        return [PageTask.model_validate_json(m.value or b"") for m in self.sent if m.topic is PAGES_TO_FETCH]

    def articles(self) -> list[RawArticle]:
        return [RawArticle.model_validate_json(m.value or b"") for m in self.sent if m.topic is ARTICLES_RAW]

    def states(self, name: str) -> list[FeedState]:
        rows = [m for m in self.sent if m.topic is FEED_STATE and (m.key or b"").endswith(f"|{name}".encode())]
        return [FeedState.model_validate_json(row.value or b"") for row in rows]

    async def visit(self, after: timedelta = timedelta(0)) -> None:
        """Turn the clock, tick, and wait until every visit and page has ended."""
        self.now += after
        self.scheduler.tick()
        while self.scheduler.visiting() or self.desk.waiting():
            await asyncio.sleep(0.002)

    def play(self, scenario: Callable[[], Awaitable[None]]) -> None:
        async def main() -> None:
            me: Any = self
            manners = Manners()
            pause = timedelta(seconds=self.delay)
            self.hosts = {"127.0.0.1": HostManners(delay=pause), "localhost": HostManners(delay=pause)} | self.hosts
            async with Web("Frontwire/test", manners, lambda *link: self.feeds().pace_of(*link)) as web:
                self.desk = PageDesk(web, me, self.publish, self.feeds, lambda: self.now, lambda _: None)
                self.scheduler = Scheduler(
                    self.feeds, StateBook(), self.desk, web, me, me, manners, lambda: self.now
                )  # fmt: skip
                for partition in range(FEED_STATE.partitions):
                    self.scheduler.ready(partition)
                await scenario()
                await self.scheduler.drop(set(range(FEED_STATE.partitions)))

        asyncio.run(asyncio.wait_for(main(), 20))


def test_a_host_is_asked_one_thing_at_a_time_and_with_pauses(site: Site) -> None:
    fetcher = Fetcher(site, delay=0.03)
    for number in range(3):
        site.feed(f"/{number}.xml", f"/{number}.html")
        site.pages[f"/{number}.html"] = (200, {}, "bài")
        fetcher.add(f"báo {number}", f"/{number}.xml")
    fetcher.play(fetcher.visit)
    log = sorted(site.log, key=lambda request: request.began)
    assert sorted(request.path for request in log) == [
        "/0.html", "/0.xml", "/1.html", "/1.xml", "/2.html", "/2.xml", "/robots.txt",
    ]  # fmt: skip
    assert log[0].path == "/robots.txt"
    pauses = [later.began - earlier.ended for earlier, later in pairwise(log)]
    assert min(pauses) > fetcher.delay - SLACK


def test_an_unchanged_feed_is_answered_304_and_read_whole_once_a_day(site: Site) -> None:
    site.feed("/rss", "/a.html", ETag='"1"')
    fetcher = Fetcher(site)
    fetcher.add("báo", "/rss", every="10m")

    async def scenario() -> None:
        for hours in (0, 1, 1, 23):
            await fetcher.visit(timedelta(hours=hours))

    fetcher.play(scenario)
    visits = [request for request in site.log if request.path == "/rss"]
    assert [(request.headers.get("if-none-match"), request.status) for request in visits] == [
        (None, 200), ('"1"', 304), ('"1"', 304), (None, 200),
    ]  # fmt: skip
    assert site.asked().count("/a.html") == 1


@pytest.mark.parametrize("as_a_date", [False, True])
def test_a_host_that_asks_to_be_left_alone_is_left_alone_by_all_its_feeds_and_pages(
    site: Site, as_a_date: bool
) -> None:
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=602), usegmt=True)
    site.feed("/rss", "http://127.0.0.1/never.html")
    site.pages["/busy"] = (429, {"Retry-After": until if as_a_date else "600"}, "")
    fetcher = Fetcher(site)
    fetcher.add("bận", "/busy")

    async def scenario() -> None:
        await fetcher.visit()
        fetcher.add("cùng máy chủ", "/rss")
        fetcher.add("máy chủ khác", "/rss", host="localhost", full_text="feed")
        for _ in range(3):
            await fetcher.visit(timedelta(seconds=90))

    fetcher.play(scenario)
    assert site.asked() == ["/busy"]
    assert site.asked("localhost") == ["/rss"]
    (state,) = fetcher.states("bận")
    assert (state.last_error, state.last_error_detail) == ("rate_limited", "HTTP 429")
    assert (state.next_visit_at or START) - START >= timedelta(minutes=10)


def test_an_operator_can_shorten_how_long_a_host_is_left_alone(site: Site) -> None:
    site.pages["/busy"] = (503, {"Retry-After": "86400"}, "")
    site.feed("/rss")
    fetcher = Fetcher(site, hosts={"127.0.0.1": HostManners(delay=timedelta(0), longest_hold=timedelta(0))})
    fetcher.add("bận", "/busy")

    async def scenario() -> None:
        await fetcher.visit()
        fetcher.add("báo", "/rss")
        await fetcher.visit()

    fetcher.play(scenario)
    assert site.asked() == ["/busy", "/rss"]


def test_robots_txt_is_obeyed_for_feeds_and_pages_and_asked_for_once(site: Site) -> None:
    site.pages["/robots.txt"] = (
        200, {}, "User-agent: *\nDisallow: /\n\nUser-agent: frontwire\nDisallow: /*.xml$\nDisallow: /kin/\nCrawl-delay: 0.05",
    )  # fmt: skip
    site.feed("/rss", "/kin/1.html", "/mo/1.html")
    site.feed("/cam.xml", "/mo/2.html")
    site.pages["/kin/1.html"] = site.pages["/mo/1.html"] = (200, {}, "bài")
    fetcher = Fetcher(site)
    for name in ("rss", "cam.xml"):
        fetcher.add(name, f"/{name}")
    fetcher.play(fetcher.visit)
    assert [request.path for request in site.log] == ["/robots.txt", "/rss", "/mo/1.html"]
    assert site.log[2].began - site.log[1].ended > 0.05 - SLACK
    assert [state.last_error for state in fetcher.states("cam.xml")] == ["robots"]
    assert [article.url for article in fetcher.articles()] == [f"http://127.0.0.1:{site.server_port}/mo/1.html"]


def test_an_operator_may_ignore_robots_txt_of_a_host_that_agreed(site: Site) -> None:
    site.pages["/robots.txt"] = (200, {}, "User-agent: *\nDisallow: /")
    site.feed("/rss", "/a.html")
    site.pages["/a.html"] = (200, {}, "bài")
    fetcher = Fetcher(site)
    fetcher.add("báo", "/rss", robots="ignore")
    fetcher.play(fetcher.visit)
    assert site.asked() == ["/rss", "/a.html"]


def test_nothing_is_asked_of_a_host_whose_robots_txt_cannot_be_had(site: Site) -> None:
    site.pages["/robots.txt"] = (500, {}, "")
    site.feed("/rss")
    fetcher = Fetcher(site)
    fetcher.add("báo", "/rss")

    async def scenario() -> None:
        await fetcher.visit()
        site.pages["/robots.txt"] = (404, {}, "")
        await fetcher.visit(timedelta(hours=1))

    fetcher.play(scenario)
    assert [request.path for request in site.log] == ["/robots.txt", "/robots.txt", "/rss"]
    assert [state.last_error for state in fetcher.states("báo")] == ["http_5xx", None]


def test_a_hanging_feed_delays_no_other_host(site: Site) -> None:
    site.feed("/rss", "/a.html")
    site.pages["/a.html"] = (200, {}, "bài")
    fetcher = Fetcher(site)
    fetcher.add("treo", "/hang", host="localhost", robots="ignore")
    fetcher.add("báo", "/rss")

    async def scenario() -> None:
        fetcher.scheduler.tick()
        while not fetcher.articles():
            await asyncio.sleep(0.002)
        assert fetcher.scheduler.visiting() == {"treo"}
        site.closing.set()

    fetcher.play(scenario)
    assert site.asked() == ["/rss", "/a.html"]


def test_only_the_first_visit_is_backlog_and_old_items_can_be_left_out_of_it(site: Site) -> None:
    def item(number: int, date: str) -> str:
        return f"<item><link>/{number}</link><title>{number}</title><pubDate>{date}</pubDate></item>"

    items = [
        item(1, "Sat, 22 Nov 2025 09:00:00 +0700"),
        item(2, "Wed, 19 Nov 2025 09:00:00 +0700"),
        item(3, "không rõ"),
    ]
    fetcher = Fetcher(site)
    fetcher.add("báo", "/rss", full_text="feed", max_age="2d")

    async def scenario() -> None:
        for number in (3, 4):
            rows = "".join([*items, item(4, "Tue, 18 Nov 2025 09:00:00 +0700")][:number])
            site.pages["/rss"] = (200, {}, f"<rss version='2.0'><channel>{rows}</channel></rss>")
            await fetcher.visit(timedelta(hours=number))

    fetcher.play(scenario)
    assert [(article.title, article.backlog) for article in fetcher.articles()] == [
        ("1", True),
        ("3", True),
        ("4", False),
    ]


def test_a_permanent_redirect_is_a_proposal_after_a_day_and_changes_nothing(site: Site) -> None:
    site.pages["/cu"] = (301, {"Location": "/vua"}, "")
    site.pages["/vua"] = (308, {"Location": "/moi"}, "")
    site.feed("/moi")
    fetcher = Fetcher(site)
    fetcher.add("báo", "/cu", every="1h")
    proposals: list[str | None] = []

    async def scenario() -> None:
        for hours in (0, 2, 20, 3):
            await fetcher.visit(timedelta(hours=hours))
            proposals.append(proposed_address(fetcher.states("báo")[-1]))
        site.pages["/vua"] = (302, {"Location": "/moi"}, "")
        await fetcher.visit(timedelta(hours=2))

    fetcher.play(scenario)
    moved = f"http://127.0.0.1:{site.server_port}/moi"
    assert proposals == [None, None, None, moved]
    assert fetcher.states("báo")[-1].moved_to == f"http://127.0.0.1:{site.server_port}/vua"
    assert site.asked().count("/cu") == 5


def test_a_document_is_left_alone_as_long_as_it_says_it_is_fresh(site: Site) -> None:
    site.feed("/rss", Cache_Control="max-age=7200")
    fetcher = Fetcher(site)
    fetcher.add("báo", "/rss")

    async def scenario() -> None:
        await fetcher.visit()
        await fetcher.visit(timedelta(minutes=110))
        assert site.asked() == ["/rss"]
        await fetcher.visit(timedelta(minutes=30))

    fetcher.play(scenario)
    assert site.asked() == ["/rss", "/rss"]


def test_credentials_go_to_the_host_of_the_feed_and_nowhere_else(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEED_BAO", "Bearer bí-mật")
    site.pages["/rss"] = (302, {"Location": f"http://localhost:{site.server_port}/rss2"}, "")
    site.feed("/rss2", f"http://127.0.0.1:{site.server_port}/a.html")
    site.pages["/a.html"] = (200, {}, "bài")
    fetcher = Fetcher(site)
    fetcher.add("báo", "/rss", headers={"X-Desk": "1", "Authorization": {"env": "FEED_BAO"}})
    fetcher.add("quên", "/rss", headers={"Authorization": {"env": "FEED_ABSENT"}})
    fetcher.play(fetcher.visit)
    sent = {request.path: request.headers for request in site.log}
    assert [path for path in sent if sent[path].get("x-desk") and "authorization" in sent[path]] == ["/rss", "/a.html"]
    assert "authorization" not in sent["/rss2"]
    assert [state.last_error for state in fetcher.states("quên")] == ["no_credential"]
    assert all("Bearer" not in (message.value or b"").decode() for message in fetcher.sent)


def test_nothing_inside_the_network_is_touched_whoever_leads_there(site: Site) -> None:
    with serving() as inside:
        secret = f"http://127.0.0.1:{inside.server_port}/secret"
        site.feed("/rss", secret, "/redirect", f"http://[::ffff:127.0.0.1]:{inside.server_port}/secret", "/good")
        site.pages["/redirect"] = (302, {"Location": secret}, "")
        site.pages["/good"] = (200, {}, "bài")
        site.pages["/moved"] = (301, {"Location": secret}, "")
        site.pages["/index.xml"] = (200, {}, f"<sitemapindex><sitemap><loc>{secret}</loc></sitemap></sitemapindex>")
        site.pages["/robots.txt"] = (302, {"Location": secret}, "")
        fetcher = Fetcher(site)
        for name in ("/rss", "/moved", "/index.xml"):
            fetcher.add(name, name, robots="ignore")
        fetcher.add("robots", "/rss", host="localhost")
        fetcher.play(fetcher.visit)
    assert inside.log == []
    failures = {
        state.feed: state.last_error
        for name in ("/rss", "/moved", "/index.xml", "robots")
        for state in fetcher.states(name)
    }
    assert failures == dict.fromkeys(("/moved", "/index.xml", "robots"), "blocked_address") | {"/rss": None}
    assert [article.url for article in fetcher.articles()] == [f"http://127.0.0.1:{site.server_port}/good"]


def test_an_index_of_sitemaps_and_a_listing_page_are_feeds(site: Site) -> None:
    base = f"http://127.0.0.1:{site.server_port}"
    rows = "".join(f"<sitemap><loc>{base}/{name}</loc></sitemap>" for name in ("tin.xml", "mat.xml"))
    site.pages["/index.xml"] = (200, {"ETag": '"1"'}, f"<sitemapindex>{rows}</sitemapindex>")
    site.pages["/tin.xml"] = (200, {}, f"<urlset><url><loc>{base}/1.html</loc></url></urlset>")
    site.pages["/trang"] = (200, {}, '<body><h2><a href="/2.html">Hai</a></h2><a href="/gioi-thieu">x</a></body>')
    site.pages["/1.html"] = site.pages["/2.html"] = (200, {}, "bài")
    fetcher = Fetcher(site)
    fetcher.add("bản đồ", "/index.xml", kind="sitemap")
    fetcher.add("trang", "/trang", kind="listing", selectors=Selectors(listing="h2 a"))

    async def scenario() -> None:
        await fetcher.visit()
        site.pages["/tin.xml"] = (200, {}, f"<urlset><url><loc>{base}/3.html</loc></url></urlset>")
        await fetcher.visit(timedelta(hours=1))

    fetcher.play(scenario)
    assert sorted((task.feed, task.url) for task in fetcher.tasks()) == [
        ("bản đồ", f"{base}/1.html"), ("bản đồ", f"{base}/3.html"), ("trang", f"{base}/2.html"),
    ]  # fmt: skip


def test_what_left_its_feed_long_ago_is_forgotten(site: Site) -> None:
    site.feed("/rss", "/a.html", "/b.html")
    fetcher = Fetcher(site)
    fetcher.add("báo", "/rss", every="1h", full_text="feed")

    async def scenario() -> None:
        await fetcher.visit()
        site.feed("/rss", "/b.html", "/c.html")
        await fetcher.visit(timedelta(days=91))

    fetcher.play(scenario)
    forgotten = [message.key for message in fetcher.sent if message.topic is FEED_STATE and message.value is None]
    a_html = next(article.article_id for article in fetcher.articles() if (article.url or "").endswith("/a.html"))
    assert forgotten == [f"127.0.0.1|báo|{a_html}".encode()]

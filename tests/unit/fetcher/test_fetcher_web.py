"""The HTTP client against a local server that logs every request and knows the tricks of hostile ones."""

import asyncio
import gzip
import resource
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import pytest

from services.fetcher import web
from services.fetcher.addresses import host_and_port
from services.fetcher.manners import Manners, Pace
from services.fetcher.web import Answer, Failure, FetchFailed, Terms, Web, retry_after

AGENT = "Frontwire/test (+me@example.org)"
# 60 MB of zeros in 60 kB, made piece by piece so that this process does not hold them either.
BOMB = gzip.compress(b"\0" * 1_000_000) * 60


class Site(ThreadingHTTPServer):
    """A server of a few tricks; `log` holds every path that was asked for, `seen` the headers of the last request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Tricks)
        self.log: list[str] = []
        self.seen: dict[str, str] = {}
        self.closing = Event()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class Tricks(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        self.server.log.append(self.path)
        self.server.seen = {name.lower(): value for name, value in self.headers.items()}
        getattr(self, self.path.strip("/").partition("/")[0].partition("?")[0].replace(".", "_"))()

    def answer(self, status: int = 200, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in ({"Content_Length": str(len(body))} | headers).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def page(self) -> None:
        self.answer(200, b"<p>x</p>", ETag='"1"', Content_Type="text/html")

    def unchanged(self) -> None:
        self.answer(304)

    def moved(self) -> None:
        self.answer(302, Location="/page")

    def loop(self) -> None:
        self.answer(302, Location="/loop")

    def nowhere(self) -> None:
        self.answer(302)

    def metadata(self) -> None:
        self.answer(302, Location="http://169.254.169.254/latest/meta-data/")

    def inside(self) -> None:
        self.answer(302, Location=f"http://127.0.0.2:{self.server.server_port}/page")

    def file(self) -> None:
        self.answer(302, Location="file:///etc/passwd")

    def missing(self) -> None:
        self.answer(404)

    def broken(self) -> None:
        self.answer(500)

    def busy(self) -> None:
        self.answer(429, Retry_After="7")

    def down(self) -> None:
        self.answer(503)

    def short(self) -> None:
        self.answer(200, b"half", Content_Length="4000")
        self.close_connection = True

    def bomb(self) -> None:
        self.answer(200, BOMB, Content_Encoding="gzip")

    def double(self) -> None:
        self.answer(200, gzip.compress(BOMB), Content_Encoding="gzip")

    def headers_without_end(self) -> None:
        self.answer(200, b"", X_Long="x" * 20_000)

    def hang(self) -> None:
        self.server.closing.wait(10)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[Site]:
    server = Site()
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.closing.set()
    server.shutdown()
    server.server_close()
    thread.join()


def get(site: Site, path: str, *, allowed: bool = True, manners: Manners | None = None, seconds: float = 5.0) -> Answer:
    async def main() -> Answer:
        async with Web(AGENT, manners or Manners(), lambda *_: Pace(0.0), total_seconds=seconds) as client:
            terms = Terms((site.host,) if allowed else (), obey_robots=False)
            return await client.get(f"http://{site.host}{path}", terms, {"If-None-Match": '"1"'})

    return asyncio.run(main())


def failure(
    site: Site, path: str, *, allowed: bool = True, manners: Manners | None = None, seconds: float = 5.0
) -> FetchFailed:
    with pytest.raises(FetchFailed) as caught:
        get(site, path, allowed=allowed, manners=manners, seconds=seconds)
    return caught.value


def test_a_document_comes_with_status_headers_and_final_address(site: Site) -> None:
    answer = get(site, "/moved")
    assert (answer.status, answer.body, answer.headers["etag"]) == (200, b"<p>x</p>", '"1"')
    assert answer.url == f"http://{site.host}/page"
    assert site.log == ["/moved", "/page"]
    assert site.seen["user-agent"] == AGENT
    assert site.seen["if-none-match"] == '"1"'
    assert get(site, "/unchanged").status == 304


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/missing", Failure.HTTP_CLIENT_ERROR),
        ("/broken", Failure.HTTP_SERVER_ERROR),
        ("/short", Failure.TRUNCATED),
        ("/loop", Failure.TOO_MANY_REDIRECTS),
        ("/nowhere", Failure.TOO_MANY_REDIRECTS),
        ("/metadata", Failure.BLOCKED_ADDRESS),
        ("/inside", Failure.BLOCKED_ADDRESS),
        ("/file", Failure.BAD_ADDRESS),
        ("/headers_without_end", Failure.CONNECTION),
        ("/page?" + "x" * 5000, Failure.BAD_ADDRESS),
    ],
)
def test_what_cannot_be_had_has_a_reason(site: Site, path: str, reason: Failure) -> None:
    assert failure(site, path).failure is reason
    assert len(site.log) <= web.MAX_REDIRECTS + 1


def test_a_private_address_is_never_touched_unless_the_operator_lists_it(site: Site) -> None:
    assert failure(site, "/page", allowed=False).failure is Failure.BLOCKED_ADDRESS
    assert site.log == []


@pytest.mark.parametrize("host", ["localhost", "127.1", "0x7f.1", "[::ffff:127.0.0.1]", "2130706433"])
def test_other_spellings_of_a_private_address_are_not_listed(site: Site, host: str) -> None:
    async def main() -> None:
        async with Web("x", Manners(), lambda *_: Pace(0.0)) as client:
            await client.get(f"http://{host}:{site.server_port}/page", Terms((site.host,)))

    with pytest.raises(FetchFailed):
        asyncio.run(main())
    assert site.log == []


def test_a_hanging_server_costs_the_time_limit_and_no_more(site: Site) -> None:
    assert failure(site, "/hang", seconds=0.2).failure is Failure.TIMEOUT


def test_a_compression_bomb_does_not_fill_memory(site: Site) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert failure(site, "/bomb").failure is Failure.TOO_LARGE
    assert len(get(site, "/double").body) < 1_000_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


def test_a_busy_host_is_held_for_all_as_long_as_it_asks(site: Site) -> None:
    manners = Manners()
    refused = failure(site, "/busy", manners=manners)
    assert (refused.failure, refused.wait) == (Failure.RATE_LIMITED, timedelta(seconds=7))
    assert 6 < manners.held_for("127.0.0.1") <= 7
    assert failure(site, "/page", manners=manners).failure is Failure.HELD
    assert site.log == ["/busy"]
    assert failure(site, "/down").wait == timedelta(minutes=5)


def test_retry_after_is_seconds_or_a_date() -> None:
    now = datetime(2025, 11, 22, 3, 0, tzinfo=UTC)
    assert retry_after("120", now) == timedelta(minutes=2)
    assert retry_after(format_datetime(now + timedelta(hours=1), usegmt=True), now) == timedelta(hours=1)
    assert retry_after(format_datetime(now - timedelta(hours=1), usegmt=True), now) == timedelta(0)
    assert [retry_after(text, now) for text in (None, "", "soon", "-5")] == [None] * 4
    assert retry_after("9" * 40, now) == timedelta(seconds=10**8)


def test_host_and_port_fills_in_the_default() -> None:
    assert host_and_port("https://Bao.example/x") == "bao.example:443"
    assert host_and_port("http://[::1]:80/") == "[::1]:80"

"""`frontwire feeds` and `frontwire fetch` against a site, without Kafka."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import MagicMock

import pytest
from click.testing import CliRunner, Result

from services.cli import cli
from services.commands.common import project_folder
from services.commands.feeds import feed_status, with_scheme
from services.fetcher.feed_links import feed_links
from services.fetcher.feeds import Feed, load_feeds
from services.fetcher.feeds_file import add_blocks
from services.fetcher.opml import read_opml, write_opml
from shared.models import FeedState, RawArticle
from shared.yaml_config import ConfigError
from tests.support.site import Site, serving

# Parser processes are started.
pytestmark = pytest.mark.slow

LISTED = """\
# The desk's feeds: ask Lan before you remove one.
delay: 10ms  # our own site

feeds:
  # from the embassy's list
  - name: "Báo cũ"
    url: https://bao.example/rss  # still alive
    enabled: false
"""
NOW = datetime(2025, 11, 22, 3, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with serving() as server:
        server.feed("/rss", f"http://127.0.0.1:{server.server_port}/a.html", "http://127.0.0.1:9/b.html")
        body = str(server.pages["/rss"][2]).replace(
            "<channel>", "<channel><title>Báo | Mới</title><language>vi-VN</language>"
        )
        server.pages["/rss"] = (200, {}, body)
        server.pages["/cu"] = (301, {"Location": "/rss"}, "")
        server.pages["/"] = (200, {}, '<head><link rel="alternate" type="application/rss+xml" href="/rss"></head>')
        server.pages["/trong"] = (200, {}, "<p>nothing here</p>")
        yield server


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("scheduler", "pages", "feed_visit"):
        monkeypatch.setattr(f"services.fetcher.{module}.log", MagicMock())


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    path = tmp_path / "feeds.yaml"
    path.write_text(LISTED, encoding="utf-8")
    return path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


def block(site: Site, name: str, path: str, **more: object) -> dict[str, object]:
    host = f"127.0.0.1:{site.server_port}"
    return {"name": name, "url": f"http://{host}{path}", "allow_private": [host], **more}


def test_a_feed_is_found_tried_and_added_and_the_file_keeps_its_comments(site: Site, listed: Path) -> None:
    host = f"127.0.0.1:{site.server_port}"
    options = ("--timezone", "Asia/Ho_Chi_Minh", "--allow-private", host, "--feeds", str(listed))
    result = run("feeds", "add", f"http://{host}/", *options)
    assert (result.exit_code, "2 items" in result.output) == (0, True), result.output
    assert listed.read_text(encoding="utf-8") == LISTED + (
        f"  - name: Báo / Mới\n    url: http://{host}/rss\n    language: vi\n    timezone: Asia/Ho_Chi_Minh\n"
        f"    allow_private:\n      - {host}\n"
    )
    again = run("feeds", "add", f"http://{host}/rss", *options)
    assert (again.exit_code, "already in" in again.output) == (1, True)
    nothing = run("feeds", "add", f"http://{host}/trong", *options)
    assert (nothing.exit_code, "no feed at" in nothing.output) == (1, True)


def test_options_that_could_not_stand_in_the_file_are_refused_before_the_site_is_asked(
    site: Site, listed: Path
) -> None:
    site.log.clear()
    address = f"127.0.0.1:{site.server_port}/rss"
    options = ("--timezone", "Hanoi", "--language", "vietnamese", "--country", "vn", "--allow-private", "127.0.0.1")
    result = run("feeds", "add", f"http://{address}", *options, "--feeds", str(listed))
    assert result.exit_code == 2
    assert [line.partition(":")[0] for line in result.stderr.splitlines()] == [
        "--language", "--country", "--timezone", "--allow-private",
    ]  # fmt: skip
    assert "URL: 'ftp://x.example' is not an http(s) address" in run("feeds", "add", "ftp://x.example").stderr
    assert site.log == []
    assert listed.read_text(encoding="utf-8") == LISTED


def test_an_address_without_a_scheme_is_taken_as_a_browser_takes_it() -> None:
    assert with_scheme("bao.example/rss") == "https://bao.example/rss"
    assert with_scheme("http://bao.example") == "http://bao.example"


def test_fetch_once_prints_articles_as_json_lines_and_names_what_failed(site: Site, listed: Path) -> None:
    add_blocks(listed, [block(site, "Báo", "/rss", full_text="feed"), block(site, "Hỏng", "/khong-co")])
    result = run("fetch", "--once", "--feeds", str(listed))
    assert result.exit_code == 0, result.output
    articles = [RawArticle.model_validate_json(line) for line in result.stdout.splitlines()]
    assert [(article.feed, article.backlog) for article in articles] == [("Báo", True)] * 2
    assert "Hỏng: http_4xx: HTTP 404" in result.stderr
    assert run("fetch", "--feeds", str(listed)).exit_code == 2


def test_a_feed_is_tried_without_publishing_by_name_or_address(site: Site, listed: Path) -> None:
    add_blocks(listed, [block(site, "Báo", "/rss", enabled=False, full_text="feed")])
    result = run("feeds", "test", "Báo", "--json", "--feeds", str(listed))
    assert [article["feed"] for article in json.loads(result.stdout)] == ["Báo"] * 2
    private = run("feeds", "test", f"http://127.0.0.1:{site.server_port}/rss", "--feeds", str(listed))
    assert (private.exit_code, "blocked_address" in private.output) == (1, True)
    unknown = run("feeds", "test", "Bao", "--feeds", str(listed))
    assert (unknown.exit_code, "did you mean Báo?" in unknown.stderr) == (1, True)


def test_verify_tries_every_feed_and_says_which_are_dead_or_moved(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "feeds.yaml"
    path.write_text("delay: 0s\n", encoding="utf-8")
    add_blocks(
        path, [block(site, "Tốt", "/rss"), block(site, "Dời", "/cu?x", enabled=False), block(site, "Hỏng", "/404")]
    )
    site.pages["/cu?x"] = site.pages["/cu"]
    result = run("feeds", "verify", "--json", "--feeds", str(path))
    rows = json.loads(result.stdout)
    assert result.exit_code == 1
    assert [(row["feed"], row["status"], row["items"]) for row in rows] == [
        ("Tốt", "ok", 2), ("Dời", "moved", 2), ("Hỏng", "http_4xx", 0),
    ]  # fmt: skip
    assert rows[1]["detail"].endswith("/rss")


def test_opml_goes_in_and_out(listed: Path, tmp_path: Path) -> None:
    opml = tmp_path / "list.opml"
    outlines = """<outline text="Báo mới" xmlUrl="https://moi.example/rss" language="vi-vn"/>
        <outline text="Cũ" xmlUrl="http://bao.example/rss?utm_source=x"/><outline text="x" xmlUrl="feed:x"/>"""
    opml.write_text(
        f'<opml version="1.0"><body><outline text="Asia">{outlines}</outline></body></opml>', encoding="utf-8"
    )
    result = run("feeds", "import", str(opml), "--feeds", str(listed))
    assert result.output == "added 1, already there 1\n"
    added = load_feeds(listed).feeds[-1]
    assert (added.name, added.url, added.language) == ("Báo mới", "https://moi.example/rss", "vi")
    exported = run("feeds", "export", "--feeds", str(listed)).stdout
    assert {row["url"] for row in read_opml(exported.encode())} == {
        "https://moi.example/rss",
        "https://bao.example/rss",
    }
    broken = tmp_path / "broken.opml"
    for text in ("<rss/>", "no"):
        broken.write_text(text)
        assert run("feeds", "import", str(broken), "--feeds", str(listed)).exit_code == 1


def test_a_file_is_only_replaced_by_a_valid_one(listed: Path) -> None:
    with pytest.raises(ConfigError):
        add_blocks(listed, [{"name": "x", "url": "https://x.example/", "timezone": "Mars"}])
    assert listed.read_text(encoding="utf-8") == LISTED
    assert list(listed.parent.iterdir()) == [listed]
    empty = listed.with_name("empty.yaml")
    empty.write_text("", encoding="utf-8")
    add_blocks(empty, [{"name": "x", "url": "https://x.example/"}])
    assert [feed.name for feed in load_feeds(empty).feeds] == ["x"]


def test_the_shipped_list_survives_an_addition_word_for_word(tmp_path: Path) -> None:
    shipped = (project_folder() / "deploy/config/feeds.yaml").read_text(encoding="utf-8")
    copy = tmp_path / "feeds.yaml"
    copy.write_text(shipped, encoding="utf-8")
    add_blocks(copy, [{"name": "x", "url": "https://x.example/"}])
    assert copy.read_text(encoding="utf-8") == shipped + "  - name: x\n    url: https://x.example/\n"


def test_the_status_of_a_feed_is_one_line() -> None:
    feed = Feed(name="Báo", url="https://bao.example/rss")
    assert feed_status(feed, None)["status"] == "never visited"
    assert feed_status(feed.model_copy(update={"enabled": False}), None)["status"] == "off"
    failing = FeedState(
        feed="Báo", url="x", failures=3, last_error="robots", last_error_detail="forbidden", next_visit_at=NOW
    )
    assert feed_status(feed, failing) == {
        "feed": "Báo", "status": "robots", "last_success_at": "", "last_new_at": "", "next_visit_at": "2025-11-22 03:00Z",
        "items": 0, "failures": 3, "detail": "forbidden",
    }  # fmt: skip
    moved = FeedState(
        feed="Báo",
        url="x",
        last_success_at=NOW,
        moved_to="https://moi.example",
        moved_since=NOW - timedelta(days=2),
        moved_seen=9,
    )
    assert (feed_status(feed, moved)["status"], feed_status(feed, moved)["detail"]) == (
        "ok",
        "moved to https://moi.example",
    )


def test_a_page_names_its_feeds_the_declared_ones_first() -> None:
    page = """<head><base href="https://bao.example/x/"><link type="text/css" href="a.css">
    <link type="application/rss+xml" href="/rss"></head><a href="tin.rss">RSS</a><a href="/rss">RSS</a><a href="/tin">x</a>"""
    assert feed_links(page.encode(), "https://bao.example/", None) == [
        "https://bao.example/rss", "https://bao.example/x/tin.rss",
    ]  # fmt: skip
    assert feed_links(b" ", "https://bao.example/", None) == []


def test_opml_escapes_what_names_hold() -> None:
    feed = Feed(name='A & "B" <c>', url="https://x.example/?a=1&b=2")
    assert read_opml(write_opml([feed]).encode()) == [{"name": feed.name, "url": feed.url}]

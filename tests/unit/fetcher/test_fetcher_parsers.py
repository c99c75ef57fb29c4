import asyncio
import gzip
import io
import json
import subprocess
import sys
import unicodedata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from lxml import html as lxml_html

from services.commands.common import project_folder
from services.fetcher.documents import Item, Reading
from services.fetcher.feed_parser import MAX_ITEMS, NotAFeed, parse_feed
from services.fetcher.page_parser import parse_page, published_of
from services.fetcher.parser_process import WORN_BYTES, answer, serve
from services.fetcher.parsing import ParseFailed, Parser
from tests.support.articles import page_of, text_of

DATA = Path(__file__).resolve().parents[2] / "data" / "fetcher"
URL = "https://bao.example/tin/rss.xml"
PAGE_URL = "https://bao.example/tin/a.html"


def items_of(name: str) -> list[Item]:
    return parse((DATA / name).read_bytes())


def parse(body: bytes, content_type: str | None = None, **reading: object) -> list[Item]:
    return list(parse_feed(body, URL, content_type, Reading.model_validate(reading)).items)


@pytest.mark.parametrize("name", ["rss.xml", "atom.xml", "feed.json", "broken.xml"])
def test_a_feed_gives_the_items_written_beside_it(name: str) -> None:
    expected = json.loads((DATA / f"{name}.items.json").read_text(encoding="utf-8"))
    assert [item.model_dump(exclude_none=True) for item in items_of(name)] == expected


def test_text_that_is_utf8_is_read_as_utf8_whatever_the_feed_declares() -> None:
    text = (DATA / "rss.xml").read_text(encoding="utf-8")
    wrong = text.replace('encoding="UTF-8"', 'encoding="ISO-8859-1"').encode()
    assert [item.title for item in parse(wrong)] == [item.title for item in items_of("rss.xml")]


def test_a_feed_has_at_most_so_many_items() -> None:
    items = "".join(f"<item><title>{number}</title></item>" for number in range(MAX_ITEMS + 5))
    assert len(parse(f"<rss version='2.0'><channel>{items}</channel></rss>".encode())) == MAX_ITEMS


@pytest.mark.parametrize(
    "body", [b"", b"<html><body>404</body></html>", b'{"error": 1}', b"{broken", b"\x00\x01", b"plain"]
)
def test_what_is_no_feed_is_refused(body: bytes) -> None:
    with pytest.raises(NotAFeed):
        parse(body, "text/html")


def test_entities_are_not_expanded() -> None:
    bomb = b"""<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "xxxxxxxxxx"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
    <!ENTITY f SYSTEM "file:///etc/passwd">]><rss version="2.0"><channel><item><title>&b;&b;</title>
    <description>&f;</description></item></channel></rss>"""
    for item in parse(bomb):
        assert "x" * 20 not in (item.title or "")
        assert "root" not in (item.text or "")


@pytest.mark.parametrize(
    ("entry", "link"),
    [
        ("<link href='/a' type='text/html; charset=utf-8'/><id>urn:uuid:1</id>", "https://bao.example/a"),
        ("<link href='/a.json' type='application/json'/><link href='/a'/><id>tag:1</id>", "https://bao.example/a"),
        ("<link href='/a.json' type='application/json'/><id>tag:1</id>", "https://bao.example/a.json"),
        ("<link rel='enclosure' href='/a.mp3'/><id>https://bao.example/1</id>", "https://bao.example/1"),
        ("<id>urn:uuid:1</id>", None),
    ],
)
def test_an_id_that_is_no_web_address_is_no_link(entry: str, link: str | None) -> None:
    (item,) = parse(f"<feed xmlns='http://www.w3.org/2005/Atom'><entry>{entry}</entry></feed>".encode())
    assert item.link == link


def test_a_picture_carried_in_a_feed_is_no_text() -> None:
    picture = "<content type='image/jpeg'>/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAAgGBgcGBQgHBwcJCQgK</content>"
    (item,) = parse(
        f"<feed xmlns='http://www.w3.org/2005/Atom'><entry><summary>Lời.</summary>{picture}</entry></feed>".encode()
    )
    assert item.text == "Lời."


def test_a_page_gives_its_article_without_the_furniture() -> None:
    page = parse_page((DATA / "page.html").read_bytes(), PAGE_URL, "text/html")
    assert page.title == "Cầu phao tạm qua sông được dỡ bỏ"
    assert page.text.startswith("Công binh đã dỡ cầu phao tạm")
    assert "Đọc nhiều nhất" not in page.text
    assert page.published == "2025-11-14T08:05:00+07:00"


SENTENCES = (
    "Đoàn công tác kiểm tra ba cây cầu phía nam thành phố trong sáng nay.",
    "Hai cây cầu vẫn thông xe, cây cầu thứ ba phải đóng để sửa mố trụ.",
    "Sở giao thông nói việc sửa chữa kéo dài bốn tuần, kể cả ban đêm.",
    "Xe tải đi theo đường vòng qua cảng sông cho đến khi cầu mở lại.",
)
MENU = "".join(f"<li><a href='/{number}'>Chuyên mục số {number}</a></li>" for number in range(30))
BY_BREAKS = "<br>".join(SENTENCES)
BY_PARAGRAPHS = "".join(f"<p>{sentence}</p>" for sentence in SENTENCES)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (f"<article>{BY_PARAGRAPHS}</article>", 4),
        (f"<div>{BY_BREAKS}</div>", 4),
        (f"<table><tr><td><table><tr><td>{BY_BREAKS}</td></tr></table></td></tr></table>", 4),
        (f"<form><div>{BY_BREAKS}</div></form>", 4),
        (f"<center><font face=arial>{BY_BREAKS}</font></center>", 4),
        (f"<pre>{chr(10).join(SENTENCES)}</pre>", 4),
        (f"<news-body>{BY_PARAGRAPHS}</news-body>", 4),
        (f"<p>{SENTENCES[0]}</p>", 1),
        (f"<article><h1>Sửa cầu</h1><p>{SENTENCES[0]}</p></article>", 1),
        (f"<div class='comment-wrap'>{BY_PARAGRAPHS}</div>", 4),
        ("".join(f"<p><a href='/x'>{sentence}</a></p>" for sentence in SENTENCES), 4),
        (f"<aside>{BY_PARAGRAPHS}</aside>", 0),
        ("<div>" * 5000 + BY_PARAGRAPHS, 0),
        ("", 0),
    ],
    ids=[
        "article", "breaks", "tables", "form", "font", "pre", "own elements", "one sentence", "short article",
        "as a comment", "links", "aside", "too deep", "nothing but a menu",
    ],
)  # fmt: skip
def test_a_page_gives_its_article_or_nothing_and_never_its_menu(body: str, found: int) -> None:
    markup = f"<html><head><title>Sửa cầu</title></head><body><ul>{MENU}</ul>{body}</body></html>"
    text = parse_page(markup.encode(), PAGE_URL, None).text
    assert "Chuyên mục" not in text
    assert sum(sentence in text for sentence in SENTENCES) == found
    assert bool(text) == bool(found)


def test_the_second_reading_obeys_the_selectors() -> None:
    markup = f"<body><ul>{MENU}</ul><p class='ads'>{SENTENCES[1]}</p><p>{SENTENCES[0]}</p></body>"
    page = parse_page(markup.encode(), PAGE_URL, None, Reading(remove=(".ads",)))
    assert page.text == SENTENCES[0]


def test_a_page_in_an_old_charset_and_with_control_characters_is_read() -> None:
    markup = (DATA / "page.html").read_text(encoding="utf-8")
    russian = "Мост через реку открыли для движения после ремонта, сообщила администрация. " * 3
    body = markup.replace("<!--more-->", f"<p>{russian}</p>").replace("UTF-8", "windows-1251")
    page = parse_page(body.encode("windows-1251", "xmlcharrefreplace"), PAGE_URL, None)
    assert russian.strip() in page.text
    bell = parse_page(markup.replace("<!--more-->", "<p>\x07 \x0b \x00</p>").encode(), PAGE_URL, None)
    assert bell.text.startswith("Công binh")


def test_a_page_without_an_article_still_says_its_date() -> None:
    head = b'<html><head><meta property="article:published_time" content="2025-11-14T08:05:00Z"></head>'
    page = parse_page(head + b"<body></body></html>", PAGE_URL, None)
    assert (page.text, page.published) == ("", "2025-11-14T08:05:00Z")
    assert parse_page(b"  \n", PAGE_URL, None).text == ""


@pytest.mark.parametrize(
    ("markup", "published"),
    [
        ('<script type="application/ld+json">{"@graph":[{"@type":"WebPage","datePublished":"2020-01-01"},'
         '{"@type":["NewsArticle"],"datePublished":"2025-11-14T08:05:00+07:00"}]}</script>', "2025-11-14T08:05:00+07:00"),
        ('<script type="application/ld+json">{</script><meta name="pubdate" content="2025-11-14 08:05">', "2025-11-14 08:05"),
        ('<meta itemprop="datePublished" content="2025-11-14"><time datetime="2025-11-14T08:05Z">x</time>', "2025-11-14T08:05Z"),
        ('<div class="publish-date">Thứ Sáu, 14/11/2025, 08:05 (GMT+7)</div>', "Thứ Sáu, 14/11/2025, 08:05 (GMT+7)"),
        ('<meta property="article:published_time" content="2025-11-14">', "2025-11-14"),
        ('<p class="update">14/11/2025</p>', "14/11/2025"),
        ("<p>14/11/2025</p>", None),
    ],
)  # fmt: skip
def test_the_instant_is_read_where_the_page_states_it(markup: str, published: str | None) -> None:
    assert published_of(lxml_html.document_fromstring(f"<html><body>{markup}</body></html>")) == published


def test_the_parser_process_answers_every_request_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    feed, nothing = (DATA / "rss.xml").read_bytes(), b"nothing"
    stream = io.BytesIO()
    for kind, body in (("feed", feed), ("feed", nothing), ("page", nothing)):
        request: dict[str, Any] = {"kind": kind, "url": URL, "content_type": None, "reading": {}, "length": len(body)}
        stream.write(json.dumps(request).encode() + b"\n" + body)
    stream.seek(0)
    answers = io.BytesIO()
    monkeypatch.setattr(
        "services.fetcher.parser_process.resident_bytes", iter((0, WORN_BYTES, WORN_BYTES + 1)).__next__
    )
    serve(stream, answers)
    first, second, third = (json.loads(line) for line in answers.getvalue().splitlines())
    assert len(first["feed"]["items"]) == len(items_of("rss.xml"))
    assert list(second) == ["error"]
    assert list(third) == ["page", "worn"]


@pytest.mark.slow
def test_no_usual_page_wears_a_parser_out() -> None:
    """A short article among many links is read with jusText, too, whose lists of stop words would take a third of the memory."""
    body = page_of("Tin 3", text_of(3, 3000)).encode()
    request: dict[str, Any] = {
        "kind": "page",
        "url": PAGE_URL,
        "content_type": None,
        "reading": {},
        "length": len(body),
    }
    done = subprocess.run(
        [sys.executable, "-m", "services.fetcher.parser_process"],
        input=(json.dumps(request).encode() + b"\n" + body) * 2, capture_output=True, cwd=project_folder(), check=True,
    )  # fmt: skip
    assert [list(json.loads(line)) for line in done.stdout.splitlines()] == [["page"], ["page"]]


def test_a_bug_in_a_parser_concerns_one_document(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> list[Item]:
        raise RuntimeError("a parser's bug")

    monkeypatch.setattr("services.fetcher.parser_process.parse_feed", broken)
    request: dict[str, Any] = {"kind": "feed", "url": "", "content_type": None, "reading": {}}
    assert answer(request, b"") == {"error": "RuntimeError: a parser's bug"}


def test_a_document_that_takes_too_long_costs_the_process_and_not_the_service() -> None:
    async def scenario() -> int:
        hasty, parser = Parser(timeout=0.0, processes=1), Parser(processes=1)
        body = (DATA / "rss.xml").read_bytes()
        try:
            for _ in range(2):
                with pytest.raises(ParseFailed, match="not parsed within"):
                    await hasty.feed(body, URL, None, Reading())
            with pytest.raises(ParseFailed, match="neither RSS nor Atom"):
                await parser.feed(b"plain", URL, None, Reading())
            return len((await parser.feed(body, URL, None, Reading())).items)
        finally:
            await hasty.close()
            await parser.close()

    assert asyncio.run(scenario()) == len(items_of("rss.xml"))


@pytest.mark.parametrize(("line", "starts"), [('{"links": []}', 1), ('{"links": [], "worn": true}', 3)])
def test_a_parser_that_says_it_is_worn_is_replaced(
    line: str, starts: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, program = tmp_path / "started", tmp_path / "parser"
    program.write_text(
        f"#!/bin/sh\necho x >> {started}\nwhile read request; do echo '{line}'; done\n", encoding="ascii"
    )
    program.chmod(0o755)
    monkeypatch.setattr("services.fetcher.parsing.sys", SimpleNamespace(executable=str(program)))

    async def scenario() -> None:
        parser = Parser(processes=1)
        try:
            for _ in range(3):
                assert await parser.links(b"", URL, None) == []
        finally:
            await parser.close()

    asyncio.run(scenario())
    assert started.read_text(encoding="ascii").count("x") == starts


def test_a_feed_says_when_it_wants_to_be_asked_again() -> None:
    hours = "".join(f"<hour>{hour}</hour>" for hour in (0, 24, 7))
    wishes = f"<ttl>90</ttl><skipHours>{hours}</skipHours><skipDays><day>Sunday</day></skipDays>"
    document = parse_feed(f"<rss version='2.0'><channel>{wishes}</channel></rss>".encode(), URL, None, Reading())
    assert (document.ttl_seconds, sorted(document.skip_hours), document.skip_days) == (5400, [0, 7], ("Sunday",))
    module = "xmlns:sy='http://purl.org/rss/1.0/modules/syndication/'"
    period = "<sy:updatePeriod>hourly</sy:updatePeriod><sy:updateFrequency>2</sy:updateFrequency>"
    document = parse_feed(
        f"<rss version='2.0' {module}><channel>{period}</channel></rss>".encode(), URL, None, Reading()
    )
    assert document.ttl_seconds == 1800


@pytest.mark.parametrize(
    ("charset", "declared", "title"),
    [
        ("windows-1258", "UTF-8", "Đường mới đã mở"),
        ("utf-8", "windows-1252", "Đường mới đã mở"),
        ("koi8-r", "windows-1251", "Мост открыт"),
    ],
)
def test_the_operator_knows_the_charset_better_than_the_feed(charset: str, declared: str, title: str) -> None:
    channel = f"<channel><item><title>{as_1258(title) if charset == 'windows-1258' else title}</title></item></channel>"
    feed = f"<?xml version='1.0' encoding='{declared}'?><rss version='2.0'>{channel}</rss>"
    (item,) = parse(feed.encode(charset), charset=charset)
    assert unicodedata.normalize("NFC", item.title or "") == title


def as_1258(text: str) -> str:
    """Return Vietnamese as windows-1258 writes it: letters with their hat, hook or bar, and tones behind them."""
    letters: list[str] = []
    for letter in text:
        parts = unicodedata.normalize("NFD", letter)
        tones = "".join(mark for mark in parts if mark in "\u0300\u0301\u0303\u0309\u0323")
        letters.append(unicodedata.normalize("NFC", "".join(mark for mark in parts if mark not in tones)) + tones)
    return "".join(letters)


NEWS = """<?xml version="1.0" encoding="UTF-8"?>
<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:news="http://www.google.com/schemas/sitemap-news/0.9"
 xmlns:image="http://www.google.com/schemas/sitemap-image/1.1"><!-- made at night -->
<url><loc>https://bao.example/cu.html</loc><lastmod>2025-11-20</lastmod></url>
<url><image:image><image:loc>https://bao.example/a.jpg</image:loc><image:title>Ảnh</image:title></image:image>
<loc> https://bao.example/moi.html </loc><news:news><news:publication><news:name>Báo</news:name></news:publication>
<news:publication_date>2025-11-21T08:05:00+07:00</news:publication_date><news:title>Tàu rời cảng</news:title></news:news></url>
<url><lastmod>2025-11-20</lastmod></url></urlset>"""


def test_a_news_sitemap_gives_its_pages_the_newest_first() -> None:
    first, second = parse(NEWS.encode())
    assert (first.link, first.title, first.published) == (
        "https://bao.example/moi.html", "Tàu rời cảng", "2025-11-21T08:05:00+07:00",
    )  # fmt: skip
    assert (second.link, second.title, second.published) == ("https://bao.example/cu.html", None, "2025-11-20")
    assert parse(gzip.compress(NEWS.encode())) == [first, second]


def test_an_index_leads_to_its_sitemaps_changed_last() -> None:
    sitemaps = "".join(
        f"<sitemap><loc>https://bao.example/{day}.xml</loc><lastmod>2025-11-{day}</lastmod></sitemap>"
        for day in range(10, 30)
    )
    index = f"<sitemapindex xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'>{sitemaps}</sitemapindex>"
    document = parse_feed(index.encode(), URL, None, Reading())
    assert document.sitemaps == tuple(f"https://bao.example/{day}.xml" for day in (29, 28, 27, 26, 25))
    assert not document.items


def test_hostile_sitemaps_are_refused_or_harmless() -> None:
    bomb = gzip.compress(b"<urlset>" + b" " * 30_000_000)
    for body in (bomb, gzip.compress(bomb), b"\x1f\x8bnot gzip"):
        with pytest.raises(NotAFeed):
            parse(body)
    entity = (
        b"<!DOCTYPE u [<!ENTITY f SYSTEM 'file:///etc/passwd'>]><urlset><url><loc>https://x/&f;</loc></url></urlset>"
    )
    assert not any("root" in (item.link or "") for item in parse(entity))


def test_a_listing_page_gives_the_links_its_selector_picks() -> None:
    page = """<html><head><base href="https://bao.example/"></head><body><a href="/gioi-thieu">Giới thiệu</a>
    <div class="tin"><a href="/1.html"><img></a><h3><a href="/1.html">Tàu  rời cảng</a></h3></div>
    <div class="tin"><a href="2.html" title="Cầu mới"><img></a></div><div class="tin">không có liên kết</div></body></html>"""
    for selector in ("div.tin", "div.tin a"):
        items = parse(page.encode(), "text/html", listing=selector)
        assert [(item.link, item.title) for item in items] == [
            ("https://bao.example/1.html", "Tàu rời cảng"), ("https://bao.example/2.html", "Cầu mới"),
        ]  # fmt: skip
    assert parse(b" ", "text/html", listing="a") == []


def test_selectors_say_what_of_a_page_is_the_article() -> None:
    sentence = "Công binh đã dỡ cầu phao tạm sau khi cầu chính mở lại cho xe cộ. "
    page = f"""<html><body><h1>Cầu</h1><div id="than"><p>{sentence * 4}</p><div class="hot"><p>Xem thêm: {sentence[::-1] * 3}</p>
    </div></div><div class="ben"><p>{"Một bài khác hẳn nói về mùa gặt ở vùng cao. " * 20}</p></div></body></html>"""
    reading = Reading(keep=("#than", "#than p"), remove=("div.hot",))
    text = parse_page(page.encode(), PAGE_URL, None, reading).text
    assert text.split() == (sentence * 4).split()
    assert "mùa gặt" in parse_page(page.encode(), PAGE_URL, None, Reading(keep=("#khong-co",))).text


def test_an_article_of_which_the_page_shows_a_part_is_read_where_it_is_stated_whole() -> None:
    whole = "Đoàn xe tới nơi lúc rạng sáng và dỡ hàng ngay trong buổi sáng hôm đó. " * 12

    def page(body: str) -> bytes:
        script = json.dumps({"@graph": [{"@type": "NewsArticle", "articleBody": f"<p>{body}</p>"}]})
        return (DATA / "page.html").read_text(encoding="utf-8").replace(
            "</head>", f'<script type="application/ld+json">{script}</script></head>'
        ).encode()  # fmt: skip

    assert parse_page(page(whole), PAGE_URL, None).text == whole.strip()
    assert parse_page(page(whole[:60]), PAGE_URL, None).text.startswith("Công binh đã dỡ cầu phao tạm")

import asyncio
import io
import json
from pathlib import Path

import pytest
from lxml import html as lxml_html

from services.fetcher.feed_parser import MAX_ITEMS, NotAFeed, parse_feed
from services.fetcher.page_parser import parse_page, published_of
from services.fetcher.parser_process import answer, serve
from services.fetcher.parsing import ParseFailed, Parser
from services.fetcher.transform import Item

DATA = Path(__file__).resolve().parents[2] / "data" / "fetcher"
URL = "https://bao.example/tin/rss.xml"
PAGE_URL = "https://bao.example/tin/a.html"


def items_of(name: str) -> list[Item]:
    return parse_feed((DATA / name).read_bytes(), URL, None)


@pytest.mark.parametrize("name", ["rss.xml", "atom.xml", "feed.json", "broken.xml"])
def test_a_feed_gives_the_items_written_beside_it(name: str) -> None:
    expected = json.loads((DATA / f"{name}.items.json").read_text(encoding="utf-8"))
    assert [item.model_dump(exclude_none=True) for item in items_of(name)] == expected


def test_text_that_is_utf8_is_read_as_utf8_whatever_the_feed_declares() -> None:
    text = (DATA / "rss.xml").read_text(encoding="utf-8")
    wrong = text.replace('encoding="UTF-8"', 'encoding="ISO-8859-1"').encode()
    assert [item.title for item in parse_feed(wrong, URL, None)] == [item.title for item in items_of("rss.xml")]


def test_a_feed_has_at_most_so_many_items() -> None:
    items = "".join(f"<item><title>{number}</title></item>" for number in range(MAX_ITEMS + 5))
    assert len(parse_feed(f"<rss version='2.0'><channel>{items}</channel></rss>".encode(), URL, None)) == MAX_ITEMS


@pytest.mark.parametrize(
    "body", [b"", b"<html><body>404</body></html>", b'{"error": 1}', b"{broken", b"\x00\x01", b"plain"]
)
def test_what_is_no_feed_is_refused(body: bytes) -> None:
    with pytest.raises(NotAFeed):
        parse_feed(body, URL, "text/html")


def test_entities_are_not_expanded() -> None:
    bomb = b"""<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "xxxxxxxxxx"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
    <!ENTITY f SYSTEM "file:///etc/passwd">]><rss version="2.0"><channel><item><title>&b;&b;</title>
    <description>&f;</description></item></channel></rss>"""
    for item in parse_feed(bomb, URL, None):
        assert "x" * 20 not in (item.title or "")
        assert "root" not in (item.text or "")


def test_a_page_gives_its_article_without_the_furniture() -> None:
    page = parse_page((DATA / "page.html").read_bytes(), PAGE_URL, "text/html")
    assert page.title == "Cầu phao tạm qua sông được dỡ bỏ"
    assert page.text.startswith("Công binh đã dỡ cầu phao tạm")
    assert "Đọc nhiều nhất" not in page.text
    assert page.published == "2025-11-14T08:05:00+07:00"


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


def test_the_parser_process_answers_every_request_in_order() -> None:
    feed, nothing = (DATA / "rss.xml").read_bytes(), b"nothing"
    stream = io.BytesIO()
    for kind, body in (("feed", feed), ("feed", nothing), ("page", nothing)):
        request = {"kind": kind, "url": URL, "content_type": None, "length": len(body)}
        stream.write(json.dumps(request).encode() + b"\n" + body)
    stream.seek(0)
    answers = io.BytesIO()
    serve(stream, answers)
    first, second, third = (json.loads(line) for line in answers.getvalue().splitlines())
    assert len(first["items"]) == len(items_of("rss.xml"))
    assert list(second) == ["error"]
    assert list(third) == ["page"]


def test_a_bug_in_a_parser_concerns_one_document(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> list[Item]:
        raise RuntimeError("a parser's bug")

    monkeypatch.setattr("services.fetcher.parser_process.parse_feed", broken)
    assert answer({"kind": "feed", "url": "", "content_type": None}, b"") == {"error": "RuntimeError: a parser's bug"}


def test_a_document_that_takes_too_long_costs_the_process_and_not_the_service() -> None:
    async def scenario() -> list[Item]:
        parser = Parser()
        body = (DATA / "rss.xml").read_bytes()
        await parser.feed(body, URL, None)
        parser.timeout = 0.0
        with pytest.raises(ParseFailed, match="not parsed within"):
            await parser.feed(body, URL, None)
        parser.timeout = 20.0
        try:
            with pytest.raises(ParseFailed, match="neither RSS nor Atom"):
                await parser.feed(b"plain", URL, None)
            return await parser.feed(body, URL, None)
        finally:
            await parser.close()

    assert len(asyncio.run(scenario())) == len(items_of("rss.xml"))

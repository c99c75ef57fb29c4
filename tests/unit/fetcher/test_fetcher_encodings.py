"""Documents in old or wrong charsets, through the fetcher's parsers and the normaliser's repair: words must come out whole."""

import unicodedata

import pytest

from services.fetcher.documents import Reading
from services.fetcher.feed_parser import parse_feed
from services.fetcher.feeds import Feed
from services.fetcher.page_parser import parse_page
from services.normaliser.changes import apply
from services.normaliser.repair import _load_legacy, repair

WORDS = "Lực lượng phòng không đã đánh chặn hai mươi máy bay trong đêm. Đường sắt phía nam vẫn chạy đúng giờ."


def as_tcvn3(text: str) -> bytes:
    letters = {meant: chr(written) for written, meant in _load_legacy()["tcvn3"][0].items()}
    return "".join(letters.get(letter, letter) for letter in text).encode("windows-1252")


def as_1258(text: str) -> bytes:
    letters: list[str] = []
    for letter in text:
        parts = unicodedata.normalize("NFD", letter)
        tones = "".join(mark for mark in parts if mark in "\u0300\u0301\u0303\u0309\u0323")
        letters.append(unicodedata.normalize("NFC", "".join(mark for mark in parts if mark not in tones)) + tones)
    return "".join(letters).encode("windows-1258")


WRITTEN = {
    "double": WORDS.encode().decode("latin-1").encode(),
    "tcvn3": as_tcvn3(WORDS),
    "utf-8": WORDS.encode(),
    "windows-1258": as_1258(WORDS),
}


def repaired(text: str | None) -> list[str]:
    return unicodedata.normalize("NFC", apply(text or "", repair(text or ""))).split()


@pytest.mark.parametrize("declared", [None, "UTF-8", "windows-1252", "iso-8859-1"])
@pytest.mark.parametrize("written", WRITTEN)
def test_whatever_a_document_declares_its_words_come_out_whole(written: str, declared: str | None) -> None:
    body = WRITTEN[written]
    head = f"<?xml version='1.0' encoding='{declared}'?>".encode() if declared else b""
    rss = (
        b"<rss version='2.0'><channel><item><link>https://x.example/</link><title>%s</title></item></channel></rss>"
        % body
    )
    (item,) = parse_feed(head + rss, "https://x.example/rss", None, Reading()).items
    assert repaired(item.title) == WORDS.split()
    meta = f"<meta charset='{declared}'>".encode() if declared else b""
    page = b"<html><head>%s</head><body><article><p>%s</p></article></body></html>" % (meta, (body + b" ") * 4)
    assert repaired(parse_page(page, "", None).text) == WORDS.split() * 4


@pytest.mark.parametrize("written", ["tcvn3", "windows-1258"])
def test_the_operator_may_name_the_charset(written: str) -> None:
    page = b"<html><body><article><p>%s</p></article></body></html>" % ((WRITTEN[written] + b" ") * 4)
    feed = Feed.model_validate({"name": "Outlet", "url": "https://x.example/rss", "charset": written})
    assert repaired(parse_page(page, "", "text/html; charset=utf-8", feed.reading).text) == WORDS.split() * 4

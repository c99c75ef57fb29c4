"""Where a page says that its feeds are. Runs in the parser process."""

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urljoin

from lxml import html as lxml_html

from services.fetcher.charsets import decode

FEED_TYPES: Final = frozenset({
    "application/atom+xml", "application/feed+json", "application/rdf+xml", "application/rss+xml",
})  # fmt: skip
# How many of the addresses a page names are tried.
MAX_TRIED: Final = 5
_ENDINGS: Final = ("/atom", "/feed", "/feed/", "/rss", "/rss/", ".atom", ".rss", "atom.xml", "feed.xml", "rss.xml")


def feed_links(body: bytes, url: str, content_type: str | None) -> list[str]:
    """Return the addresses that a page names as feeds, the declared ones first. Raises UnicodeError."""
    text = decode(body, content_type)
    if not text.strip():
        return []
    tree = lxml_html.document_fromstring(text.encode(), parser=lxml_html.HTMLParser(encoding="utf-8"))
    base = urljoin(url, next(iter(tree.xpath("//base/@href")), ""))
    return list(dict.fromkeys(urljoin(base, link) for link in _links(tree)))[:MAX_TRIED]


def _links(tree: Any) -> Iterator[str]:
    for link in tree.xpath("//link[@href][@type]"):
        if link.get("type").strip().lower() in FEED_TYPES:
            yield link.get("href").strip()
    for link in tree.xpath("//a/@href"):
        if link.strip().lower().endswith(_ENDINGS):
            yield link.strip()

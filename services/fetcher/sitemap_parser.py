"""Sitemaps to items: news sitemaps, plain ones, and indexes of sitemaps (sitemaps.org, and Google's news extension)."""

import re
from collections.abc import Iterator
from typing import Any, Final

from lxml import etree

from services.fetcher.documents import Document, Item

# How many sitemaps of an index one visit follows, the last changed first.
MAX_SITEMAPS: Final = 5
_IS_SITEMAP: Final = re.compile(rb"<(?:[\w-]+:)?(?:urlset|sitemapindex)[\s>]")
_LOOK_WITHIN: Final = 4096


def is_sitemap(body: bytes) -> bool:
    """Return whether a document is a sitemap or an index of sitemaps."""
    return _IS_SITEMAP.search(body[:_LOOK_WITHIN]) is not None


def parse_sitemap(body: bytes, limit: int) -> Document:
    """Return the newest `limit` pages of a sitemap as items, or the sitemaps an index leads to. Raises `etree.XMLSyntaxError`."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, huge_tree=False, recover=True, remove_comments=True
    )
    root = etree.fromstring(body, parser)
    entries = [fields for entry in root if (fields := dict(_fields(entry))).get("loc")]
    entries.sort(key=lambda fields: fields.get("publication_date") or fields.get("lastmod") or "", reverse=True)
    if etree.QName(root).localname == "sitemapindex":
        return Document(sitemaps=tuple(fields["loc"] for fields in entries[:MAX_SITEMAPS]))
    return Document(items=tuple(_item(fields) for fields in entries[:limit]))


def _fields(entry: Any) -> Iterator[tuple[str, str]]:
    """Yield the texts of an entry by local name, the first of each name last: `dict` keeps it."""
    if isinstance(entry.tag, str):
        for element in reversed(list(entry.iter(etree.Element))):
            text = (element.text or "").strip()
            if text and "image" not in (etree.QName(element).namespace or ""):
                yield etree.QName(element).localname, text


def _item(fields: dict[str, str]) -> Item:
    return Item(
        link=fields["loc"],
        title=fields.get("title"),
        section=fields.get("genres"),
        published=fields.get("publication_date") or fields.get("lastmod"),
    )

"""Feed documents to items: RSS 0.9x to 2.0, Atom (feedparser), JSON Feed 1.x, sitemaps and HTML listing pages.

Runs in the parser process, because a hostile document can keep a parser busy. Dates stay raw strings: feedparser's own reading
turns "22-11-2025" into 2022-11-20 and "GMT+7" into no date.
"""

import html
import io
import json
import re
import zlib
from typing import Any, Final
from urllib.parse import urljoin

import feedparser
from feedparser.mixin import _FeedParserMixin
from lxml import etree

from services.fetcher.documents import Document, Item, Reading
from services.fetcher.listing_parser import parse_listing
from services.fetcher.sitemap_parser import is_sitemap, parse_sitemap

MAX_ITEMS: Final = 2000
# Sitemaps come as .xml.gz: compressed themselves, not on their way.
MAX_UNPACKED_BYTES: Final = 20 * 1024 * 1024
_GZIP_MAGIC: Final = b"\x1f\x8b"
_XML_DECLARATION: Final = re.compile(r"\A\s*<\?xml[^>]*\?>")
_SKIP_HOURS: Final = re.compile(rb"<skipHours>(.{0,2000}?)</skipHours>", re.DOTALL)
_SKIP_DAYS: Final = re.compile(rb"<skipDays>(.{0,2000}?)</skipDays>", re.DOTALL)
_HOUR: Final = re.compile(rb"<hour>\s*(\d{1,2})\s*</hour>")
_DAY: Final = re.compile(rb"<day>\s*([A-Z][a-z]{5,8})\s*</day>")
_UPDATE_SECONDS: Final = {
    "hourly": 3600,
    "daily": 86_400,
    "weekly": 604_800,
    "monthly": 2_592_000,
    "yearly": 31_536_000,
}
# An id is compared, never resolved (RFC 4287 §4.2.6): feedparser makes an address of it, which would be another identity.
_FeedParserMixin.can_be_relative_uri.discard("id")
_NO_WORDS: Final = frozenset({"audio", "font", "image", "model", "video"})
_TAG: Final = re.compile(r"</?[a-zA-Z][^<>]*>")


class NotAFeed(ValueError):
    """The document is none of the feed formats read here."""


def parse_feed(body: bytes, url: str, content_type: str | None, reading: Reading) -> Document:
    """Return what a feed document holds, at most `MAX_ITEMS` items, links absolute. Raises `NotAFeed`, UnicodeError."""
    if body.startswith(_GZIP_MAGIC):
        body = _unpacked(body)
    if reading.charset:
        text = body.decode(reading.charset, "replace")
        body, content_type = _XML_DECLARATION.sub("", text).encode(), "text/xml; charset=utf-8"
    if reading.listing:
        return parse_listing(body, url, content_type, reading.listing, MAX_ITEMS)
    if body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return _parse_json_feed(body)
    if is_sitemap(body):
        return _parse_sitemap(body)
    return _parse_xml_feed(body, url, content_type)


def _unpacked(body: bytes) -> bytes:
    unpacker = zlib.decompressobj(wbits=31)
    try:
        unpacked = unpacker.decompress(body, MAX_UNPACKED_BYTES)
    except zlib.error as error:
        raise NotAFeed(f"broken gzip: {error}") from None
    if unpacker.unconsumed_tail:
        raise NotAFeed(f"more than {MAX_UNPACKED_BYTES} bytes when unpacked")
    return unpacked


def _parse_sitemap(body: bytes) -> Document:
    try:
        return parse_sitemap(body, MAX_ITEMS)
    except etree.XMLSyntaxError as error:
        raise NotAFeed(f"broken sitemap: {error}") from None


def _parse_xml_feed(body: bytes, url: str, content_type: str | None) -> Document:
    headers = {"content-location": url}
    if content_type:
        headers["content-type"] = content_type
    parsed = feedparser.parse(io.BytesIO(body), response_headers=headers)
    if not parsed.get("version") and not parsed.entries:
        raise NotAFeed(f"neither RSS nor Atom: {parsed.get('bozo_exception') or 'no item'}")
    is_atom = str(parsed.get("version")).startswith("atom")
    skip_hours, skip_days = _SKIP_HOURS.search(body), _SKIP_DAYS.search(body)
    return Document(
        title=_text(parsed.feed.get("title")),
        language=_text(parsed.feed.get("language")),
        items=tuple(_item(entry, url, is_atom=is_atom) for entry in parsed.entries[:MAX_ITEMS]),
        ttl_seconds=_ttl(parsed.feed),
        skip_hours=tuple({int(hour) % 24 for hour in _HOUR.findall(skip_hours[1])}) if skip_hours else (),
        skip_days=tuple(day.decode() for day in _DAY.findall(skip_days[1])) if skip_days else (),
    )


def _ttl(feed: Any) -> float | None:
    """Return how long a feed says its document stays good: ttl in minutes, else the syndication module's period by frequency."""
    minutes, period = str(feed.get("ttl", "")), _UPDATE_SECONDS.get(str(feed.get("sy_updateperiod", "")).strip())
    if minutes.isascii() and minutes.isdigit():
        return float(minutes[:6]) * 60
    if period is None:
        return None
    frequency = str(feed.get("sy_updatefrequency", "1")).strip()
    return period / (float(frequency[:6]) if frequency.isascii() and frequency.isdigit() and int(frequency) else 1.0)


def _item(entry: Any, url: str, *, is_atom: bool) -> Item:
    # dict.get: feedparser's own answers `updated` with `published` when there is none.
    updated = dict.get(entry, "updated")
    tags = entry.get("tags") or [{}]
    return Item(
        link=_absolute(url, _link(entry)),
        guid=_text(entry.get("id")),
        title=_title(entry),
        text=_longest(
            [content.get("value") for content in entry.get("content", []) if _is_words(content)] + [_summary(entry)]
        ),
        author=_text(entry.get("author")),
        section=_text(tags[0].get("term")),
        published=_text(dict.get(entry, "published") or updated or dict.get(entry, "created")),
        updated=_text(updated) if is_atom else None,
    )


def _link(entry: Any) -> str | None:
    """Return the address of an item's page: an alternate link, else an id that is a web address.

    feedparser's own `link` is also an id of another kind, as urn:uuid, when the link states a charset or no HTML.
    """
    own = _text(entry.get("link"))
    links = [link["href"] for link in entry.get("links", []) if link.get("rel") == "alternate" and link.get("href")]
    if own in links or (own and not links and own.startswith(("http://", "https://"))):
        return own
    return links[0] if links else None


def _summary(entry: Any) -> Any:
    return entry.get("summary") if _is_words(entry.get("summary_detail", {})) else None


def _is_words(content: Any) -> bool:
    """Return whether a content may be text: Atom carries pictures too, as base64 (RFC 4287 §4.1.3.3)."""
    return str(content.get("type")).partition("/")[0].lower() not in _NO_WORDS


def _absolute(url: str, link: str | None) -> str | None:
    try:
        return urljoin(url, link) if link else None
    except ValueError:
        return link


def _title(entry: Any) -> str | None:
    title = entry.get("title") or ""
    if entry.get("title_detail", {}).get("type") != "text/plain":
        title = html.unescape(_TAG.sub("", title))
    return _text(title)


def _parse_json_feed(body: bytes) -> Document:
    try:
        feed = json.loads(body.decode("utf-8-sig"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise NotAFeed(f"no JSON: {error}") from None
    items = feed.get("items")
    if "jsonfeed.org" not in str(feed.get("version")) or not isinstance(items, list):
        raise NotAFeed("JSON, but no JSON Feed")
    return Document(
        title=_text(feed.get("title")),
        language=_text(feed.get("language")),
        items=tuple(_json_item(item) for item in items[:MAX_ITEMS] if isinstance(item, dict)),
    )


def _json_item(item: dict[str, Any]) -> Item:
    authors = item.get("authors") or [item.get("author")]
    author = authors[0] if isinstance(authors, list) and authors and isinstance(authors[0], dict) else {}
    tags = item.get("tags")
    return Item(
        link=_text(item.get("url") or item.get("external_url")),
        guid=_text(item.get("id")),
        title=_text(item.get("title")),
        text=_text(item.get("content_html") or item.get("content_text") or item.get("summary")),
        author=_text(author.get("name")),
        section=_text(tags[0]) if isinstance(tags, list) and tags else None,
        published=_text(item.get("date_published") or item.get("date_modified")),
        updated=_text(item.get("date_modified")),
    )


def _longest(texts: list[Any]) -> str | None:
    return _text(max((text for text in texts if isinstance(text, str)), key=len, default=None))


def _text(value: Any) -> str | None:
    text = str(value).strip() if isinstance(value, str | int | float) else ""
    return text or None

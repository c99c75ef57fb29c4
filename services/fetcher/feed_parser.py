"""Feed documents to items: RSS 0.9x to 2.0, Atom (feedparser) and JSON Feed 1.x.

Runs in the parser process, because a hostile document can keep a parser busy. Dates stay raw strings: feedparser's own reading
turns "22-11-2025" into 2022-11-20 and "GMT+7" into no date.
"""

import html
import io
import json
import re
from typing import Any, Final

import feedparser

from services.fetcher.transform import Item

MAX_ITEMS: Final = 2000
_TAG: Final = re.compile(r"</?[a-zA-Z][^<>]*>")


class NotAFeed(ValueError):
    """The document is none of the feed formats read here."""


def parse_feed(body: bytes, url: str, content_type: str | None) -> list[Item]:
    """Return the items of a feed document, at most `MAX_ITEMS`, links absolute. Raises `NotAFeed`."""
    if body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return _parse_json_feed(body)
    headers = {"content-location": url}
    if content_type:
        headers["content-type"] = content_type
    parsed = feedparser.parse(io.BytesIO(body), response_headers=headers)
    if not parsed.get("version") and not parsed.entries:
        raise NotAFeed(f"neither RSS nor Atom: {parsed.get('bozo_exception') or 'no item'}")
    is_atom = str(parsed.get("version")).startswith("atom")
    return [_item(entry, is_atom=is_atom) for entry in parsed.entries[:MAX_ITEMS]]


def _item(entry: Any, *, is_atom: bool) -> Item:
    # dict.get: feedparser's own answers `updated` with `published` when there is none.
    updated = dict.get(entry, "updated")
    tags = entry.get("tags") or [{}]
    return Item(
        link=_text(entry.get("link")),
        guid=_text(entry.get("id")),
        title=_title(entry),
        text=_longest([content.get("value") for content in entry.get("content", [])] + [entry.get("summary")]),
        author=_text(entry.get("author")),
        section=_text(tags[0].get("term")),
        published=_text(dict.get(entry, "published") or updated or dict.get(entry, "created")),
        updated=_text(updated) if is_atom else None,
    )


def _title(entry: Any) -> str | None:
    title = entry.get("title") or ""
    if entry.get("title_detail", {}).get("type") != "text/plain":
        title = html.unescape(_TAG.sub("", title))
    return _text(title)


def _parse_json_feed(body: bytes) -> list[Item]:
    try:
        feed = json.loads(body.decode("utf-8-sig"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise NotAFeed(f"no JSON: {error}") from None
    items = feed.get("items")
    if "jsonfeed.org" not in str(feed.get("version")) or not isinstance(items, list):
        raise NotAFeed("JSON, but no JSON Feed")
    return [_json_item(item) for item in items[:MAX_ITEMS] if isinstance(item, dict)]


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

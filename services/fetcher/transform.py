"""The fetcher's pure rules: which article an item is, whether it is new or changed, and the records made of it.

Nothing here reads a clock, a file or the network: times are arguments.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

from services.fetcher.documents import Item, Page
from services.fetcher.feeds import Feed
from shared.ids import article_id_for_link, article_id_for_text, trace_id_for
from shared.links import clean_link
from shared.models import PageTask, RawArticle, milliseconds

MAX_CARRIED_FEED_TEXT: Final = 256 * 1024
# An item with neither link nor guid is known by its title; "Weather today" is another article a week later.
TITLE_LASTS: Final = timedelta(days=7)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MARKUP: Final = re.compile(r"<[^<>]*>")
_LOOKS_LIKE_HTML: Final = re.compile(r"</?[a-zA-Z][^<>]*>|&(?:[a-zA-Z]+|#\d+|#x[0-9a-fA-F]+);")


class Seen(NamedTuple):
    """What is remembered of a published item."""

    feed: str
    fingerprint: str
    first_seen_at: datetime
    revision: int


class Verdict(StrEnum):
    """What an item is, compared with what was published before."""

    CHANGED = "changed"
    KNOWN = "known"
    NEW = "new"


def article_id_of(feed: Feed, item: Item, now: datetime, seen: Mapping[str, Seen]) -> str:
    """Return an item's identity: its cleaned link, else (feed, guid), else the text of a file, else (host, title) for a week.

    `seen` holds what was published before, by article id.
    """
    link = clean_link(item.link) if item.link else None
    if link is None and item.guid:
        link = clean_link(item.guid)
    if link is not None:
        return article_id_for_link(link)
    if item.guid:
        return article_id_for_link(f"guid:{feed.name}|{item.guid}")
    if feed.url is None:
        return article_id_for_text(item.text or "")
    return _title_id(f"title:{feed.host}|{_squeeze(item.title or '')}", now, seen)


def _title_id(title: str, now: datetime, seen: Mapping[str, Seen]) -> str:
    """Return the id under which a title was first seen in the last seven days, else that of the present week."""
    week = (now - _EPOCH) // TITLE_LASTS
    earlier = article_id_for_link(f"{title}|{week - 1}")
    if earlier in seen and now - seen[earlier].first_seen_at < TITLE_LASTS:
        return earlier
    return article_id_for_link(f"{title}|{week}")


def stated_instant(text: str | None, timezone: str | None) -> datetime | None:
    """Return the instant a feed's date states (ISO 8601 or RFC 822; a date without zone is in `timezone`), None when unreadable.

    Good enough to measure lateness and to leave out old items; the article's own date is read by the normaliser.
    """
    moment = _iso(text or "") or _rfc822(text or "")
    if moment is None:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(timezone or "UTC"))


def _iso(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        return None


def _rfc822(text: str) -> datetime | None:
    try:
        return parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None


def fingerprint(item: Item) -> str:
    """Return a hash of what an editor changes in an item: title, text without markup, revision date.

    Frozen: another hash would make every remembered item a revision.
    """
    parts = (item.title or "", _without_markup(item.text or ""), item.updated or "")
    marks = "\0".join(_squeeze(part) for part in parts).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(marks, digest_size=12).hexdigest()


def without_build_times(items: Iterable[Item]) -> list[Item]:
    """Return the items of one feed without revision dates that are all the same: the time the feed was built, not an edit."""
    items = list(items)
    if len(items) > 1 and len({item.updated for item in items}) == 1:
        return [item.model_copy(update={"updated": None}) for item in items]
    return items


def judge(feed: Feed, mark: str, seen: Seen | None) -> Verdict:
    """Return what an item with this fingerprint is. An article belongs to the feed that announced it first on a host."""
    if seen is None:
        return Verdict.NEW
    if seen.feed != feed.name or seen.fingerprint == mark:
        return Verdict.KNOWN
    return Verdict.CHANGED


def remembered(feed: Feed, mark: str, seen: Seen | None, now: datetime) -> Seen:
    """Return what is to be remembered of an item that is published now; the first sight never changes."""
    if seen is None:
        return Seen(feed.name, mark, now, 1)
    return Seen(feed.name, mark, seen.first_seen_at, seen.revision + 1)


def media_type_of(text: str) -> Literal["text/plain", "text/html"]:
    """Return whether a feed's text is HTML (it has a tag or an entity) or plain."""
    return "text/html" if _LOOKS_LIKE_HTML.search(text) else "text/plain"


def raw_article(
    feed: Feed, item: Item, article_id: str, seen: Seen, *, fetched_at: datetime, backlog: bool
) -> RawArticle:
    """Return an item whose own text is the article as a raw article."""
    text = item.text or ""
    return RawArticle(
        article_id=article_id,
        feed=feed.name,
        source=feed.article_source,
        url=item.link,
        title=item.title,
        text=text,
        media_type=media_type_of(text) if feed.url else "text/plain",
        author=item.author,
        section=item.section,
        feed_published=item.published,
        fetched_at=fetched_at,
        first_seen_at=seen.first_seen_at,
        revision=seen.revision,
        backlog=backlog,
        trace_id=trace_id_for(article_id, milliseconds(fetched_at)),
    )


def page_task(feed: Feed, item: Item, article_id: str, seen: Seen, *, now: datetime, backlog: bool) -> PageTask:
    """Return the order to fetch an item's page; the feed's own text travels along unless it is as long as a book."""
    text = item.text or ""
    return PageTask(
        article_id=article_id,
        feed=feed.name,
        source=feed.article_source,
        url=item.link or "",
        title=item.title,
        feed_text=text if 0 < len(text) <= MAX_CARRIED_FEED_TEXT else None,
        author=item.author,
        section=item.section,
        feed_published=item.published,
        first_seen_at=seen.first_seen_at,
        revision=seen.revision,
        backlog=backlog,
        allow_private=list(feed.allow_private),
        trace_id=trace_id_for(article_id, milliseconds(now)),
    )


def item_of_page(page: Page) -> Item:
    """Return a saved page as an item; its date is the page's own statement, not a feed's."""
    return Item(title=page.title, text=page.text, author=page.author, section=page.section)


def raw_from_page(task: PageTask, page: Page | None, fetched_at: datetime) -> RawArticle:
    """Return the raw article of a page task: the page's text, or the feed's when there is no page or less than half on it.

    The feed's title, author and section come first: they are the outlet's own words for its list, where a page's may carry the
    name of the site or a label of the template.
    """
    feed_length = len(_squeeze(_without_markup(task.feed_text or "")))
    own = page.text if page and len(_squeeze(page.text)) >= feed_length / 2 else ""
    text = own or task.feed_text or ""
    return RawArticle(
        article_id=task.article_id,
        feed=task.feed,
        source=task.source,
        url=task.url,
        title=task.title or (page.title if page else None),
        text=text,
        media_type="text/plain" if own else media_type_of(text),
        author=task.author or (page.author if page else None),
        section=task.section or (page.section if page else None),
        feed_published=task.feed_published,
        page_published=page.published if page else None,
        fetched_at=fetched_at,
        first_seen_at=task.first_seen_at,
        revision=task.revision,
        backlog=task.backlog,
        trace_id=task.trace_id,
    )


def _without_markup(text: str) -> str:
    return _MARKUP.sub(" ", text) if "<" in text else text


def _squeeze(text: str) -> str:
    return " ".join(text.split())

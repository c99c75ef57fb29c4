"""How the bundled sample news site looks: article pages, listings, RSS and Atom. Articles in, responses out."""

import hashlib
import html
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from string import Template
from typing import Final
from urllib.parse import urlsplit
from xml.sax.saxutils import escape, quoteattr
from zoneinfo import ZoneInfo

from shared.sample_articles import Article, Item, Outlet, Wart, to_windows_1258
from shared.yaml_config import ConfigModel, load

FEED_TYPES: Final = {"rss": "application/rss+xml", "atom": "application/atom+xml"}
STATIC_TYPES: Final = {".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8"}


class Labels(ConfigModel):
    """The words of the page furniture in one language; `weekdays` begin with Monday."""

    home: str
    print: str
    related: str
    sections: list[str]
    weekdays: list[str]


class Furniture(ConfigModel):
    """The file templates/labels.yaml: labels by language."""

    languages: dict[str, Labels]


@dataclass(frozen=True)
class Response:
    """What the server answers: status, headers and body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Look:
    """The page templates by name, and the labels by language, of a sample folder."""

    templates: Mapping[str, Template]
    labels: Mapping[str, Labels]


def read_look(folder: Path) -> Look:
    """Return the look of a sample folder. Raises `ConfigError` when labels.yaml is wrong."""
    files = sorted((folder / "templates").glob("*.html"))
    templates = {path.stem: Template(path.read_text(encoding="utf-8")) for path in files}
    return Look(templates, load(folder / "templates" / "labels.yaml", Furniture).languages)


def article_page(outlet: Outlet, item: Item, own: list[Item], look: Look) -> Response:
    """Return an article's page. Two other articles of `own`, all of the outlet's, are linked as related ones."""
    article, labels = item.article, look.labels[outlet.language]
    charset, declared = _charsets(outlet, article)
    related = [other for other in own if other.key != item.key and other.article.page == "full"][:2]
    text = look.templates[article.template or outlet.template].substitute(
        author=f'<p class="author">{html.escape(article.author)}</p>' if article.author else "",
        body=item.page_html(),
        charset=declared,
        date_line=_date_line(outlet, article, labels.weekdays),
        domain=outlet.domain,
        feed_path=outlet.feed_path,
        feed_type=FEED_TYPES[outlet.feed],
        head=_head(outlet, article),
        label_home=labels.home,
        label_print=labels.print,
        label_related=labels.related,
        language=outlet.language,
        nav=_links([(f"/{outlet.path}/", name) for name in labels.sections]),
        outlet=outlet.name,
        outlet_path=outlet.path,
        related=_links([(other.path, other.article.title) for other in related]),
        summary=html.escape(item.damaged(article.summary)),
        title=html.escape(item.damaged(article.title)),
    )
    return _page(text, f"text/html; charset={declared}", charset, item.modified)


def listing_page(title: str, rows: list[tuple[str, str]], modified: datetime) -> Response:
    """Return a page that lists links, given as (path, text)."""
    text = (
        f'<!DOCTYPE html>\n<html><head><meta charset="utf-8"><title>{html.escape(title)}</title></head>\n'
        '<body><p><a href="/">Frontwire sample news</a>: invented articles of invented outlets, for trying the wire out</p>\n'
        f"<h1>{html.escape(title)}</h1><ul>{_links(rows)}</ul></body></html>\n"
    )
    return _page(text, "text/html; charset=utf-8", "utf-8", modified)


def static_pages(folder: Path, modified: datetime) -> dict[str, Response]:
    """Return the site's fixed files by path; robots.txt stands at the root."""
    pages = {}
    for path in sorted((folder / "static").iterdir()):
        address = "/robots.txt" if path.name == "robots.txt" else f"/static/{path.name}"
        pages[address] = _page(path.read_text(encoding="utf-8"), STATIC_TYPES[path.suffix], "utf-8", modified)
    return pages


def feed_page(outlet: Outlet, own: list[Item], base_url: str) -> Response:
    """Return the outlet's feed, with links that begin with `base_url`."""
    text = _rss(outlet, own, base_url) if outlet.feed == "rss" else _atom(outlet, own, base_url)
    latest = max(item.modified for item in own)
    return _page(text, f"{FEED_TYPES[outlet.feed]}; charset={outlet.charset}", outlet.charset, latest)


def _charsets(outlet: Outlet, article: Article) -> tuple[str, str]:
    """Return the charset the page is written in, and the one it claims."""
    if Wart.WINDOWS_1258 in article.warts:
        return "windows-1258", "windows-1258"
    return outlet.charset, "iso-8859-1" if Wart.WRONG_CHARSET in article.warts else outlet.charset


def _head(outlet: Outlet, article: Article) -> str:
    """Return the part of <head> that states the publication time, if this outlet's pages state it there."""
    if not article.page_date or outlet.page_date == "visible":
        return ""
    published = _local(outlet, article.published).isoformat()
    if outlet.page_date == "meta":
        return f'<meta property="article:published_time" content="{published}">'
    data = {
        "@context": "https://schema.org",
        "@type": "NewsArticle",
        "headline": article.title,
        "datePublished": published,
        "dateModified": _local(outlet, article.updated or article.published).isoformat(),
        "publisher": {"@type": "Organization", "name": outlet.name},
    }
    text = json.dumps(data).replace("</", "<\\/")
    return f'<script type="application/ld+json">{text}</script>'


def _date_line(outlet: Outlet, article: Article, weekdays: list[str]) -> str:
    """Return the line a reader sees, as in "Thứ Sáu, 07/11/2025, 18:40 (GMT+7)", on pages that have no other date."""
    if not article.page_date or outlet.page_date != "visible":
        return ""
    moment = _local(outlet, article.published)
    hours = (moment.utcoffset() or timedelta()) // timedelta(hours=1)
    return f'<div class="date">{weekdays[moment.weekday()]}, {moment:%d/%m/%Y, %H:%M} (GMT{hours:+d})</div>'


def _links(rows: list[tuple[str, str]]) -> str:
    return "".join(f'<li><a href="{path}">{html.escape(text)}</a></li>' for path, text in rows)


def _page(text: str, content_type: str, charset: str, modified: datetime) -> Response:
    body = to_windows_1258(text) if charset == "windows-1258" else text.encode(charset, "xmlcharrefreplace")
    headers = {
        "Content-Type": content_type,
        "ETag": f'"{hashlib.sha256(body).hexdigest()[:16]}"',
        "Last-Modified": format_datetime(modified.astimezone(UTC), usegmt=True),
    }
    return Response(200, headers, body)


def _local(outlet: Outlet, moment: datetime) -> datetime:
    return moment.astimezone(ZoneInfo(outlet.timezone))


def _feed_date(outlet: Outlet, article: Article) -> str:
    """Return the item's time as this outlet writes it, or "" when the item has none."""
    if article.feed_date is not None:
        return article.feed_date
    moment = _local(outlet, article.published)
    if outlet.feed_dates == "iso":
        return moment.isoformat()
    if outlet.feed_dates == "gmt_plus":
        return format_datetime(moment).replace("+0700", "GMT+7")
    return format_datetime(moment)


def _feed_links(item: Item, base_url: str) -> list[str]:
    link = base_url + item.path
    return [link, link + item.article.repeat_query] if item.article.repeat_query else [link]


def _rss(outlet: Outlet, items: list[Item], base_url: str) -> str:
    rows = [_rss_item(outlet, item, link) for item in items for link in _feed_links(item, base_url)]
    return "\n".join(
        [
            f'<?xml version="1.0" encoding="{outlet.charset}"?>',
            '<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/">',
            f"<channel><title>{escape(outlet.name)}</title><link>{base_url}/{outlet.path}/</link>",
            f"<description>{escape(outlet.name)}</description><language>{outlet.language}</language>",
            *rows,
            "</channel></rss>\n",
        ]
    )


def _rss_item(outlet: Outlet, item: Item, link: str) -> str:
    article = item.article
    summary = escape(item.damaged(article.summary))
    if outlet.feed_text == "picture":  # the broken </br> is common
        picture = f'<a href={quoteattr(link)}><img src="/static/photo.svg"></a></br>'
        summary = f"<![CDATA[{picture}{summary}]]>"
    content = item.body_html() if outlet.feed_text == "content" else ""
    date = _feed_date(outlet, article)
    parts = [
        f"<item><title>{escape(item.damaged(article.title))}</title><link>{escape(link)}</link>",
        f'<guid isPermaLink="false">{item.guid}{"-2" if urlsplit(link).query else ""}</guid>',
        f"<description>{summary}</description>" if summary else "<description/>",
        f"<content:encoded><![CDATA[{content}]]></content:encoded>" if content else "",
        f"<dc:creator>{escape(article.author)}</dc:creator>" if article.author else "",
        f"<pubDate>{date}</pubDate>" if date else "",
        "</item>",
    ]
    return "".join(parts)


def _atom(outlet: Outlet, items: list[Item], base_url: str) -> str:
    rows = [_atom_entry(outlet, item, link) for item in items for link in _feed_links(item, base_url)]
    updated = max(item.modified for item in items)
    return "\n".join(
        [
            f'<?xml version="1.0" encoding="{outlet.charset}"?>',
            f'<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="{outlet.language}">',
            f"<title>{escape(outlet.name)}</title><id>tag:{outlet.domain},2025:feed</id>",
            f'<link rel="self" href="{base_url}{outlet.feed_path}"/><link href="{base_url}/{outlet.path}/"/>',
            f"<updated>{_local(outlet, updated).isoformat()}</updated><author><name>{escape(outlet.name)}</name></author>",
            *rows,
            "</feed>\n",
        ]
    )


def _atom_entry(outlet: Outlet, item: Item, link: str) -> str:
    article = item.article
    content = item.body_html() if outlet.feed_text == "content" else ""
    date = _feed_date(outlet, article)
    updated = date and _local(outlet, item.modified).isoformat()
    parts = [
        f"<entry><title>{escape(item.damaged(article.title))}</title><link href={quoteattr(link)}/>",
        f"<id>tag:{outlet.domain},2025:{item.guid}{'-2' if urlsplit(link).query else ''}</id>",
        f'<summary type="text">{escape(item.damaged(article.summary))}</summary>',
        f'<content type="html">{escape(content)}</content>' if content else "",
        f"<author><name>{escape(article.author)}</name></author>" if article.author else "",
        f"<published>{date}</published><updated>{updated}</updated>" if date else "",
        "</entry>",
    ]
    return "".join(parts)

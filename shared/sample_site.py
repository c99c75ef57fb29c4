"""The bundled sample news site of `frontwire demo`: invented outlets with RSS, Atom and article pages, served over HTTP.

`make_site` renders everything once from the files under deploy/sample (no clock, no network: the same files give the same
bytes) and `serve` puts it on a local port. Articles are kept readable; damage such as decomposed letters or a wrong charset
is done here, when an article's `warts` ask for it. Run it by hand with `python -m shared.sample_site --port 8765`.
"""

import argparse
import hashlib
import html
import json
import logging
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime, parsedate_to_datetime
from enum import StrEnum
from html.entities import codepoint2name
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from string import Template
from threading import Thread
from typing import Any, Final, Literal
from xml.sax.saxutils import escape, quoteattr
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, BaseModel, ConfigDict
from ruamel.yaml import YAML

log = logging.getLogger(__name__)

DEFAULT_FOLDER: Final = Path(__file__).resolve().parent.parent / "deploy" / "sample"
DEFAULT_PORT: Final = 8765
FEED_TYPES: Final = {"rss": "application/rss+xml", "atom": "application/atom+xml"}
STATIC_TYPES: Final = {".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8"}
TONE_MARKS: Final = "\u0300\u0301\u0303\u0309\u0323"


class Wart(StrEnum):
    """What is wrong, or merely real, about an article. The first group is done by the server, the rest stands in the text."""

    CONTROL_CHARACTERS = "control_characters"
    DOUBLE_ESCAPED = "double_escaped"
    NFD = "nfd"
    WINDOWS_1258 = "windows_1258"
    WRONG_CHARSET = "wrong_charset"
    ZERO_WIDTH = "zero_width"

    ALL_CAPS = "all_caps"
    AUTHOR_LINE = "author_line"
    CREDIT = "credit"
    DATELINE = "dateline"
    EMPTY_BODY = "empty_body"
    ENDING = "ending"
    FOREIGN_PASSAGE = "foreign_passage"
    PREFIX = "prefix"
    RELATED = "related"
    RELATIVE_DATE = "relative_date"
    TEASER = "teaser"
    TONE_NEW = "tone_new"
    TONE_OLD = "tone_old"
    UNACCENTED = "unaccented"
    VIDEO = "video"
    YEAR_9999 = "year_9999"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Outlet(_Strict):
    """One invented outlet: where it lives on the site, and how it writes its feed and pages."""

    name: str
    path: str
    domain: str
    language: str
    country: str
    timezone: str
    feed: Literal["rss", "atom"]
    feed_dates: Literal["rfc822", "gmt_plus", "iso"]
    feed_text: Literal["summary", "content"]
    page_date: Literal["json_ld", "meta", "visible"]
    template: str
    charset: str = "utf-8"

    @property
    def feed_path(self) -> str:
        """Return the feed's path on the site."""
        return f"/{self.path}/{self.feed}.xml"


class Revision(_Strict):
    """A later state of an article, served instead of the first one when `make_site` is asked to."""

    updated: AwareDatetime
    title: str
    body: str


class Article(_Strict):
    """One article file. `body` is paragraphs separated by blank lines; one that begins with `<` is HTML and kept as it is.

    `copy_of` (outlet/slug) takes the body of another article. `feed_date` replaces the date in the feed ("" leaves it out),
    `page_date: false` keeps every date off the page, `page: missing` answers 404, `repeat_query` lists the item a second
    time in the feed with this query added to its link, `address` is a path other than /outlet/slug.html.
    """

    title: str
    published: AwareDatetime
    summary: str = ""
    body: str = ""
    copy_of: str | None = None
    updated: AwareDatetime | None = None
    author: str | None = None
    warts: list[Wart] = []
    feed_date: str | None = None
    page_date: bool = True
    page: Literal["full", "missing"] = "full"
    address: str | None = None
    repeat_query: str | None = None
    revision: Revision | None = None


@dataclass(frozen=True)
class Response:
    """What the server answers: status, headers and body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Site:
    """Every page of the site, rendered. `articles` maps outlet/slug to the article and its path."""

    pages: Mapping[str, Response]
    articles: Mapping[str, tuple[Article, str]]
    outlets: list[Outlet] = field(default_factory=list)

    def get(self, target: str, headers: Mapping[str, str] | None = None) -> Response:
        """Return the answer to a GET of `target` (path and query); `headers` may carry If-None-Match, If-Modified-Since."""
        page = self.pages.get(target.partition("?")[0])
        if page is None:
            body = "<!DOCTYPE html><html><head><title>404</title></head><body><h1>404 Not Found</h1></body></html>"
            return Response(404, {"Content-Type": "text/html; charset=utf-8"}, body.encode())
        if _unchanged(page, {name.lower(): value for name, value in (headers or {}).items()}):
            return Response(304, {name: page.headers[name] for name in ("ETag", "Last-Modified")}, b"")
        return page


def make_site(folder: Path, base_url: str, revised: Collection[str] = ()) -> Site:
    """Render the site under `folder`; links in feeds begin with `base_url`; articles in `revised` (outlet/slug) are in their later state.

    Raises pydantic.ValidationError for a wrong outlet or article file, KeyError for a `copy_of` or `revised` that does not exist.
    """
    outlets = [Outlet.model_validate(row) for row in _read_yaml(folder / "outlets.yaml")["outlets"]]
    labels = _read_yaml(folder / "templates" / "labels.yaml")
    first = _read_articles(folder / "articles")
    articles = {key: _resolve(key, first, revised) for key in first}
    for key in revised:
        first[key]  # a misspelt key must not pass as "nothing to revise"
    paths = {key: article.address or f"/{key}.html" for key, article in articles.items()}
    pages: dict[str, Response] = {}
    for outlet in outlets:
        own = [_Item(key, paths[key], articles[key]) for key in articles if key.partition("/")[0] == outlet.path]
        own.sort(key=lambda item: (item.article.published, item.key), reverse=True)
        latest = max(item.modified for item in own)
        template = Template((folder / "templates" / f"{outlet.template}.html").read_text(encoding="utf-8"))
        feed = _rss(outlet, own, base_url) if outlet.feed == "rss" else _atom(outlet, own, base_url)
        pages[outlet.feed_path] = _page(feed, f"{FEED_TYPES[outlet.feed]}; charset={outlet.charset}", outlet.charset, latest)
        pages[f"/{outlet.path}/"] = _listing(outlet.name, [(i.path, i.article.title) for i in own], latest)
        for item in own:
            if item.article.page == "full":
                pages[item.path] = _article_page(outlet, item, own, template, labels[outlet.language])
    newest = max(article.published for article in articles.values())
    pages["/"] = _listing("Frontwire sample news", [(f"/{o.path}/", f"{o.name} ({o.language})") for o in outlets], newest)
    pages |= _static_pages(folder / "static", newest)
    return Site(pages, {key: (articles[key], paths[key]) for key in articles}, outlets)


@dataclass(frozen=True)
class _Item:
    key: str
    path: str
    article: Article

    @property
    def modified(self) -> datetime:
        return self.article.updated or self.article.published

    @property
    def guid(self) -> str:
        return hashlib.sha256(self.key.encode()).hexdigest()[:12]

    def damaged(self, text: str) -> str:
        """Return text with the damage that does not depend on the page's bytes: it shows in the feed as well."""
        for wart in self.article.warts:
            text = _DAMAGE.get(wart, str)(text)
        return text


def _read_yaml(path: Path) -> Any:
    return YAML(typ="safe").load(path.read_text(encoding="utf-8"))


def _read_articles(folder: Path) -> dict[str, Article]:
    files = sorted(folder.glob("*/*.yaml"))
    return {f"{path.parent.name}/{path.stem}": Article.model_validate(_read_yaml(path)) for path in files}


def _resolve(key: str, articles: Mapping[str, Article], revised: Collection[str]) -> Article:
    """Return the article as it is to be served: its own body or the copied one, its first or its later state."""
    article = articles[key]
    if key in revised and article.revision is not None:
        return article.model_copy(update=dict(article.revision))
    if article.copy_of is not None:
        return article.model_copy(update={"body": articles[article.copy_of].body})
    return article


# Damage: what broken publishing systems do to good text.


def _zero_width(text: str) -> str:
    """Put a zero-width space into every fourth word of five letters or more, a soft hyphen into the one after it."""
    words = text.split(" ")
    for number, word in enumerate(words):
        if len(word) >= 5 and word.isalpha() and number % 4 < 2:
            words[number] = word[:3] + ("\u200b" if number % 4 == 0 else "\u00ad") + word[3:]
    return " ".join(words)


def _control_characters(text: str) -> str:
    """Put a vertical tab, a bell and a unit separator where an old editor leaves them: after commas and full stops."""
    return text.replace(", ", ",\x0b ").replace(". ", ".\x1f ", 2).replace("</p>", "\x07</p>", 1)


def _double_escaped(text: str) -> str:
    """Turn every letter that HTML has a name for into that name, escaped once too often: á becomes &amp;aacute;."""
    return "".join(f"&amp;{codepoint2name[ord(c)]};" if ord(c) > 127 and ord(c) in codepoint2name else c for c in text)


def _nfd(text: str) -> str:
    return unicodedata.normalize("NFD", text)


_DAMAGE: Final[Mapping[Wart, Callable[[str], str]]] = {Wart.NFD: _nfd, Wart.ZERO_WIDTH: _zero_width}
_PAGE_DAMAGE: Final[Mapping[Wart, Callable[[str], str]]] = {
    Wart.CONTROL_CHARACTERS: _control_characters,
    Wart.DOUBLE_ESCAPED: _double_escaped,
}


def to_windows_1258(text: str) -> bytes:
    """Encode Vietnamese as windows-1258, where most letters with a tone are a letter followed by its tone mark."""
    out: list[str] = []
    for char in unicodedata.normalize("NFC", text):
        if char.encode("cp1258", "ignore"):
            out.append(char)
            continue
        parts = unicodedata.normalize("NFD", char)
        tone = "".join(mark for mark in parts if mark in TONE_MARKS)
        out.append(unicodedata.normalize("NFC", "".join(mark for mark in parts if mark not in TONE_MARKS)) + tone)
    return "".join(out).encode("cp1258", "xmlcharrefreplace")


# Pages.


def _article_page(outlet: Outlet, item: _Item, own: list[_Item], template: Template, labels: Mapping[str, Any]) -> Response:
    article = item.article
    charset, declared = outlet.charset, outlet.charset
    if Wart.WINDOWS_1258 in article.warts:
        charset = declared = "windows-1258"
    if Wart.WRONG_CHARSET in article.warts:
        declared = "iso-8859-1"
    body = item.damaged(_paragraphs(article.body))
    for wart in article.warts:
        body = _PAGE_DAMAGE.get(wart, str)(body)
    related = [other for other in own if other.key != item.key and other.article.page == "full"][:2]
    text = template.substitute(
        author=f'<p class="author">{html.escape(article.author)}</p>' if article.author else "",
        body=body,
        charset=declared,
        date_line=_date_line(outlet, article, labels["weekdays"]),
        domain=outlet.domain,
        feed_path=outlet.feed_path,
        feed_type=FEED_TYPES[outlet.feed],
        head=_head(outlet, article),
        label_home=labels["home"],
        label_print=labels["print"],
        label_related=labels["related"],
        language=outlet.language,
        nav=_links([(f"/{outlet.path}/", name) for name in labels["sections"]]),
        outlet=outlet.name,
        outlet_path=outlet.path,
        related=_links([(other.path, other.article.title) for other in related]),
        summary=html.escape(item.damaged(article.summary)),
        title=html.escape(item.damaged(article.title)),
    )
    return _page(text, f"text/html; charset={declared}", charset, item.modified)


def _paragraphs(body: str) -> str:
    """Return HTML for an article's body: blank lines part paragraphs, those that begin with `<` are HTML already."""
    blocks = [block.strip() for block in body.split("\n\n") if block.strip()]
    return "\n".join(block if block.startswith("<") else f"<p>{html.escape(block, quote=False)}</p>" for block in blocks)


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
    return f'<script type="application/ld+json">{json.dumps(data).replace("</", "<\\/")}</script>'


def _date_line(outlet: Outlet, article: Article, weekdays: list[str]) -> str:
    """Return the line a reader sees, as in "Thứ Sáu, 07/11/2025, 18:40 (GMT+7)", on pages that have no other date."""
    if not article.page_date or outlet.page_date != "visible":
        return ""
    moment = _local(outlet, article.published)
    hours = int((moment.utcoffset() or moment - moment).total_seconds() // 3600)
    return f'<div class="date">{weekdays[moment.weekday()]}, {moment:%d/%m/%Y, %H:%M} (GMT{hours:+d})</div>'


def _links(rows: list[tuple[str, str]]) -> str:
    return "".join(f'<li><a href="{path}">{html.escape(text)}</a></li>' for path, text in rows)


def _listing(title: str, rows: list[tuple[str, str]], modified: datetime) -> Response:
    text = (
        f'<!DOCTYPE html>\n<html><head><meta charset="utf-8"><title>{html.escape(title)}</title></head>\n'
        f'<body><p><a href="/">Frontwire sample news</a></p><h1>{html.escape(title)}</h1><ul>{_links(rows)}</ul></body></html>\n'
    )
    return _page(text, "text/html; charset=utf-8", "utf-8", modified)


def _static_pages(folder: Path, modified: datetime) -> dict[str, Response]:
    pages = {}
    for path in sorted(folder.iterdir()):
        address = "/robots.txt" if path.name == "robots.txt" else f"/static/{path.name}"
        pages[address] = _page(path.read_text(encoding="utf-8"), STATIC_TYPES[path.suffix], "utf-8", modified)
    return pages


def _page(text: str, content_type: str, charset: str, modified: datetime) -> Response:
    body = to_windows_1258(text) if charset == "windows-1258" else text.encode(charset, "xmlcharrefreplace")
    headers = {
        "Content-Type": content_type,
        "ETag": f'"{hashlib.sha256(body).hexdigest()[:16]}"',
        "Last-Modified": format_datetime(modified.astimezone(ZoneInfo("UTC")), usegmt=True),
    }
    return Response(200, headers, body)


def _unchanged(page: Response, headers: Mapping[str, str]) -> bool:
    """Return whether a conditional request is answered with 304; If-None-Match outranks If-Modified-Since (RFC 9110 §13.2.2)."""
    if tags := headers.get("if-none-match"):
        return any(tag.strip().removeprefix("W/") in ("*", page.headers["ETag"]) for tag in tags.split(","))
    try:
        since = parsedate_to_datetime(headers["if-modified-since"])
    except (KeyError, ValueError):
        return False
    return parsedate_to_datetime(page.headers["Last-Modified"]) <= since


# Feeds.


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


def _feed_links(item: _Item, base_url: str) -> list[str]:
    link = base_url + item.path
    return [link, link + item.article.repeat_query] if item.article.repeat_query else [link]


def _rss(outlet: Outlet, items: list[_Item], base_url: str) -> str:
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


def _rss_item(outlet: Outlet, item: _Item, link: str) -> str:
    article = item.article
    summary = escape(item.damaged(article.summary))
    content = item.damaged(_paragraphs(article.body)) if outlet.feed_text == "content" else ""
    date = _feed_date(outlet, article)
    parts = [
        f"<item><title>{escape(item.damaged(article.title))}</title><link>{escape(link)}</link>",
        f'<guid isPermaLink="false">{item.guid}{"-2" if "?" in link else ""}</guid>',
        f"<description>{summary}</description>" if summary else "<description/>",
        f"<content:encoded><![CDATA[{content}]]></content:encoded>" if content else "",
        f"<dc:creator>{escape(article.author)}</dc:creator>" if article.author else "",
        f"<pubDate>{date}</pubDate>" if date else "",
        "</item>",
    ]
    return "".join(parts)


def _atom(outlet: Outlet, items: list[_Item], base_url: str) -> str:
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


def _atom_entry(outlet: Outlet, item: _Item, link: str) -> str:
    article = item.article
    content = item.damaged(_paragraphs(article.body)) if outlet.feed_text == "content" else ""
    date = _feed_date(outlet, article)
    updated = date and _local(outlet, item.modified).isoformat()
    parts = [
        f"<entry><title>{escape(item.damaged(article.title))}</title><link href={quoteattr(link)}/>",
        f"<id>tag:{outlet.domain},2025:{item.guid}{'-2' if '?' in link else ''}</id>",
        f'<summary type="text">{escape(item.damaged(article.summary))}</summary>',
        f'<content type="html">{escape(content)}</content>' if content else "",
        f"<author><name>{escape(article.author)}</name></author>" if article.author else "",
        f"<published>{date}</published><updated>{updated}</updated>" if date else "",
        "</entry>",
    ]
    return "".join(parts)


# Serving.


@contextmanager
def serve(folder: Path = DEFAULT_FOLDER, port: int = 0, revised: Collection[str] = ()) -> Iterator[str]:
    """Serve the site on 127.0.0.1 while the context lasts; yield its base URL. `port` 0 takes a free one.

    An article's identity is its link, so two runs that are to mean the same articles need the same port.
    Raises OSError when the port is taken.
    """
    server = _server(folder, port, revised)
    thread = Thread(target=server.serve_forever, name="sample-site", daemon=True)
    thread.start()
    try:
        yield _base_url(server)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _base_url(server: ThreadingHTTPServer) -> str:
    return f"http://127.0.0.1:{server.server_port}"


def _server(folder: Path, port: int, revised: Collection[str]) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            response = site.get(self.path, dict(self.headers.items()))
            self.send_response(response.status)
            for name, value in response.headers.items():
                self.send_header(name, value)
            if response.status != 304:
                self.send_header("Content-Length", str(len(response.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(response.body)

        do_HEAD = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            log.debug(format, *args)

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    site = make_site(folder, _base_url(server), revised)
    return server


def main(argv: list[str] | None = None) -> int:
    """Run the sample site until it is interrupted; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m shared.sample_site", description="Serve the bundled sample news site.")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="port on 127.0.0.1 (default %(default)s)")
    parser.add_argument("--folder", type=Path, default=DEFAULT_FOLDER, help="folder with outlets.yaml and articles/")
    parser.add_argument("--revised", nargs="*", default=[], metavar="OUTLET/SLUG", help="articles to serve in their later state")
    options = parser.parse_args(argv)
    try:
        server = _server(options.folder, options.port, options.revised)
    except OSError as error:
        parser.exit(1, f"cannot serve on port {options.port}: {error.strerror}\n")
    print(_base_url(server), flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""The articles of the bundled sample news site: their files, and the damage that broken publishing does to good text.

Files under deploy/sample are kept readable; what a person could not read in a file (decomposed letters, invisible characters,
entities escaped twice) is done here, when an article's `warts` ask for it.
"""

import hashlib
import html
import unicodedata
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from html.entities import codepoint2name
from pathlib import Path
from typing import Final, Literal

from pydantic import AwareDatetime

from shared.yaml_config import ConfigModel, load

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


class Outlet(ConfigModel):
    """One invented outlet: where it lives on the site, and how it writes its feed and pages."""

    name: str
    path: str
    domain: str
    language: str
    country: str
    timezone: str
    feed: Literal["rss", "atom"]
    feed_dates: Literal["rfc822", "gmt_plus", "iso"]
    feed_text: Literal["summary", "picture", "content"]
    page_date: Literal["json_ld", "meta", "visible"]
    template: str
    charset: str = "utf-8"

    @property
    def feed_path(self) -> str:
        """Return the feed's path on the site."""
        return f"/{self.path}/{self.feed}.xml"


class Outlets(ConfigModel):
    """The file outlets.yaml, in the order of the front page."""

    outlets: list[Outlet]


class Edit(ConfigModel):
    """One change an outlet made to a text it copied."""

    old: str
    new: str


class Revision(ConfigModel):
    """A later state of an article, served instead of the first one when `make_site` is asked to."""

    updated: AwareDatetime
    title: str
    body: str


class Article(ConfigModel):
    """One article file.

    `body` is paragraphs separated by blank lines; one that begins with `<` is HTML and kept as it is.
    `copy_of` (outlet/slug) takes the body of another article, changed by `edits` and ended after the words in `cut_after`.
    `feed_date` replaces the date in the feed ("" leaves it out); `page_date: false` keeps every date off the page.
    `page: missing` answers 404; `template` is another than the outlet's; `address` is a path other than /outlet/slug.html.
    `repeat_query` lists the item a second time in the feed, with this query added to its link.
    """

    title: str
    published: AwareDatetime
    summary: str = ""
    body: str = ""
    copy_of: str | None = None
    edits: tuple[Edit, ...] = ()
    cut_after: str | None = None
    updated: AwareDatetime | None = None
    author: str | None = None
    warts: tuple[Wart, ...] = ()
    feed_date: str | None = None
    page_date: bool = True
    page: Literal["full", "missing"] = "full"
    template: str | None = None
    address: str | None = None
    repeat_query: str | None = None
    revision: Revision | None = None


@dataclass(frozen=True)
class Item:
    """An article in its place: `key` is outlet/slug."""

    key: str
    article: Article

    @property
    def path(self) -> str:
        """Return the path of the article's page on the site."""
        return self.article.address or f"/{self.key}.html"

    @property
    def modified(self) -> datetime:
        """Return when the article was last changed."""
        return self.article.updated or self.article.published

    @property
    def guid(self) -> str:
        """Return the identifier that the feed gives the article."""
        return hashlib.sha256(self.key.encode()).hexdigest()[:12]

    def damaged(self, text: str) -> str:
        """Return text with the damage that is in the outlet's database: it shows on the page and in the feed."""
        return _apply(_TEXT_DAMAGE, self.article.warts, text)

    def body_html(self) -> str:
        """Return the body as HTML, as the feed has it."""
        return self.damaged(_paragraphs(self.article.body))

    def page_html(self) -> str:
        """Return the body as HTML, as the page has it: with the damage that the page's editor does."""
        return _apply(_PAGE_DAMAGE, self.article.warts, self.body_html())


def read_outlets(folder: Path) -> list[Outlet]:
    """Return the outlets of a sample folder. Raises `ConfigError` when outlets.yaml is wrong."""
    return load(folder / "outlets.yaml", Outlets).outlets


def read_articles(folder: Path, revised: Collection[str] = ()) -> list[Item]:
    """Return the articles of a sample folder, newest first, those in `revised` (outlet/slug) in their later state.

    Raises `ConfigError` for a wrong file, KeyError for a `copy_of` or `revised` that does not exist, ValueError for an edit of
    words that are not there.
    """
    files = sorted((folder / "articles").glob("*/*.yaml"))
    first = {f"{path.parent.name}/{path.stem}": load(path, Article) for path in files}
    if unknown := set(revised) - {key for key, article in first.items() if article.revision}:
        raise KeyError(f"no later state of {', '.join(sorted(unknown))}")
    items = [Item(key, _resolve(key, first, revised)) for key in first]
    return sorted(items, key=lambda item: (item.article.published, item.key), reverse=True)


def _resolve(key: str, articles: Mapping[str, Article], revised: Collection[str]) -> Article:
    """Return the article as it is to be served: its first or its later state, its own body or the copied one."""
    article = articles[key]
    if key in revised and article.revision is not None:
        return article.model_copy(update=dict(article.revision))
    if article.copy_of is None:
        return article
    body = articles[article.copy_of].body
    for edit in article.edits:
        if edit.old not in body:
            raise ValueError(f"{key}: the copied text does not hold {edit.old!r}")
        body = body.replace(edit.old, edit.new)
    if article.cut_after is not None:
        body = body[: body.index(article.cut_after) + len(article.cut_after)] + "..."
    return article.model_copy(update={"body": body})


def _paragraphs(body: str) -> str:
    """Return HTML for an article's body: blank lines part paragraphs, those that begin with `<` are HTML already."""
    blocks = [block.strip() for block in body.split("\n\n") if block.strip()]
    return "\n".join(
        block if block.startswith("<") else f"<p>{html.escape(block, quote=False)}</p>" for block in blocks
    )


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


_TEXT_DAMAGE: Final[Mapping[Wart, Callable[[str], str]]] = {Wart.NFD: _nfd, Wart.ZERO_WIDTH: _zero_width}
_PAGE_DAMAGE: Final[Mapping[Wart, Callable[[str], str]]] = {
    Wart.CONTROL_CHARACTERS: _control_characters,
    Wart.DOUBLE_ESCAPED: _double_escaped,
}


def _apply(damage: Mapping[Wart, Callable[[str], str]], warts: Collection[Wart], text: str) -> str:
    for wart in warts:
        text = damage.get(wart, str)(text)
    return text


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

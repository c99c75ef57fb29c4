"""Article pages to text: trafilatura for the body, resiliparse where that finds none, our own reading of the publication instant.

Runs in the parser process: a page takes 160 ms of processor time, and a hostile one any amount.
"""

import html
import json
import re
from collections.abc import Iterator
from typing import Any, Final

import ftfy
import trafilatura
from lxml import html as lxml_html
from lxml.cssselect import CSSSelector
from resiliparse.extract.html2text import extract_plain_text
from trafilatura import external

from services.fetcher.charsets import decode
from services.fetcher.documents import Page, Reading

# Whose function words tell text from furniture on a page of little text, where trafilatura asks jusText: its lists of all hundred
# languages take 34 MB of every parser, and time on every such page.
_LANGUAGES: Final = (
    "Belarusian", "Czech", "English", "French", "German", "Italian", "Polish", "Portuguese", "Romanian", "Russian", "Spanish",
    "Turkish", "Ukrainian", "Vietnamese",
)  # fmt: skip
external.JT_STOPLIST = tuple(  # type: ignore[assignment]
    {word for language in _LANGUAGES for word in external.get_stoplist(language)}  # type: ignore[attr-defined]
)

# Where outlets state the instant in the head of a page, the most trustworthy first.
META_NAMES: Final = (
    "article:published_time",
    "og:article:published_time",
    "datepublished",
    "date.publish",
    "pubdate",
    "publishdate",
    "publish-date",
    "parsely-pub-date",
    "sailthru.date",
    "cxenseparse:recs:publishtime",
    "dc.date.issued",
    "dcterms.created",
    "date",
)
# One control character in a paragraph makes trafilatura lose the whole page.
_CONTROLS: Final = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 127))
# UTF-8 that was taken for latin-1 and encoded again: control characters that no page means, and the extraction drops.
_MISREAD: Final = re.compile(r"[\x80-\x9f]")
# The extraction drops soft hyphens; in TCVN3 read as windows-1252 they are the letter ư. A letter of no living script stands in.
_SOFT_HYPHEN: Final = "\xad"
_STAND_IN: Final = "\uab30"
_TIME_OF_DAY: Final = re.compile(r"\d{1,2}[:h]\d{2}")
_VISIBLE_DATE: Final = re.compile(r"\d{1,2}[/.-]\d{1,2}[/.-]\d{4}|\d{4}-\d{2}-\d{2}")
_MARKUP: Final = re.compile(r"<[^<>]*>")
# A page shows a part of some articles and states the whole in JSON-LD; others state a teaser there.
_MUCH_LONGER: Final = 1.5
# A text of which more than this stands in links, whole lines of it, is a menu or a list of headlines.
_MENU_SHARE: Final = 0.5
_BETWEEN_LINKS: Final = re.compile(r"[|•·»>/]|^- ")
_MAX_VISIBLE: Final = 80
_MAX_VISITED: Final = 5000


def parse_page(body: bytes, url: str, content_type: str | None, reading: Reading = Reading()) -> Page:  # noqa: B008
    """Return the article of a page; its text is empty when there is none. Raises UnicodeError when the bytes are no text."""
    decoded = body.decode(reading.charset, "replace") if reading.charset else decode(body, content_type)
    if _MISREAD.search(decoded):
        decoded = ftfy.fix_encoding(decoded)
    text = decoded.translate(_CONTROLS).replace(_SOFT_HYPHEN, _STAND_IN)
    if not text.strip():
        return Page(text="")
    tree = lxml_html.document_fromstring(text.encode(), parser=lxml_html.HTMLParser(encoding="utf-8"))
    published, stated = published_of(tree), stated_body_of(tree)
    _cut(tree, reading)
    # Before the extraction takes it apart, and no deeper than libxml2 goes: resiliparse takes the square of the depth in time.
    markup = lxml_html.tostring(tree, encoding="unicode")
    document: Any = trafilatura.bare_extraction(
        tree, url=url or None, include_comments=False, with_metadata=True, deduplicate=False
    )
    if document is None:
        return Page(text=stated or _second_reading(markup), published=published)
    found = (document.text or "").strip()
    if _is_menu(found, markup):
        found = _second_reading(markup)
    found = _without_headline(found, document.title or "")
    return Page(
        text=(stated if len(stated) > _MUCH_LONGER * len(found) and not reading.keep else found).replace(
            _STAND_IN, _SOFT_HYPHEN
        ),
        title=(document.title or "").replace(_STAND_IN, _SOFT_HYPHEN) or None,
        author=document.author or None,
        section=(document.categories or [None])[0],
        published=published,
    )


def _cut(tree: Any, reading: Reading) -> None:
    """Cut out of a page what the operator does not want, and all of its body but what is to be kept, if that is there."""
    for selector in reading.remove:
        for element in CSSSelector(selector)(tree):
            if element.getparent() is not None:
                element.drop_tree()
    kept = [element for selector in reading.keep for element in CSSSelector(selector)(tree)]
    body = tree.find("body")
    if kept and body is not None:
        article = lxml_html.Element("article")
        article.extend([element for element in kept if not any(parent in kept for parent in element.iterancestors())])
        body.clear()
        body.append(article)


def _is_menu(text: str, markup: str) -> bool:
    """Return whether a text is little but links: where it finds no article, trafilatura returns all words of the page."""
    tree = lxml_html.document_fromstring(markup)
    links = {" ".join(link.text_content().split()) for link in tree.iter("a")}
    linked = sum(len(part) for line in text.splitlines() for part in _parts(line) if part in links)
    return linked > _MENU_SHARE * len(text)


def _parts(line: str) -> Iterator[str]:
    return (" ".join(part.split()) for part in _BETWEEN_LINKS.split(line))


def _second_reading(markup: str) -> str:
    """Return the article as resiliparse finds it; empty when there is none for it either."""
    text: str = extract_plain_text(markup, main_content=True, alt_texts=False, list_bullets=False)
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())


def _without_headline(text: str, title: str) -> str:
    """Return the body without a first line that only repeats the title."""
    first, _, rest = text.partition("\n")
    return rest.lstrip() if first.strip().casefold() == title.strip().casefold() else text


def published_of(tree: Any) -> str | None:
    """Return the publication date as a page states it: the first statement with a time of day, else the first of all."""
    claims = [claim.strip() for claim in _claims(tree) if claim and claim.strip()]
    return next((claim for claim in claims if _TIME_OF_DAY.search(claim)), claims[0] if claims else None)


def _claims(tree: Any) -> Iterator[str | None]:
    for script in tree.xpath("//script[@type='application/ld+json']/text()"):
        yield from _json_ld_dates(script)
    metas: dict[str, str] = {}
    for meta in tree.xpath("//meta[@content]"):
        name = meta.get("property") or meta.get("name") or meta.get("itemprop") or ""
        metas.setdefault(name.lower(), meta.get("content"))
    for name in META_NAMES:
        yield metas.get(name)
    for element in tree.xpath("//*[@itemprop='datePublished']"):
        yield element.get("datetime") or element.get("content") or element.text_content()[:_MAX_VISIBLE]
    for element in tree.xpath("//time[@datetime]")[:1]:
        yield element.get("datetime")
    yield _visible_date(tree)


def _visible_date(tree: Any) -> str | None:
    """Return the line under the headline that shows the date, as "Thứ Bảy, 22/11/2025, 10:15 (GMT+7)"."""
    for element in tree.xpath("//*[contains(@class,'date') or contains(@class,'time') or contains(@class,'publish')]"):
        line = " ".join(element.text_content().split())
        if len(line) <= _MAX_VISIBLE and _VISIBLE_DATE.search(line):
            return line
    return None


def stated_body_of(tree: Any) -> str:
    """Return the longest articleBody that a page states in JSON-LD, without markup; empty when it states none."""
    bodies = [
        node["articleBody"]
        for script in tree.xpath("//script[@type='application/ld+json']/text()")
        for node in _json_ld_nodes(script)
        if isinstance(node.get("articleBody"), str)
    ]
    return _MARKUP.sub(" ", html.unescape(max(bodies, key=len, default=""))).strip()


def _json_ld_dates(script: str) -> Iterator[str]:
    for node in _json_ld_nodes(script):
        kinds = node.get("@type")
        named = " ".join(kinds) if isinstance(kinds, list) and all(isinstance(k, str) for k in kinds) else str(kinds)
        if isinstance(node.get("datePublished"), str) and re.search("Article|Posting|Blog|Report", named):
            yield node["datePublished"]


def _json_ld_nodes(script: str) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSON-LD script, outer ones first; nothing when it is no JSON."""
    try:
        pending = [json.loads(script, strict=False)]
    except (json.JSONDecodeError, RecursionError):
        return
    for _ in range(_MAX_VISITED):
        if not pending:
            return
        node = pending.pop(0)
        if isinstance(node, list):
            pending += node
        elif isinstance(node, dict):
            yield node
            pending += [value for value in node.values() if isinstance(value, list | dict)]

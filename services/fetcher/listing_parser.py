"""HTML listing pages to items: the links that the operator's selector picks, with their words as titles."""

from typing import Any, Final
from urllib.parse import urljoin

from lxml import html as lxml_html
from lxml.cssselect import CSSSelector

from services.fetcher.charsets import decode
from services.fetcher.documents import Document, Item

_TITLE_ATTRIBUTES: Final = ("title", "aria-label")


def parse_listing(body: bytes, url: str, content_type: str | None, selector: str, limit: int) -> Document:
    """Return the links under a CSS selector as items, each link once, titles from its words. Raises UnicodeError.

    The selector may pick the links themselves or blocks: a block stands for its first link with words, else its first link.
    """
    text = decode(body, content_type)
    if not text.strip():
        return Document()
    tree = lxml_html.document_fromstring(text.encode(), parser=lxml_html.HTMLParser(encoding="utf-8"))
    base = urljoin(url, next(iter(tree.xpath("//base/@href")), ""))
    titles: dict[str, str] = {}
    for block in CSSSelector(selector)(tree):
        link = _link_of(block)
        if link is not None and len(titles) < limit:
            address = urljoin(base, link.get("href").strip())
            titles[address] = titles.get(address) or _words(link)
    return Document(items=tuple(Item(link=link, title=title or None) for link, title in titles.items()))


def _link_of(block: Any) -> Any:
    links = [link for link in block.xpath("descendant-or-self::a[@href]") if not link.get("href").startswith("#")]
    return next((link for link in links if _words(link)), links[0] if links else None)


def _words(link: Any) -> str:
    words = " ".join(link.text_content().split())
    return words or next((link.get(name).strip() for name in _TITLE_ATTRIBUTES if link.get(name)), "")

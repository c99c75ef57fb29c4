"""OPML, the format in which other readers hand over their lists of feeds (opml.org/spec2)."""

from collections.abc import Iterable
from xml.sax.saxutils import quoteattr

from lxml import etree

from services.fetcher.feeds import Feed
from shared.links import clean_link


def read_opml(text: bytes) -> list[dict[str, str]]:
    """Return the feeds of an OPML document as blocks of feeds.yaml: name, url, and the language when it is stated.

    Raises ValueError when it is no OPML.
    """
    try:
        root = etree.fromstring(text, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False))
    except etree.XMLSyntaxError as error:
        raise ValueError(f"no XML: {error}") from None
    if etree.QName(root).localname != "opml":
        raise ValueError(f"no OPML: its root is {root.tag}")
    return [block for outline in root.iter("outline") if (block := _block(outline.attrib))]


def _block(outline: etree._Attrib) -> dict[str, str]:
    url = (outline.get("xmlUrl") or "").strip()
    if clean_link(url) is None:
        return {}
    words = " ".join((outline.get("text") or outline.get("title") or url).replace("|", "/").split())
    language = (outline.get("language") or "")[:2].lower()
    block = {"name": words[:100], "url": url}
    return block | {"language": language} if len(language) == 2 and language.isalpha() else block


def write_opml(feeds: Iterable[Feed]) -> str:
    """Return the feeds that have an address as OPML, sorted by name."""
    rows = [
        f'    <outline type="rss" text={quoteattr(feed.name)} xmlUrl={quoteattr(feed.url)}'
        + (f" language={quoteattr(feed.language)}" if feed.language else "")
        + "/>"
        for feed in sorted(feeds, key=lambda feed: feed.name)
        if feed.url
    ]
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<opml version="2.0">\n  <head><title>Frontwire</title></head>\n  <body>\n'
    return head + "\n".join(rows) + "\n  </body>\n</opml>\n"

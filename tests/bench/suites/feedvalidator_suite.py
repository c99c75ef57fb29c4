"""w3c/feedvalidator, `testcases/**/*.xml`: what its documents say of their items, read strictly by the formats' own words.

The suite is about validity: each file names in an `Expect:` line the message that a validator must (or, with `!`, must not) give.
Two things in it are expectations that a reader can meet:

1. Each item of a well-formed RSS 0.9x, 1.0, 1.1, 2.0 or Atom document states title, link, id, date and text by its elements. Left
   out is a field that the file's own message finds fault with or that stands more than once: nobody can say what it means there.
2. A date that the suite calls valid (`Valid…Date`, `!Invalid…Date`) must be read as the instant it states, wherever it stands.

KML, OPML, OpenSearch and documents that are not well-formed hold no items by these rules: they must only not crash the reader.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin

from lxml import etree

from tests.bench.suites.claims import DATE, ID, INSTANT, LINK, TEXT, TITLE, Claim, Score, instant_of, visible

_EXPECT: Final = re.compile(r"Expect:\s*(!?)(\w+)(?:{(.*?)})?")
_VALID_DATE: Final = re.compile(r"Expect:\s*(?:Valid|!Invalid)\w*Date{(?:parent:\w+,)?element:([\w:]+)")
_ATOM, _ATOM_03 = "http://www.w3.org/2005/Atom", "http://purl.org/atom/ns#"
_DC, _DCTERMS = "http://purl.org/dc/elements/1.1/", "http://purl.org/dc/terms/"
_CONTENT, _XHTML = "http://purl.org/rss/1.0/modules/content/", "http://www.w3.org/1999/xhtml"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_RSS: Final = ("", "http://purl.org/rss/1.0/", "http://my.netscape.com/rdf/simple/0.9/", "http://purl.org/net/rss1.1#")
_ROOTS: Final = {
    f"{{{_ATOM}}}feed",
    f"{{{_ATOM_03}}}feed",
    "rss",
    f"{{{_RDF}}}RDF",
    "{http://purl.org/net/rss1.1#}Channel",
}
_BASE: Final = "{http://www.w3.org/XML/1998/namespace}base"
# The elements each field is read from, the first that is there.
_DATES: Final = {
    "atom": [(_ATOM, "published"), (_ATOM, "updated"), (_ATOM_03, "issued"), (_ATOM_03, "modified")],
    "rss": [*((space, "pubDate") for space in _RSS), (_DC, "date"), (_ATOM, "published"), (_ATOM, "updated")],
}
_WORDS: Final = {
    TITLE: {"title"},
    LINK: {"link", "href", "guid", "base"},
    ID: {"id", "guid", "about"},
    DATE: {"pubdate", "dc:date", "published", "updated", "issued", "modified", "created"},
    TEXT: {"description", "summary", "content", "content:encoded", "encoded", "body", "div"},
}
# Messages that say so without naming the element.
_BY_MESSAGE: Final = {
    LINK: ("Link", "Uri", "URI", "URL", "RelRef", "Href"),
    ID: ("TAG", "URN", "GUID", "Uri"),
    DATE: ("Date",),
    TEXT: ("Encoding", "Text", "Content"),
}


def read(clone: Path) -> dict[Path, list[Claim]]:
    """Return the claims of every file of a clone."""
    root = clone / "testcases"
    return {path: list(_claims(path, root)) for path in sorted(root.rglob("*.xml"))}


def score_dates(clone: Path) -> Score:
    """Return how many of the dates that the suite calls valid are read as the instant they state, or read at all."""
    result = Score()
    for path in sorted((clone / "testcases").rglob("*.xml")):
        text = path.read_text(encoding="utf-8", errors="replace")
        expected = _VALID_DATE.search(text)
        for written in re.findall(rf"<{expected[1]}>\s*([^<]+?)\s*</{expected[1]}>", text) if expected else ():
            stated, found = _strict_instant(written), instant_of(written)
            group = path.parent.name
            result.files += 1
            result.asked[group] += 1
            if found is not None and stated in (None, found):
                result.met[group] += 1
            else:
                result.missed.append((Claim(path.name, group, 0, INSTANT, written), str(found)))
    return result


def _claims(path: Path, root: Path) -> Iterator[Claim]:
    try:
        tree = etree.parse(path, etree.XMLParser(no_network=True, resolve_entities="internal")).getroot()
    except (etree.XMLSyntaxError, OSError):
        return
    if tree.tag not in _ROOTS:
        return
    faulty = _faulty(path.read_text(encoding="utf-8", errors="replace"))
    group = path.parent.relative_to(root).parts[0]
    for number, item in enumerate(_items(tree)):
        stated = dict(_atom(item, path.name) if etree.QName(item).namespace in (_ATOM, _ATOM_03) else _rss(item))
        for name, wanted in stated.items():
            if wanted and name not in faulty:
                yield Claim(str(path.relative_to(root)), group, number, name, wanted)
            instant = _strict_instant(wanted) if name == DATE and name not in faulty else None
            if instant is not None:
                yield Claim(str(path.relative_to(root)), group, number, INSTANT, instant)


def _faulty(text: str) -> set[str]:
    """Return the fields that a file's message finds fault with."""
    expected = _EXPECT.search(text)
    if not expected or expected[1] or expected[2].startswith("Valid"):
        return set()
    named = {part.partition(":")[2].strip().lower() for part in (expected[3] or "").split(",")}
    by_message = {name for name, words in _BY_MESSAGE.items() if any(word in expected[2] for word in words)}
    return by_message | {name for name, words in _WORDS.items() if named & words}


def _items(tree: Any) -> Iterator[Any]:
    for element in tree.iter(etree.Element):
        name, parent = etree.QName(element), element.getparent()
        holder = etree.QName(parent).localname if parent is not None else ""
        if (
            name.localname == "item"
            and name.namespace in (None, *_RSS)
            and holder in ("channel", "items", "RDF", "rss")
        ) or (name.localname == "entry" and name.namespace in (_ATOM, _ATOM_03) and holder == "feed"):
            yield element


def _rss(item: Any) -> Iterator[tuple[str, str]]:
    yield TITLE, _one(item, *((space, "title") for space in _RSS))
    guid = _one(item, *((space, "guid") for space in _RSS))
    yield ID, guid
    yield LINK, _one(item, *((space, "link") for space in _RSS))
    yield DATE, _one(item, *_DATES["rss"])
    texts = [
        _one(item, name)
        for name in ((_CONTENT, "encoded"), (_DC, "description"), *((space, "description") for space in _RSS))
    ]
    texts += [_inner(body) for body in item.findall(f"{{{_XHTML}}}body")]
    texts += [_construct(_single(item, _ATOM, name)) or "" for name in ("content", "summary")]
    yield TEXT, _longest(texts)


def _atom(entry: Any, document: str) -> Iterator[tuple[str, str]]:
    space = etree.QName(entry).namespace
    yield TITLE, _construct(_single(entry, space, "title")) or ""
    yield ID, _one(entry, (space, "id"))
    links = [link for link in entry.findall(f"{{{space}}}link") if link.get("rel", "alternate") == "alternate"]
    if len({link.get("href") for link in links}) == 1 and links[0].get("href"):
        yield LINK, _resolved(links[0], f"http://127.0.0.1:8097/{document}")
    yield DATE, _one(entry, *_DATES["atom"])
    texts = [_construct(_single(entry, space, name)) for name in ("content", "summary")]
    yield TEXT, "" if None in texts else _longest([text or "" for text in texts])


def _resolved(link: Any, document: str) -> str:
    address = document
    for element in reversed([link, *link.iterancestors()]):
        address = urljoin(address, str(element.get(_BASE, "")))
    return urljoin(address, str(link.get("href")).strip())


def _longest(texts: list[str]) -> str:
    """Return the text with the most to read, nothing when another has as much: which of the two is meant is not said."""
    ranked = sorted(texts, key=lambda text: len(visible(text)), reverse=True)
    return "" if len(visible(ranked[0])) == len(visible(ranked[1])) and ranked[0] != ranked[1] else ranked[0]


def _construct(element: Any) -> str | None:
    """Return the text of an Atom text construct as HTML, "" when it holds none, None when its media type leaves that open."""
    kind = "" if element is None else element.get("type", "text").strip().lower()
    if element is None or element.get("src") or kind.startswith(("image/", "audio/", "video/")):
        return ""
    if element.get("mode") == "base64":
        return None
    if kind in ("xhtml", "application/xhtml+xml") or element.get("mode") == "xml":
        return _inner(element)
    if kind in ("text", "text/plain") and len(element) == 0:
        return (element.text or "").replace("&", "&amp;").replace("<", "&lt;")
    return (element.text or "") if kind in ("html", "text/html") and len(element) == 0 else None


def _inner(element: Any) -> str:
    """Return what stands between an element's tags."""
    parts: list[str] = [element.text or "", *(etree.tostring(child, encoding="unicode") for child in element)]
    return "".join(parts)


def _single(parent: Any, space: str | None, name: str) -> Any:
    found = parent.findall(f"{{{space}}}{name}" if space else name)
    return found[0] if len(found) == 1 else None


def _one(parent: Any, *names: tuple[str, str]) -> str:
    """Return the text of the first of these elements that is there once; nothing when it stands twice or holds elements."""
    for space, name in names:
        found = parent.findall(f"{{{space}}}{name}" if space else name)
        if found:
            return (found[0].text or "").strip() if len(found) == 1 and len(found[0]) == 0 else ""
    return ""


def _strict_instant(written: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(written) if written[:4].isdigit() else parsedate_to_datetime(written)
    except ValueError:
        return None
    return moment.replace(microsecond=0) if moment.tzinfo else None

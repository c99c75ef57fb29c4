"""What a suite claims of an item, and whether the fetcher's reading meets it."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from functools import cache
from pathlib import Path
from typing import Final

from lxml import html as lxml_html

from services.fetcher.documents import Document, Item, Reading
from services.fetcher.feed_parser import NotAFeed, parse_feed
from services.normaliser.publication import feed_clue
from services.normaliser.rules import Rules, load_rules

DATE, ID, INSTANT, LINK, TEXT, TITLE = "date", "id", "instant", "link", "text", "title"
# What is shown to nobody: no reader must keep it, and a careful one does not.
_NOT_SHOWN: Final = ("applet", "script", "style")
_NOW: Final = datetime(2100, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Claim:
    """What item number `item` of a document holds in one field: a text, or an instant (without zone: UTC)."""

    file: str
    group: str
    item: int
    field: str
    wanted: str | datetime


@dataclass
class Score:
    """Claims met and missed, and files that ended in anything but an answer or a refusal."""

    met: Counter[str] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)
    missed: list[tuple[Claim, str]] = field(default_factory=list)
    files: int = 0
    crashed: list[str] = field(default_factory=list)

    @property
    def share(self) -> float:
        """The share of all claims that are met."""
        return self.met.total() / max(1, self.asked.total())

    @property
    def mean_of_groups(self) -> float:
        """The mean of the groups' own shares: a group of three counts as much as one of five hundred."""
        return sum(self.met[group] / self.asked[group] for group in self.asked) / max(1, len(self.asked))


def score(claims: Mapping[Path, Iterable[Claim]], headers: Mapping[Path, Mapping[str, str]]) -> Score:
    """Read every file and judge its claims; `headers` holds the headers a file is to be served with, names in small letters."""
    result = Score()
    for path, claimed in sorted(claims.items()):
        result.files += 1
        document = Document()
        served = headers.get(path, {})
        try:
            url = served.get("content-location", f"http://127.0.0.1:8097/{path.name}")
            document = parse_feed(path.read_bytes(), url, served.get("content-type"), Reading())
        except (NotAFeed, UnicodeError):
            pass
        except Exception as crash:
            result.crashed.append(f"{path}: {crash!r}")
        for claim in claimed:
            result.asked[claim.group] += 1
            if _meets(document, claim):
                result.met[claim.group] += 1
            else:
                result.missed.append((claim, _found(document, claim)))
    return result


def visible(markup: str) -> str:
    """Return the words a reader of HTML sees, single blanks between them."""
    if not re.search("[<&]", markup):
        return " ".join(markup.split())
    tree = lxml_html.fragment_fromstring(re.sub(r"<!--.*?-->|<\?.*?\?>|<![^>]*>", "", markup, flags=re.S), "div")
    for element in list(tree.iter(*_NOT_SHOWN)):
        element.drop_tree()
    return " ".join(tree.text_content().split())


def _meets(document: Document, claim: Claim) -> bool:
    if claim.item >= len(document.items):
        return False
    item = document.items[claim.item]
    if isinstance(claim.wanted, datetime):
        return any(instant_of(text) == claim.wanted for text in (item.published, item.updated))
    wanted = claim.wanted.strip()
    if claim.field == DATE:
        return wanted in (item.published, item.updated)
    found = _value(item, claim.field)
    return found == wanted or (
        claim.field in (TEXT, TITLE) and not {found, visible(found)}.isdisjoint((visible(wanted), wanted))
    )


def _found(document: Document, claim: Claim) -> str:
    if claim.item >= len(document.items):
        return f"only {len(document.items)} items"
    return _value(document.items[claim.item], DATE if isinstance(claim.wanted, datetime) else claim.field)


def _value(item: Item, name: str) -> str:
    values = {DATE: item.published, ID: item.guid, LINK: item.link, TEXT: item.text, TITLE: item.title}
    return values[name] or ""


def instant_of(written: str | None) -> datetime | None:
    """Return the instant that the normaliser reads from a feed's date, in UTC unless it names a zone."""
    clue = feed_clue(written, "UTC", _rules().date_words, _NOW)
    moment = clue.moment if clue else None
    if moment is None:
        return None
    return datetime.combine(moment.day, moment.clock or time(), moment.zone or UTC)


@cache
def _rules() -> Rules:
    return load_rules()

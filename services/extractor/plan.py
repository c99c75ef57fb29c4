"""What changed alias sets or watched keywords would add and remove over articles that are already there: `frontwire plan`."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from services.extractor.entities import Knowledge
from services.extractor.transform import find_mentions
from services.extractor.watchlist import FieldName

_AROUND: Final = 40

Action = Literal["add", "remove"]
Kind = Literal["keyword", "name"]


@dataclass(frozen=True)
class Tried:
    """An article as far as names and keywords need it: `language` is an ISO 639-1 code, `source` the source's name."""

    id: str
    title: str
    body: str
    language: str
    source: str


@dataclass
class Change:
    """One name (under its id) or keyword that appears or disappears, in how many places and articles, with examples.

    `id` is an alias set's id or a keyword's name, `text` what stands in the articles. An example is an article id and the words
    around the place, with the place itself in double brackets.
    """

    action: Action
    kind: Kind
    id: str
    text: str
    mentions: int = 0
    articles: int = 0
    examples: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class _Place:
    """A mention or hit, in a form in which two extractions of one article are compared."""

    kind: Kind
    id: str
    field: FieldName
    start: int
    end: int


def read_article(row: Mapping[str, Any]) -> Tried:
    """Return the article of a JSON row: an indexed document, a record of the wire, or {id, text, title?, lang?, source?}.

    Raises `KeyError` for a row without id or text and `TypeError` or `ValueError` for one of another shape.
    """
    language, source = row.get("language") or row.get("lang") or "vi", row.get("source") or ""
    return Tried(
        id=str(row["article_id"] if "article_id" in row else row["id"]),
        title=row.get("title") or "",
        body=row["body"] if "body" in row else row["text"],
        language=language["code"] if isinstance(language, Mapping) else language,
        source=source["name"] if isinstance(source, Mapping) else source,
    )


def compare(articles: Iterable[Tried], before: Knowledge, after: Knowledge, *, examples: int = 3) -> list[Change]:
    """Return what the knowledge `after` finds in the articles that `before` does not, and the other way round.

    The most frequent changes come first; a name that only takes another id is one removal and one addition.
    """
    changes: dict[tuple[Action, Kind, str, str], Change] = {}
    for article in articles:
        old, new = set(_places(article, before)), set(_places(article, after))
        counted: set[int] = set()
        sides: tuple[tuple[Action, set[_Place]], ...] = (("remove", old - new), ("add", new - old))
        for action, places in sides:
            for place in sorted(places, key=lambda item: (item.field != "title", item.start)):
                text = str(getattr(article, place.field)[place.start : place.end])
                key = (action, place.kind, place.id, text)
                change = changes.setdefault(key, Change(*key))
                change.mentions += 1
                if id(change) not in counted:
                    counted.add(id(change))
                    change.articles += 1
                    if change.articles <= examples:
                        change.examples.append((article.id, _excerpt(getattr(article, place.field), place)))
    return sorted(changes.values(), key=lambda item: (-item.mentions, item.id, item.text, item.action))


def _places(article: Tried, knowledge: Knowledge) -> Iterator[_Place]:
    entities = find_mentions(article.title, article.body, language=article.language, knowledge=knowledge)
    for entity in entities:
        yield _Place("name", entity.canonical, entity.field, entity.start, entity.end)
    fields: dict[FieldName, str] = {"title": article.title, "body": article.body}
    for hit in knowledge.watchlist.find(fields, entities, language=article.language, source=article.source):
        yield _Place("keyword", hit.keyword, hit.field, hit.start, hit.end)


def _excerpt(text: str, place: _Place) -> str:
    before, after = text[max(0, place.start - _AROUND) : place.start], text[place.end : place.end + _AROUND]
    return " ".join(f"{before}[[{text[place.start : place.end]}]]{after}".split())

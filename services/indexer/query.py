"""What an operator types, as an Elasticsearch query: words, "exact phrases", and fields by short names. Pure.

dau hang            every word, accents optional; articles that spell it as typed come first
"đầu hàng"          exactly these words in this order, accents as typed
entity:Q212         an entity by its id, also keyword:, language:, source:, feed:, country:, side:, story:
event:2025-10       something that happened in that year, month or day
"""

import re
from dataclasses import dataclass
from typing import Any, Final

from shared.text import fold

# Short name to the field that holds it.
FIELDS: Final = {
    "country": "source.country",
    "entity": "entity_ids",
    "event": "event_dates",
    "feed": "feed",
    "keyword": "keywords",
    "language": "language",
    "side": "source.side",
    "source": "source.name",
    "story": "story_id",
}
_PART: Final = re.compile(r'(?:(?P<name>[a-z]+):)?(?:"(?P<phrase>[^"]*)"|(?P<word>[^\s"]+))')
_EVENT: Final = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")
_UNITS: Final = {4: "y", 7: "M", 10: "d"}
_EXACT: Final = ("title^3", "body^2")
_FOLDED: Final = ("title_folded^1.5", "body_folded")
# The exact form outweighs any number of folded ones.
_EXACT_BOOST: Final = 4.0


class QueryError(ValueError):
    """The query names a field that does not exist, or a time that cannot be read; the message says what is possible."""


@dataclass(frozen=True)
class Asked:
    """A query taken apart: words, phrases, and (field, value) pairs."""

    words: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()
    fields: tuple[tuple[str, str], ...] = ()


def parse(text: str) -> Asked:
    """Return a query taken apart. Raises `QueryError`."""
    words: list[str] = []
    phrases: list[str] = []
    fields: list[tuple[str, str]] = []
    for part in _PART.finditer(text):
        name, value = part["name"], part["word"] if part["phrase"] is None else part["phrase"]
        if name:
            fields.append((_field(name), value))
        elif part["phrase"] is None:
            words.append(value)
        elif value.strip():
            phrases.append(value)
    if times := [value for field, value in fields if field == FIELDS["event"] and not _EVENT.fullmatch(value)]:
        raise QueryError(f"event:{times[0]} is no time; write event:2025, event:2025-10 or event:2025-10-29")
    return Asked(tuple(words), tuple(phrases), tuple(fields))


def query(asked: Asked) -> dict[str, Any]:
    """Return the Elasticsearch query: everything that was asked must hold."""
    scored: list[dict[str, Any]] = [
        {"multi_match": {"query": phrase, "type": "phrase", "fields": list(_EXACT)}} for phrase in asked.phrases
    ]
    if asked.words:
        scored.append(_words(" ".join(asked.words)))
    filters = [_time(value) if field == FIELDS["event"] else {"term": {field: value}} for field, value in asked.fields]
    return {"bool": {"must": scored or [{"match_all": {}}], "filter": filters}}


def _time(value: str) -> dict[str, Any]:
    """Return the query for what happened in a year, a month or on a day."""
    rounded = f"{value}||/{_UNITS[len(value)]}"
    return {"range": {FIELDS["event"]: {"gte": rounded, "lte": rounded}}}


def _words(text: str) -> dict[str, Any]:
    """Return the query for words: all of them, as typed or folded; side by side they weigh more than apart."""
    forms = (
        ({"query": text, "fields": list(_EXACT)}, _EXACT_BOOST),
        ({"query": fold(text), "fields": list(_FOLDED)}, 1.0),
    )
    every = [
        {"multi_match": form | {"type": "cross_fields", "operator": "and", "boost": boost}} for form, boost in forms
    ]
    together = [{"multi_match": form | {"type": "phrase", "boost": boost}} for form, boost in forms]
    return {"bool": {"must": {"bool": {"should": every, "minimum_should_match": 1}}, "should": together}}


def _field(name: str) -> str:
    if name not in FIELDS:
        raise QueryError(f"no field {name}:; there are {', '.join(f'{known}:' for known in sorted(FIELDS))}")
    return FIELDS[name]

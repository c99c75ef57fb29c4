"""The deduplicator's reading of an article: only the fields it needs; the others travel on as the bytes they came as.

Reading and writing every mention as a model of its own costs more than the decision. What is read here is checked as by the full
models, and that the whole is UTF-8; what is passed on is checked by the stages that read it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Generic, Literal, Protocol, TypeVar

import msgspec
import orjson
from msgspec import Struct

from services.deduplicator.sketching import Sketch
from services.deduplicator.story import Mention
from shared.models import ExtractedArticle, Model, SketchedArticle
from shared.reading import ArticleId, Moment, Offset, Reading, TraceId

_SKETCH_LAST: Final = re.compile(rb',"sketch":\{[^{}]*\}\}\s*')


class _Written(Protocol):
    def to_json(self) -> bytes: ...


@dataclass(frozen=True)
class Passed:
    """A record on its way out: the bytes it came as, with fields added."""

    article_id: str
    trace_id: str
    record: bytes

    def to_json(self) -> bytes:
        """Return the record as JSON bytes."""
        return self.record


class Name(Struct, frozen=True, kw_only=True, gc=False):
    """A linked name: what it stands for and where it is."""

    field: Literal["title", "body"]
    start: Offset
    end: Offset
    canonical: str


class Day(Struct, frozen=True, kw_only=True, gc=False):
    """A date mention: the closed interval [from, to] of days, and where it is."""

    field: Literal["title", "body"]
    start: Offset
    end: Offset
    from_: str | None = msgspec.field(default=None, name="from")
    to: str | None = None


class ExtractedText(Struct, frozen=True, kw_only=True):
    """An extracted article as `sketch` reads it."""

    article_id: ArticleId
    trace_id: TraceId
    title: str
    body: str
    entities: list[Name] = []
    dates: list[Day] = []

    def mentions(self) -> Iterator[Mention]:
        """Yield the linked names and the days in the text."""
        for name in self.entities:
            yield name.field, name.start, name.end, f"entity {name.canonical}"
        for date in self.dates:
            if date.from_ is not None and date.from_ == date.to:
                yield date.field, date.start, date.end, f"day {date.from_}"


class PublishedAt(Struct, frozen=True, gc=False):
    """The time of publication, when one is known."""

    value: str | None = None


class SketchedText(Struct, frozen=True, kw_only=True):
    """A sketched article as `decide` reads it."""

    article_id: ArticleId
    trace_id: TraceId
    published: PublishedAt
    fetched_at: Moment
    first_seen_at: Moment
    backlog: bool = False
    sketch: Sketch


Text = TypeVar("Text", ExtractedText, SketchedText)


@dataclass(frozen=True, slots=True)
class Carried(Generic[Text]):
    """What is read of a record, and the bytes it was read from."""

    text: Text
    record: bytes

    def extended(self, fields: bytes) -> Passed:
        """Return the record with more fields, given as a JSON object; a sketch that was read stays behind."""
        fields_so_far = _without_sketch(self.record) if isinstance(self.text, SketchedText) else _open(self.record)
        return Passed(self.text.article_id, self.text.trace_id, fields_so_far + b"," + fields[1:])


class Carrying(Generic[Text]):
    """Reads the records of one topic and keeps the bytes they came as."""

    def __init__(self, struct: type[Text], full: type[Model]) -> None:
        self._reading: Reading[Text] = Reading(struct, full, whole=True)

    def validate_json(self, value: bytes, /) -> Carried[Text]:
        """Return a record given as JSON bytes; raises what `Reading` raises."""
        return Carried(self._reading.validate_json(value), value)

    def of(self, written: _Written) -> Carried[Text]:
        """Return this reading of a record that is at hand as a model, or as what another stage passes on."""
        return self.validate_json(written.to_json())


EXTRACTED_TEXT: Final = Carrying(ExtractedText, ExtractedArticle)
SKETCHED_TEXT: Final = Carrying(SketchedText, SketchedArticle)


def _open(record: bytes) -> bytes:
    """Return a record up to where further fields go."""
    return record.rstrip()[:-1]


def _without_sketch(record: bytes) -> bytes:
    """Return a record without its sketch, up to where further fields go."""
    # A key in a JSON text cannot stand inside one of its strings: there its quotes are escaped.
    at = record.rfind(b',"sketch":{')
    if at >= 0 and _SKETCH_LAST.fullmatch(record, at):
        return record[:at]
    fields = orjson.loads(record)
    return _open(orjson.dumps({name: value for name, value in fields.items() if name != "sketch"}))

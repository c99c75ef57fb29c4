"""The deduplicator's reading of an article: only the fields it needs; the others travel on as the bytes they came as.

Reading and writing every mention as a model of its own costs more than the decision. What is read here is checked exactly as by
the full models (a test holds the two together); what is passed on is checked by the stages that read it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, NotRequired, Protocol, Self

import orjson
from pydantic import AwareDatetime, Field, PrivateAttr
from typing_extensions import TypedDict

from services.deduplicator.story import Mention
from shared.models import ArticleId, Model, Offset, Sketch, TraceId

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


class Carried(Model):
    """A record of which some fields are read, and that keeps the bytes it was read from."""

    article_id: ArticleId
    trace_id: TraceId
    _record: bytes = PrivateAttr(b"")

    @classmethod
    def model_validate_json(cls, json_data: str | bytes | bytearray, **options: Any) -> Self:
        """Return the record in JSON bytes; raises pydantic's ValidationError."""
        article = super().model_validate_json(json_data, **options)
        article._record = json_data.encode() if isinstance(json_data, str) else bytes(json_data)
        return article

    @classmethod
    def of(cls, written: _Written) -> Self:
        """Return this reading of a record that is at hand as a model, or as what another stage passes on."""
        return cls.model_validate_json(written.to_json())

    def extended(self, fields: bytes) -> Passed:
        """Return the record with more fields, given as a JSON object."""
        return Passed(self.article_id, self.trace_id, self._open_record() + b"," + fields[1:])

    def _open_record(self) -> bytes:
        """Return the record up to where further fields go."""
        return self._record.rstrip()[:-1]


class NameRow(TypedDict):
    """A linked name: what it stands for and where it is."""

    field: Literal["title", "body"]
    start: Offset
    end: Offset
    canonical: str


DayRow = TypedDict(
    "DayRow",
    {
        "field": Literal["title", "body"],
        "start": Offset,
        "end": Offset,
        "from": NotRequired[str | None],
        "to": NotRequired[str | None],
    },
)
"""A date mention: the closed interval [from, to] of days, and where it is."""


class ExtractedText(Carried):
    """An extracted article as `sketch` reads it."""

    title: str
    body: str
    entities: list[NameRow] = Field(default_factory=list)
    dates: list[DayRow] = Field(default_factory=list)

    def mentions(self) -> Iterator[Mention]:
        """Yield the linked names and the days in the text."""
        for name in self.entities:
            yield name["field"], name["start"], name["end"], f"entity {name['canonical']}"
        for date in self.dates:
            day = date.get("from")
            if day is not None and day == date.get("to"):
                yield date["field"], date["start"], date["end"], f"day {day}"


class PublishedAt(Model):
    """The time of publication, when one is known."""

    value: str | None = None


class SketchedText(Carried):
    """A sketched article as `decide` reads it; what it passes on is without the sketch."""

    published: PublishedAt
    fetched_at: AwareDatetime
    first_seen_at: AwareDatetime
    backlog: bool = False
    sketch: Sketch

    def _open_record(self) -> bytes:
        # A key in a JSON text cannot stand inside one of its strings: there its quotes are escaped.
        at = self._record.rfind(b',"sketch":{')
        if at >= 0 and _SKETCH_LAST.fullmatch(self._record, at):
            return self._record[:at]
        fields = orjson.loads(self._record)
        return orjson.dumps({name: value for name, value in fields.items() if name != "sketch"})[:-1]

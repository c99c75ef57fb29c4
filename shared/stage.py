"""What every runner does with one record, whatever the broker: decode, transform, encode, or refuse.

A runner hands in a `Record` and gets an `Outcome`: the records to send on, or one dead letter. It commits the record's offset
only after everything in the outcome is acknowledged.
"""

import hashlib
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Generic, Protocol, TypeVar

import structlog
from pydantic import ValidationError

from shared import headers as record_headers
from shared.alerts import Alert
from shared.errors import MAX_CONSECUTIVE_BUGS, Drop, Reason, Rejected, Transient
from shared.headers import Headers
from shared.ids import partition_of
from shared.models import SCHEMA_VERSION
from shared.topics import ALERTS, DEAD_LETTER_HEAD_BYTES, Topic, dead_letter_topic

_SUPPORTED_MAJOR = int(SCHEMA_VERSION.partition(".")[0])

log = structlog.get_logger("frontwire.stage")


class Article(Protocol):
    """What the runners need to know of a record that travels: whose it is and which trace it belongs to."""

    @property
    def article_id(self) -> str:
        """The article the record is about: the message key."""

    @property
    def trace_id(self) -> str:
        """The trace the record belongs to."""

    def to_json(self) -> bytes:
        """The record as JSON bytes."""


In = TypeVar("In")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Reads(Protocol[T_co]):
    """What records are read by: a model, one of several (pydantic's TypeAdapter), or some fields of one (`shared.reading`)."""

    def validate_json(self, value: bytes, /) -> T_co:
        """Return a record given as JSON bytes; raises pydantic's ValidationError."""


@dataclass(frozen=True)
class Record:
    """One message as it came from the broker, with its place of origin."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    timestamp_ms: int = 0

    @property
    def origin(self) -> str:
        """The record's place as topic/partition/offset."""
        return f"{self.topic}/{self.partition}/{self.offset}"


@dataclass(frozen=True)
class Outgoing:
    """One message to send: to which topic and partition, under which key."""

    topic: Topic
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Headers


@dataclass(frozen=True)
class Outcome:
    """What became of one record: messages to send on, a refusal, or a deliberate drop."""

    outputs: tuple[Outgoing, ...] = ()
    refused: Reason | None = None
    dropped: Drop | None = None


class TooManyBugs(RuntimeError):
    """So many records in a row failed through our own fault that going on would divert the whole topic."""


@dataclass
class Guard:
    """Holds the three outcomes for one stage: what may be thrown at a record becomes a refusal, a retry or a stop."""

    stage: str
    source: Topic
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    _bugs_in_a_row: int = field(default=0, init=False)

    def attempt(self, record: Record, make: Callable[[], T]) -> T | Outcome:
        """Return what `make` makes of the record, or the outcome of its refusal.

        Raises `Transient` (retry the same record) and `TooManyBugs` (stop the service).
        """
        try:
            made = make()
        except Transient:
            raise
        except Rejected as refusal:
            self._bugs_in_a_row = 0
            return self.refuse(record, refusal)
        except Exception as bug:
            self._bugs_in_a_row += 1
            log.exception("bug", stage=self.stage, origin=record.origin, trace=trace_of(record))
            if self._bugs_in_a_row >= MAX_CONSECUTIVE_BUGS:
                raise TooManyBugs(
                    f"{self.stage}: {self._bugs_in_a_row} records in a row failed, last: {bug!r}"
                ) from bug
            return self.refuse(record, Rejected(Reason.BUG, repr(bug)))
        self._bugs_in_a_row = 0
        return made

    def refuse(self, record: Record, refusal: Rejected) -> Outcome:
        """Return the outcome that dead-letters a record."""
        return refuse(record, self.source, self.stage, refusal, self.clock())


class Processor(Protocol):
    """What a runner drives: a name, the topic it reads, and what becomes of one record."""

    @property
    def name(self) -> str:
        """The stage's name: its consumer group and its metrics carry it."""

    @property
    def source(self) -> Topic:
        """The topic the stage reads."""

    def process(self, record: Record) -> Outcome:
        """Return what becomes of one record; raises `Transient` to see it again."""


@dataclass
class Stage(Generic[In]):
    """One worker stage: reads `source` as `model`, applies the pure `transform`, writes its results to `sink`.

    A null record (a takedown) is passed on under its key, or under each of the keys that `heirs` names; `forget` removes the
    article from the stage's own state. `key_of` gives the key of a result.
    """

    name: str
    source: Topic
    model: Reads[In]
    sink: Topic
    transform: Callable[[In], Iterable[Article]]
    forget: Callable[[str], object] = lambda article_id: None
    heirs: Callable[[str], Iterable[str]] = lambda article_id: (article_id,)
    key_of: Callable[[Article], str] = lambda article: article.article_id
    guard: Guard = field(init=False)

    def __post_init__(self) -> None:
        self.guard = Guard(self.name, self.source)

    def process(self, record: Record) -> Outcome:
        """Return what becomes of one record.

        Raises `Transient` (retry the same record) and `TooManyBugs` (stop); every other failure is a refusal in the outcome.
        """
        if record.value is None:
            return self._pass_tombstone(record)
        return self.guard.attempt(record, lambda: self._transform(record))

    def _transform(self, record: Record) -> Outcome:
        article = decode(record, self.model)
        outputs = tuple(article_message(self.sink, out, self.key_of(out)) for out in self.transform(article))
        _refuse_too_large(outputs)
        return Outcome(outputs=outputs)

    def _pass_tombstone(self, record: Record) -> Outcome:
        if record.key is None:
            return Outcome(dropped=Drop.TOMBSTONE)
        key = record.key.decode("utf-8", "replace")
        self.forget(key)
        nulls = tuple(null_message(self.sink, heir, record.headers) for heir in self.heirs(key))
        return Outcome(outputs=nulls, dropped=Drop.TOMBSTONE)


def decode(record: Record, model: Reads[T]) -> T:
    """Return the record's value as a model, or as what stands for one; raises `Rejected` with the reason it cannot be read."""
    major = record_headers.major_version(record.headers)
    if major is not None and major > _SUPPORTED_MAJOR:
        raise Rejected(Reason.UNSUPPORTED_SCHEMA, f"major version {major}, this stage reads {_SUPPORTED_MAJOR}")
    value = record.value or b""
    try:
        return model.validate_json(value)
    except ValidationError as error:
        raise _rejection(value, error) from None


def _rejection(value: bytes, error: ValidationError) -> Rejected:
    try:
        value.decode("utf-8")
    except UnicodeDecodeError as undecodable:
        return Rejected(Reason.INVALID_UTF8, f"byte {undecodable.start}: {undecodable.reason}")
    first = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    detail = f"{where}: {first['msg']}" if where else first["msg"]
    match first["type"]:
        case "json_invalid":
            return Rejected(Reason.BROKEN_JSON, detail)
        case "missing":
            return Rejected(Reason.MISSING_FIELD, detail)
        case _:
            return Rejected(Reason.WRONG_TYPE, detail)


def article_message(topic: Topic, article: Article, key: str | None = None) -> Outgoing:
    """Return the message that carries an article record to a topic, under the article's id when no other key is given."""
    return Outgoing(
        topic=topic,
        partition=partition_of(article.article_id, topic.partitions),
        key=(key or article.article_id).encode(),
        value=article.to_json(),
        headers=record_headers.for_article(article.trace_id),
    )


def alert_message(alert: Alert) -> Outgoing:
    """Return the message that carries an alert."""
    return Outgoing(
        topic=ALERTS,
        partition=partition_of(alert.alert_id, ALERTS.partitions),
        key=alert.alert_id.encode(),
        value=alert.to_json(),
        headers=record_headers.for_article(alert.alert_id),
    )


def null_message(topic: Topic, article_id: str, headers: Headers = ()) -> Outgoing:
    """Return the null record that takes an article's records out of a topic."""
    return Outgoing(topic, partition_of(article_id, topic.partitions), article_id.encode(), None, headers)


def single_key(name: str) -> str:
    """Return a key that no other record has: compaction keeps the record, however many have the same name."""
    return f"{name}/{uuid.uuid4()}"


def _refuse_too_large(outputs: Iterable[Outgoing]) -> None:
    for output in outputs:
        if message_size(output) > output.topic.max_message_bytes:
            raise Rejected(
                Reason.TOO_LARGE,
                f"{message_size(output)} bytes, {output.topic.name} takes {output.topic.max_message_bytes}",
            )


def message_size(message: Outgoing) -> int:
    """Return an upper bound of a message's size on the wire in bytes, uncompressed, with its record overhead."""
    header_bytes = sum(len(name) + len(value) + 10 for name, value in message.headers)
    return len(message.value or b"") + len(message.key or b"") + header_bytes + 200


def refuse(record: Record, source: Topic, stage: str, refusal: Rejected, at: datetime) -> Outcome:
    """Return the outcome that sends a record to its dead-letter topic, byte for byte, with its key and the reason in the headers.

    What is larger than the topic takes goes there as its first 64 kB, with size and SHA-256 in the headers.
    """
    topic = dead_letter_topic(source)
    headers = record_headers.for_dead_letter(
        record.headers,
        key=record.key,
        stage=stage,
        reason=refusal.reason,
        detail=refusal.detail,
        origin=record.origin,
        at=at,
    )
    key = f"{record.origin} {stage} {at.isoformat()}".encode()
    letter = Outgoing(topic, 0, key, record.value, headers)
    if message_size(letter) > topic.max_message_bytes:
        value = record.value or b""
        headers += (
            (record_headers.DLQ_SIZE, str(len(value)).encode()),
            (record_headers.DLQ_SHA256, hashlib.sha256(value).hexdigest().encode()),
        )
        letter = Outgoing(topic, 0, key, value[:DEAD_LETTER_HEAD_BYTES], headers)
    log.warning(
        "dead_letter", stage=stage, reason=refusal.reason.value, detail=refusal.detail[:200], origin=record.origin,
        trace=trace_of(record),
    )  # fmt: skip
    return Outcome(outputs=(letter,), refused=refusal.reason)


def trace_of(record: Record) -> str | None:
    """Return the trace id in a record's headers, or None."""
    parts = (record_headers.value_of(record.headers, record_headers.TRACEPARENT) or "").split("-")
    return parts[1] if len(parts) == 4 else None

"""The lean readings are as strict as the contract: records are damaged in every field that is read, and byte by byte."""

import json
import random
from collections.abc import Iterator
from typing import Any, Final, get_args

import msgspec
import pytest
from pydantic import ValidationError

from services.commands.common import project_folder
from services.deduplicator.article import EXTRACTED_TEXT, SKETCHED_TEXT, Carried
from services.indexer.article import INDEXED_ARTICLE
from shared.errors import Reason, Rejected
from shared.models import (
    DateOrigin,
    Decision,
    EntityType,
    ExtractedArticle,
    Flag,
    Model,
    Published,
    SketchedArticle,
    UniqueArticle,
)
from shared.stage import Reads, Record, decode

Path = tuple[str | int, ...]

READINGS: Final[dict[str, tuple[Reads[Any], type[Model]]]] = {
    "articles-extracted-v1": (EXTRACTED_TEXT, ExtractedArticle),
    "articles-sketched-v1": (SKETCHED_TEXT, SketchedArticle),
    "articles-unique-v1": (INDEXED_ARTICLE, UniqueArticle),
}
PASSED_ON: Final = ("articles-extracted-v1", "articles-sketched-v1")
MARK: Final = "@@odd@@"
QUOTED_MARK: Final = json.dumps(MARK).encode()
ODD: Final = (
    b"null", b"true", b"-1", b"0", b"2", b"1.0", b"0.5", b"1e400", b"NaN", b"9" * 20, b"9" * 5000, b"[]", b"{}", b"[null]",
    b'["text"]', b"[{}]", b'{"a":"1"}', b'{"a":1,"a":2.5}', b'""', b'"1"', b'"yes"', b'"body"',
    b'["undated","odd"]', b'"\\ud800"', b'"\\u0000"', b'"\xff"', b'"\xed\xa0\x80"', b'"\xf0\x9f\x98\x80"',
)  # fmt: skip
NAMES: Final[dict[str, tuple[str, ...]]] = {
    "flags": tuple(Flag),
    "method": get_args(Decision.model_fields["method"].annotation),
    "origin": tuple(DateOrigin),
    "precision": get_args(Published.model_fields["precision"].annotation),
    "type": tuple(EntityType),
}
ODD_IDS: Final = tuple(
    json.dumps("0123456789abcdef" * 2 + end).encode()
    for end in ("", "\n", "#1", "#1\n", "#0", "#99", "#100", "0", " ", "#١")
)  # fmt: skip
ODD_TIMES: Final = tuple(
    json.dumps(text).encode()
    for text in (
        "2026-02-01", "2026-02-01T08:00:00", "2026-02-01T08:00Z", "2026-02-01 08:00:00Z", "2026-02-01t08:00:00z",
        "2026-02-01_08:00:00Z", "2026-02-01T08:00:60Z", "2026-02-01T24:00:00Z", "2026-02-30T08:00:00Z", "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-02-01T08:00:00+23:59", "2026-02-01T08:00:00+24:00",
        "2026-02-01T08:00:00+0700", "2026-02-01T08:00:00+07", "2026-02-01T08:00:00-00:00", "2026-02-01T08:00:00+07:60",
        "2026-02-01T08:00:00+07:00:30", "2026-02-01T08:00:00.5Z", "2026-02-01T08:00:00.123456Z", "2026-02-01T08:00:00,5Z",
        "2026-02-01T08:00:00.Z", " 2026-02-01T08:00:00Z", "2026-02-01T08:00:00Z ", "1770000000", "9999-12-31T23:59:59.9999999Z",
    )
) + (b"1770000000", b"1770000000.5", b"1e20")  # fmt: skip


def read_by(reading: Reads[Any], value: bytes) -> Any:
    """Return what a reading reads, without the bytes that it may keep."""
    made = reading.validate_json(value)
    return made.text if isinstance(made, Carried) else made


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the place of every value in a record, of lists only the first item."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    for name, item in items:
        yield from places(item, (*path, name))


def example(topic: str) -> dict[str, Any]:
    """Return the topic's full example with the first item of every list, which says as much in less time."""
    text = (project_folder() / "schemas/examples" / topic / "full.json").read_text(encoding="utf-8")
    fields = json.loads(text)
    return {name: value[:1] if isinstance(value, list) else value for name, value in fields.items()}


FULL: Final = {topic: json.dumps(example(topic), ensure_ascii=False).encode() for topic in READINGS}
READ: Final = {
    topic: set(places(msgspec.to_builtins(read_by(reading, FULL[topic])))) for topic, (reading, _) in READINGS.items()
}
LEAVES: Final = {topic: read - {path[:-1] for path in read} for topic, read in READ.items()}


def is_read(topic: str, path: Path) -> bool:
    """Return whether a fault at a place is one of what is read: the record, a field, what it is in, or inside of it."""
    first = tuple(0 if isinstance(step, int) else step for step in path)
    return not path or first in READ[topic] or any(first[:end] in LEAVES[topic] for end in range(len(first)))


def unequal(lean: Any, full: Any, where: str = "$") -> list[str]:
    """Return where a reading has another value than the model."""
    if isinstance(lean, msgspec.Struct):
        fields = lean.__struct_fields__
        return [
            line for name in fields for line in unequal(getattr(lean, name), getattr(full, name), f"{where}.{name}")
        ]
    if isinstance(lean, list) and len(lean) == len(full):
        return [
            line for at, pair in enumerate(zip(lean, full, strict=True)) for line in unequal(*pair, f"{where}[{at}]")
        ]
    return [] if lean == full else [f"{where}: {lean!r} is not {full!r}"]


def disagreement(topic: str, value: bytes) -> list[str]:
    """Return where a reading and its full model disagree on a record: on a field that is read, or on whether it is JSON."""
    reading, model = READINGS[topic]
    try:
        full: Model | None = model.model_validate_json(value)
        faults: list[Path] = []
    except ValidationError as refusal:
        full, faults = None, [error["loc"] for error in refusal.errors(include_input=False, include_url=False)]
    refused = any(is_read(topic, path) for path in faults)
    try:
        lean = read_by(reading, value)
    except ValidationError:
        return [] if refused else [f"refused, where the model sees {faults}"]
    if refused:
        return [f"accepted, where the model sees {faults}"]
    return unequal(lean, full) if full else []


def marked(topic: str, path: Path) -> bytes:
    """Return the example with a mark for the value at a place."""
    record = holder = json.loads(FULL[topic])
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = MARK
    return json.dumps(record, ensure_ascii=False).encode()


def odd_values(path: Path) -> Iterator[bytes]:
    """Yield what is put to a place."""
    yield from ODD
    name = str(path[-1])
    for known in NAMES.get(name, ()):
        yield json.dumps([known] if name == "flags" else known).encode()
    yield from ODD_IDS if name.endswith("_id") else ODD_TIMES if name.endswith("_at") else ()


@pytest.mark.parametrize("topic", READINGS)
def test_every_field_that_is_read_is_checked_as_by_the_model(topic: str) -> None:
    found = []
    for path in sorted(READ[topic], key=str):
        given = marked(topic, path)
        values = [given.replace(QUOTED_MARK, odd) for odd in odd_values(path)]
        values += [given.replace(b'"%s"' % str(path[-1]).encode(), b'"unknown"')]
        found += [(path, value, wrong) for value in values if (wrong := disagreement(topic, value))]
    assert found == []


@pytest.mark.parametrize("topic", READINGS)
def test_a_record_damaged_at_any_place_is_refused_as_by_the_model(topic: str) -> None:
    pick = random.Random(topic)
    given = FULL[topic]
    ascii_places = [at for at, byte in enumerate(given) if byte < 0x80]
    # Of what the indexer skips it does not see whether it is UTF-8.
    odd = b'"\\{}[],:0e-.n \n\0' + (b"\xff\xc3" if topic in PASSED_ON else b"")
    found = []
    for _ in range(400):
        at, other = pick.choice(ascii_places), pick.choice(odd)
        rest = pick.choice((given[at:], given[at + 1 :], b""))
        value = given[:at] + bytes((other,)) * pick.randrange(2) + rest
        found += [(value, wrong) for wrong in [disagreement(topic, value)] if wrong]
    assert found == []


@pytest.mark.parametrize("topic", READINGS)
@pytest.mark.parametrize(
    ("added", "reason"),
    [
        (b'"\\x"', Reason.BROKEN_JSON),
        (b'"\\ud800"', Reason.BROKEN_JSON),
        (b"01", Reason.BROKEN_JSON),
        (b"[1,]", Reason.BROKEN_JSON),
        (b"[" * 5000 + b"]" * 5000, Reason.BROKEN_JSON),
        (b'"\xff"', Reason.INVALID_UTF8),
        (b"NaN", None),
        (b'{"minor": 1}', None),
    ],
)
def test_what_is_skipped_has_to_be_json(topic: str, added: bytes, reason: Reason | None) -> None:
    """Bytes that are no UTF-8 in what is skipped are refused by who passes them on; the indexer never sees them."""
    value = FULL[topic].replace(b"{", b'{"later": ' + added + b", ", 1)
    record = Record(topic, 0, 0, b"key", value)
    if reason is None or (reason is Reason.INVALID_UTF8 and topic not in PASSED_ON):
        assert decode(record, READINGS[topic][0])
        return
    with pytest.raises(Rejected) as refusal:
        decode(record, READINGS[topic][0])
    assert refusal.value.reason is reason


def test_a_key_that_is_written_twice_counts_as_the_model_says() -> None:
    for topic, value in FULL.items():
        again = value.rstrip()[:-1]
        assert disagreement(topic, again + b', "title": "other", "fetched_at": "2026-02-01T08:00:00Z"}') == []
        assert disagreement(topic, again.replace(b"{", b'{"title": 5, "entities": 5, ', 1) + b"}") == []


def test_times_finer_than_a_microsecond_are_rounded() -> None:
    text = marked("articles-unique-v1", ("fetched_at",)).replace(QUOTED_MARK, b'"2026-02-01T08:00:00.1234567Z"')
    assert INDEXED_ARTICLE.validate_json(text).fetched_at.microsecond == 123_457

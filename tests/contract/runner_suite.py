"""What every runner promises, whatever the broker: the same checks for the one in memory and the one on real Kafka.

A runner is tried with the stage of `suite_stage()`, whose transform does what a record's title tells it to. Each check brings
articles of its own, so that all of them may run one after the other on one `Harness`.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

from shared import headers as record_headers
from shared.dead_letters import DeadLetter
from shared.errors import Reason, Rejected, Transient
from shared.headers import Headers, for_article, value_of
from shared.ids import article_id_for_text, partition_of, trace_id_for
from shared.models import RawArticle, milliseconds
from shared.stage import Record, Stage, trace_of
from shared.topics import (
    ARTICLES_NORMALISED,
    ARTICLES_RAW,
    DEAD_LETTER_HEAD_BYTES,
    MAX_DERIVED_BYTES,
    MEBIBYTE,
    Topic,
    dead_letter_topic,
)
from tests.support.articles import raw_article

SOURCE: Final = ARTICLES_RAW
SINK: Final = ARTICLES_NORMALISED
LETTERS: Final = dead_letter_topic(SOURCE)
STAGE: Final = "runner-suite"

# What a title tells the stage to do.
BUG: Final = "bug"
GROW: Final = "grow"
NOTHING: Final = "nothing"
REFUSE: Final = "refuse"
TWICE: Final = "twice"
UNWELL: Final = "unwell"


class Harness(Protocol):
    """A runner with the stage of `suite_stage()` in it, and its topics."""

    def put(self, key: bytes | None, value: bytes | None, headers: Headers = ()) -> None:
        """Append one record to `SOURCE`, on the partition that `partition_of` gives its key when the broker has several."""

    def run_until_quiet(self) -> None:
        """Let the runner work until everything that was put is acknowledged."""

    def read(self, topic: Topic) -> list[Record]:
        """Return everything a topic holds, in order within each partition."""


def suite_stage() -> Stage[RawArticle]:
    """Return a stage that does what the title of an article says, and passes on any other article as it is."""
    failures: defaultdict[str, int] = defaultdict(int)

    def transform(article: RawArticle) -> Iterable[RawArticle]:
        match article.title:
            case "bug":
                raise ZeroDivisionError("lỗi của chúng tôi")
            case "grow":
                return [article.model_copy(update={"text": "x" * MAX_DERIVED_BYTES})]
            case "nothing":
                return []
            case "refuse":
                raise Rejected(Reason.EMPTY_BODY, "không còn chữ nào")
            case "twice":
                return [article.model_copy(update={"article_id": f"{article.article_id}#{part}"}) for part in (1, 2)]
            case "unwell":
                failures[article.trace_id] += 1
                if failures[article.trace_id] <= 2:
                    raise Transient("chưa trả lời")
        return [article]

    return Stage(STAGE, SOURCE, RawArticle, SINK, transform)


class Trial:
    """One check's own articles on a harness, and what became of them."""

    def __init__(self, harness: Harness, name: str) -> None:
        self._harness = harness
        self._name = name
        self._keys: set[str] = set()

    def article(self, number: int, title: str | None = None, revision: int = 1) -> RawArticle:
        """Return an article of this check."""
        article = raw_article(number, size=300, revision=revision)
        article_id = article_id_for_text(f"{self._name}/{number}")
        self._keys.add(article_id)
        trace_id = trace_id_for(article_id, milliseconds(article.fetched_at))
        return article.model_copy(update={"article_id": article_id, "trace_id": trace_id, "title": title})

    def put(self, article: RawArticle, value: bytes | None = None, headers: Headers | None = None) -> bytes:
        """Publish an article, or another value under its key; return the value."""
        sent = article.to_json() if value is None else value
        made = for_article(article.trace_id) if headers is None else headers
        self._harness.put(article.article_id.encode(), sent, made)
        return sent

    def put_null(self, article: RawArticle, headers: Headers) -> None:
        """Publish a null record under an article's key."""
        self._harness.put(article.article_id.encode(), None, headers)

    def run(self) -> None:
        """Let the runner work until it is done."""
        self._harness.run_until_quiet()

    def outputs(self) -> list[Record]:
        """Return what this check's articles became."""
        return self._mine(SINK)

    def letters(self) -> list[Record]:
        """Return this check's dead letters, under the keys of the refused records."""
        letters = (replace(record, key=DeadLetter(record).key) for record in self._harness.read(LETTERS))
        return [letter for letter in letters if self._owns((letter.key or b"").decode())]

    def origins(self) -> dict[bytes | None, str]:
        """Return where each value that was put stands: topic/partition/offset."""
        return {record.value: record.origin for record in self._mine(SOURCE)}

    def _mine(self, topic: Topic) -> list[Record]:
        return [record for record in self._harness.read(topic) if self._owns((record.key or b"").decode())]

    def _owns(self, key: str) -> bool:
        return key.partition("#")[0] in self._keys


def _articles(records: Sequence[Record]) -> list[RawArticle]:
    return [RawArticle.model_validate_json(record.value or b"") for record in records]


def _broken_values(article: RawArticle) -> list[tuple[Reason, bytes, Headers]]:
    """Return every kind of record that cannot pass, as (reason, value, headers)."""
    good = article.to_json()
    plain = for_article(article.trace_id)
    newer = (*((name, value) for name, value in plain if name != record_headers.SCHEMA_VERSION_HEADER),
             (record_headers.SCHEMA_VERSION_HEADER, b"2.0"))  # fmt: skip

    def titled(title: str) -> bytes:
        return article.model_copy(update={"title": title}).to_json()

    return [
        (Reason.BROKEN_JSON, good[:-1], plain),
        (Reason.INVALID_UTF8, good.replace(b"Generated", b"\xff\xfe", 1), plain),
        (Reason.MISSING_FIELD, good.replace(b'"feed":', b'"fead":'), plain),
        (Reason.WRONG_TYPE, good.replace(b'"revision":1', b'"revision":"m\xe1\xbb\x99t"'), plain),
        (Reason.UNSUPPORTED_SCHEMA, good, newer),
        (Reason.EMPTY_BODY, titled(REFUSE), plain),
        (Reason.TOO_LARGE, titled(GROW), plain),
        (Reason.BUG, titled(BUG), plain),
    ]


def check_good_records_pass_once_each(harness: Harness) -> None:
    """Every article arrives exactly once, unchanged, under its key and on its partition."""
    trial = Trial(harness, "good")
    sent = [trial.put(trial.article(number)) for number in range(40)]
    trial.run()
    found = trial.outputs()
    assert sorted(record.value or b"" for record in found) == sorted(sent)
    for record, article in zip(found, _articles(found), strict=True):
        assert record.key == article.article_id.encode()
        assert record.partition == partition_of(article.article_id, SINK.partitions)
    assert trial.letters() == []


def check_none_one_or_many_results(harness: Harness) -> None:
    """A transform may give nothing or several records; the parts of one article stay on its partition."""
    trial = Trial(harness, "many")
    silent, split = trial.article(0, NOTHING), trial.article(1, TWICE)
    trial.put(silent)
    trial.put(split)
    trial.run()
    assert [(record.key or b"").decode() for record in trial.outputs()] == [f"{split.article_id}#{n}" for n in (1, 2)]
    assert {record.partition for record in trial.outputs()} == {partition_of(split.article_id, SINK.partitions)}
    assert trial.letters() == []


def check_order_is_kept_for_each_key(harness: Harness) -> None:
    """Revisions of an article leave in the order in which they came, with refusals and retries between them."""
    trial = Trial(harness, "order")
    for revision in range(1, 16):
        for number in range(4):
            title = UNWELL if (revision, number) == (5, 2) else None
            trial.put(trial.article(number, title, revision))
        broken = trial.article(revision % 4)
        trial.put(broken, b"{")
    trial.run()
    revisions: defaultdict[str, list[int]] = defaultdict(list)
    for article in _articles(trial.outputs()):
        revisions[article.article_id].append(article.revision)
    assert list(revisions.values()) == [list(range(1, 16))] * 4
    assert len(trial.letters()) == 15


def check_a_bad_record_is_dead_lettered_and_its_neighbours_pass(harness: Harness) -> None:
    """Every kind of bad record, first, in the middle, last and beside another, lands byte for byte with its story."""
    started = datetime.now(UTC) - timedelta(seconds=1)
    trial = Trial(harness, "bad")
    expected: dict[str, tuple[Reason, bytes, Headers]] = {}
    good: list[bytes] = []
    number = 0

    def put_good(count: int) -> None:
        nonlocal number
        for _ in range(count):
            good.append(trial.put(trial.article(number)))
            number += 1

    for kind in range(len(_broken_values(trial.article(0)))):
        for before, after in ((0, 2), (2, 1), (3, 0), (0, 0)):
            put_good(before)
            article = trial.article(number)
            expected[article.article_id] = reason, value, headers = _broken_values(article)[kind]
            trial.put(article, value, headers)
            number += 1
            put_good(after)
    trial.run()
    assert sorted(record.value or b"" for record in trial.outputs()) == sorted(good)
    letters = {(letter.key or b"").decode(): letter for letter in trial.letters()}
    assert len(trial.letters()) == len(letters) == len(expected)
    origins = trial.origins()
    for key, (reason, value, headers) in expected.items():
        letter = letters[key]
        assert letter.value == value
        assert letter.headers[: len(headers)] == headers
        assert value_of(letter.headers, "dlq-reason") == reason.value
        assert value_of(letter.headers, "dlq-stage") == STAGE
        assert value_of(letter.headers, "dlq-origin") == origins[value]
        assert 0 < len(value_of(letter.headers, "dlq-error") or "") <= 200
        at = datetime.fromisoformat(value_of(letter.headers, "dlq-at") or "")
        assert started <= at <= datetime.now(UTC)
        assert record_headers.without_dead_letter(letter.headers) == headers


def check_null_records_pass_on(harness: Harness) -> None:
    """A takedown's null record reaches the next topic under its key, after what came before it."""
    trial = Trial(harness, "null")
    article = trial.article(0)
    headers = for_article(article.trace_id)
    trial.put(article)
    trial.put_null(article, headers)
    trial.run()
    assert [record.value is None for record in trial.outputs()] == [False, True]
    null = trial.outputs()[1]
    assert null.key == article.article_id.encode()
    assert trace_of(null) == article.trace_id
    assert null.partition == trial.outputs()[0].partition
    assert trial.letters() == []


def check_a_bad_record_too_large_for_its_dead_letter_topic_lands_as_its_head(harness: Harness) -> None:
    """What is larger than the topic takes keeps its first bytes, its size and its SHA-256; the next record passes."""
    trial = Trial(harness, "large")
    large, next_one = trial.article(0), trial.article(1)
    value = b'{"text": "' + "Đ".encode() * (3 * MEBIBYTE // 2)
    trial.put(large, value)
    passed = trial.put(next_one)
    trial.run()
    (letter,) = trial.letters()
    assert letter.value == value[:DEAD_LETTER_HEAD_BYTES]
    assert value_of(letter.headers, "dlq-size") == str(len(value))
    assert value_of(letter.headers, "dlq-sha256") == hashlib.sha256(value).hexdigest()
    assert value_of(letter.headers, "dlq-reason") == Reason.BROKEN_JSON.value
    assert [record.value for record in trial.outputs()] == [passed]


def check_newer_minor_versions_and_unknown_fields_are_read(harness: Harness) -> None:
    """A record of a newer minor version passes; what this version does not know is left out."""
    trial = Trial(harness, "minor")
    article = trial.article(0)
    value: dict[str, Any] = json.loads(article.to_json())
    value["of_tomorrow"] = {"sâu": [1, 2]}
    value["source"]["of_tomorrow"] = "x"
    headers = ((record_headers.SCHEMA_VERSION_HEADER, b"1.9"),)
    trial.put(article, json.dumps(value, ensure_ascii=False).encode(), headers)
    trial.put(article, article.to_json(), ())
    trial.run()
    assert [record.value for record in trial.outputs()] == [article.to_json()] * 2
    assert trial.letters() == []


def check_the_trace_is_kept(harness: Harness) -> None:
    """Results and dead letters carry the trace of their article; each hop is a span of its own."""
    trial = Trial(harness, "trace")
    good, bad = trial.article(0), trial.article(1, REFUSE)
    headers = for_article(good.trace_id)
    trial.put(good, headers=headers)
    trial.put(bad)
    trial.run()
    (output,), (letter,) = trial.outputs(), trial.letters()
    assert trace_of(output) == good.trace_id
    assert value_of(output.headers, "traceparent") != value_of(headers, "traceparent")
    assert value_of(output.headers, "schema-version") == "1.0"
    assert value_of(output.headers, "content-type") == "application/json"
    assert trace_of(letter) == bad.trace_id


def check_what_is_unwell_is_tried_again(harness: Harness) -> None:
    """A record that meets something unwell is tried again until it passes: once, in its place, and never dead-lettered."""
    trial = Trial(harness, "unwell")
    before, unwell, after = (
        trial.article(0, title, revision) for revision, title in ((1, None), (2, UNWELL), (3, None))
    )
    for article in (before, unwell, after):
        trial.put(article)
    trial.run()
    assert [article.revision for article in _articles(trial.outputs())] == [1, 2, 3]
    assert trial.letters() == []


CHECKS: Final[tuple[Callable[[Harness], None], ...]] = (
    check_good_records_pass_once_each,
    check_none_one_or_many_results,
    check_order_is_kept_for_each_key,
    check_a_bad_record_is_dead_lettered_and_its_neighbours_pass,
    check_null_records_pass_on,
    check_a_bad_record_too_large_for_its_dead_letter_topic_lands_as_its_head,
    check_newer_minor_versions_and_unknown_fields_are_read,
    check_the_trace_is_kept,
    check_what_is_unwell_is_tried_again,
)

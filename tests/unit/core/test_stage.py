"""One record through one stage: what it becomes, and when the service stops instead."""

import hashlib
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import pytest

from shared import stage as stages
from shared.errors import MAX_CONSECUTIVE_BUGS, Drop, Reason, Rejected, Transient
from shared.headers import Headers, for_article, value_of
from shared.ids import partition_of
from shared.models import RawArticle
from shared.stage import Guard, Outcome, Outgoing, Record, Stage, TooManyBugs
from shared.topics import ARTICLES_NORMALISED, ARTICLES_RAW, DEAD_LETTER_HEAD_BYTES, Topic, dead_letter_topic
from tests.support.articles import raw_article

AT = datetime(2025, 11, 22, 3, 0, tzinfo=UTC)
ARTICLE = raw_article(1, size=100)


def record(value: bytes | None, key: bytes | None = b"k", headers: Headers = ()) -> Record:
    return Record(ARTICLES_RAW.name, 2, 7, key, value, headers)


def stage(
    transform: Callable[[RawArticle], Iterable[RawArticle]], sink: Topic = ARTICLES_NORMALISED
) -> Stage[RawArticle]:
    made = Stage("tried", ARTICLES_RAW, RawArticle, sink, transform)
    made.guard.clock = lambda: AT
    return made


def refused(value: bytes, headers: Headers = ()) -> tuple[Reason | None, str]:
    outcome = stage(lambda article: [article]).process(record(value, headers=headers))
    (letter,) = outcome.outputs
    assert letter.value == value
    return outcome.refused, value_of(letter.headers, "dlq-error") or ""


def test_a_result_goes_to_the_sink_under_its_article_id() -> None:
    outcome = stage(lambda article: [article]).process(record(ARTICLE.to_json()))
    (sent,) = outcome.outputs
    assert (sent.topic, sent.key, sent.value) == (ARTICLES_NORMALISED, ARTICLE.article_id.encode(), ARTICLE.to_json())
    assert sent.partition == partition_of(ARTICLE.article_id, ARTICLES_NORMALISED.partitions)
    assert (outcome.refused, outcome.dropped) == (None, None)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_transform_may_give_none_one_or_many(count: int) -> None:
    outcome = stage(lambda article: [article] * count).process(record(ARTICLE.to_json()))
    assert len(outcome.outputs) == count
    assert outcome.refused is None


@pytest.mark.parametrize(
    ("value", "reason", "error"),
    [
        (b"", Reason.BROKEN_JSON, "Invalid JSON"),
        (b"{", Reason.BROKEN_JSON, "Invalid JSON"),
        (b"\xef\xbb\xbf{}", Reason.BROKEN_JSON, "Invalid JSON"),
        (b'"' + b"\xff" * 3 + b'"', Reason.INVALID_UTF8, "byte 1: invalid start byte"),
        ("{\"a\": \"Kyiv".encode("utf-16"), Reason.INVALID_UTF8, "byte 0: invalid start byte"),
        (b'{"text": "\\ud800"}', Reason.BROKEN_JSON, "Invalid JSON"),
        (b"[" * 100_000, Reason.BROKEN_JSON, "Invalid JSON"),
        (b"{}", Reason.MISSING_FIELD, "article_id: Field required"),
        (b"[]", Reason.WRONG_TYPE, "Input should be an object"),
        (b"null", Reason.WRONG_TYPE, "Input should be an object"),
        (ARTICLE.to_json().replace(b'"revision":1', b'"revision":0'), Reason.WRONG_TYPE, "revision: "),
        (ARTICLE.to_json().replace(b'"revision":1', b'"revision":"m\xe1\xbb\x99t"'), Reason.WRONG_TYPE, "revision: "),
        (ARTICLE.to_json().replace(b"+07:00", b"").replace(b'Z"', b'"'), Reason.WRONG_TYPE, "fetched_at: "),
        (ARTICLE.to_json().replace(b'"name":"Generated",', b""), Reason.MISSING_FIELD, "source.name: Field required"),
        (ARTICLE.to_json().replace(b"text/plain", b"text/pdf"), Reason.WRONG_TYPE, "media_type: "),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_byte_for_byte_with_its_reason(value: bytes, reason: Reason, error: str) -> None:
    found, said = refused(value)
    assert found is reason
    assert said.startswith(error)


def test_a_refusal_does_not_quote_the_article() -> None:
    value = ARTICLE.to_json().replace(b'"revision":1', '"revision":"tuyệt mật"'.encode())
    assert "mật" not in refused(value)[1]


@pytest.mark.parametrize(("version", "accepted"), [("1.0", True), ("1.99", True), ("2.0", False), ("11.0", False)])
def test_a_newer_major_version_is_refused_and_a_newer_minor_is_not(version: str, accepted: bool) -> None:
    headers = (("schema-version", version.encode()),)
    outcome = stage(lambda article: [article]).process(record(ARTICLE.to_json(), headers=headers))
    assert outcome.refused is (None if accepted else Reason.UNSUPPORTED_SCHEMA)


def test_a_result_larger_than_the_sink_takes_refuses_its_record() -> None:
    small = Topic("small-v1", None, "k", 1, "a", ("b",), None, max_message_bytes=400)
    outcome = stage(lambda article: [article], small).process(record(ARTICLE.to_json()))
    (letter,) = outcome.outputs
    assert outcome.refused is Reason.TOO_LARGE
    assert letter.value == ARTICLE.to_json()
    assert "small-v1 takes 400" in (value_of(letter.headers, "dlq-error") or "")


def test_a_letter_larger_than_its_topic_takes_is_cut_and_says_so() -> None:
    value = b"x" * (dead_letter_topic(ARTICLES_RAW).max_message_bytes + 1)
    (letter,) = stage(lambda article: [article]).process(record(value)).outputs
    assert letter.value == value[:DEAD_LETTER_HEAD_BYTES]
    assert value_of(letter.headers, "dlq-size") == str(len(value))
    assert value_of(letter.headers, "dlq-sha256") == hashlib.sha256(value).hexdigest()
    assert stages.message_size(letter) <= letter.topic.max_message_bytes


def test_a_letter_that_just_fits_is_whole() -> None:
    limit = dead_letter_topic(ARTICLES_RAW).max_message_bytes
    empty = stage(lambda article: [article]).process(record(b"")).outputs[0]
    value = b"x" * (limit - stages.message_size(empty) - 200)
    (letter,) = stage(lambda article: [article]).process(record(value)).outputs
    assert letter.value == value
    assert value_of(letter.headers, "dlq-sha256") is None


def test_the_size_of_a_message_is_no_underestimate() -> None:
    message = Outgoing(ARTICLES_RAW, 0, b"key", b"value", (("name", b"header"),))
    assert stages.message_size(message) >= len(b"keyvaluenameheader")


def test_a_null_record_passes_with_its_key_and_headers() -> None:
    headers = for_article(ARTICLE.trace_id)
    key = f"{ARTICLE.article_id}#2".encode()
    (sent,) = stage(lambda article: [article]).process(record(None, key, headers)).outputs
    assert (sent.topic, sent.key, sent.value, sent.headers) == (ARTICLES_NORMALISED, key, None, headers)
    assert sent.partition == partition_of(ARTICLE.article_id, ARTICLES_NORMALISED.partitions)


def test_a_null_record_without_a_key_ends_here() -> None:
    assert stage(lambda article: [article]).process(record(None, None)) == Outcome(dropped=Drop.TOMBSTONE)


def test_the_guard_lets_a_retry_through_to_the_runner() -> None:
    guard = Guard("tried", ARTICLES_RAW)

    def unwell() -> Outcome:
        raise Transient("Kafka is away")

    with pytest.raises(Transient, match="away"):
        guard.attempt(record(b""), unwell)


def attempts(guard: Guard, *faults: Exception | None) -> None:
    for fault in faults:

        def make(fault: Exception | None = fault) -> None:
            if fault:
                raise fault

        guard.attempt(record(b"{}"), make)


BUG = KeyError("khoá")


def test_a_bug_is_a_dead_letter_with_its_error() -> None:
    def broken(_: RawArticle) -> list[RawArticle]:
        raise BUG

    outcome = stage(broken).process(record(ARTICLE.to_json()))
    assert outcome.refused is Reason.BUG
    assert value_of(outcome.outputs[0].headers, "dlq-error") == "KeyError('khoá')"
    assert value_of(outcome.outputs[0].headers, "dlq-at") == "2025-11-22T03:00:00.000+00:00"


def test_a_hundred_bugs_in_a_row_stop_the_service() -> None:
    guard = Guard("tried", ARTICLES_RAW)
    attempts(guard, *[BUG] * (MAX_CONSECUTIVE_BUGS - 1))
    with pytest.raises(TooManyBugs, match=r"tried: 100 records in a row failed, last: KeyError\('khoá'\)") as stop:
        attempts(guard, BUG)
    assert stop.value.__cause__ is BUG


@pytest.mark.parametrize("between", [None, Rejected(Reason.EMPTY_BODY, "")])
def test_anything_else_between_two_bugs_starts_the_count_anew(between: Exception | None) -> None:
    guard = Guard("tried", ARTICLES_RAW)
    attempts(guard, *[BUG] * (MAX_CONSECUTIVE_BUGS - 1), between, *[BUG] * (MAX_CONSECUTIVE_BUGS - 1))
    with pytest.raises(TooManyBugs):
        attempts(guard, BUG)


def test_the_trace_of_a_record() -> None:
    assert stages.trace_of(record(b"", headers=for_article(ARTICLE.trace_id))) == ARTICLE.trace_id
    assert stages.trace_of(record(b"", headers=(("traceparent", b"nonsense"),))) is None
    assert stages.trace_of(record(b"")) is None


def test_the_origin_of_a_record() -> None:
    assert record(b"").origin == "articles-raw-v1/2/7"

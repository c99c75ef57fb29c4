"""Record headers: what a record and a dead letter say of themselves."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest

from shared import headers
from shared.errors import MAX_ERROR_CHARACTERS, Reason
from shared.headers import Headers

TRACE = "0af7651916cd43dd8448eb211c80319c"
AT = datetime(2025, 11, 22, 10, 30, 0, 123456, tzinfo=timezone(timedelta(hours=7)))


def letter(original: Headers = (), detail: str = "x") -> dict[str, str]:
    made = headers.for_dead_letter(
        original,
        key=b"articles/1",
        stage="extractor",
        reason=Reason.BUG,
        detail=detail,
        origin="articles-raw-v1/3/17",
        at=AT,
    )
    names = [name for name, _ in made]
    assert len(names) == len(set(names))
    return {name: value.decode() for name, value in made}


def test_a_record_says_trace_version_and_type() -> None:
    made = dict(headers.for_article(TRACE))
    assert re.fullmatch(rb"00-[0-9a-f]{32}-[0-9a-f]{16}-01", made["traceparent"])
    assert made["traceparent"].split(b"-")[1] == TRACE.encode()
    assert made["schema-version"] == b"1.0"
    assert made["content-type"] == b"application/json"


def test_each_hop_is_a_span_of_its_own() -> None:
    spans = {dict(headers.for_article(TRACE))["traceparent"] for _ in range(50)}
    assert len(spans) == 50


def test_the_last_value_of_a_header_counts_and_bad_bytes_are_replaced() -> None:
    pairs = (("a", b"1"), ("b", b"\xff"), ("a", b"hai"))
    assert headers.value_of(pairs, "a") == "hai"
    assert headers.value_of(pairs, "b") == "�"
    assert headers.value_of(pairs, "A") is None
    assert headers.value_of((), "a") is None


@pytest.mark.parametrize(
    ("value", "major"),
    [
        (b"1.0", 1), (b"2.17", 2), (b"12", 12), (b"", None), (b"v2", None), (b"-1.0", None), (b".1", None),
        ("²".encode(), None), ("٣.0".encode(), None), (b"\xff", None), (b"9" * 5000, 999_999_999),
    ],
)  # fmt: skip
def test_major_version(value: bytes, major: int | None) -> None:
    assert headers.major_version((("schema-version", value),)) == major


def test_major_version_of_a_record_without_the_header() -> None:
    assert headers.major_version(()) is None


def test_a_dead_letter_keeps_its_own_headers_and_explains_itself() -> None:
    made = letter((("traceparent", b"00-a-b-01"), ("x-foreign", b"1")), detail="title: thiếu")
    assert made == {
        "traceparent": "00-a-b-01",
        "x-foreign": "1",
        "dlq-key": "articles/1",
        "dlq-stage": "extractor",
        "dlq-reason": "bug",
        "dlq-error": "title: thiếu",
        "dlq-origin": "articles-raw-v1/3/17",
        "dlq-at": "2025-11-22T03:30:00.123+00:00",
    }
    assert datetime.fromisoformat(made["dlq-at"]).tzinfo == UTC


def test_the_error_is_one_short_line() -> None:
    error = letter(detail="dòng một\n\tdòng hai " + "ố" * 500)["dlq-error"]
    assert error.startswith("dòng một dòng hai ố")
    assert len(error) == MAX_ERROR_CHARACTERS


def test_an_error_that_is_no_text_can_still_be_written() -> None:
    assert letter(detail="half a pair \ud83d")["dlq-error"] == "half a pair ?"


def test_a_letter_refused_again_tells_only_the_last_refusal() -> None:
    first = headers.for_dead_letter(
        (("k", b"v"),), key=None, stage="normaliser", reason=Reason.BROKEN_JSON, detail="a", origin="t/0/1", at=AT
    )
    again = letter((*first, ("dlq-sha256", b"00")))
    assert again["dlq-stage"] == "extractor"
    assert "dlq-sha256" not in again


def test_a_replay_restores_the_headers() -> None:
    original: Headers = (("traceparent", b"00-a-b-01"), ("schema-version", b"1.0"), ("x", b""))
    refused = headers.for_dead_letter(
        original, key=b"k", stage="s", reason=Reason.WRONG_TYPE, detail="d", origin="t/0/1", at=AT
    ) + ((headers.DLQ_SIZE, b"1"), (headers.DLQ_SHA256, b"0"))
    assert headers.without_dead_letter(refused) == original

"""The extractor's transform: fields, the local day of publication, versions; and annotation by the same code."""

import unicodedata
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from services.extractor.annotate import annotate_document
from services.extractor.entities import Knowledge, load_knowledge
from services.extractor.transform import EXTRACTOR_VERSION, extract, local_day
from shared.models import (
    DateMention,
    DateOrigin,
    EntityMention,
    KeywordHit,
    Language,
    NormalisedArticle,
    Published,
    Source,
)

pytestmark = pytest.mark.slow

CONFIG = Path(__file__).parents[2] / "deploy" / "config"
NOW = datetime(2025, 11, 21, tzinfo=UTC)


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    return load_knowledge(CONFIG)


def article(title: str, body: str, published: Published) -> NormalisedArticle:
    return NormalisedArticle(
        article_id="a" * 32, parent_id="a" * 32, feed="wire", source=Source(name="Wire"), title=title, body=body,
        raw_start=0, raw_end=len(body), language=Language(code="vi", score=1.0), published=published, fetched_at=NOW,
        first_seen_at=NOW, trace_id="b" * 32, normaliser_version="1",
    )  # fmt: skip


def test_offsets_are_those_of_the_named_field(knowledge: Knowledge) -> None:
    source = article(
        "Nga tấn công Kupyansk", "Hôm qua, ông Putin lên tiếng.", Published(value="2025-11-20", precision="day")
    )
    (extracted,) = extract(source, knowledge=knowledge)
    mentions: list[DateMention | EntityMention | KeywordHit] = [*extracted.dates, *extracted.entities, *extracted.hits]
    for item in mentions:
        assert getattr(extracted, item.field)[item.start : item.end] == item.text
    assert [(item.field, item.canonical) for item in extracted.entities] == [
        ("title", "Q159"), ("title", "gn:703656"), ("body", "Q7747"),
    ]  # fmt: skip
    assert [(item.keyword, item.field) for item in extracted.hits] == [("Kupyansk", "title")]
    assert [item.from_ for item in extracted.dates] == ["2025-11-19"]


def test_nothing_spans_title_and_body(knowledge: Knowledge) -> None:
    source = article("Tổng thống Vladimir", "Putin phát biểu", Published())
    (extracted,) = extract(source, knowledge=knowledge)
    assert all(item.field == "title" or item.start == 0 for item in extracted.entities)


def test_everything_of_the_article_is_kept_and_the_version_names_the_knowledge(knowledge: Knowledge) -> None:
    source = article("Tin", "Không có gì.", Published())
    (extracted,) = extract(source, knowledge=knowledge)
    assert extracted.model_dump(include=set(type(source).model_fields)) == source.model_dump()
    assert extracted.extractor_version == f"{EXTRACTOR_VERSION}+{knowledge.content_hash}"


@pytest.mark.parametrize(
    ("value", "precision", "timezone", "expected"),
    [
        ("2025-11-20T20:00:00+00:00", "second", "Asia/Ho_Chi_Minh", date(2025, 11, 21)),
        ("2025-11-20T20:00:00+00:00", "second", None, date(2025, 11, 20)),
        ("2025-11-20T23:30:00+07:00", "minute", "Asia/Ho_Chi_Minh", date(2025, 11, 20)),
        ("2025-11-20T20:00:00+00:00", "second", "Nowhere/Land", date(2025, 11, 20)),
        ("2025-11-20", "day", "Asia/Ho_Chi_Minh", date(2025, 11, 20)),
        (None, "none", None, None),
    ],
)
def test_local_day(value: str | None, precision: str, timezone: str | None, expected: date | None) -> None:
    published = Published.model_validate({"value": value, "precision": precision, "timezone": timezone})
    assert local_day(published) == expected


def test_annotation_uses_the_same_engines(knowledge: Knowledge) -> None:
    document = {"id": "d1", "lang": "vi", "published": "2025-11-20", "text": "Hôm qua, ông Putin tới Minsk."}
    annotated = annotate_document(document, knowledge)
    assert annotated["id"] == "d1"
    assert [item["text"] for item in annotated["entities"]] == ["Putin", "Minsk"]
    assert set(annotated["entities"][0]) == {"start", "end", "text", "type", "canonical", "label", "rule"}
    assert [item["from"] for item in annotated["mentions"]] == ["2025-11-19"]


UNDATED = Published(explanation="nothing states a date")


@pytest.mark.parametrize(
    ("body", "earliest"),
    [
        ("Hiệp định được ký ngày 3/11/2025 tại Geneva, thay cho bản năm 2014.", "2025-11-03"),
        ("🚀 Ông nhậm chức hồi tháng 5 năm 2024.\r\nNga sáp nhập Crimea năm 2014.", "2024-05-01"),
        ("Cầu sẽ được khánh thành ngày 1/10/2025; dự án bắt đầu từ năm 2019, xong phần móng năm 2021.", "2021-01-01"),
        ("Họ hẹn gặp lại ngày 5/12/2026.", None),
        ("Cuộc họp diễn ra hôm 9/11, hai ngày sau lễ, trong tuần trước.", None),
        ("Không có gì.", None),
    ],
)
def test_an_undated_article_lies_between_what_it_tells_and_its_fetching(
    body: str, earliest: str | None, knowledge: Knowledge
) -> None:
    (extracted,) = extract(article("Tin", body, UNDATED), knowledge=knowledge)
    published = extracted.published
    assert published.value is None
    assert (published.origin, published.earliest, published.latest) == (
        (DateOrigin.INFERRED, earliest, "2025-11-21") if earliest else (DateOrigin.NONE, None, None)
    )
    assert (": not before" in published.explanation) is bool(earliest)


def test_the_interval_is_the_same_for_decomposed_text(knowledge: Knowledge) -> None:
    body = unicodedata.normalize("NFD", "Lễ kỷ niệm đã kết thúc. Hiệp định được ký ngày 3/11/2025 tại Geneva.")
    (extracted,) = extract(article("Tin", body, UNDATED), knowledge=knowledge)
    assert extracted.published.earliest == "2025-11-03"


def test_a_stated_date_is_kept_as_it_is(knowledge: Knowledge) -> None:
    stated = Published(value="2025-11-20", precision="day", origin=DateOrigin.PREFIX, confidence=0.85)
    (extracted,) = extract(article("Tin", "Hiệp định được ký ngày 3/11/2025.", stated), knowledge=knowledge)
    assert extracted.published == stated

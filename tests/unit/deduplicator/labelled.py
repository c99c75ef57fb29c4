"""The labelled articles, builders of articles for tests, and the pairwise measures they are held against."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import combinations
from pathlib import Path
from typing import Any

from services.deduplicator.article import EXTRACTED_TEXT, SKETCHED_TEXT
from services.deduplicator.transform import decide, sketch
from services.deduplicator.window import Window
from shared.ids import article_id_for_link, trace_id_for
from shared.models import DateOrigin, ExtractedArticle, Language, Published, SketchedArticle, Source, UniqueArticle

DATA = Path(__file__).parents[2] / "data" / "dedup" / "articles.jsonl"
BLIND = DATA.with_name("blind.jsonl")
STORIES = DATA.with_name("stories.jsonl")
START = datetime(2026, 2, 1, 6, 0, tzinfo=UTC)

FIRE = (
    "Lực lượng cứu hộ sáng 1/2 khống chế đám cháy tại nhà máy cơ khí ở ngoại ô Kramatorsk sau gần sáu giờ vật lộn với lửa.",
    "Theo chỉ huy hiện trường, 140 người và 32 xe chữa cháy đã được huy động, hai kho thành phẩm bị thiêu rụi hoàn toàn.",
    "Nguyên nhân đang được điều tra, nhưng công nhân kể rằng họ nghe thấy tiếng động cơ lạ ngay trước khi lửa bùng lên.",
    "Nhà máy này cung cấp phụ tùng cho đường sắt và từng phải ngừng sản xuất suốt mùa hè năm ngoái vì thiếu điện.",
)
TRAIN = (
    "A night train from Lviv to Przemysl was held at the border for seven hours on Sunday after guards found a damaged rail.",
    "Passengers were given tea and blankets while engineers replaced 18 metres of track in freezing rain.",
    "The operator apologised and said tickets would be refunded in full within ten days of the incident.",
)


def article(
    name: str,
    paragraphs: Iterable[str] | str,
    *,
    title: str = "",
    minutes: float = 0,
    published: str | None = None,
    **fields: Any,
) -> ExtractedArticle:
    """Return an article called `name`, fetched so many minutes after the start and published then unless said otherwise."""
    body = paragraphs if isinstance(paragraphs, str) else "\n\n".join(paragraphs)
    article_id = article_id_for_link(name)
    at = START + timedelta(minutes=minutes)
    fields = {"fetched_at": at, "first_seen_at": at, **fields}
    return ExtractedArticle(
        article_id=article_id,
        parent_id=article_id,
        feed="test",
        source=Source(name="test"),
        title=title,
        body=body,
        raw_start=0,
        raw_end=len(body),
        language=Language(code="vi", score=1.0),
        published=Published(
            value=published or at.isoformat(), precision="second", origin=DateOrigin.FEED, confidence=1.0
        ),
        trace_id=trace_id_for(article_id, 0),
        normaliser_version="test",
        extractor_version="test",
        **fields,
    )


def sketched(given: ExtractedArticle) -> SketchedArticle:
    """Return the article with its sketch."""
    (result,) = sketch(EXTRACTED_TEXT.of(given))
    return SketchedArticle.model_validate_json(result.to_json())


def decided(given: ExtractedArticle | SketchedArticle, window: Window) -> UniqueArticle:
    """Return what the window decides on the article."""
    (result,) = decide(
        SKETCHED_TEXT.of(given if isinstance(given, SketchedArticle) else sketched(given)), window=window
    )
    return UniqueArticle.model_validate_json(result.to_json())


def labelled(path: Path = DATA) -> list[dict[str, Any]]:
    """Return labelled articles in the order of their publication."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def documents(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the articles without their labels."""
    return [{key: row[key] for key in ("id", "published", "url", "title", "body")} for row in rows]


def is_copy(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    """Whether the labels call one article a copy or a piece of the other."""
    return bool(_texts(a) & _texts(b))


def is_story(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    """Whether the labels put two articles on one event."""
    return bool(set(a["story"].split("+")) & set(b["story"].split("+")))


def _texts(row: Mapping[str, Any]) -> set[str]:
    return {*row["cluster"].split("+"), row.get("piece_of", row["cluster"])}


def measure(rows: list[dict[str, Any]], decisions: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Return precision and recall over all pairs for copies, and over the pairs that are no copies for stories.

    `merged` is the share of related articles (one story, no copies) that were taken for copies.
    """
    clusters, stories, edges = defaultdict(set), defaultdict(set), set()
    for decision in decisions:
        name = decision["id"].split("#")[0]
        clusters[name].add(decision["cluster"])
        stories[name].add(decision["story"])
        edges |= {frozenset((name, tied.split("#")[0])) for tied in decision["duplicate_of"]}
    copies, told = _Counts(), _Counts()
    for a, b in combinations(rows, 2):
        found = bool(clusters[a["id"]] & clusters[b["id"]]) or frozenset((a["id"], b["id"])) in edges
        copies.add(found, is_copy(a, b), related=is_story(a, b))
        if not is_copy(a, b):
            told.add(bool(stories[a["id"]] & stories[b["id"]]), is_story(a, b))
    return {
        "copy_precision": copies.precision, "copy_recall": copies.recall, "merged": copies.merged,
        "story_precision": told.precision, "story_recall": told.recall,
    }  # fmt: skip


class _Counts:
    """Counts of pairs: found and true, found and false, missed, and the related ones among the false."""

    def __init__(self) -> None:
        self._hits = self._false = self._missed = self._related = self._related_found = 0

    def add(self, found: bool, true: bool, *, related: bool = False) -> None:
        self._hits += found and true
        self._false += found and not true
        self._missed += true and not found
        self._related += related and not true
        self._related_found += related and found and not true

    @property
    def precision(self) -> float:
        return self._hits / max(1, self._hits + self._false)

    @property
    def recall(self) -> float:
        return self._hits / max(1, self._hits + self._missed)

    @property
    def merged(self) -> float:
        return self._related_found / max(1, self._related)

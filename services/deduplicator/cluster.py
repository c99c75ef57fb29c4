"""Clustering of a file of articles in memory, for `frontwire cluster`: the rules of the service without a broker."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from services.deduplicator.article import EXTRACTED_TEXT, SKETCHED_TEXT
from services.deduplicator.transform import decide, sketch
from services.deduplicator.window import Window
from shared.ids import article_id_for_link, trace_id_for
from shared.models import DateOrigin, ExtractedArticle, Language, Published, Source, UniqueArticle

_PART: Final = re.compile(r"(?P<whole>.*)#(?P<number>[1-9][0-9]?)", re.DOTALL)
_UNDATED: Final = datetime(2000, 1, 1, tzinfo=UTC)


def cluster_documents(documents: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the decision on each document {id, published, url, title, body}, in their order.

    Ids are any text; the parts of a glued file come as separate documents `<id>#1`, `<id>#2` … The decision is
    {id, cluster, duplicate_of, story, method, score, neighbour}; `score` is the estimated containment.
    Raises ValueError that names the document when its time of publication is not in ISO 8601.
    """
    batch = list(documents)
    times = [_time(document) for document in batch]
    fetched_at = max((time for time in times if time), default=_UNDATED)
    articles = (
        (str(document["id"]), _article(document, time, fetched_at)) for document, time in zip(batch, times, strict=True)
    )
    yield from cluster_articles(articles)


def cluster_articles(articles: Iterable[tuple[str, ExtractedArticle]]) -> Iterator[dict[str, Any]]:
    """Yield the decision on each article, given with the id under which the caller knows it; see `cluster_documents`."""
    window = Window({})
    names: dict[str, str] = {}
    for name, article in articles:
        names[article.article_id] = name
        for sketched in sketch(EXTRACTED_TEXT.of(article)):
            for decided in decide(SKETCHED_TEXT.of(sketched), window=window):
                yield _result(UniqueArticle.model_validate_json(decided.to_json()), names)


def _result(unique: UniqueArticle, names: Mapping[str, str]) -> dict[str, Any]:
    decision = unique.decision
    return {
        "id": names[unique.article_id],
        "cluster": names[unique.cluster_id],
        "duplicate_of": [names[copied] for copied in unique.duplicate_of],
        "story": names[unique.story_id],
        "method": decision.method,
        "score": decision.containment,
        "neighbour": names[decision.neighbour] if decision.neighbour else None,
    }


def _time(document: Mapping[str, Any]) -> datetime | None:
    value = document.get("published")
    if not value:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError(f"document {document['id']}: published {value!r} is not an ISO 8601 time") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _article(document: Mapping[str, Any], published: datetime | None, fetched_at: datetime) -> ExtractedArticle:
    name = str(document["id"])
    part = _PART.fullmatch(name)
    parent_id = article_id_for_link(part["whole"] if part else name)
    body = document.get("body") or ""
    return ExtractedArticle(
        article_id=f"{parent_id}#{part['number']}" if part else parent_id,
        parent_id=parent_id,
        feed="cluster",
        source=Source(name="cluster"),
        url=document.get("url"),
        title=document.get("title") or "",
        body=body,
        raw_start=0,
        raw_end=len(body),
        language=Language(code="und", score=0.0),
        published=_published(published),
        fetched_at=fetched_at,
        first_seen_at=fetched_at,
        backlog=True,
        trace_id=trace_id_for(parent_id, 0),
        normaliser_version="none",
        extractor_version="none",
    )


def _published(moment: datetime | None) -> Published:
    if moment is None:
        return Published()
    return Published(value=moment.isoformat(), precision="second", origin=DateOrigin.METADATA, confidence=1.0)

"""What the extractor does with an article: dates, entities and keyword hits over title and body, in one pass."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.extractor.dates import Mention, find_dates, latest_told
from services.extractor.entities import Knowledge, find_entities
from shared.models import DateMention, DateOrigin, EntityMention, ExtractedArticle, NormalisedArticle, Published

EXTRACTOR_VERSION: Final = "1"
_INFERRED_CONFIDENCE: Final = 0.2  # of an interval: it says nothing about the day
_GAP: Final = "\n\n"
_Field = Literal["title", "body"]


def extract(article: NormalisedArticle, *, knowledge: Knowledge) -> Iterator[ExtractedArticle]:
    """Yield the article with its date mentions, entities and keyword hits; offsets are those of the field they name."""
    text = article.title + _GAP + article.body
    fields = _Fields(len(article.title))
    language = article.language.code
    found_dates = find_dates(text, language=language, published=local_day(article.published))
    entities = find_mentions(article.title, article.body, language=language, knowledge=knowledge)
    dates = [
        DateMention(
            field=field, start=start, end=end, text=found.text, from_=_iso(found.from_), to=_iso(found.to), kind=found.kind,
            precision=found.precision, rule=found.rule, anchor=found.anchor, anchored=found.anchored, known=found.known,
        )
        for found in found_dates
        if (place := fields.locate(found.start, found.end))
        for field, start, end in (place,)
    ]  # fmt: skip
    hits = knowledge.watchlist.find(
        {"title": article.title, "body": article.body}, entities, language=language, source=article.source.name
    )
    yield ExtractedArticle(
        **dict(article) | {"published": bounded(article, text, found_dates)},
        dates=dates,
        entities=entities,
        hits=hits,
        extractor_version=f"{EXTRACTOR_VERSION}+{knowledge.content_hash}",
    )


def find_mentions(title: str, body: str, *, language: str, knowledge: Knowledge) -> list[EntityMention]:
    """Return the names of an article, read as one text: what the title introduces is known in the body."""
    fields = _Fields(len(title))
    return [
        EntityMention(
            field=field, start=start, end=end, text=found.text, type=found.type, canonical=found.canonical,
            label=found.label, rule=found.rule, alias=found.alias,
        )
        for found in find_entities(title + _GAP + body, language=language, knowledge=knowledge)
        if (place := fields.locate(found.start, found.end))
        for field, start, end in (place,)
    ]  # fmt: skip


def bounded(article: NormalisedArticle, text: str, dates: Sequence[Mention]) -> Published:
    """Return the publication date; of an undated article with the days it lies between, when its text tells any.

    `dates` are the mentions of `text`, the article's title and body. The interval is marked as inferred, the value stays null.
    """
    published, fetched = article.published, article.fetched_at.date()
    if published.value is not None:
        return published
    told = latest_told(text, dates, language=article.language.code, fetched=fetched)
    if told is None or told.from_ is None:
        return published
    return published.model_copy(
        update={
            "origin": DateOrigin.INFERRED,
            "confidence": _INFERRED_CONFIDENCE,
            "earliest": told.from_.isoformat(),
            "latest": fetched.isoformat(),
            "explanation": f"{published.explanation}; inferred: not before {told.text!r}, not after it was fetched",
        }
    )


def local_day(published: Published) -> date | None:
    """Return the calendar day of publication where the outlet is, or None when it is not known."""
    if published.value is None:
        return None
    if published.precision == "day":
        return date.fromisoformat(published.value[:10])
    moment = datetime.fromisoformat(published.value)
    if published.timezone and moment.tzinfo:
        try:
            moment = moment.astimezone(ZoneInfo(published.timezone))
        except (ZoneInfoNotFoundError, ValueError):
            return moment.date()
    return moment.date()


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None


class _Fields:
    """Maps spans of title + gap + body back to the field they lie in."""

    def __init__(self, title_length: int) -> None:
        self._title_end = title_length
        self._body_start = title_length + len(_GAP)

    def locate(self, start: int, end: int) -> tuple[_Field, int, int] | None:
        """Return field and offsets of a span, or None for one that is not inside a single field."""
        if end <= self._title_end:
            return "title", start, end
        if start >= self._body_start:
            return "body", start - self._body_start, end - self._body_start
        return None

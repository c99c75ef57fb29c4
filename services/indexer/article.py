"""The indexer's reading of a finished article: of `UniqueArticle` only what the index holds.

Mentions are the structs that the index keeps as evidence: their fields are those of deploy/elasticsearch/news-articles.json.
"""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from shared.models import DateOrigin, Flag, UniqueArticle
from shared.reading import ArticleId, Moment, Offset, Ordinal, Reading, Score, TraceId


class Source(Struct, frozen=True, kw_only=True, gc=False):
    """The outlet."""

    name: str
    country: str | None = None
    side: str | None = None
    timezone: str | None = None


class Language(Struct, frozen=True, kw_only=True, gc=False):
    """A language with the identifier's score."""

    code: str
    score: Score


class Passage(Struct, frozen=True, kw_only=True, gc=False):
    """A passage in another language."""

    language: Language


class Edit(Struct, frozen=True, kw_only=True, gc=False):
    """What the index says of one removed span: its rule, where the rule is written, and its length."""

    rule: str
    file: str = ""
    length: Offset


class Published(Struct, frozen=True, kw_only=True, gc=False):
    """The publication date that was chosen."""

    value: str | None = None
    precision: Literal["second", "minute", "day", "none"] = "none"
    timezone: str | None = None
    origin: DateOrigin = DateOrigin.NONE
    confidence: Score = 0.0
    explanation: str = ""
    earliest: str | None = None
    latest: str | None = None


class DateMention(Struct, frozen=True, kw_only=True, gc=False):
    """A date mention: the closed interval [from, to] of days, who read it and what it was counted from."""

    field: Literal["title", "body"]
    start: Offset
    end: Offset
    text: str
    from_: str | None = msgspec.field(default=None, name="from")
    to: str | None = None
    kind: str
    precision: str
    rule: str
    anchor: str
    anchored: bool = True
    known: dict[str, int] = {}


class EntityMention(Struct, frozen=True, kw_only=True, gc=False):
    """A name in the text and the thing it stands for."""

    text: str
    type: Literal["EVENT", "FACILITY", "LOC", "ORG", "PERSON", "WEAPON"]
    canonical: str
    label: str


class KeywordHit(Struct, frozen=True, kw_only=True, gc=False):
    """A watched keyword with the place where it was found."""

    keyword: str
    alias: str
    field: Literal["title", "body"]
    start: Offset
    end: Offset
    text: str


class Decision(Struct, frozen=True, kw_only=True, gc=False):
    """Why an article is, or is not, a copy."""

    method: Literal["new", "exact", "near", "contained", "revision"]
    neighbour: str | None = None
    similarity: Score | None = None
    containment: Score | None = None
    number_agreement: Score | None = None
    threshold: Score | None = None
    story_neighbour: str | None = None
    story_score: Score | None = None
    candidates: int = 0
    version: str


class IndexedArticle(Struct, frozen=True, kw_only=True):
    """A finished article as the index sees it."""

    article_id: ArticleId
    parent_id: ArticleId
    part: Ordinal = 1
    parts_total: Ordinal = 1
    truncated: bool = False
    feed: str
    source: Source
    url: str | None = None
    author: str | None = None
    section: str | None = None
    title: str
    body: str
    edits: list[Edit] = []
    captions: list[str] = []
    credits: list[str] = []
    language: Language
    passages: list[Passage] = []
    published: Published
    flags: list[Flag] = []
    fetched_at: Moment
    first_seen_at: Moment
    revision: Ordinal = 1
    backlog: bool = False
    replay: bool = False
    trace_id: TraceId
    normaliser_version: str
    dates: list[DateMention] = []
    entities: list[EntityMention] = []
    hits: list[KeywordHit] = []
    extractor_version: str
    cluster_id: str
    story_id: str
    duplicate_of: list[str] = []
    linked_stories: list[str] = []
    decision: Decision
    decision_seq: Annotated[int, Meta(ge=0, le=999)] = 0


INDEXED_ARTICLE: Final = Reading(IndexedArticle, UniqueArticle)

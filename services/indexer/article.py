"""The indexer's reading of a finished article: of `UniqueArticle` only what the index holds.

Reading every mention as a model of its own costs four times the rest of the indexer; here a mention is checked but stays a plain
mapping. Unknown fields are ignored, wrong ones are refused, exactly as by `UniqueArticle` (a test holds the two together).
"""

from typing import Annotated, Literal, NotRequired

from pydantic import AwareDatetime, Field
from typing_extensions import TypedDict

from shared.models import ArticleId, Decision, Flag, Language, Model, Published, Score, Source, TraceId


class EditRow(TypedDict):
    """What the index says of one removed span: its rule, where the rule is written, and its length."""

    rule: str
    file: NotRequired[str]
    length: int


class PassageLanguage(TypedDict):
    """The language of a passage."""

    code: str
    score: Score


class PassageRow(TypedDict):
    """A passage in another language."""

    language: PassageLanguage


DateRow = TypedDict(
    "DateRow",
    {
        "field": str,
        "start": int,
        "end": int,
        "text": str,
        "from": NotRequired[str | None],
        "to": NotRequired[str | None],
        "kind": str,
        "precision": str,
        "rule": str,
        "anchor": str,
        "anchored": NotRequired[bool],
        "known": NotRequired[dict[str, int]],
    },
)
"""A date mention: the closed interval [from, to] of days, who read it and what it was counted from."""


class EntityRow(TypedDict):
    """A name in the text and the thing it stands for."""

    text: str
    type: Literal["EVENT", "FACILITY", "LOC", "ORG", "PERSON", "WEAPON"]
    canonical: str
    label: str


class HitRow(TypedDict):
    """A watched keyword with the place where it was found."""

    keyword: str
    alias: str
    field: str
    start: int
    end: int
    text: str


class IndexedArticle(Model):
    """A finished article as the index sees it."""

    article_id: ArticleId
    parent_id: ArticleId
    part: Annotated[int, Field(ge=1)] = 1
    parts_total: Annotated[int, Field(ge=1)] = 1
    truncated: bool = False
    feed: str
    source: Source
    url: str | None = None
    author: str | None = None
    section: str | None = None
    title: str
    body: str
    edits: list[EditRow] = Field(default_factory=list)
    captions: list[str] = Field(default_factory=list)
    credits: list[str] = Field(default_factory=list)
    language: Language
    passages: list[PassageRow] = Field(default_factory=list)
    published: Published
    flags: list[Flag] = Field(default_factory=list)
    fetched_at: AwareDatetime
    first_seen_at: AwareDatetime
    revision: Annotated[int, Field(ge=1)] = 1
    backlog: bool = False
    replay: bool = False
    trace_id: TraceId
    normaliser_version: str
    dates: list[DateRow] = Field(default_factory=list)
    entities: list[EntityRow] = Field(default_factory=list)
    hits: list[HitRow] = Field(default_factory=list)
    extractor_version: str
    cluster_id: str
    story_id: str
    duplicate_of: list[str] = Field(default_factory=list)
    linked_stories: list[str] = Field(default_factory=list)
    decision: Decision
    decision_seq: Annotated[int, Field(ge=0, le=999)] = 0

"""Every record that travels through Kafka: the contract between the stages.

Contracts are closed for writers (the JSON Schemas in schemas/ forbid further properties) and tolerant for readers
(unknown fields are ignored here), so that a newer minor version can be read by an older stage. All offsets count code points;
all times are aware and written in UTC.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Literal, Protocol, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

SCHEMA_VERSION: Final = "1.0"

ArticleId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}(#[1-9][0-9]?)?$")]
TraceId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Score = Annotated[float, Field(ge=0, le=1)]
Offset = Annotated[int, Field(ge=0)]


class Model(BaseModel):
    """Base of all records: immutable, tolerant of unknown fields, written with its aliases."""

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True, ser_json_inf_nan="null")

    @classmethod
    def validate_json(cls, value: bytes, /) -> Self:
        """Return a record given as JSON bytes; raises pydantic's ValidationError."""
        return cls.model_validate_json(value)

    def to_json(self) -> bytes:
        """Return the record as the UTF-8 JSON bytes that go to Kafka."""
        return self.model_dump_json(by_alias=True).encode()


class Source(Model):
    """The outlet a feed belongs to, as the operator described it in feeds.yaml."""

    name: str
    language: str | None = None
    country: str | None = None
    side: str | None = None
    timezone: str | None = None


class RawArticle(Model):
    """One article as it was fetched, before anything is changed. `text` is plain text or HTML, as `media_type` says."""

    article_id: ArticleId
    feed: str
    source: Source
    url: str | None = None
    title: str | None = None
    text: str
    media_type: Literal["text/plain", "text/html"] = "text/plain"
    author: str | None = None
    section: str | None = None
    feed_published: str | None = None
    page_published: str | None = None
    fetched_at: AwareDatetime
    first_seen_at: AwareDatetime
    revision: int = Field(default=1, ge=1)
    backlog: bool = False
    replay: bool = False
    trace_id: TraceId


class Language(Model):
    """A language (ISO 639-1, `und` when unsure) with the identifier's score."""

    code: str
    score: Score


class Passage(Model):
    """A run of body text in a language other than the article's."""

    start: Offset
    end: Offset
    language: Language


class Edit(Model):
    """One change made by the clean-up: `length` code points at `start` of the raw field became `replacement`.

    `raw` holds the characters that stood there, so that the raw text can be rebuilt from the clean text and its edits. `file` is
    where the rule is written; it is empty for what the code does without a rule's file.
    """

    field: Literal["title", "text"]
    start: Offset
    length: Offset
    raw: str
    replacement: str = ""
    rule: str
    family: str
    file: str = ""


class DateOrigin(StrEnum):
    """Where a publication date was read."""

    FEED = "feed"
    INFERRED = "inferred"
    METADATA = "metadata"
    NONE = "none"
    PREFIX = "prefix"
    URL = "url"
    VISIBLE = "visible"


class DateClaim(Model):
    """One statement of when the article was published: an ISO date or instant, and who made it."""

    value: str
    origin: DateOrigin


class Published(Model):
    """The publication date that was chosen, with its origin and the claims that were not chosen.

    `value` is an ISO 8601 date or instant with offset, or null when nothing trustworthy states one; it is never `now` and
    never in the future of `fetched_at`. Of an article that stays undated (`value` null, origin `inferred`) the text's own dates
    may tell an interval: it was published between the ISO days `earliest` and `latest`, both inclusive.
    """

    value: str | None = None
    precision: Literal["second", "minute", "day", "none"] = "none"
    timezone: str | None = None
    origin: DateOrigin = DateOrigin.NONE
    confidence: Score = 0.0
    explanation: str = ""
    other_claims: list[DateClaim] = []
    earliest: str | None = None
    latest: str | None = None


class Flag(StrEnum):
    """What an operator should know about an article before trusting it."""

    CONTROL_CHARACTERS_REMOVED = "control_characters_removed"
    DATE_CONFLICT = "date_conflict"
    DATE_REFUSED = "date_refused"
    ENCODING_REPAIRED = "encoding_repaired"
    LANGUAGE_UNCERTAIN = "language_uncertain"
    UNDATED = "undated"


class NormalisedArticle(Model):
    """One article of a raw record (a glued file gives several): clean text, what was changed, language and date.

    `raw_start`/`raw_end` delimit this part in the raw text; `edits` are inside them (and inside the raw title).
    """

    article_id: ArticleId
    parent_id: ArticleId
    part: int = Field(default=1, ge=1)
    parts_total: int = Field(default=1, ge=1)
    truncated: bool = False
    split_evidence: list[str] = []
    feed: str
    source: Source
    url: str | None = None
    author: str | None = None
    section: str | None = None
    title: str
    body: str
    raw_start: Offset
    raw_end: Offset
    edits: list[Edit] = []
    captions: list[str] = []
    credits: list[str] = []
    language: Language
    passages: list[Passage] = []
    published: Published
    flags: list[Flag] = []
    fetched_at: AwareDatetime
    first_seen_at: AwareDatetime
    revision: int = Field(default=1, ge=1)
    backlog: bool = False
    replay: bool = False
    trace_id: TraceId
    normaliser_version: str


class DateMention(Model):
    """A date expression as the closed interval [from, to] of days; null is an open or unknown side.

    `rule` read it and `anchor` says what it was counted from; an expression that cannot be anchored has `anchored` false and
    keeps what is known in `known` (month, day, weekday …).
    """

    field: Literal["title", "body"]
    start: Offset
    end: Offset
    text: str
    from_: str | None = Field(default=None, alias="from")
    to: str | None = None
    kind: str
    precision: str
    rule: str
    anchor: str
    anchored: bool = True
    known: dict[str, int] = {}


class EntityType(StrEnum):
    """The kinds of things that are linked."""

    EVENT = "EVENT"
    FACILITY = "FACILITY"
    LOC = "LOC"
    ORG = "ORG"
    PERSON = "PERSON"
    WEAPON = "WEAPON"


class EntityMention(Model):
    """A name in the text and the thing it stands for, with the rule and the alias that found it.

    `canonical` is a Wikidata QID, a GeoNames id (`gn:…`) or a local slug.
    """

    field: Literal["title", "body"]
    start: Offset
    end: Offset
    text: str
    type: EntityType
    canonical: str
    label: str
    rule: str
    alias: str


class KeywordHit(Model):
    """A watched keyword found in the text: the keyword's name, the alias or phrase that matched, and where."""

    keyword: str
    alias: str
    field: Literal["title", "body"]
    start: Offset
    end: Offset
    text: str


class ExtractedArticle(NormalisedArticle):
    """A normalised article with its date mentions, entities and keyword hits."""

    dates: list[DateMention] = []
    entities: list[EntityMention] = []
    hits: list[KeywordHit] = []
    extractor_version: str


class Sketch(Model):
    """What the duplicate decision needs of a text, in a few hundred bytes of our own versioned format.

    `exact` is a hash of the comparison form, `signature` 128 one-byte MinHash values, `keys` 64-bit candidate keys and
    `numbers` 64-bit hashes of the numbers in the text, each as base64 of little-endian bytes; `shingles` counts the shingle set.
    """

    version: int
    exact: str
    signature: str
    keys: str
    numbers: str
    shingles: int = Field(ge=0)


class SketchedArticle(ExtractedArticle):
    """An extracted article with its sketch: the input of the one ordered decision."""

    sketch: Sketch


class Decision(Model):
    """Why an article is, or is not, a copy: the neighbour it was held against and every number that was looked at.

    `story_neighbour` is the article on the same event whose story it joined, `story_score` how alike their texts or terms are;
    null when it is the first on its event, or joined its story as a copy.
    """

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


class UniqueArticle(ExtractedArticle):
    """The finished article: everything known about it, and which story and copies it belongs to.

    `decision_seq` orders decisions on one revision (0-999): it is the last three digits of the index version.
    """

    cluster_id: str
    story_id: str
    duplicate_of: list[str] = []
    linked_stories: list[str] = []
    decision: Decision
    decision_seq: int = Field(default=0, ge=0, le=999)


class PageTask(Model):
    """An item of a feed whose article page is to be fetched by the owner of the page's host.

    Carries everything the feed said, so that the feed's own text serves when the page cannot be had.
    """

    article_id: ArticleId
    feed: str
    source: Source
    url: str
    title: str | None = None
    feed_text: str | None = None
    author: str | None = None
    section: str | None = None
    feed_published: str | None = None
    first_seen_at: AwareDatetime
    revision: int = Field(default=1, ge=1)
    backlog: bool = False
    allow_private: list[str] = []
    trace_id: TraceId


class FeedState(Model):
    """What is remembered of one feed: validators, schedule and health. Key `host|feed`.

    `items` is how many the document held when it was read last;
    `ttl_seconds`, `skip_hours` (UTC) and `skip_days` (English names) are the document's own wishes, kept for visits answered 304;
    `moved_to` is where permanent redirects have led since `moved_since`, `moved_seen` visits in a row;
    `waits_since` is set while a backfill makes room for live articles, `retired_since` when the feed left feeds.yaml.
    """

    feed: str
    url: str
    etag: str | None = None
    last_modified: str | None = None
    body_sha256: str | None = None
    next_visit_at: AwareDatetime | None = None
    last_success_at: AwareDatetime | None = None
    last_new_at: AwareDatetime | None = None
    last_full_get_at: AwareDatetime | None = None
    items: int | None = Field(default=None, ge=0)
    period_seconds: float | None = None
    ttl_seconds: float | None = None
    skip_hours: list[int] = []
    skip_days: list[str] = []
    moved_to: str | None = None
    moved_since: AwareDatetime | None = None
    moved_seen: int = Field(default=0, ge=0)
    waits_since: AwareDatetime | None = None
    retired_since: AwareDatetime | None = None
    failures: int = Field(default=0, ge=0)
    last_error: str | None = None
    last_error_detail: str | None = None


class SeenItem(Model):
    """One item that was already published, so that it is not published again. Key `host|feed|item`."""

    feed: str
    article_id: ArticleId
    fingerprint: str
    first_seen_at: AwareDatetime
    revision: int = Field(default=1, ge=1)


FeedStateRecord = FeedState | SeenItem


class Versioned(Protocol):
    """What orders the versions of one article in the index."""

    @property
    def fetched_at(self) -> datetime:
        """When this revision was fetched."""

    @property
    def decision_seq(self) -> int:
        """Which decision on this revision it is."""


def index_version(article: Versioned) -> int:
    """Return the external version of an article in Elasticsearch: `fetched_at` in ms × 1000 + decision sequence."""
    return milliseconds(article.fetched_at) * 1000 + article.decision_seq


def milliseconds(moment: datetime) -> int:
    """Return an aware time as whole milliseconds since 1970 UTC."""
    return int(moment.timestamp() * 1000)

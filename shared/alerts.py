"""Records of the alerter: what its log holds (hits, minute ticks, configuration, commands) and what it writes (alerts).

`keyword-hits-v1` is the order of truth: the detector is a pure fold over it, so replaying that log gives the same alerts byte for
byte. All times are aware and written in UTC; a probability is the chance of a count at least as far out under the baseline.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, Field, TypeAdapter

from shared.models import ArticleId, EntityType, Model, Score, TraceId

MAX_STORIES: Final = 5
"""Top stories kept as the evidence of an alert."""

Hours = Annotated[int, Field(ge=1, le=24)]
AlertId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Count = Annotated[int, Field(ge=0)]
Amount = Annotated[float, Field(ge=0)]

_CLOCK_RANGE: Final = r"^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]$"
ALL_WINDOWS: Final = (1, 2, 3, 6, 12, 24)


class Sensitivity(StrEnum):
    """How unlikely a count must be before it alarms."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


class Severity(StrEnum):
    """How much an alert asks of the operator, from "when you have time" to "now"."""

    NOTICE = "notice"
    WARNING = "warning"
    CRITICAL = "critical"


class AlertRule(Model):
    """How one keyword is watched.

    `windows` are hours; an alert needs `min_stories` distinct stories from `min_sources` sources in one of them. Its severity is
    `notice`, `warning` from `warning_at` and `critical` from `critical_at` times what is usual (usual counts as at least one
    story). `silence` also alerts when the keyword should speak and does not. In `quiet_hours` (start-end in `timezone`) only
    `critical` alerts are delivered; `channels` are names of notifier channels, none means all of them. `group` is a name under
    which keywords are silenced together.
    """

    enabled: bool = True
    sensitivity: Sensitivity = Sensitivity.NORMAL
    windows: tuple[Hours, ...] = ALL_WINDOWS
    min_stories: Annotated[int, Field(ge=2)] = 3
    min_sources: Annotated[int, Field(ge=1)] = 3
    warning_at: Annotated[float, Field(ge=1)] = 4.0
    critical_at: Annotated[float, Field(ge=1)] = 10.0
    silence: bool = True
    quiet_hours: Annotated[str, Field(pattern=_CLOCK_RANGE)] | None = None
    timezone: str = "Asia/Ho_Chi_Minh"
    channels: tuple[str, ...] = ()
    group: str | None = None


class NewTermRule(AlertRule):
    """How names that no keyword looks for are watched: a name of the alias sets that was rare and is suddenly told.

    It was rare with at most `at_most` stories in the `days` before the last one; it alarms with `min_stories` from `min_sources`
    in a day. `types` are the kinds of things that count, none means all; the ids in `ignore` never alarm. Severities are by
    stories. `sensitivity` and `silence` have no meaning here.
    """

    min_stories: Annotated[int, Field(ge=2)] = 5
    warning_at: Annotated[float, Field(ge=1)] = 10.0
    critical_at: Annotated[float, Field(ge=1)] = 25.0
    days: Annotated[int, Field(ge=1, le=60)] = 30
    at_most: Count = 1
    types: tuple[EntityType, ...] = ()
    ignore: tuple[str, ...] = ()


class LoggedArticle(Model):
    """What the log keeps of an article.

    `claimed_at` is when the article says it was published (the last moment of the day where only a day is known), `arrived_at`
    when it was first seen. `backlog` marks what a feed held at its first visit, `replay` an article processed again.
    """

    article_id: ArticleId
    cluster_id: str
    story_id: str
    feed: str
    source: str
    language: str
    title: str = ""
    url: str | None = None
    claimed_at: AwareDatetime | None = None
    arrived_at: AwareDatetime
    backlog: bool = False
    replay: bool = False
    trace_id: TraceId


class Hit(LoggedArticle):
    """A watched keyword in one article: copies included, the detector tells them apart."""

    kind: Literal["hit"] = "hit"
    keyword: str


class Name(Model):
    """A thing that an article names, by its id in the alias sets."""

    id: str
    label: str
    type: EntityType


class Named(LoggedArticle):
    """The names in an article that is no copy; `knowledge` is the extractor's version, with the hash of what it knows."""

    kind: Literal["named"] = "named"
    names: tuple[Name, ...]
    knowledge: str = ""


class Tick(Model):
    """The passing of one minute, with the feeds that should be read and cannot be."""

    kind: Literal["tick"] = "tick"
    at: AwareDatetime
    feeds: Count = 0
    silent_feeds: tuple[str, ...] = ()


class WatchedKeyword(Model):
    """A keyword of the configuration: its rule and a hash over everything that is written about it, terms included."""

    name: str
    rule: AlertRule = AlertRule()
    hash: str


class ConfigSnapshot(Model):
    """The watched keywords from here on, and how new terms are watched (None: not at all); `hash` is over all of it."""

    kind: Literal["config"] = "config"
    hash: str
    at: AwareDatetime
    keywords: tuple[WatchedKeyword, ...] = ()
    new_terms: NewTermRule | None = None


class Action(StrEnum):
    """What an operator can ask of the detector."""

    ACK = "ack"
    MARK_FALSE = "mark-false"
    RESOLVE = "resolve"
    SILENCE = "silence"
    UNSILENCE = "unsilence"


class SilenceTarget(Model):
    """What a silence covers: a keyword, a source (its stories do not count) or a group of keywords, by name."""

    scope: Literal["keyword", "source", "group"]
    name: str


class Command(Model):
    """One wish of an operator, in the order of the log.

    `ack`, `resolve` and `mark-false` name an alert, `silence` and `unsilence` a target; a silence has an end. A silence of a
    target that is silenced already replaces it, so that shortening works at once.
    """

    kind: Literal["command"] = "command"
    command_id: str
    action: Action
    at: AwareDatetime
    author: str
    reason: str = ""
    alert_id: AlertId | None = None
    target: SilenceTarget | None = None
    until: AwareDatetime | None = None


LogRecord = Hit | Named | Tick | ConfigSnapshot | Command
LOG_RECORD: Final[TypeAdapter[LogRecord]] = TypeAdapter(Annotated[LogRecord, Field(discriminator="kind")])
"""Reads a record of the log by its `kind`."""


class AlertState(StrEnum):
    """Where an alert is in its life. Only open and acknowledged ones are news; a suppressed one is silenced."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    SUPPRESSED = "suppressed"


class AlertKind(StrEnum):
    """What was noticed."""

    SPIKE = "spike"
    NEW_TERM = "new_term"
    SILENCE = "silence"


class Reading(Model):
    """One window as it was judged: new stories from `start` to `end`, and what the baseline expected of it.

    `usual_spread` is the standard deviation that the baseline gives `expected`; `ratio` is stories over expected.
    """

    hours: Hours
    start: AwareDatetime
    end: AwareDatetime
    stories: Count
    expected: Amount
    usual_spread: Amount
    ratio: Amount
    probability: Score


class Tally(Model):
    """A source or a language with its number of new stories in the window."""

    name: str
    stories: Count


class EvidenceStory(Model):
    """A story behind an alert: the first article of it that arrived, when it counts, and how many articles there are of it."""

    article_id: ArticleId
    cluster_id: str
    story_id: str
    title: str
    url: str | None = None
    source: str
    language: str
    at: AwareDatetime
    articles: Count = 1


class Coverage(Model):
    """How much of the usual voice was heard: the share of the usual hits that comes from feeds which could be read."""

    share: Score = 1.0
    silent_feeds: tuple[str, ...] = ()


class Handling(Model):
    """What an operator did with an alert: acknowledged, resolved, silenced or marked false, by whom and why."""

    action: Action
    at: AwareDatetime
    author: str
    reason: str = ""
    until: AwareDatetime | None = None


class Alert(Model):
    """One alert over its whole life; each record replaces the one before it (`sequence` counts them).

    `keyword` names the subject; `subject` says when that is a feed, a language or, with its `entity_id`, a name. `opening` is the
    reading that fired, `peak` the strongest so far, `windows` all windows at the last change; tallies and stories belong to the
    last change as well. Written again after a crash, a record has the same id and sequence.
    """

    alert_id: AlertId
    sequence: Annotated[int, Field(ge=1)]
    kind: AlertKind
    state: AlertState
    severity: Severity
    subject: Literal["keyword", "feed", "language", "entity"] = "keyword"
    keyword: str
    entity_id: str | None = None
    group: str | None = None
    opened_at: AwareDatetime
    updated_at: AwareDatetime
    resolved_at: AwareDatetime | None = None
    opening: Reading
    peak: Reading
    windows: tuple[Reading, ...] = ()
    articles: Count = 0
    late: Count = 0
    sources: tuple[Tally, ...] = ()
    languages: tuple[Tally, ...] = ()
    stories: tuple[EvidenceStory, ...] = ()
    cluster_ids: tuple[str, ...] = ()
    coverage: Coverage = Coverage()
    handling: tuple[Handling, ...] = ()
    reason_vi: str
    reason_en: str
    rule_hash: str
    config_hash: str
    detector_version: str
    replay: bool = False


def without_text(alert: Alert, is_taken_down: Callable[[str], bool]) -> Alert:
    """Return an alert whose evidence names articles that were taken down by their ids only, without title and link."""
    if not any((story.title or story.url) and is_taken_down(story.article_id) for story in alert.stories):
        return alert
    bare = {"title": "", "url": None}
    stories = [story.model_copy(update=bare) if is_taken_down(story.article_id) else story for story in alert.stories]
    return alert.model_copy(update={"stories": tuple(stories)})

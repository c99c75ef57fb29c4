"""The life of an alert as records: opened, changed, resolved, silenced, each with everything that led to it."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal

from services.alerter.sentences import reasons
from services.alerter.state import State
from services.alerter.watched import Story, Watched, Window
from shared.alerts import (
    MAX_STORIES,
    Action,
    Alert,
    AlertKind,
    AlertRule,
    AlertState,
    EvidenceStory,
    Handling,
    Reading,
    Severity,
    Tally,
)

DETECTOR_VERSION: Final = "1"
MAX_CLUSTERS: Final = 50
"""Stories whose ids stand in an alert, the latest: two alerts that share many are about one event."""
_ORDER: Final = tuple(Severity)

Subject = Literal["keyword", "feed", "language"]
"""What can fall silent."""


def moment(seconds: float) -> datetime:
    """Return seconds since 1970 as an aware time."""
    return datetime.fromtimestamp(seconds, UTC)


def reading(window: Window) -> Reading:
    """Return a window as it is written; numbers are rounded to what can be trusted."""
    return Reading(
        hours=window.hours,
        start=moment(window.start),
        end=moment(window.end),
        stories=window.stories,
        expected=round(window.expected, 4),
        usual_spread=round(window.spread, 4),
        ratio=round(window.ratio, 2),
        probability=float(f"{window.probability:.4g}"),
    )


def severity_of(window: Window, rule: AlertRule) -> Severity:
    """Return how severe a window is: by how many times the usual, which counts as at least one story."""
    times = window.stories / max(window.expected, 1.0)
    if times >= rule.critical_at:
        return Severity.CRITICAL
    return Severity.WARNING if times >= rule.warning_at else Severity.NOTICE


def open_alert(state: State, watched: Watched, kind: AlertKind, window: Window, all_windows: Sequence[Window]) -> Alert:
    """Return the first record of a keyword's alert; a silenced keyword's is suppressed from the start."""
    rule = state.rule_of(watched)
    subject = "keyword" if watched.entity_id is None else "entity"
    shown = reading(window)
    return _with_evidence(
        state,
        watched,
        window,
        kind=kind,
        base={
            "alert_id": _alert_id(kind, subject, watched.entity_id or watched.name, state.clock),
            "sequence": 1,
            "kind": kind,
            "state": AlertState.SUPPRESSED if state.silence_of(watched.name, rule.group) else AlertState.OPEN,
            "severity": severity_of(window, rule),
            "subject": subject,
            "keyword": watched.name,
            "entity_id": watched.entity_id,
            "group": rule.group,
            "opened_at": moment(state.clock),
            "opening": shown,
            "peak": shown,
            "windows": tuple(reading(each) for each in all_windows),
        },
    )


def changed_alert(state: State, watched: Watched, alert: Alert, window: Window, all_windows: Sequence[Window]) -> Alert:
    """Return the next record of an open alert, as its windows are now; severity never falls while it is open."""
    severity = max(alert.severity, severity_of(window, state.rule_of(watched)), key=_ORDER.index)
    shown = reading(window)
    return _with_evidence(
        state,
        watched,
        window,
        kind=alert.kind,
        base={
            **dict(alert),
            "sequence": alert.sequence + 1,
            "severity": severity,
            "peak": shown if shown.probability < alert.peak.probability else alert.peak,
            "windows": tuple(reading(each) for each in all_windows),
        },
    )


def moved_alert(state: State, alert: Alert, to: AlertState, handling: Handling | None = None) -> Alert:
    """Return the next record of an alert in another state."""
    return alert.model_copy(
        update={
            "sequence": alert.sequence + 1,
            "state": to,
            "updated_at": moment(state.clock),
            "resolved_at": moment(state.clock) if to is AlertState.RESOLVED else None,
            "handling": (*alert.handling, handling) if handling else alert.handling,
        }
    )


def state_without_silence(alert: Alert) -> AlertState:
    """Return what an alert is when nothing silences it: acknowledged if somebody did, else open."""
    acknowledged = any(each.action is Action.ACK for each in alert.handling)
    return AlertState.ACKNOWLEDGED if acknowledged else AlertState.OPEN


def silence_alert(state: State, subject: Subject, name: str, window: Window) -> Alert:
    """Return the first record of an alert on something that should speak and does not."""
    coverage = state.coverage()
    why_vi, why_en = reasons(AlertKind.SILENCE, subject, name, window, 0, 0, coverage)
    shown = reading(window)
    group = state.rule(name).group if subject == "keyword" else None
    silenced = subject == "keyword" and state.silence_of(name, group)
    return Alert(
        alert_id=_alert_id(AlertKind.SILENCE, subject, name, state.clock),
        sequence=1,
        kind=AlertKind.SILENCE,
        state=AlertState.SUPPRESSED if silenced else AlertState.OPEN,
        severity=Severity.WARNING,
        subject=subject,
        keyword=name,
        group=group,
        opened_at=moment(state.clock),
        updated_at=moment(state.clock),
        opening=shown,
        peak=shown,
        windows=(shown,),
        coverage=coverage,
        reason_vi=why_vi,
        reason_en=why_en,
        rule_hash=state.rule_hash(name) if subject == "keyword" else "",
        config_hash=state.config_hash,
        detector_version=DETECTOR_VERSION,
    )


def _with_evidence(state: State, watched: Watched, window: Window, *, kind: AlertKind, base: dict[str, Any]) -> Alert:
    stories = watched.stories(window.start, window.end, state.muted())
    sources, languages = _tallies(stories, "source"), _tallies(stories, "language")
    coverage = state.coverage()
    why_vi, why_en = reasons(kind, "keyword", watched.name, window, len(sources), len(languages), coverage)
    return Alert.model_validate(
        {
            **base,
            "updated_at": moment(state.clock),
            "articles": sum(story.articles for story in stories),
            "late": sum(story.late for story in stories),
            "sources": sources,
            "languages": languages,
            "stories": _top(stories),
            "cluster_ids": tuple(story.cluster_id for story in stories[-MAX_CLUSTERS:]),
            "coverage": coverage,
            "reason_vi": why_vi,
            "reason_en": why_en,
            "rule_hash": state.rule_hash(watched.name) if watched.entity_id is None else "",
            "config_hash": state.config_hash,
            "detector_version": DETECTOR_VERSION,
        }
    )


def _tallies(stories: Sequence[Story], of: Literal["source", "language"]) -> tuple[Tally, ...]:
    counted = Counter(getattr(story, of) for story in stories)
    return tuple(
        Tally(name=name, stories=count) for name, count in sorted(counted.items(), key=lambda x: (-x[1], x[0]))
    )


def _top(stories: Sequence[Story]) -> tuple[EvidenceStory, ...]:
    """Return the stories told most often, those with a title first, then the latest."""
    best = sorted(stories, key=lambda story: (not story.title, -story.articles, -story.at, story.cluster_id))
    return tuple(
        EvidenceStory(
            article_id=story.article_id,
            cluster_id=story.cluster_id,
            story_id=story.story_id,
            title=story.title,
            url=story.url,
            source=story.source,
            language=story.language,
            at=moment(story.at),
            articles=story.articles,
        )
        for story in best[:MAX_STORIES]
    )


def _alert_id(kind: AlertKind, subject: str, name: str, clock: int) -> str:
    return hashlib.blake2b(f"{kind} {subject} {name} {clock}".encode(), digest_size=16).hexdigest()

"""Alerts, channels and notifications for the tests of the notifier."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from services.notifier.agenda import Agenda, Rules
from services.notifier.book import Book
from services.notifier.channels import AnyChannel, Channels
from services.notifier.message import Message, compose
from services.notifier.steps import Step
from services.notifier.transform import Gate, plan
from shared.alerts import Alert, AlertKind, AlertState, EvidenceStory, Reading, Severity, Tally
from shared.notifications import Notification

NOW = datetime(2025, 11, 22, 3, 0, tzinfo=UTC)


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def reading(stories: int = 14, expected: float = 1.2, at: datetime = NOW) -> Reading:
    return Reading(
        hours=3,
        start=at - timedelta(hours=3),
        end=at,
        stories=stories,
        expected=expected,
        usual_spread=0.8,
        ratio=stories / expected if expected else 0,
        probability=1e-7,
    )


def story(number: int, title: str = "", articles: int = 1) -> EvidenceStory:
    return EvidenceStory(
        article_id=f"{number:032x}",
        cluster_id=f"c{number}",
        story_id=f"s{number}",
        title=title or f"Tin số {number} về mặt trận",
        url=f"https://bao.example/tin-{number}",
        source="Báo Mẫu",
        language="vi",
        at=NOW - timedelta(minutes=number),
        articles=articles,
    )


def alert(number: int = 1, keyword: str = "Kupyansk", clusters: Sequence[int] = (1, 2, 3), **update: Any) -> Alert:
    """Return an open alert on a keyword; its stories have these cluster numbers."""
    made = Alert(
        alert_id=f"{number:032x}",
        sequence=1,
        kind=AlertKind.SPIKE,
        state=AlertState.OPEN,
        severity=Severity.WARNING,
        keyword=keyword,
        opened_at=NOW,
        updated_at=NOW,
        opening=reading(),
        peak=reading(),
        windows=(reading(),),
        articles=20,
        sources=(Tally(name="Báo Mẫu", stories=8), Tally(name="Wire", stories=6)),
        languages=(Tally(name="vi", stories=8), Tally(name="en", stories=6)),
        stories=tuple(story(cluster) for cluster in clusters),
        cluster_ids=tuple(f"c{cluster}" for cluster in clusters),
        reason_vi=f"{keyword}: 14 tin trong 3 giờ, thường là 1,2.",
        reason_en=f"{keyword}: 14 stories in 3 hours, usually 1.2.",
        rule_hash="0" * 16,
        config_hash="0" * 16,
        detector_version="1",
    )
    return made.model_copy(update=update)


def later(before: Alert, at: datetime, state: AlertState | None = None, **update: Any) -> Alert:
    """Return the next record of an alert."""
    changes: dict[str, Any] = {"sequence": before.sequence + 1, "updated_at": at, **update}
    if state is not None:
        changes["state"] = state
    if state is AlertState.RESOLVED:
        changes["resolved_at"] = at
    return before.model_copy(update=changes)


def notification(*alerts: Alert, received_at: datetime = NOW, **update: Any) -> Notification:
    alerts = alerts or (alert(),)
    made = Notification(notification_id=alerts[0].alert_id, received_at=received_at, alerts=alerts)
    return made.model_copy(update=update)


def channels(*blocks: dict[str, Any], **settings: Any) -> Channels:
    """Return a configuration with these channels; a block without a type is a log channel."""
    return Channels.model_validate({"channels": [{"type": "log", **block} for block in blocks], **settings})


def channel(**block: Any) -> AnyChannel:
    return channels({"name": "desk", **block}).channels[0]


def due_steps(
    known: Sequence[Notification],
    to: AnyChannel,
    now: datetime,
    config: Channels | None = None,
    rules: Rules | None = None,
) -> list[Step]:
    """Return everything that a channel should be told now of these notifications."""
    book = Book()
    for each in known:
        book.keep(each)
    agenda = Agenda(book)
    settings = config or Channels()
    agenda.refresh(settings.model_copy(update={"channels": (to,)}), rules or Rules(), now)
    return agenda.due(to, now)


def message(to: AnyChannel, known: Notification | None = None) -> Message:
    """Return the message that a channel is sent of a notification two minutes after it was opened."""
    known = known or notification()
    now = NOW + minutes(2)
    steps = due_steps([known], to, now)
    envelope = plan(steps, to, Gate(), now)
    assert envelope is not None
    return compose(envelope, Channels())

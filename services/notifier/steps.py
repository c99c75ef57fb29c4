"""What a channel should be told next, and from when on: openings, updates, reminders, ends, quiet hours. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from services.notifier.channels import AnyChannel, Channels
from services.notifier.standing import Standing, escalated, rank
from shared.alerts import Alert, AlertRule, AlertState, Severity
from shared.notifications import Delivery, MessageKind, Notification

# Several changes of one alert within a minute are one update.
UPDATE_PAUSE: Final = timedelta(minutes=1)

_NOTHING_YET: Final = Delivery()

RuleOf = Callable[[Alert], AlertRule]
"""The rule that watches an alert's keyword, for its channels and quiet hours."""


@dataclass(frozen=True)
class Step:
    """One thing to tell one channel; `news_at` is when it became true, `standing` what the reader will know."""

    notification: Notification
    kind: MessageKind
    due_at: datetime
    news_at: datetime
    standing: Standing
    repeat: bool
    attempts: int = 0

    @property
    def order(self) -> tuple[int, int, datetime]:
        """The order in which steps are taken: what was not refused yet, then the most severe, then the oldest."""
        return self.attempts, -rank(self.standing.severity), self.news_at


def next_step(
    notification: Notification,
    stands: Standing,
    channel: AnyChannel,
    config: Channels,
    rule_of: RuleOf,
    now: datetime,
) -> Step | None:
    """Return what this channel should be told next of a notification, even if not yet; None when nothing is left to tell."""
    delivery = notification.deliveries.get(channel.name) or _NOTHING_YET
    if delivery.resolved_at or delivery.given_up or not _is_for(notification, channel, rule_of):
        return None
    kind = _kind(stands, delivery, channel)
    if kind is None:
        return None
    if kind is not MessageKind.REMINDER and now - stands.changed_at > config.stale_after:
        return None
    due_at = _due_at(kind, notification, delivery, channel, config)
    if not channel.mirrors:
        due_at = max(due_at, _end_of_quiet(notification, stands.severity, channel, rule_of, max(now, due_at)))
    repeat = delivery.intent is not None and delivery.intent.kind is kind
    news_at = stands.opened_at if kind is MessageKind.OPENING else stands.changed_at
    return Step(notification, kind, due_at, news_at, stands, repeat, delivery.attempts)


def _is_for(notification: Notification, channel: AnyChannel, rule_of: RuleOf) -> bool:
    """Return whether a notification concerns a channel: never its own failure, and only if a keyword of it names no others."""
    if notification.trouble is not None:
        return notification.trouble.channel != channel.name
    return any(not (wanted := rule_of(alert).channels) or channel.name in wanted for alert in notification.alerts)


def _kind(stands: Standing, delivery: Delivery, channel: AnyChannel) -> MessageKind | None:
    may_know = delivery.told is not None or delivery.intent is not None
    match stands.state:
        case AlertState.SUPPRESSED:
            return None
        case AlertState.RESOLVED:
            return MessageKind.RESOLVED if may_know and not stands.hushed else None
        case AlertState.ACKNOWLEDGED:
            worse = delivery.told is not None and rank(stands.severity) > rank(delivery.told.severity)
            return MessageKind.UPDATE if worse else None
    if delivery.told is None:
        return MessageKind.OPENING if rank(stands.severity) >= rank(channel.min_severity) else None
    return MessageKind.UPDATE if escalated(stands, delivery.told) else MessageKind.REMINDER


def _due_at(
    kind: MessageKind, notification: Notification, delivery: Delivery, channel: AnyChannel, config: Channels
) -> datetime:
    last = delivery.last_at or notification.received_at
    match kind:
        case MessageKind.OPENING if notification.alerts and not channel.mirrors:
            return notification.received_at + config.grouping.wait
        case MessageKind.REMINDER:
            pauses = config.remind_after
            return last + pauses[min(delivery.reminders, len(pauses) - 1)]
        case MessageKind.UPDATE:
            return last + UPDATE_PAUSE
        case _:
            return notification.received_at


def _end_of_quiet(
    notification: Notification, severity: Severity, channel: AnyChannel, rule_of: RuleOf, moment: datetime
) -> datetime:
    """Return when a message due at a moment may be sent: then, or at the end of the channel's or all keywords' quiet hours."""
    quiet = channel.quiet_hours
    if quiet is not None and rank(severity) < rank(quiet.except_from):
        moment = quiet_until(quiet.hours, quiet.timezone, moment) or moment
    if severity is Severity.CRITICAL or not notification.alerts:
        return moment
    rules: Iterable[AlertRule] = (rule_of(alert) for alert in notification.alerts)
    ends = [rule.quiet_hours and quiet_until(rule.quiet_hours, rule.timezone, moment) for rule in rules]
    waits = [end for end in ends if isinstance(end, datetime)]
    return min(waits) if len(waits) == len(ends) else moment


def quiet_until(hours: str, timezone: str, moment: datetime) -> datetime | None:
    """Return the end of quiet hours ("23:00-06:00" in a time zone) that a moment falls into, or None when it falls into none."""
    start, end = (time.fromisoformat(part) for part in hours.split("-"))
    zone = ZoneInfo(timezone)
    local = moment.astimezone(zone)
    clock = local.time()
    inside = start <= clock < end if start <= end else clock >= start or clock < end
    if not inside:
        return None
    tomorrow = clock >= end
    return datetime.combine(local.date() + timedelta(days=tomorrow), end, zone).astimezone(moment.tzinfo)

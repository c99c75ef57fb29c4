"""From alerts to messages: what is sent to a channel now, and what is known after it was. Pure; the clock is handed in."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from services.notifier.channels import AnyChannel, Limit
from services.notifier.steps import Step
from shared.notifications import Delivery, Intent, MessageKind, Notification, Trouble

# What no channel took in so many attempts is wrong in itself: the next messages must not wait for it.
MAX_REFUSALS: Final = 3
# A channel that failed so often in a row is reported through the others.
REPORT_AFTER_FAILURES: Final = 3
FIRST_PAUSE: Final = timedelta(seconds=5)
LONGEST_PAUSE: Final = timedelta(minutes=5)
LONGEST_WISH: Final = timedelta(hours=1)


@dataclass(frozen=True)
class Envelope:
    """One message to one channel; more than one step makes it a digest."""

    message_id: str
    channel: AnyChannel
    steps: tuple[Step, ...]
    planned_at: datetime

    @property
    def repeat(self) -> bool:
        """Whether the reader may have got this before."""
        return any(step.repeat for step in self.steps)


@dataclass(frozen=True)
class Delivered:
    """The channel took the message; `reference` is its own name of it."""

    reference: str | None = None


@dataclass(frozen=True)
class Failed:
    """The channel did not take the message.

    `refused` says that this very message is at fault, `doubtful` that it may have arrived all the same; `retry_after` is the
    pause that the channel asked for.
    """

    error: str
    refused: bool = False
    doubtful: bool = False
    retry_after: timedelta | None = None


Outcome = Delivered | Failed


@dataclass(frozen=True)
class Gate:
    """What is known of a channel beside its deliveries: its failures in a row, when it is tried again, what it got lately."""

    failures: int = 0
    failing_since: datetime | None = None
    retry_at: datetime | None = None
    sent: tuple[datetime, ...] = field(default=())

    def room(self, limit: Limit, now: datetime) -> int:
        """Return how many messages the limit leaves now."""
        return max(0, limit.messages - sum(1 for at in self.sent if now - at < limit.per))


def may_send(channel: AnyChannel, gate: Gate, now: datetime) -> bool:
    """Return whether a channel is to be tried now: no pause lasts, and its limit leaves a message."""
    return (gate.retry_at is None or now >= gate.retry_at) and _room(channel, gate, now) > 0


def plan(due: Sequence[Step], channel: AnyChannel, gate: Gate, now: datetime) -> Envelope | None:
    """Return the message that is sent now: the most urgent step, or all in one when the limit leaves one message; or None."""
    if not due or not may_send(channel, gate, now):
        return None
    last_of_several = _room(channel, gate, now) == 1 and channel.limit.messages > 1 and not channel.mirrors
    chosen = tuple(due) if last_of_several else tuple(due[:1])
    return Envelope(_message_id(channel.name, chosen), channel, chosen, now)


def _room(channel: AnyChannel, gate: Gate, now: datetime) -> int:
    return channel.limit.messages if channel.mirrors else gate.room(channel.limit, now)


def _message_id(channel: str, steps: Sequence[Step]) -> str:
    """Return an id that a repeated message shares with the first attempt at it."""
    parts = [channel]
    for step in steps:
        known = step.notification.deliveries.get(channel, Delivery())
        parts += [step.notification.notification_id, step.kind.value, str(known.messages)]
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=16, person=b"message").hexdigest()


def intended(notification: Notification, envelope: Envelope, step: Step) -> Notification:
    """Return a notification that says that a message is about to be sent: written down before it is."""
    intent = Intent(message_id=envelope.message_id, kind=step.kind, at=envelope.planned_at)
    return _with_delivery(notification, envelope.channel.name, intent=intent)


def settled(
    notification: Notification, envelope: Envelope, step: Step, outcome: Outcome, now: datetime
) -> Notification:
    """Return a notification with what became of a message about it."""
    name = envelope.channel.name
    known = notification.deliveries.get(name, Delivery())
    if isinstance(outcome, Failed):
        attempts = known.attempts + outcome.refused
        # Somebody who may have got the opening is still to hear of the end.
        unsure = outcome.doubtful or step.repeat or (known.told is None and step.kind is not MessageKind.OPENING)
        return _with_delivery(
            notification,
            name,
            intent=known.intent if unsure else None,
            attempts=attempts,
            given_up=outcome.error if attempts >= MAX_REFUSALS else None,
        )
    return _with_delivery(
        notification,
        name,
        told=step.standing.told(),
        first_at=known.first_at or now,
        last_at=now,
        resolved_at=now if step.kind is MessageKind.RESOLVED else None,
        messages=known.messages + 1,
        reminders=known.reminders + (step.kind is MessageKind.REMINDER),
        reference=known.reference or (outcome.reference if len(envelope.steps) == 1 else None),
        intent=None,
        attempts=0,
    )


def _with_delivery(notification: Notification, channel: str, **update: object) -> Notification:
    known = notification.deliveries.get(channel, Delivery())
    deliveries = {**notification.deliveries, channel: known.model_copy(update=update)}
    return notification.model_copy(update={"deliveries": deliveries})


def after(gate: Gate, channel: AnyChannel, outcome: Outcome, now: datetime) -> Gate:
    """Return what is known of a channel after an attempt: growing pauses while it fails, or the pause it asked for."""
    lately = tuple(at for at in gate.sent if now - at < channel.limit.per)
    if isinstance(outcome, Delivered):
        return Gate(sent=(*lately, now))
    pause = max(backoff(gate.failures, channel.name), min(outcome.retry_after or timedelta(0), LONGEST_WISH))
    return replace(
        gate,
        failures=gate.failures + 1,
        failing_since=gate.failing_since or now,
        retry_at=now + pause,
        sent=lately,
    )


def backoff(failures: int, channel: str) -> timedelta:
    """Return the pause after so many failures before the last: doubling, at most five minutes, spread by up to a quarter."""
    pause = FIRST_PAUSE
    for _ in range(min(failures, 10)):
        pause = min(2 * pause, LONGEST_PAUSE)
    digest = hashlib.blake2b(f"{channel}\n{failures}".encode(), digest_size=1).digest()
    return pause * (1 + digest[0] / 1024)


def trouble_of(channel: str, gate: Gate, outcome: Outcome, known: Trouble | None, now: datetime) -> Trouble | None:
    """Return the report on a channel after an attempt: a new or longer failure, or its end; None when there is none."""
    if isinstance(outcome, Delivered):
        lasts = known is not None and known.ended_at is None
        return known.model_copy(update={"ended_at": now}) if known is not None and lasts else None
    if gate.failures < REPORT_AFTER_FAILURES:
        return None
    lasting = known if known is not None and known.ended_at is None else None
    since = lasting.since if lasting else gate.failing_since or now
    return Trouble(channel=channel, since=since, failures=gate.failures, error=outcome.error)

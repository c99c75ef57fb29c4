"""The notifier's desk: takes alerts in, sends what is due, remembers what became of it. No broker, and the clock is handed in."""

import queue
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import structlog

from services.notifier.agenda import Agenda, Rules
from services.notifier.book import Book, row
from services.notifier.channels import AnyChannel, Channels
from services.notifier.message import Message, compose
from services.notifier.transform import (
    Delivered,
    Envelope,
    Failed,
    Gate,
    Outcome,
    after,
    intended,
    may_send,
    plan,
    settled,
    trouble_of,
)
from shared import metrics
from shared.alerts import Alert
from shared.notifications import MessageKind, Notification, Trouble
from shared.stage import Outgoing

# A sender that has not come back so long after its own timeout is given up; its channel is tried again.
GIVE_UP_AFTER: Final = timedelta(seconds=30)
FORGET_EVERY: Final = timedelta(minutes=1)

Save = Callable[[Sequence[Outgoing]], None]
"""Writes rows and returns when they are acknowledged; raises `Transient` when they are not."""
Launch = Callable[[AnyChannel, Message, Callable[[Outcome], None]], None]
"""Starts to send a message, and calls back when it is known what became of it."""

log = structlog.get_logger("frontwire.notifier")


@dataclass(frozen=True)
class Flight:
    """A message that is being sent."""

    envelope: Envelope
    give_up_at: datetime


class Desk:
    """Everything between alerts and channels. Used from one thread; only outcomes come from others."""

    def __init__(
        self,
        book: Book,
        config: Callable[[], Channels],
        rules: Callable[[], Rules],
        save: Save,
        launch: Launch,
        now: datetime,
    ) -> None:
        self._book = book
        self._config = config
        self._rules = rules
        self._agenda = Agenda(book)
        self._save = save
        self._launch = launch
        self._gates: dict[str, Gate] = {}
        self._flights: dict[str, Flight] = {}
        self._outcomes: queue.SimpleQueue[tuple[str, Outcome]] = queue.SimpleQueue()
        self._forget_at = now + FORGET_EVERY
        self._remember()

    def take(self, alert: Alert, now: datetime) -> None:
        """File a record of an alert. It is kept with the next `tick`."""
        self._book.take(alert, self._config().grouping, now)

    def tick(self, now: datetime) -> None:
        """Take in what came back, keep what is new, send what is due. Raises `Transient` when rows could not be kept."""
        config = self._config()
        self._collect(now)
        self._drop_removed(config, now)
        envelopes = list(self._plan(config, now))
        changed = self._intents(envelopes)
        gone = self._forget(now)
        names = self._book.unsaved - changed.keys()
        rows = [*self._book.rows(names), *(row(name, kept) for name, kept in changed.items())]
        if rows or gone:
            self._save([*rows, *(row(name, None) for name in gone)])
        self._book.unsaved.clear()
        for notification in changed.values():
            self._book.keep(notification)
        for envelope in envelopes:
            self._start(envelope, config)

    def land(self, now: datetime) -> None:
        """Take in what came back and send nothing more; for the end of the process, before `keep`."""
        self._collect(now)

    def keep(self) -> None:
        """Write what is not kept yet. Raises `Transient` when it could not be."""
        if self._book.unsaved:
            self._save(list(self._book.rows(self._book.unsaved)))
            self._book.unsaved.clear()

    def in_flight(self) -> bool:
        """Return whether a message is being sent."""
        return bool(self._flights)

    def _remember(self) -> None:
        """Build the gates from the rows: what was sent lately counts for the limits, a failing channel is still failing."""
        sent: dict[str, set[datetime]] = {}
        for notification in self._book.all():
            for channel, delivery in notification.deliveries.items():
                if delivery.last_at is not None:
                    sent.setdefault(channel, set()).add(delivery.last_at)
        self._gates = {channel: Gate(sent=tuple(sorted(times))) for channel, times in sent.items()}
        for trouble in self._troubles():
            known = self._gates.get(trouble.channel, Gate())
            self._gates[trouble.channel] = replace(known, failures=trouble.failures, failing_since=trouble.since)
            metrics.CHANNEL_FAILURES.labels(trouble.channel).set(trouble.failures)

    def _troubles(self) -> Iterator[Trouble]:
        for notification in self._book.all():
            if notification.trouble is not None and notification.trouble.ended_at is None:
                yield notification.trouble

    def _collect(self, now: datetime) -> None:
        while not self._outcomes.empty():
            message_id, outcome = self._outcomes.get()
            flight = self._flights.pop(message_id, None)
            if flight is not None:
                self._settle(flight.envelope, outcome, now)
        for message_id, flight in list(self._flights.items()):
            if now > flight.give_up_at:
                del self._flights[message_id]
                self._settle(flight.envelope, Failed("no answer in time", doubtful=True), now)

    def _settle(self, envelope: Envelope, outcome: Outcome, now: datetime) -> None:
        name = envelope.channel.name
        gate = self._gates[name] = after(self._gates.get(name, Gate()), envelope.channel, outcome, now)
        for step in envelope.steps:
            current = self._book.get(step.notification.notification_id)
            if current is None:
                continue
            kept = settled(current, envelope, step, outcome, now)
            self._book.put(kept)
            given_up = kept.deliveries[name].given_up is not None
            _count(name, step.kind, outcome, given_up)
            if given_up:
                log.error("given_up", channel=name, notification=kept.notification_id, reason=_reason(outcome))
            if isinstance(outcome, Delivered) and step.kind is MessageKind.OPENING:
                metrics.NOTIFICATION_DELAY_SECONDS.labels(name).observe(max(0.0, (now - step.news_at).total_seconds()))
        metrics.CHANNEL_FAILURES.labels(name).set(gate.failures)
        if isinstance(outcome, Failed):
            pause = (gate.retry_at - now).total_seconds() if gate.retry_at else 0
            log.warning(
                "not_delivered", channel=name, reason=outcome.error, failures=gate.failures, again_in=round(pause)
            )
        self._report(name, gate, outcome, now)

    def _report(self, channel: str, gate: Gate, outcome: Outcome, now: datetime) -> None:
        """Write down a channel's failure as a notification of its own, for the other channels."""
        known = next((trouble for trouble in self._troubles() if trouble.channel == channel), None)
        trouble = trouble_of(channel, gate, outcome, known, now)
        if trouble is not None:
            self._put_trouble(trouble, now)

    def _put_trouble(self, trouble: Trouble, now: datetime) -> None:
        name = f"channel:{trouble.channel}:{trouble.since.isoformat()}"
        known = self._book.get(name) or Notification(notification_id=name, received_at=now)
        self._book.put(known.model_copy(update={"trouble": trouble}))

    def _drop_removed(self, config: Channels, now: datetime) -> None:
        """A channel that was taken out or switched off fails no more."""
        enabled = {channel.name for channel in config.enabled()}
        for trouble in list(self._troubles()):
            if trouble.channel not in enabled:
                self._put_trouble(trouble.model_copy(update={"ended_at": now}), now)
        for name in self._gates.keys() - enabled:
            del self._gates[name]
            metrics.forget_channel(name)

    def _plan(self, config: Channels, now: datetime) -> Iterator[Envelope]:
        busy = {flight.envelope.channel.name for flight in self._flights.values()}
        self._agenda.refresh(config, self._rules(), now)
        for channel in config.enabled():
            gate = self._gates.get(channel.name, Gate())
            if channel.name not in busy and may_send(channel, gate, now):
                envelope = plan(self._agenda.due(channel, now), channel, gate, now)
                if envelope is not None:
                    yield envelope
            metrics.WAITING_NOTIFICATIONS.labels(channel.name).set(self._agenda.waiting(channel, now))

    def _intents(self, envelopes: Sequence[Envelope]) -> dict[str, Notification]:
        """Return the notifications as they are to be kept before the messages are sent."""
        changed: dict[str, Notification] = {}
        for envelope in envelopes:
            for step in envelope.steps:
                name = step.notification.notification_id
                changed[name] = intended(changed.get(name, step.notification), envelope, step)
        return changed

    def _forget(self, now: datetime) -> list[str]:
        if now < self._forget_at:
            return []
        self._forget_at = now + FORGET_EVERY
        return self._book.forget(now)

    def _start(self, envelope: Envelope, config: Channels) -> None:
        give_up_at = envelope.planned_at + envelope.channel.timeout + GIVE_UP_AFTER
        self._flights[envelope.message_id] = Flight(envelope, give_up_at)
        message_id = envelope.message_id

        def landed(outcome: Outcome) -> None:
            self._outcomes.put((message_id, outcome))

        self._launch(envelope.channel, compose(envelope, config), landed)


def _count(channel: str, kind: MessageKind, outcome: Outcome, given_up: bool) -> None:
    result = "delivered" if isinstance(outcome, Delivered) else "given_up" if given_up else "failed"
    metrics.NOTIFICATIONS.labels(channel, kind.value, result).inc()


def _reason(outcome: Outcome) -> str:
    return outcome.error if isinstance(outcome, Failed) else ""

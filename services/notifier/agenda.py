"""When each channel is next told of each notification: worked out when something changes, not at every look at the clock."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from services.notifier.book import Book
from services.notifier.channels import AnyChannel, Channels
from services.notifier.steps import Step, next_step
from shared.alerts import Alert, AlertRule

_DEFAULT_RULE: Final = AlertRule()


@dataclass(frozen=True)
class Rules:
    """How alerts are delivered: by the rules of the watched keywords by their names, and by that of new terms."""

    keywords: Mapping[str, AlertRule] = field(default_factory=dict)
    new_terms: AlertRule = _DEFAULT_RULE

    def of(self, alert: Alert) -> AlertRule:
        """Return the rule for an alert; the default one for what is neither a keyword nor a name."""
        if alert.subject == "entity":
            return self.new_terms
        return self.keywords.get(alert.keyword, _DEFAULT_RULE) if alert.subject == "keyword" else _DEFAULT_RULE


class Agenda:
    """The times at which channels are due, over the notifications of a book.

    Nothing but a change of a notification, of the channels or of the rules brings a step forward: what is due later is not looked
    at before.
    """

    def __init__(self, book: Book) -> None:
        self._book = book
        self._config = Channels()
        self._rules = Rules()
        self._due: dict[str, dict[str, datetime]] = {}

    def refresh(self, config: Channels, rules: Rules, now: datetime) -> None:
        """Plan what has changed since the last time, or everything under other channels or rules."""
        changed = self._book.take_changed()
        if config is self._config and rules is self._rules:
            self._plan(changed, now)
            return
        self._config, self._rules = config, rules
        self._due = {channel.name: {} for channel in config.enabled()}
        self._plan([notification.notification_id for notification in self._book.all()], now)

    def waiting(self, channel: AnyChannel, now: datetime) -> int:
        """Return how many notifications a channel is due to be told of."""
        return sum(due_at <= now for due_at in self._due[channel.name].values())

    def due(self, channel: AnyChannel, now: datetime) -> list[Step]:
        """Return everything that a channel should be told now, the most urgent first."""
        names = [name for name, due_at in self._due[channel.name].items() if due_at <= now]
        steps = (self._step(name, channel, now) for name in names)
        return sorted((step for step in steps if step is not None and step.due_at <= now), key=lambda step: step.order)

    def _plan(self, names: Iterable[str], now: datetime) -> None:
        channels = list(self._config.enabled())
        for name in names:
            for channel in channels:
                self._step(name, channel, now)

    def _step(self, name: str, channel: AnyChannel, now: datetime) -> Step | None:
        """Return what a channel is to be told next of a notification, and note when."""
        known, stands = self._book.get(name), self._book.standing(name)
        step = next_step(known, stands, channel, self._config, self._rules.of, now) if known and stands else None
        if step is None:
            self._due[channel.name].pop(name, None)
        else:
            self._due[channel.name][name] = step.due_at
        return step

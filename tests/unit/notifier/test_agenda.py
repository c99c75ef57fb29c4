"""The agenda gives what a look at everything would give, and looks at little."""

import random
from datetime import timedelta

import pytest

from services.notifier import agenda as module
from services.notifier.agenda import Agenda, Rules
from services.notifier.book import Book
from services.notifier.standing import standing
from services.notifier.steps import next_step
from shared.alerts import AlertRule, AlertState, Severity
from shared.notifications import Notification
from tests.unit.notifier.samples import NOW, alert, channels, later, minutes, notification

CONFIG = channels(
    {"name": "desk"},
    {"name": "night", "quiet_hours": {"hours": "09:00-21:00"}, "min_severity": "warning"},
    {"name": "hub", "type": "alertmanager", "url": "http://hub.example/"},
    remind_after=["1h", "2h"],
)
RULES = Rules({"Kupyansk": AlertRule(quiet_hours="12:00-13:00"), "Oskil": AlertRule(channels=("desk",))})
KEYWORDS = ("Kupyansk", "Lyman", "Oskil")


def changed(known: Notification, pick: random.Random, minute: int) -> Notification:
    """Return a notification after something happened to it: another record of its alert, or a message that was taken."""
    now = NOW + minutes(minute)
    if pick.random() < 0.5:
        state = pick.choice([AlertState.ACKNOWLEDGED, AlertState.OPEN, AlertState.RESOLVED, AlertState.SUPPRESSED])
        record = later(known.alerts[0], now, state, severity=pick.choice(list(Severity)))
        return known.model_copy(update={"alerts": (record,)})
    name = pick.choice([channel.name for channel in CONFIG.channels])
    told = {"told": standing(known).told(), "last_at": now, "reminders": pick.randrange(3)}
    delivery = known.model_dump()["deliveries"].get(name, {}) | told
    return Notification.model_validate(known.model_dump() | {"deliveries": {**known.deliveries, name: delivery}})


@pytest.mark.parametrize("seed", range(2))
def test_it_gives_what_a_look_at_everything_gives(seed: int) -> None:
    pick = random.Random(seed)
    book = Book()
    rows: dict[str, Notification] = {}
    agenda = Agenda(book)
    for minute in range(0, 30 * 60, 20):
        now = NOW + minutes(minute)
        if pick.random() < 0.1:
            number = len(rows) + 1
            first = alert(
                number, pick.choice(KEYWORDS), severity=pick.choice(list(Severity)), opened_at=now, updated_at=now
            )
            rows[first.alert_id] = notification(first, received_at=now)
            book.keep(rows[first.alert_id])
        if rows and pick.random() < 0.2:
            name = pick.choice(sorted(rows))
            rows[name] = changed(rows[name], pick, minute)
            book.keep(rows[name])
        agenda.refresh(CONFIG, RULES, now)
        for channel in CONFIG.channels:
            steps = [next_step(known, standing(known), channel, CONFIG, RULES.of, now) for known in rows.values()]
            due = [step for step in steps if step is not None and step.due_at <= now]
            assert agenda.due(channel, now) == sorted(due, key=lambda step: step.order)
            assert agenda.waiting(channel, now) == len(due)


def test_what_is_due_later_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0

    def counted(*arguments: object) -> object:
        nonlocal looks
        looks += 1
        return next_step(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "next_step", counted)
    book = Book()
    for number in range(1, 101):
        book.keep(notification(alert(number, clusters=(number,))))
    agenda = Agenda(book)
    for second in range(50):
        now = NOW + timedelta(seconds=second)
        agenda.refresh(CONFIG, RULES, now)
        assert agenda.due(CONFIG.channels[0], now) == []
    assert looks == 100 * len(CONFIG.channels)
    book.keep(notification(alert(1, severity=Severity.CRITICAL)))
    agenda.refresh(CONFIG, RULES, NOW)
    assert looks == 101 * len(CONFIG.channels)


def test_other_channels_or_rules_count_at_once() -> None:
    book = Book()
    book.keep(notification(alert(1, "Oskil")))
    agenda = Agenda(book)
    (desk, night, hub) = CONFIG.channels
    now = NOW + minutes(2)
    agenda.refresh(CONFIG, RULES, now)
    assert [len(agenda.due(channel, now)) for channel in (desk, night, hub)] == [1, 0, 0]
    agenda.refresh(CONFIG, Rules(), now)
    assert [len(agenda.due(channel, now)) for channel in (desk, hub)] == [1, 1]
    alone = channels({"name": "desk", "min_severity": "critical"})
    agenda.refresh(alone, Rules(), now)
    assert agenda.due(alone.channels[0], now) == []


def test_new_terms_have_a_rule_of_their_own() -> None:
    rules = Rules({"Oskil": AlertRule(channels=("desk",))}, new_terms=AlertRule(channels=("night",)))
    assert rules.of(alert(1, "Oskil")).channels == ("desk",)
    assert rules.of(alert(1, "Oskil", subject="entity", entity_id="gn:1")).channels == ("night",)
    assert rules.of(alert(1, "Oskil", subject="feed")).channels == ()

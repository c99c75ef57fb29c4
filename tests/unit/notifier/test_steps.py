"""What a channel is told next and from when on: openings, updates, reminders, ends, quiet hours."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.notifier.channels import Channels
from services.notifier.standing import standing
from services.notifier.steps import UPDATE_PAUSE, Step, next_step, quiet_until
from shared.alerts import Action, Alert, AlertRule, AlertState, Handling, Severity
from shared.notifications import Delivery, Intent, MessageKind, Notification, Told, Trouble
from tests.unit.notifier.samples import NOW, alert, channel, later, minutes, notification, reading

HOUR = timedelta(hours=1)
CONFIG = Channels()


def rule(alert: Alert) -> AlertRule:
    return AlertRule()


def step(known: Notification, now: datetime = NOW, config: Channels = CONFIG, **block: Any) -> Step | None:
    return next_step(known, standing(known), channel(**block), config, rule, now)


def told(known: Notification, **update: Any) -> Notification:
    """Return a notification of which the desk was told at NOW."""
    knows = Told(
        severity=known.alerts[0].severity, alert_ids=(known.alerts[0].alert_id,), ratio=known.alerts[0].peak.ratio
    )
    delivery = Delivery(told=knows, first_at=NOW, last_at=NOW, messages=1).model_copy(update=update)
    return known.model_copy(update={"deliveries": {"desk": delivery}})


def kind_and_time(found: Step | None) -> tuple[MessageKind, datetime] | None:
    return (found.kind, found.due_at) if found else None


def test_an_opening_waits_for_companions() -> None:
    assert kind_and_time(step(notification())) == (MessageKind.OPENING, NOW + minutes(1))


@pytest.mark.parametrize("state", [AlertState.ACKNOWLEDGED, AlertState.SUPPRESSED, AlertState.RESOLVED])
def test_what_is_not_open_is_no_news(state: AlertState) -> None:
    assert step(notification(later(alert(), NOW, state))) is None


@pytest.mark.parametrize(("least", "is_told"), [("notice", True), ("warning", True), ("critical", False)])
def test_a_channel_has_its_least_severity(least: str, is_told: bool) -> None:
    assert (step(notification(alert(severity=Severity.WARNING)), min_severity=least) is not None) is is_told


def test_a_keyword_may_name_its_channels() -> None:
    def only(name: str) -> Any:
        return lambda alert: AlertRule(channels=(name,)) if alert.keyword == "Kupyansk" else AlertRule()

    known = notification(alert(1, "Kupyansk"))
    assert next_step(known, standing(known), channel(), CONFIG, only("desk"), NOW) is not None
    assert next_step(known, standing(known), channel(), CONFIG, only("night"), NOW) is None
    grouped = notification(alert(1, "Kupyansk"), alert(2, "Oskil"))
    assert next_step(grouped, standing(grouped), channel(), CONFIG, only("night"), NOW) is not None


@pytest.mark.parametrize(
    ("sent", "pause"), [(0, 6), (1, 12), (2, 24), (3, 24), (9, 24)],
)  # fmt: skip
def test_reminders_come_less_and_less_often(sent: int, pause: int) -> None:
    known = told(notification(), reminders=sent)
    assert kind_and_time(step(known)) == (MessageKind.REMINDER, NOW + pause * HOUR)


@pytest.mark.parametrize("state", [AlertState.ACKNOWLEDGED, AlertState.SUPPRESSED])
def test_nobody_is_reminded_of_what_somebody_has_taken(state: AlertState) -> None:
    assert step(told(notification(later(alert(), NOW, state)))) is None


@pytest.mark.parametrize(
    "change",
    [{"severity": Severity.CRITICAL}, {"peak": reading(28)}],
    ids=["more severe", "twice as far from usual"],
)
def test_an_escalation_is_an_update_of_the_same_message(change: dict[str, Any]) -> None:
    before = told(notification(alert()))
    after = before.model_copy(update={"alerts": (later(alert(), NOW + minutes(3), **change),)})
    assert kind_and_time(step(after)) == (MessageKind.UPDATE, NOW + UPDATE_PAUSE)
    small = before.model_copy(update={"alerts": (later(alert(), NOW + minutes(3), peak=reading(20)),)})
    assert kind_and_time(step(small)) == (MessageKind.REMINDER, NOW + 6 * HOUR)


def test_a_keyword_that_joins_is_an_update() -> None:
    known = told(notification())
    joined = known.model_copy(update={"alerts": (*known.alerts, alert(2, "Oskil"))})
    found = step(joined)
    assert found is not None
    assert found.kind is MessageKind.UPDATE


def test_an_acknowledged_alert_speaks_up_only_when_it_becomes_more_severe() -> None:
    known = told(notification())
    worse = later(alert(), NOW + minutes(9), AlertState.ACKNOWLEDGED, severity=Severity.CRITICAL)
    found = step(known.model_copy(update={"alerts": (worse,)}))
    assert found is not None
    assert found.kind is MessageKind.UPDATE
    larger = later(alert(), NOW + minutes(9), AlertState.ACKNOWLEDGED, peak=reading(40))
    assert step(known.model_copy(update={"alerts": (larger,)})) is None


def test_the_end_goes_to_those_who_got_the_opening_once() -> None:
    over = later(alert(), NOW + HOUR, AlertState.RESOLVED)
    assert step(notification(over)) is None
    found = step(told(notification(over)), NOW + HOUR)
    assert found is not None
    assert (found.kind, found.due_at <= NOW + HOUR, found.news_at) == (MessageKind.RESOLVED, True, NOW + HOUR)
    assert step(told(notification(over), resolved_at=NOW + HOUR), NOW + HOUR) is None
    maybe = Delivery(intent=Intent(message_id="m", kind=MessageKind.OPENING, at=NOW))
    unsure = step(notification(over, deliveries={"desk": maybe}), NOW + HOUR)
    assert unsure is not None
    assert (unsure.kind, unsure.repeat) == (MessageKind.RESOLVED, False)


@pytest.mark.parametrize(
    ("handling", "is_told"),
    [
        ([], True),
        ([(Action.ACK, None)], True),
        ([(Action.SILENCE, None)], False),
        ([(Action.SILENCE, NOW + 2 * HOUR)], False),
        ([(Action.SILENCE, NOW + 0.5 * HOUR)], True),
        ([(Action.SILENCE, None), (Action.UNSILENCE, None)], True),
    ],
)
def test_what_ends_under_a_silence_ends_in_silence(
    handling: list[tuple[Action, datetime | None]], is_told: bool
) -> None:
    done = tuple(Handling(action=action, at=NOW, author="lan", until=until) for action, until in handling)
    over = later(alert(), NOW + HOUR, AlertState.RESOLVED, handling=done)
    assert (step(told(notification(over)), NOW + HOUR) is not None) is is_told


def test_history_is_no_news_and_an_open_alert_is_still_reminded_of() -> None:
    """A replay of old records notifies nobody: what last changed twelve hours ago is over for the reader."""
    assert step(notification(), NOW + 12 * HOUR) is not None
    assert step(notification(), NOW + 12 * HOUR + minutes(1)) is None
    over = later(alert(), NOW, AlertState.RESOLVED)
    assert step(told(notification(over)), NOW + 13 * HOUR) is None
    reminder = step(told(notification()), NOW + 30 * HOUR)
    assert reminder is not None
    assert reminder.kind is MessageKind.REMINDER


def test_what_was_given_up_is_not_tried_again() -> None:
    assert step(notification(deliveries={"desk": Delivery(given_up="HTTP 400")})) is None


def test_a_failing_channel_is_reported_to_the_others() -> None:
    trouble = Trouble(channel="other", since=NOW, failures=3, error="HTTP 503")
    known = Notification(notification_id="channel:other", received_at=NOW, trouble=trouble)
    assert kind_and_time(step(known)) == (MessageKind.OPENING, NOW)
    assert next_step(known, standing(known), channel(name="other"), CONFIG, rule, NOW) is None


@pytest.mark.parametrize(
    ("clock", "end"),
    [("22:59", None), ("23:00", "2025-11-23T06:00"), ("23:59", "2025-11-23T06:00"), ("00:00", "2025-11-22T06:00"),
     ("05:59", "2025-11-22T06:00"), ("06:00", None)],
)  # fmt: skip
def test_quiet_hours_over_midnight(clock: str, end: str | None) -> None:
    moment = datetime.fromisoformat(f"2025-11-22T{clock}+07:00").astimezone(UTC)
    wanted = datetime.fromisoformat(f"{end}+07:00") if end else None
    assert quiet_until("23:00-06:00", "Asia/Ho_Chi_Minh", moment) == wanted


def test_quiet_hours_by_day_and_none() -> None:
    noon = datetime(2025, 11, 22, 12, 30, tzinfo=UTC)
    assert quiet_until("12:00-13:00", "UTC", noon) == datetime(2025, 11, 22, 13, tzinfo=UTC)
    assert quiet_until("13:00-14:00", "UTC", noon) is None
    assert quiet_until("12:30-12:30", "UTC", noon) is None


def test_quiet_hours_end_by_the_local_clock_when_the_clocks_change() -> None:
    before_the_change = datetime(2025, 10, 25, 22, tzinfo=UTC)
    assert quiet_until("23:00-06:00", "Europe/Berlin", before_the_change) == datetime(2025, 10, 26, 5, tzinfo=UTC)


def test_a_channel_sleeps_and_a_critical_alert_wakes_it() -> None:
    quiet = {"hours": "09:00-11:00", "timezone": "Asia/Ho_Chi_Minh"}  # NOW is 10:00 there
    morning = NOW + HOUR
    assert kind_and_time(step(notification(), quiet_hours=quiet)) == (MessageKind.OPENING, morning)
    urgent = notification(alert(severity=Severity.CRITICAL))
    assert kind_and_time(step(urgent, quiet_hours=quiet)) == (MessageKind.OPENING, NOW + minutes(1))
    quieter = {**quiet, "except_from": "warning"}
    assert kind_and_time(step(notification(), quiet_hours=quieter)) == (MessageKind.OPENING, NOW + minutes(1))


def test_a_keyword_sleeps_unless_another_of_the_message_is_awake() -> None:
    def asleep(alert: Alert) -> AlertRule:
        return AlertRule(quiet_hours="09:00-11:00") if alert.keyword == "Kupyansk" else AlertRule()

    known = notification()
    found = next_step(known, standing(known), channel(), CONFIG, asleep, NOW)
    assert kind_and_time(found) == (MessageKind.OPENING, NOW + HOUR)
    both = notification(alert(1), alert(2, "Oskil"))
    assert kind_and_time(next_step(both, standing(both), channel(), CONFIG, asleep, NOW)) == (
        MessageKind.OPENING,
        NOW + minutes(1),
    )
    urgent = notification(alert(severity=Severity.CRITICAL))
    assert kind_and_time(next_step(urgent, standing(urgent), channel(), CONFIG, asleep, NOW)) == (
        MessageKind.OPENING,
        NOW + minutes(1),
    )


def test_what_keeps_alerts_by_itself_is_told_at_once() -> None:
    block: dict[str, Any] = {"type": "alertmanager", "url": "http://am:9093", "quiet_hours": {"hours": "09:00-11:00"}}
    assert kind_and_time(step(notification(), **block)) == (MessageKind.OPENING, NOW)

"""Which message is sent now, what is known after it, and how long a failing channel is left alone."""

from datetime import datetime, timedelta

from services.notifier.channels import Limit
from services.notifier.steps import Step
from services.notifier.transform import (
    LONGEST_PAUSE,
    MAX_REFUSALS,
    Delivered,
    Envelope,
    Failed,
    Gate,
    after,
    backoff,
    intended,
    plan,
    settled,
    trouble_of,
)
from shared.alerts import Severity
from shared.notifications import MessageKind, Notification
from tests.unit.notifier.samples import NOW, alert, channel, due_steps, minutes, notification

DUE = NOW + minutes(2)


def due(*known: Notification, now: datetime = DUE) -> list[Step]:
    return due_steps(known, channel(), now)


def many(count: int) -> list[Notification]:
    return [notification(alert(number, clusters=(number,))) for number in range(1, count + 1)]


def envelope(*known: Notification) -> Envelope:
    made = plan(due(*known), channel(), Gate(), DUE)
    assert made is not None
    return made


def test_the_most_severe_goes_first_then_the_oldest() -> None:
    old = notification(alert(1, opened_at=NOW - minutes(5)))
    young = notification(alert(2))
    urgent = notification(alert(3, severity=Severity.CRITICAL))
    assert [step.notification for step in due(young, old, urgent)] == [urgent, old, young]


def test_what_was_refused_makes_way() -> None:
    first, second = many(2)
    refused = settled(first, envelope(first), due(first)[0], Failed("HTTP 400", refused=True), DUE)
    assert [step.notification for step in due(refused, second)] == [second, refused]


def test_nothing_is_due_before_its_time() -> None:
    assert due(notification(), now=NOW) == []
    assert plan([], channel(), Gate(), NOW) is None


def test_the_last_message_that_the_limit_leaves_gathers_all_others() -> None:
    limited = channel(limit={"messages": 3, "per": "10m"})
    steps = due(*many(7))
    first = plan(steps, limited, Gate(), DUE)
    digest = plan(steps, limited, Gate(sent=(DUE, DUE)), DUE)
    assert first is not None
    assert digest is not None
    assert (len(first.steps), len(digest.steps)) == (1, 7)
    full = Gate(sent=(NOW, DUE, DUE))
    assert plan(steps, limited, full, DUE) is None
    assert plan(steps, limited, full, NOW + minutes(10)) is not None
    only_one = channel(limit={"messages": 1, "per": "10m"})
    single = plan(steps, only_one, Gate(), DUE)
    assert single is not None
    assert len(single.steps) == 1


def test_what_keeps_alerts_by_itself_has_no_limit() -> None:
    mirror = channel(type="alertmanager", url="http://am:9093", limit={"messages": 1})
    made = plan(due(*many(3)), mirror, Gate(sent=(DUE,) * 50), DUE)
    assert made is not None
    assert len(made.steps) == 1


def test_an_intent_that_was_not_settled_makes_the_next_attempt_a_repetition_with_the_same_id() -> None:
    first = envelope(notification())
    assert not first.repeat
    crashed = intended(notification(), first, first.steps[0])
    again = envelope(crashed)
    assert again.repeat
    assert again.message_id == first.message_id
    doubtful = settled(crashed, first, first.steps[0], Failed("no answer in time", doubtful=True), DUE)
    assert envelope(doubtful).repeat
    certain = settled(crashed, first, first.steps[0], Failed("ConnectionRefusedError"), DUE)
    assert not envelope(certain).repeat


def test_a_certain_failure_of_a_repetition_leaves_the_doubt() -> None:
    first = envelope(notification())
    crashed = intended(notification(), first, first.steps[0])
    again = envelope(crashed)
    assert envelope(settled(crashed, again, again.steps[0], Failed("refused"), DUE)).repeat


def test_what_is_known_after_a_delivery() -> None:
    sent = envelope(notification())
    known = settled(intended(notification(), sent, sent.steps[0]), sent, sent.steps[0], Delivered("77"), DUE)
    delivery = known.deliveries["desk"]
    assert (delivery.messages, delivery.reference, delivery.first_at, delivery.intent) == (1, "77", DUE, None)
    assert delivery.told is not None
    assert (delivery.told.severity, delivery.told.alert_ids) == (Severity.WARNING, (alert().alert_id,))
    reminded = due(known, now=DUE + timedelta(hours=6))
    assert [step.kind for step in reminded] == [MessageKind.REMINDER]


def test_a_message_that_is_refused_again_and_again_is_given_up() -> None:
    known = notification()
    for attempt in range(1, MAX_REFUSALS + 1):
        sent = envelope(known)
        known = settled(known, sent, sent.steps[0], Failed("HTTP 400 chat not found", refused=True), DUE)
        assert (known.deliveries["desk"].given_up is not None) is (attempt == MAX_REFUSALS)
    assert due(known) == []


def test_a_channel_that_is_away_refuses_nothing() -> None:
    known = notification()
    for _ in range(20):
        sent = envelope(known)
        known = settled(known, sent, sent.steps[0], Failed("HTTP 503"), DUE)
    assert len(due(known)) == 1


def test_pauses_grow_to_five_minutes_and_are_spread() -> None:
    pauses = [backoff(failures, "desk") for failures in range(30)]
    assert timedelta(seconds=5) <= pauses[0] <= timedelta(seconds=6.25)
    assert LONGEST_PAUSE <= pauses[-1] <= 1.25 * LONGEST_PAUSE
    assert pauses[:5] == sorted(pauses[:5])
    assert len({backoff(3, name) for name in ("a", "b", "c", "d")}) > 1


def test_a_channel_gets_the_pause_it_asks_for() -> None:
    asked = after(Gate(), channel(), Failed("HTTP 429", retry_after=minutes(7)), NOW)
    assert asked.retry_at == NOW + minutes(7)
    short = after(Gate(), channel(), Failed("HTTP 429", retry_after=timedelta(seconds=1)), NOW)
    assert short.retry_at == NOW + backoff(0, "desk")
    absurd = after(Gate(), channel(), Failed("HTTP 429", retry_after=timedelta(days=1)), NOW)
    assert absurd.retry_at == NOW + timedelta(hours=1)
    assert plan(due(notification()), channel(), asked, DUE) is None
    assert plan(due(notification()), channel(), asked, NOW + minutes(7)) is not None


def test_failures_are_counted_until_a_message_is_taken() -> None:
    gate = Gate()
    for second in range(3):
        gate = after(gate, channel(), Failed("HTTP 503"), NOW + timedelta(seconds=second))
    assert (gate.failures, gate.failing_since) == (3, NOW)
    gate = after(gate, channel(), Delivered(), NOW)
    assert gate == Gate(sent=(NOW,))


def test_the_room_that_a_limit_leaves() -> None:
    limit = Limit(messages=3, per=minutes(10))
    gate = Gate(sent=(NOW - minutes(11), NOW - minutes(9), NOW))
    assert [gate.room(limit, NOW), Gate().room(limit, NOW), Gate(sent=(NOW,) * 9).room(limit, NOW)] == [1, 3, 0]


def test_a_failing_channel_is_reported_from_the_third_failure_to_its_end() -> None:
    failed = Failed("HTTP 503")
    assert trouble_of("desk", Gate(2, NOW), failed, None, NOW) is None
    first = trouble_of("desk", Gate(3, NOW), failed, None, NOW + minutes(1))
    assert first is not None
    assert (first.since, first.failures, first.error, first.ended_at) == (NOW, 3, "HTTP 503", None)
    longer = trouble_of("desk", Gate(4, NOW + minutes(1)), failed, first, NOW + minutes(2))
    assert longer is not None
    assert (longer.since, longer.failures) == (NOW, 4)
    ended = trouble_of("desk", Gate(), Delivered(), longer, NOW + minutes(3))
    assert ended is not None
    assert ended.ended_at == NOW + minutes(3)
    assert trouble_of("desk", Gate(), Delivered(), ended, NOW + minutes(4)) is None
    assert trouble_of("desk", Gate(), Delivered(), None, NOW) is None
    anew = trouble_of("desk", Gate(3, DUE), failed, ended, DUE)
    assert anew is not None
    assert anew.since == DUE

"""Names that no keyword looks for: rare ones that are suddenly told alarm, everything else does not."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cache

import pytest

from services.alerter.detector import Detector
from services.alerter.spikes import TICK
from services.alerter.state import dump_state, load_state
from shared.alerts import (
    Action,
    Alert,
    AlertKind,
    AlertState,
    Command,
    ConfigSnapshot,
    Name,
    Named,
    NewTermRule,
    SilenceTarget,
    Tick,
)
from shared.ids import article_id_for_text
from tests.unit.alerter.streams import HOUR, MINUTE, START

RULE = NewTermRule(days=14)
AT = START + timedelta(days=9, hours=4)
USUAL = ("gn:703448", "Q212")
NEW = "gn:707898"


def named(at: datetime, *ids: str, story: str, source: str = "Báo 1", **fields: object) -> Named:
    defaults: dict[str, object] = {
        "article_id": article_id_for_text(story), "cluster_id": story, "story_id": story, "feed": source, "source": source,
        "language": "vi", "title": f"Tin {story}", "url": f"https://x.example/{story}", "arrived_at": at, "trace_id": "0" * 32,
        "names": [Name(id=each, label=f"Tên {each}", type="LOC") for each in ids], "knowledge": "1+a",
    }  # fmt: skip
    return Named.model_validate(defaults | fields)


def told(at: datetime, count: int = 5, sources: int = 3, entity: str = NEW, **fields: object) -> list[Named]:
    """Return stories that name a new thing beside the usual ones, one every ten minutes."""
    return [
        named(
            at + number * 10 * MINUTE,
            *USUAL,
            entity,
            story=f"{at} {number}",
            source=f"Báo {number % sources}",
            **fields,
        )
        for number in range(count)
    ]


def config(rule: NewTermRule | None = RULE, at: datetime = START) -> ConfigSnapshot:
    return ConfigSnapshot(hash=f"{rule}", at=at, new_terms=rule)


def folded(records: Iterable[Named], detector: Detector, until: datetime | None = None) -> list[Alert]:
    """Return the alerts on names over records in order, time passing between them and until an end."""
    alerts: list[Alert] = []
    clock = detector.state.clock

    def pass_time(end: datetime) -> None:
        nonlocal clock
        for second in range(clock // 600 * 600 + 600, int(end.timestamp()) + 1, int(TICK.total_seconds())):
            alerts.extend(detector.apply(Tick(at=datetime.fromtimestamp(second, START.tzinfo))))
            clock = second

    for record in records:
        pass_time(record.arrived_at)
        alerts += detector.apply(record)
    if until:
        pass_time(until)
    return [alert for alert in alerts if alert.kind is not AlertKind.SILENCE]


@cache
def nine_days() -> bytes:
    """Return the state after nine days in which eight sources name two things every hour."""
    detector = Detector()
    detector.apply(config())
    ordinary = [
        named(START + number * HOUR, *USUAL, story=f"ordinary {number}", source=f"Báo {number % 8}")
        for number in range(9 * 24)
    ]
    assert folded(ordinary, detector) == []
    return dump_state(detector.state)


def detector() -> Detector:
    return Detector(load_state(nine_days()))


def test_a_name_never_told_before_is_one_alert_with_its_stories() -> None:
    opening, *rest = folded(told(AT), detector())
    assert rest == []
    assert (opening.kind, opening.subject, opening.entity_id, opening.keyword) == (
        "new_term",
        "entity",
        NEW,
        f"Tên {NEW}",
    )
    assert (opening.opening.stories, opening.opening.hours, len(opening.sources)) == (5, 24, 3)
    assert opening.opened_at == AT + 40 * MINUTE
    assert opening.reason_vi.startswith(f"Từ mới: Tên {NEW} — 5 tin trong 24 giờ")
    assert {story.title for story in opening.stories} == {f"Tin {AT} {number}" for number in range(5)}


@pytest.mark.parametrize(
    ("records", "why"),
    [
        (told(AT, count=4), "too few stories"),
        (told(AT, sources=2), "too few sources"),
        (told(AT, backlog=True), "a feed's first visit"),
        (told(AT, replay=True), "an article processed again"),
        (told(AT, claimed_at=AT - 2 * timedelta(days=1)), "old articles that come late"),
        (told(AT, entity=USUAL[0]), "told every hour"),
        ([*told(AT, count=4), *told(AT, count=4)], "the same stories twice"),
        (told(AT, knowledge="1+b"), "new to the alias sets only"),
        ([*told(AT - 2 * timedelta(days=1), count=2), *told(AT)], "told two days before"),
    ],
)  # fmt: skip
def test_no_alert(records: list[Named], why: str) -> None:
    assert folded(records, detector()) == [], why


@pytest.mark.parametrize(
    "rule",
    [
        NewTermRule(enabled=False),
        NewTermRule(ignore=(NEW,)),
        NewTermRule(types=("PERSON",)),
        NewTermRule(min_stories=6),
        NewTermRule(min_sources=4),
        None,
    ],
)  # fmt: skip
def test_the_rule_says_what_counts(rule: NewTermRule | None) -> None:
    state = detector()
    state.apply(config(rule))
    assert folded(told(AT), state) == []


def test_one_story_before_is_still_rare_and_long_ago_does_not_count() -> None:
    once = folded([*told(AT - 2 * timedelta(days=1), count=1), *told(AT)], detector())
    assert [alert.sequence for alert in once] == [1]
    state = detector()
    folded(told(AT - 3 * timedelta(days=1), count=3), state)
    later = AT + timedelta(days=13)
    assert [alert.sequence for alert in folded(told(later), state)] == [1]


def test_the_first_week_only_teaches() -> None:
    state = Detector()
    state.apply(config())
    assert folded([named(START, *USUAL, story="first"), *told(START + timedelta(days=5))], state) == []


def test_it_is_followed_and_resolved_and_then_known() -> None:
    state = detector()
    alerts = folded([*told(AT), *told(AT + HOUR, count=6, sources=6)], state, until=AT + timedelta(hours=14))
    assert {alert.alert_id for alert in alerts} == {alerts[0].alert_id}
    assert [alert.sequence for alert in alerts] == list(range(1, len(alerts) + 1))
    assert max(reading.stories for alert in alerts for reading in alert.windows) == 11
    assert (alerts[-1].state, alerts[-1].severity) == (AlertState.RESOLVED, "warning")
    assert not state.state.standing_terms
    assert folded(told(AT + timedelta(days=2)), state) == []


def test_an_operator_answers_and_silences() -> None:
    state = detector()
    (opening,) = folded(told(AT), state)
    now = AT + HOUR
    ask = {"command_id": "1", "at": now, "author": "trực ban"}
    (acknowledged,) = state.apply(Command(action=Action.ACK, alert_id=opening.alert_id, **ask))
    assert acknowledged.state is AlertState.ACKNOWLEDGED
    target = SilenceTarget(scope="keyword", name=opening.keyword)
    (silenced,) = state.apply(Command(action=Action.SILENCE, target=target, until=now + HOUR, **ask))
    assert silenced.state is AlertState.SUPPRESSED
    (resolved,) = state.apply(Command(action=Action.RESOLVE, alert_id=opening.alert_id, **ask))
    assert resolved.state is AlertState.RESOLVED


def test_an_alert_ends_when_nobody_wants_it_any_more() -> None:
    state = detector()
    (opening,) = folded(told(AT), state)
    (resolved,) = state.apply(config(NewTermRule(ignore=(NEW,)), AT + HOUR))
    assert (resolved.alert_id, resolved.state) == (opening.alert_id, AlertState.RESOLVED)


def test_a_restored_state_gives_the_same_alerts() -> None:
    records = [*told(AT), *told(AT + HOUR, count=6, sources=6)]
    whole = folded(records, detector(), until=AT + timedelta(hours=9))
    for cut in (1, 4, 5, 8):
        state = detector()
        first = folded(records[:cut], state)
        again = Detector(load_state(dump_state(state.state)))
        assert [*first, *folded(records[cut:], again, until=AT + timedelta(hours=9))] == whole


def test_a_takedown_takes_title_and_link_out_of_what_is_told() -> None:
    state = detector()
    records = told(AT)
    (opening,) = folded(records, state)
    (changed,) = state.take_down(records[0].article_id)
    assert [story.title for story in changed.stories].count("") == 1
    assert changed.sequence == opening.sequence + 1
    early = detector()
    folded(records[:2], early)
    assert early.take_down(records[0].article_id) == []
    (bare,) = folded(records[2:], early)
    assert [story.title for story in bare.stories].count("") == 1

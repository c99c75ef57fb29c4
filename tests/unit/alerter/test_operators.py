"""What operators ask of the detector: acknowledge, resolve, mark false, silence; and what a changed configuration does."""

from datetime import datetime, timedelta
from functools import cache

import pytest

from services.alerter.detector import Detector
from services.alerter.spikes import folded
from services.alerter.state import dump_state, load_state
from shared.alerts import (
    Action,
    Alert,
    AlertRule,
    AlertState,
    Command,
    ConfigSnapshot,
    SilenceTarget,
    Tick,
    WatchedKeyword,
)
from tests.unit.alerter.streams import HOUR, MINUTE, START, ordinary, spike

AT = START + timedelta(days=2, hours=4)
NOW = AT + HOUR


def config(at: datetime = START, *names: str, **rule: object) -> ConfigSnapshot:
    keywords = tuple(
        WatchedKeyword(name=name, rule=AlertRule.model_validate({"group": "front", **rule}), hash=f"{name}{rule}")
        for name in names or ("Kupyansk",)
    )
    return ConfigSnapshot(hash=f"{names}{rule}", at=at, keywords=keywords)


@cache
def before() -> bytes:
    """Return the state after two ordinary days."""
    detector = Detector()
    detector.apply(config())
    list(folded(ordinary(days=2, per_day={"Kupyansk": 3.0}), detector))
    return dump_state(detector.state)


def detector_with_alert() -> tuple[Detector, Alert]:
    detector = Detector(load_state(before()))
    alerts = [*folded(spike(AT), detector), *detector.apply(Tick(at=NOW))]
    return detector, alerts[-1]


def command(action: Action, at: datetime = NOW, **fields: object) -> Command:
    return Command.model_validate({"command_id": "1", "action": action, "at": at, "author": "trực ban", **fields})


def silence(scope: str, name: str, until: datetime) -> Command:
    return command(Action.SILENCE, target={"scope": scope, "name": name}, until=until, reason="đã biết")


@pytest.mark.parametrize(
    ("action", "state"),
    [
        (Action.ACK, AlertState.ACKNOWLEDGED),
        (Action.RESOLVE, AlertState.RESOLVED),
        (Action.MARK_FALSE, AlertState.RESOLVED),
    ],
)
def test_an_alert_is_handled_by_name(action: Action, state: AlertState) -> None:
    detector, alert = detector_with_alert()
    (handled,) = detector.apply(command(action, alert_id=alert.alert_id, reason="đã xem"))
    assert (handled.alert_id, handled.state, handled.sequence) == (alert.alert_id, state, alert.sequence + 1)
    assert (handled.handling[-1].action, handled.handling[-1].author) == (action, "trực ban")
    assert (handled.resolved_at is not None) == (state is AlertState.RESOLVED)
    assert detector.apply(command(action, alert_id="0" * 32)) == []


def test_what_was_resolved_by_hand_does_not_come_again_over_its_stories() -> None:
    detector, alert = detector_with_alert()
    detector.apply(command(Action.MARK_FALSE, alert_id=alert.alert_id))
    assert list(folded(spike(NOW, stories=2), detector)) == []


@pytest.mark.parametrize(("scope", "name"), [("keyword", "Kupyansk"), ("group", "front")])
def test_a_silence_suppresses_until_its_end(scope: str, name: str) -> None:
    detector, alert = detector_with_alert()
    (suppressed,) = detector.apply(silence(scope, name, NOW + 30 * MINUTE))
    assert (suppressed.alert_id, suppressed.state) == (alert.alert_id, AlertState.SUPPRESSED)
    assert suppressed.handling[-1].until == NOW + 30 * MINUTE
    detector = Detector(load_state(dump_state(detector.state)))
    assert detector.apply(Tick(at=NOW + 29 * MINUTE)) == []
    (again,) = detector.apply(Tick(at=NOW + 30 * MINUTE))
    assert again.state is AlertState.OPEN


def test_a_silence_is_shortened_and_lifted_at_once() -> None:
    detector, alert = detector_with_alert()
    detector.apply(command(Action.ACK, alert_id=alert.alert_id))
    detector.apply(silence("keyword", "Kupyansk", NOW + 10 * HOUR))
    assert detector.apply(silence("keyword", "Kupyansk", NOW + 5 * MINUTE)) == []
    assert [each.state for each in detector.apply(Tick(at=NOW + 6 * MINUTE))] == [AlertState.ACKNOWLEDGED]
    detector.apply(silence("keyword", "Kupyansk", NOW + 10 * HOUR))
    target = SilenceTarget(scope="keyword", name="Kupyansk")
    assert [each.state for each in detector.apply(command(Action.UNSILENCE, target=target))] == [
        AlertState.ACKNOWLEDGED
    ]


def test_a_spike_under_a_silence_is_suppressed_from_the_start() -> None:
    detector = Detector(load_state(before()))
    detector.apply(silence("keyword", "Kupyansk", AT + 10 * HOUR))
    alerts = list(folded(spike(AT), detector))
    assert alerts
    assert {alert.state for alert in alerts} == {AlertState.SUPPRESSED}


def test_stories_of_a_silenced_source_do_not_count() -> None:
    detector = Detector(load_state(before()))
    for number in range(4):
        detector.apply(silence("source", f"Báo {number}", AT + 10 * HOUR))
    assert list(folded(spike(AT), detector)) == []


def test_a_keyword_that_is_no_longer_watched_takes_its_alert_along() -> None:
    detector, alert = detector_with_alert()
    (gone,) = detector.apply(config(NOW, "Kherson"))
    assert (gone.alert_id, gone.state) == (alert.alert_id, AlertState.RESOLVED)
    assert list(folded(spike(NOW), detector)) == []


def test_a_new_keyword_is_not_judged_in_its_first_day() -> None:
    detector = Detector(load_state(before()))
    detector.apply(config(AT, "Kupyansk", "Mới"))
    assert list(folded(spike(AT, keyword="Mới"), detector)) == []


@pytest.mark.parametrize("rule", [{"enabled": False}, {"min_stories": 20}, {"min_sources": 9}, {"sensitivity": "low"}])
def test_a_rule_is_heeded(rule: dict[str, object]) -> None:
    detector = Detector(load_state(before()))
    detector.apply(config(AT, "Kupyansk", **rule))
    stories = 4 if "sensitivity" in rule else 9
    assert list(folded(spike(AT, stories=stories), detector)) == []


def test_the_record_names_rule_and_configuration() -> None:
    _, alert = detector_with_alert()
    assert (alert.rule_hash, alert.config_hash, alert.group) == ("Kupyansk{}", "(){}", "front")


def test_a_title_that_was_taken_down_is_in_no_later_record() -> None:
    detector, alert = detector_with_alert()
    for story in alert.stories:
        detector.take_down(story.article_id)
    told = {story.article_id for story in alert.stories}
    for each in folded(spike(NOW, stories=30, sources=8), detector):
        assert all(not story.title and story.url is None for story in each.stories if story.article_id in told)

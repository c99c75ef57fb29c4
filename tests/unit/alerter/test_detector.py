"""What alarms and what does not, and that the log alone decides."""

import random
from datetime import timedelta
from functools import cache

import pytest

from services.alerter.detector import Detector
from services.alerter.spikes import folded
from services.alerter.state import dump_state, load_state
from shared.alerts import Alert, AlertKind, AlertState, Hit, Severity, Tick
from tests.unit.alerter.streams import END, HOUR, MINUTE, hit, in_order, lines, opened, ordinary, run, spike

AT = END - 20 * HOUR


@cache
def days() -> tuple[Hit, ...]:
    return tuple(ordinary())


@cache
def spiked() -> tuple[Hit, ...]:
    """Return ordinary days with two spikes and a new term."""
    return tuple(
        in_order(
            [
                *days(),
                *spike(AT - 60 * HOUR, keyword="Kherson", stories=30),
                *spike(AT),
                *spike(AT + 2 * HOUR, keyword="Huliaipole"),
            ]
        )
    )


@cache
def spiked_alerts() -> tuple[Alert, ...]:
    return tuple(run(spiked()))


def test_ordinary_days_give_nothing() -> None:
    assert opened(run(days())) == []


def test_a_spike_is_one_alert_with_its_evidence() -> None:
    (alert,) = opened([each for each in spiked_alerts() if each.keyword == "Kupyansk"])
    assert alert.kind is AlertKind.SPIKE
    assert AT < alert.opened_at < AT + HOUR
    assert alert.opening.end == alert.opened_at
    assert alert.opening.stories >= 3
    assert alert.opening.ratio > 2
    assert alert.opening.probability < 1e-3
    assert sum(tally.stories for tally in alert.sources) == alert.opening.stories
    assert [tally.name for tally in alert.languages] == ["vi"]
    assert all(story.title.startswith("Tin spike") and story.url for story in alert.stories[:3])
    assert alert.reason_vi.startswith(
        f"Đột biến: Kupyansk — {alert.opening.stories} tin trong {alert.opening.hours} giờ"
    )
    assert alert.reason_en.startswith(f"Spike: Kupyansk — {alert.opening.stories} stories")


def test_an_alert_ends_and_does_not_open_again_over_the_same_stories() -> None:
    records = [each for each in spiked_alerts() if each.keyword == "Kupyansk" and each.kind is AlertKind.SPIKE]
    assert len({each.alert_id for each in records}) == 1
    assert [each.sequence for each in records] == list(range(1, len(records) + 1))
    assert records[-1].state is AlertState.RESOLVED
    assert records[-1].resolved_at == records[-1].updated_at
    assert timedelta(hours=6) <= records[-1].updated_at - AT < timedelta(hours=16)


def on(keyword: str, hits: list[Hit], **changes: object) -> list[Hit]:
    return [each.model_copy(update={"keyword": keyword, **changes}) for each in hits]


def traps() -> dict[str, list[Hit]]:
    """Return what is no event, each on a keyword of its own."""
    one_source = [hit(AT + number * MINUTE, story=f"cũ {number}", source="Báo 1") for number in range(25)]
    young = [each.model_copy(update={"source": f"Mới {number % 4}"}) for number, each in enumerate(spike(AT))]
    late = [each.model_copy(update={"claimed_at": each.arrived_at - 9 * HOUR}) for each in spike(AT)]
    copies = [hit(AT + n * MINUTE, story="hãng", source=f"Báo {n % 8}", copy=str(n)) for n in range(50)]
    return {
        "backlog": on("backlog", spike(AT), backlog=True),
        "copies": on("copies", copies),
        "late": on("late", late),
        "one source": on("one source", one_source),
        "one source and two others": on("one source and two others", [*one_source, *spike(AT, stories=2)]),
        "replay": on("replay", spike(AT), replay=True),
        "young sources": on("young sources", young),
    }


@cache
def trapped() -> list[Alert]:
    base = ordinary(per_day=dict.fromkeys(traps(), 3.0), seed=4)
    return opened(run([*base, *(each for laid in traps().values() for each in laid), *on("event", spike(AT))]))


@pytest.mark.parametrize("trap", traps())
def test_what_is_no_event_does_not_alarm(trap: str) -> None:
    assert [alert for alert in trapped() if alert.keyword == trap] == []


def test_an_event_among_the_traps_alarms() -> None:
    assert {alert.keyword for alert in trapped()} == {"event"}


def test_an_outage_that_catches_up_does_not_alarm() -> None:
    """Everything of five hours arrives at once, dated as it was."""
    back = AT + 5 * HOUR
    caught_up = [
        each.model_copy(update={"claimed_at": each.arrived_at, "arrived_at": back})
        if AT <= each.arrived_at < back
        else each
        for each in days()
    ]
    assert opened(run(caught_up)) == []


def test_hits_that_stand_before_the_first_tick_after_a_stop_make_no_heap() -> None:
    detector = Detector()
    stopped, back = AT, AT + 9 * HOUR
    run([each for each in days() if each.arrived_at < stopped], detector)
    waiting = [hit(stopped + n * 30 * MINUTE, story=f"chờ {n}", source=f"Báo {n % 5}") for n in range(18)]
    assert [alert for each in waiting for alert in detector.apply(each)] == []
    assert opened(detector.apply(Tick(at=back))) == []
    assert detector.state.clock == back.timestamp()


def test_a_source_whose_clock_is_wrong_does_not_alarm() -> None:
    skewed = [
        each.model_copy(update={"claimed_at": each.arrived_at + 7 * HOUR * (1 if each.source == "Báo 1" else -1)})
        if each.source in ("Báo 1", "Báo 2")
        else each
        for each in days()
    ]
    assert opened(run(skewed)) == []


def test_a_replay_neither_alarms_nor_teaches() -> None:
    detector = Detector()
    run(days()[:40], detector)
    before = dump_state(detector.state)
    replayed = [each.model_copy(update={"replay": True}) for each in spiked()]
    assert [alert for each in replayed for alert in detector.apply(each)] == []
    assert dump_state(detector.state) == before


def test_a_term_never_heard_before_is_its_own_kind() -> None:
    (alert,) = opened([each for each in spiked_alerts() if each.keyword == "Huliaipole"])
    assert alert.kind is AlertKind.NEW_TERM
    assert alert.reason_vi.startswith("Từ mới: Huliaipole — ")


def test_an_escalation_is_the_same_alert_more_severe() -> None:
    growing = [*spike(AT, stories=4), *spike(AT + HOUR, stories=40, sources=8)]
    records = [each for each in run([*days(), *growing]) if each.keyword == "Kupyansk"]
    assert len({each.alert_id for each in records}) == 1
    assert records[0].severity is not Severity.CRITICAL
    assert records[-1].severity is Severity.CRITICAL
    assert records[-1].peak.probability < records[0].opening.probability


def test_the_first_half_of_a_log_gives_the_first_half_of_the_alerts() -> None:
    hits = spiked()
    for part in (len(hits) // 2, len(hits) * 3 // 4):
        before = list(lines(folded(hits[:part], Detector())))
        assert list(lines(spiked_alerts()))[: len(before)] == before


def test_killed_at_twenty_random_points_the_alerts_are_the_same() -> None:
    hits = spiked()
    stops = sorted(random.Random(5).sample(range(1, len(hits)), 20))
    detector, alerts = Detector(), []
    for start, end in zip([0, *stops], [*stops, len(hits)], strict=True):
        alerts += list(folded(hits[start:end], detector))
        detector = Detector(load_state(dump_state(detector.state)))
    assert list(lines(alerts)) == list(lines(spiked_alerts()))

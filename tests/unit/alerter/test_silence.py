"""Feeds, languages and keywords that should speak and do not; and how much of the usual voice an alert rests on."""

from datetime import timedelta
from functools import cache

from services.alerter.detector import Detector
from services.alerter.spikes import folded
from services.alerter.state import dump_state, load_state
from shared.alerts import Alert, AlertKind, AlertState, Hit, Tick
from tests.unit.alerter.streams import HOUR, MINUTE, START, hit, spike

DAYS = 3
END = START + timedelta(days=DAYS)


def steady(start_hour: int, end_hour: int, without: str = "") -> list[Hit]:
    """Return six stories an hour: a loud feed and language half of them, each on the keyword Kherson."""
    voices = [("Lớn", "vi"), ("Nhỏ 1", "en"), ("Lớn", "vi"), ("Nhỏ 2", "en"), ("Lớn", "vi"), ("Nhỏ 3", "en")]
    return [
        hit(START + hour * HOUR + number * 9 * timedelta(minutes=1), "Kherson", story=f"{hour} {number}", source=source,
            language=language)
        for hour in range(start_hour, end_hour)
        for number, (source, language) in enumerate(voices)
        if without not in (source, "everything")
    ]  # fmt: skip


@cache
def before() -> bytes:
    detector = Detector()
    list(folded(steady(0, DAYS * 24), detector))
    return dump_state(detector.state)


def silences(hits: list[Hit], until_hour: int) -> list[Alert]:
    detector = Detector(load_state(before()))
    alerts = list(folded(hits, detector)) + detector.apply(Tick(at=START + until_hour * HOUR))
    return [alert for alert in alerts if alert.kind is AlertKind.SILENCE]


def test_a_feed_that_falls_silent_is_noticed_with_its_language() -> None:
    alerts = silences(steady(72, 90, without="Lớn"), 90)
    assert {(alert.subject, alert.keyword, alert.state) for alert in alerts} == {
        ("feed", "Lớn", AlertState.OPEN),
        ("language", "vi", AlertState.OPEN),
    }
    feed = next(alert for alert in alerts if alert.subject == "feed")
    assert feed.reason_vi.startswith("Im lặng: nguồn tin Lớn — 0 tin trong ")
    assert feed.opening.probability < 1e-6


def test_total_silence_is_one_alert() -> None:
    (alert,) = silences([], 96)
    assert (alert.subject, alert.keyword) == ("language", "*")
    assert alert.reason_en.startswith("Silence: all feeds — 0 in ")


def test_a_silence_ends_when_the_voice_is_heard_again() -> None:
    alerts = silences([*steady(72, 90, without="Lớn"), *steady(90, 96)], 96)
    assert {alert.keyword for alert in alerts if alert.state is AlertState.RESOLVED} == {"Lớn", "vi"}


def test_steady_voices_are_not_silent() -> None:
    assert silences(steady(72, 96), 96) == []


def test_an_alert_says_how_much_of_the_usual_voice_it_rests_on() -> None:
    detector = Detector(load_state(before()))
    detector.apply(Tick(at=END, feeds=4, silent_feeds=("Lớn", "Vắng")))
    hits = [
        each.model_copy(update={"source": f"Nhỏ {1 + number % 3}", "arrived_at": END + number * MINUTE})
        for number, each in enumerate(spike(END, keyword="Kupyansk"))
    ]
    alert = next(alert for each in hits for alert in detector.apply(each))
    assert 0.45 < alert.coverage.share < 0.55
    assert alert.coverage.silent_feeds == ("Lớn", "Vắng")
    assert alert.reason_vi.endswith(f"; độ phủ {round(100 * alert.coverage.share)} %: 2 nguồn im lặng")

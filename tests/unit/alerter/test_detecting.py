"""The ordered stage: checkpoints, gaps and crashes leave the alerts of an undisturbed run."""

import random
from collections.abc import Iterator
from functools import cache

import pytest

from services.alerter import detecting
from services.alerter.detecting import DetectStage
from services.alerter.spikes import TICK
from shared.alerts import Tick
from shared.errors import Drop, Reason
from shared.stage import Record
from shared.topics import ALERTS, KEYWORD_HITS
from tests.unit.alerter.streams import START, hit, in_order, ordinary, spike

pytestmark = pytest.mark.slow

AT = START.replace(day=4, hour=5)


@cache
def log() -> tuple[Record, ...]:
    """Return a log of three days with ticks and a spike, as records of the topic."""
    hits = in_order([*ordinary(days=4, per_day={"Kupyansk": 3.0}), *spike(AT)])
    records: list[bytes] = []
    clock = hits[0].arrived_at
    for each in hits:
        while clock + TICK <= each.arrived_at:
            clock += TICK
            records.append(Tick(at=clock).to_json())
        records.append(each.to_json())
    return tuple(Record(KEYWORD_HITS.name, 0, offset, b"k", value) for offset, value in enumerate(records))


def read_log(start: int, end: int) -> Iterator[Record]:
    return iter(log()[start:end])


def sent(stage: DetectStage, records: tuple[Record, ...]) -> list[bytes]:
    values = []
    for record in records:
        for message in stage.process(record).outputs:
            assert message.topic is ALERTS
            values.append(message.value or b"")
    return values


@cache
def undisturbed() -> tuple[bytes, ...]:
    return tuple(sent(DetectStage({}, read_log), log()))


def test_the_log_gives_alerts() -> None:
    assert undisturbed()
    assert len(set(undisturbed())) == len(undisturbed())


@pytest.mark.parametrize("seed", range(3))
def test_after_crashes_every_alert_is_written_and_none_differs(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows survive a crash, the group's commit lies anywhere before or behind them, deliveries may be lost."""
    monkeypatch.setattr(detecting, "CHECKPOINT_RECORDS", 90)
    pick = random.Random(seed)
    rows: dict[str, str] = {}
    values: list[bytes] = []
    position, done = 0, 0
    while done < len(log()):
        stage = DetectStage(rows, read_log)
        stage.restore()
        end = min(len(log()), position + pick.randrange(40, 200))
        values += sent(stage, log()[position:end])
        done = max(done, end)
        # Up to twenty records before the crash were committed without being checkpointed, or came without being committed.
        position = max(0, end - pick.randrange(0, 150)) if end < len(log()) else end
    assert list(dict.fromkeys(values)) == list(undisturbed())


def test_a_commit_ahead_of_the_checkpoint_is_read_from_the_log_again() -> None:
    rows: dict[str, str] = {}
    half = len(log()) // 2
    stage = DetectStage(rows, read_log)
    before = sent(stage, log()[:half])
    stage = DetectStage(rows, read_log)
    stage.restore()
    assert list(dict.fromkeys([*before, *sent(stage, log()[half:])])) == list(undisturbed())


def test_without_a_checkpoint_the_log_is_read_from_its_beginning() -> None:
    stage = DetectStage({}, read_log)
    assert sent(stage, log()[-1:]) == list(undisturbed())


def test_a_record_that_came_before_changes_nothing() -> None:
    stage = DetectStage({}, read_log)
    sent(stage, log())
    assert stage.process(log()[10]).outputs == ()


def test_a_broken_record_is_refused_and_the_next_one_passes() -> None:
    stage = DetectStage({}, read_log)
    outcome = stage.process(Record(KEYWORD_HITS.name, 0, 0, b"k", b"{"))
    assert (outcome.refused, outcome.outputs[0].topic.name) == (Reason.BROKEN_JSON, "keyword-hits-v1-dlq")
    assert stage.process(Record(KEYWORD_HITS.name, 0, 1, b"k", hit(START, story="a").to_json())).refused is None
    assert stage.detector.state.keywords.keys() == {"Kupyansk"}


def test_a_takedown_is_heeded_and_sends_nothing() -> None:
    stage = DetectStage({}, read_log)
    told = hit(START, story="a")
    stage.process(Record(KEYWORD_HITS.name, 0, 0, b"k", told.to_json()))
    outcome = stage.process(Record(KEYWORD_HITS.name, 0, 1, told.article_id.encode(), None))
    assert (outcome.dropped, outcome.outputs) == (Drop.TOMBSTONE, ())
    assert [story.title for story in stage.detector.state.keywords["Kupyansk"].recent] == [""]

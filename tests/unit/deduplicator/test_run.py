"""The decide stage as it is wired: what it counts for the metrics."""

from typing import Any

import pytest

from services.deduplicator.run import decide_stage
from shared.metrics import REGISTRY
from shared.stage import Record
from shared.topics import ARTICLES_SKETCHED
from tests.unit.deduplicator.labelled import FIRE, TRAIN, article, sketched

DAY = 24 * 60


def _record(**given: Any) -> Record:
    made = sketched(article(**given))
    return Record(ARTICLES_SKETCHED.name, 0, 0, made.article_id.encode(), made.to_json(), ())


def _value(name: str) -> float:
    value = REGISTRY.get_sample_value(f"frontwire_dedup_{name}")
    assert value is not None
    return value


def test_rows_memory_and_expired_rows_are_counted() -> None:
    rows: dict[str, str] = {}
    stage, _ = decide_stage(rows)
    expired = _value("rows_expired_total")
    stage.process(_record(name="old", paragraphs=FIRE))
    assert _value("window_rows") == 1
    assert _value("window_bytes") > 1000
    stage.process(_record(name="new", paragraphs=TRAIN, minutes=15 * DAY))
    assert _value("window_rows") == len(rows) == 1
    assert _value("rows_expired_total") == expired + 1


def test_what_was_left_out_at_a_cap_is_counted() -> None:
    stage, _ = decide_stage({})
    capped, capped_stories = _value("candidates_capped_total"), _value("story_candidates_capped_total")
    for number in range(60):
        stage.process(_record(name=f"{number}", paragraphs=FIRE, minutes=number))
    assert _value("candidates_capped_total") > capped
    assert _value("story_candidates_capped_total") == capped_stories


def test_the_rebuild_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    rows: dict[str, str] = {}
    decide_stage(rows)[0].process(_record(name="a", paragraphs=FIRE))
    again, complete = decide_stage(rows)
    moments = iter((5.0, 7.5))
    monkeypatch.setattr("services.deduplicator.run.time.perf_counter", lambda: next(moments))
    complete()
    assert again.name == "decide"
    assert _value("rebuild_seconds") == 2.5
    assert _value("window_rows") == 1

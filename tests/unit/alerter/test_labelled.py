"""The detector on the labelled development stream: quality, prefix and restart at full length."""

import importlib.util
import json
import random
from functools import cache
from typing import Any

import pytest

from services.alerter.detector import Detector
from services.alerter.spikes import alerts_of, folded, hit_of
from services.alerter.state import dump_state, load_state
from services.commands.common import project_folder
from shared.alerts import Alert
from tests.unit.alerter.streams import lines, opened

FOLDER = project_folder().parent / "shared/data/spikes"
pytestmark = pytest.mark.slow
present = pytest.mark.skipif(
    not (FOLDER / "dev.jsonl").exists(), reason="the labelled streams are not beside the checkout"
)


@cache
def rows() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FOLDER / "dev.jsonl").read_text(encoding="utf-8").splitlines()]


@cache
def alerts() -> tuple[Alert, ...]:
    return tuple(alerts_of(rows()))


@present
def test_quality_on_the_labelled_stream() -> None:
    spec = importlib.util.spec_from_file_location("score", FOLDER / "score.py")
    assert spec
    assert spec.loader
    score = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(score)
    labels = json.loads((FOLDER / "dev_labels.json").read_text(encoding="utf-8"))
    found = score.score(labels, sorted((a.opened_at.timestamp(), a.keyword, n) for n, a in enumerate(opened(alerts()))))
    assert found["f1"] >= 0.90
    assert found["precision"] >= 0.90
    assert found["recall"] >= 0.78
    assert found["false_per_week"] <= 0.05
    assert found["delay_min"] <= 75


@present
def test_killed_at_twenty_random_points_of_the_first_half_the_alerts_are_the_first_of_the_whole() -> None:
    hits = [hit_of(row, number) for number, row in enumerate(rows()[: len(rows()) // 2])]
    stops = sorted(random.Random(9).sample(range(1, len(hits)), 20))
    detector, before = Detector(), []
    for start, end in zip([0, *stops], [*stops, len(hits)], strict=True):
        before += list(folded(hits[start:end], detector))
        detector = Detector(load_state(dump_state(detector.state)))
    assert list(lines(before)) == list(lines(alerts()))[: len(before)]
    assert len(before) > 50

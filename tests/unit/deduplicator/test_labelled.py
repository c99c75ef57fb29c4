"""The labelled articles in four languages, and the development set when it is at hand: copies, pieces and stories."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from services.deduplicator.cluster import cluster_documents
from tests.unit.deduplicator.labelled import BLIND, STORIES, documents, labelled, measure

pytestmark = pytest.mark.slow

DEV = Path(__file__).parents[4] / "shared" / "data" / "dedup" / "dev.jsonl"


def f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall)


def _shuffled(rows: list[dict[str, Any]], seed: int) -> list[dict[str, Any]]:
    return random.Random(seed).sample(rows, len(rows))


@pytest.mark.parametrize("seed", range(6))
def test_own_articles(seed: int) -> None:
    rows = labelled() if seed == 0 else _shuffled(labelled(), seed)
    found = measure(rows, cluster_documents(documents(rows)))
    assert f1(found["copy_precision"], found["copy_recall"]) >= 0.98
    assert found["copy_precision"] >= 0.99
    assert found["merged"] <= 0.01


@pytest.mark.parametrize("seed", range(6))
def test_articles_written_before_they_were_tried(seed: int) -> None:
    rows = labelled(BLIND) if seed == 0 else _shuffled(labelled(BLIND), seed)
    found = measure(rows, cluster_documents(documents(rows)))
    assert f1(found["copy_precision"], found["copy_recall"]) >= 0.90
    assert found["copy_precision"] == 1
    assert found["merged"] == 0
    assert found["story_precision"] >= 0.90


def test_own_stories_within_a_language() -> None:
    rows = [row for row in labelled() if not _is_foreign(row)]
    found = measure(rows, cluster_documents(documents(rows)))
    assert found["story_precision"] >= 0.90
    assert f1(found["story_precision"], found["story_recall"]) >= 0.80


@pytest.mark.parametrize("seed", range(6))
def test_events_of_one_town_or_one_president_hold_no_copies(seed: int) -> None:
    rows = _shuffled(labelled(STORIES), seed) if seed else labelled(STORIES)
    decisions = list(cluster_documents(documents(rows)))
    assert len({decision["cluster"] for decision in decisions}) == len(rows)
    assert all(not decision["duplicate_of"] for decision in decisions)


def _is_foreign(row: dict[str, Any]) -> bool:
    """Whether an article is on an event whose other articles use another script: such meet by linked names only."""
    first = row["cluster"][0]
    return (row["story"], first) in {("feodosia", "r"), ("dnipro-bridge", "v"), ("ankara-grain", "r")} or "+" in row[
        "story"
    ]


@pytest.mark.skipif(not DEV.exists(), reason="the development set is not part of the project")
@pytest.mark.parametrize("seed", range(6))
def test_development_set(seed: int) -> None:
    rows = [json.loads(line) for line in DEV.read_text(encoding="utf-8").splitlines()]
    rows = rows if seed == 0 else _shuffled(rows, seed)
    found = measure(rows, cluster_documents(documents(rows)))
    assert f1(found["copy_precision"], found["copy_recall"]) >= 0.98
    assert found["merged"] == 0
    if seed == 0:
        assert found["story_precision"] >= 0.90
        assert f1(found["story_precision"], found["story_recall"]) >= 0.80

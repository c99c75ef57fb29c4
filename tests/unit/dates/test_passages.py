"""Labelled passages of our own: spans, intervals, and nothing else found. "?" is a mention that cannot be anchored."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from services.extractor.dates import find_dates
from tests.unit.dates.marked import interval, unmarked

pytestmark = pytest.mark.slow

DATA = Path(__file__).parents[2] / "data" / "dates"
PASSAGES: list[dict[str, Any]] = [
    json.loads(line) for file in sorted(DATA.glob("*.jsonl")) for line in file.read_text(encoding="utf-8").splitlines()
]


@pytest.mark.parametrize("passage", PASSAGES, ids=lambda passage: passage["id"])
def test_a_passage_is_read_as_labelled(passage: dict[str, Any]) -> None:
    text, spans = unmarked(passage["marked"])
    published = date.fromisoformat(passage["published"]) if passage["published"] else None
    mentions = find_dates(text, language=passage["lang"], published=published)
    found = [(mention.text, (mention.from_, mention.to) if mention.anchored else "?") for mention in mentions]
    assert found == [
        (text[start:end], "?" if value == "?" else interval(value))
        for (start, end), value in zip(spans, passage["values"], strict=True)
    ]


def test_there_are_enough_passages() -> None:
    assert len(PASSAGES) >= 150
    assert {passage["lang"] for passage in PASSAGES} == {"en", "ru", "uk", "vi"}

"""Headlines are what a feed gives in any case: their language must be told offline, Vietnamese without accents included."""

from pathlib import Path

import pytest

from services.normaliser.language import identify

# The identifier's model is loaded.
pytestmark = pytest.mark.slow

HEADLINES = Path(__file__).resolve().parents[2] / "data" / "fetcher" / "headlines.tsv"


def test_the_language_of_ninety_eight_of_a_hundred_headlines_is_right() -> None:
    rows = [line.split("\t") for line in HEADLINES.read_text(encoding="utf-8").splitlines()]
    wrong = [text for code, text in rows if identify(text, ("vi", "en", "ru", "uk")).code != code]
    assert len(rows) == 100
    assert len(wrong) <= 2, wrong

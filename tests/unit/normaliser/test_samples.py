"""The clean-up on the labelled texts: what goes, what stays, where articles begin, and that nothing is lost for good."""

import random
import unicodedata

import pytest

from services.normaliser.cli_io import normalise_document
from services.normaliser.rules import Rules
from services.normaliser.transform import normalise, rebuild, rebuild_title
from shared.errors import Rejected
from shared.models import NormalisedArticle, RawArticle
from tests.unit.normaliser.conftest import MakeRaw
from tests.unit.normaliser.samples import Sample, read_samples

pytestmark = pytest.mark.slow

SAMPLES = read_samples()
WARTS = (
    "\n", "\n\n", "\r\n", "\u200b", "&amp;", "&amp;nbsp;", "...", "./.\n", "\x00", "e\u0301", "<b>", "\xa0", "  ", ">> ",
    "(Ảnh: Reuters). ", "Ảnh: AP", "\n(Thời Báo Biển) - ", " date 2025-11-11 ", "Video đang HOT\n",
)  # fmt: skip


def counted(sample: Sample, places: set[int]) -> set[int]:
    return {place for place in places if not sample.raw[place].isspace()}


def removed_by_rules(sample: Sample, rules: Rules) -> set[int]:
    out = normalise_document(
        {"id": sample.name, "input": {"text": sample.raw, "fetched_at": "2025-11-23T00:00:00Z"}}, rules
    )
    return {place for span in out["removed"] for place in range(span["start"], span["end"])}


def test_the_set_is_large_and_half_traps() -> None:
    assert len(SAMPLES) >= 80
    assert sum(sample.is_trap for sample in SAMPLES) * 2 >= len(SAMPLES)
    assert {sample.language for sample in SAMPLES} == {"en", "ru", "uk", "vi"}


def test_boilerplate_goes_and_the_body_stays(rules: Rules) -> None:
    boilerplate = removed = body = lost = 0
    for sample in SAMPLES:
        expected = counted(sample, set(sample.boilerplate))
        found = counted(sample, removed_by_rules(sample, rules))
        boilerplate += len(expected)
        removed += len(expected & found)
        body += len(counted(sample, set(range(len(sample.raw)))) - expected)
        lost += len(found - expected)
    assert removed >= 0.98 * boilerplate
    assert lost <= 0.001 * body


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_language_and_parts(sample: Sample, rules: Rules, make_raw: MakeRaw) -> None:
    parts = list(normalise(make_raw(sample.raw), rules=rules))
    begins = [sample.raw[: part.raw_start].rstrip() for part in parts]
    assert begins == [sample.raw[:start].rstrip() for start in sample.starts]
    assert {part.language.code for part in parts} == {sample.language}
    assert rebuild(parts) == sample.raw


def is_stable(part: NormalisedArticle, rules: Rules, make_raw: MakeRaw) -> bool:
    """Whether normalising a part of an article once more changes nothing."""
    again = cleaned(make_raw(part.body, title=part.title), rules)
    return [(other.title, other.body, other.edits) for other in again] == [(part.title, part.body, [])]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_normalising_again_changes_nothing(sample: Sample, rules: Rules, make_raw: MakeRaw) -> None:
    assert all(is_stable(part, rules, make_raw) for part in normalise(make_raw(sample.raw), rules=rules))


def mutated(text: str, chance: random.Random) -> str:
    for _ in range(chance.randint(1, 4)):
        start = chance.randrange(len(text) + 1)
        end = min(len(text), start + chance.choice((1, 3, 20, 120)))
        piece = text[start:end]
        change = chance.randrange(5)
        if change == 0:
            piece = ""
        elif change == 1:
            piece *= 2
        elif change == 2:
            piece = chance.choice(WARTS) + piece
        elif change == 3:
            piece = piece.encode().decode("latin-1")
        else:
            piece = unicodedata.normalize("NFD", piece)
        text = text[:start] + piece + text[end:]
    return text


def generated_article(number: int, make_raw: MakeRaw) -> RawArticle:
    chance = random.Random(number)
    kind = "text/html" if number % 10 == 0 else "text/plain"
    title = "Tin: " + mutated("phà quân đội thay cầu sập", chance) if number % 3 == 0 else None
    return make_raw(mutated(chance.choice(SAMPLES).raw, chance), title=title, media_type=kind)


def rebuilt_exactly(article: RawArticle, rules: Rules) -> bool:
    try:
        parts = list(normalise(article, rules=rules))
    except Rejected:
        return True
    return rebuild(parts) == article.text and (not article.title or rebuild_title(parts[0]) == article.title)


def cleaned(article: RawArticle, rules: Rules) -> list[NormalisedArticle]:
    try:
        return list(normalise(article, rules=rules))
    except Rejected:
        return []


def unstable_parts(article: RawArticle, rules: Rules, make_raw: MakeRaw) -> list[str]:
    """Return the titles of the parts of an article that normalising changes once more."""
    return [part.title for part in cleaned(article, rules) if not is_stable(part, rules, make_raw)]


def test_normalising_a_damaged_article_again_changes_nothing(rules: Rules, make_raw: MakeRaw) -> None:
    unstable = [number for number in range(120) if unstable_parts(generated_article(number, make_raw), rules, make_raw)]
    assert unstable == []


@pytest.mark.prove
def test_none_of_ten_thousand_damaged_articles_is_changed_again(rules: Rules, make_raw: MakeRaw) -> None:
    unstable = [
        number for number in range(10_000) if unstable_parts(generated_article(number, make_raw), rules, make_raw)
    ]
    assert unstable == []


def test_mutated_articles_are_rebuilt_exactly(rules: Rules, make_raw: MakeRaw) -> None:
    wrong = [number for number in range(200) if not rebuilt_exactly(generated_article(number, make_raw), rules)]
    assert wrong == []


@pytest.mark.prove
def test_ten_thousand_mutated_articles_are_rebuilt_exactly(rules: Rules, make_raw: MakeRaw) -> None:
    wrong = [number for number in range(10_000) if not rebuilt_exactly(generated_article(number, make_raw), rules)]
    assert wrong == []

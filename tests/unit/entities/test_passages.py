"""Own labelled passages: a third of them traps. Measured as a whole, so that a rule that helps one case may not cost two."""

from dataclasses import replace

import pytest

from services.extractor.entities import Knowledge, find_entities, load_taggers
from tests.unit.entities.scoring import Passage, f1, read_passages, strict_f1

pytestmark = pytest.mark.slow

PASSAGES = list(read_passages())


def predicted(passage: Passage, knowledge: Knowledge) -> set[tuple[int, int, str]]:
    found = find_entities(passage.text, language=passage.language, knowledge=knowledge)
    return {(item.start, item.end, item.type.value) for item in found}


def test_enough_passages_in_four_languages() -> None:
    assert len(PASSAGES) >= 200
    assert {passage.language for passage in PASSAGES} == {"en", "ru", "uk", "vi"}
    assert len({passage.id for passage in PASSAGES}) == len(PASSAGES)


@pytest.mark.parametrize(("language", "least"), [("vi", 0.97), ("en", 0.95), ("ru", 0.95), ("uk", 0.95)])
def test_spans_and_types(language: str, least: float, knowledge: Knowledge) -> None:
    chosen = [passage for passage in PASSAGES if passage.language == language]
    assert strict_f1((passage, predicted(passage, knowledge)) for passage in chosen) >= least


def test_the_russian_tagger_finds_more_than_it_spoils(knowledge: Knowledge) -> None:
    chosen = [passage for passage in PASSAGES if passage.language == "ru"]
    more = replace(knowledge, taggers=load_taggers(True))
    ruled, tagged = (
        strict_f1((passage, predicted(passage, known)) for passage in chosen) for known in (knowledge, more)
    )
    assert tagged > ruled
    assert tagged >= 0.97


def test_ids(knowledge: Knowledge) -> None:
    right = found = wanted = 0
    for passage in PASSAGES:
        gold = {(label.start, label.end): label.canonical for label in passage.labels if label.canonical}
        mentions = find_entities(passage.text, language=passage.language, knowledge=knowledge)
        ids = {(item.start, item.end): item.canonical for item in mentions if (item.start, item.end) in gold}
        right += sum(gold[place] == identifier for place, identifier in ids.items())
        found += len(ids)
        wanted += len(gold)
    assert f1(right, found, wanted) >= 0.97


def test_spellings_of_one_name_share_an_id(knowledge: Knowledge) -> None:
    groups: dict[tuple[str, str], set[str]] = {}
    for passage in PASSAGES:
        wanted = {(label.start, label.end): label.group for label in passage.labels if label.group}
        for item in find_entities(passage.text, language=passage.language, knowledge=knowledge) if wanted else ():
            if group := wanted.get((item.start, item.end)):
                groups.setdefault((passage.id, group), set()).add(item.canonical)
    merged = sum(len(ids) == 1 for ids in groups.values())
    assert merged / len(groups) >= 0.97


def test_mentions_are_the_text_and_never_overlap(knowledge: Knowledge) -> None:
    for passage in PASSAGES:
        end = 0
        for item in find_entities(passage.text, language=passage.language, knowledge=knowledge):
            assert item.start >= end, passage.id
            assert item.text == passage.text[item.start : item.end], passage.id
            assert item.rule, passage.id
            assert item.alias, passage.id
            end = item.end

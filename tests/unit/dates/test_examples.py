"""Every rule's own example: the marked mentions and only those are found, the last with the interval the rule states."""

import pytest

from services.extractor.dates import find_dates
from services.extractor.dates.grammar import LANGUAGES, Example, grammar
from tests.unit.dates.marked import interval, unmarked

pytestmark = pytest.mark.slow


def _rules(language: str) -> list[tuple[str, list[Example]]]:
    specs = grammar(language).specs
    return [(rule.rule, rule.examples) for rule in specs.rules] + [(wrap.rule, wrap.examples) for wrap in specs.wraps]


def _examples() -> list[tuple[str, str, Example]]:
    return [
        (language, name, example)
        for language in LANGUAGES
        for name, examples in _rules(language)
        for example in examples
    ]


@pytest.mark.parametrize(("language", "rule", "example"), _examples(), ids=lambda value: getattr(value, "text", value))
def test_a_rule_reads_its_own_example(language: str, rule: str, example: Example) -> None:
    text, spans = unmarked(example.text)
    mentions = find_dates(text, language=language, published=example.on)
    assert [(mention.start, mention.end) for mention in mentions] == spans
    assert (mentions[-1].from_, mentions[-1].to) == interval(example.gives)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_rule_has_an_example_and_its_own_name(language: str) -> None:
    names = [name for name, _ in _rules(language)]
    assert len(names) == len(set(names))
    assert [name for name, examples in _rules(language) if not examples] == []

"""Every rule's own example: the marked mentions and only those are found, by that rule, with that interval."""

import pytest

from services.extractor.dates import find_dates
from services.extractor.dates.grammar import LANGUAGES, Example, grammar
from tests.unit.dates.marked import interval, unmarked


def _examples() -> list[tuple[str, str, Example]]:
    return [
        (language, spec.rule, example)
        for language in LANGUAGES
        for spec in (*grammar(language).specs.rules, *grammar(language).specs.wraps)
        for example in spec.examples
    ]


@pytest.mark.parametrize(("language", "rule", "example"), _examples(), ids=lambda value: getattr(value, "text", value))
def test_a_rule_reads_its_own_example(language: str, rule: str, example: Example) -> None:
    text, spans = unmarked(example.text)
    mentions = find_dates(text, language=language, published=example.on)
    assert [(mention.start, mention.end) for mention in mentions] == spans
    assert (mentions[-1].from_, mentions[-1].to) == interval(example.gives)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_rule_has_an_example_and_its_own_name(language: str) -> None:
    specs = [*grammar(language).specs.rules, *grammar(language).specs.wraps]
    names = [spec.rule for spec in specs]
    assert len(names) == len(set(names))
    assert [spec.rule for spec in specs if not spec.examples] == []

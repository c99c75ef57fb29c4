"""Testing every rule against its own example, for `frontwire check` and the tests."""

from collections.abc import Iterator
from dataclasses import replace

from services.normaliser.changes import Change, Track, apply
from services.normaliser.cleaning import clean
from services.normaliser.closing import cut_signatures
from services.normaliser.rules import Rule, Rules
from services.normaliser.titles import tidy
from shared.yaml_config import Problem


def check_rules(rules: Rules) -> list[Problem]:
    """Return a problem for every rule that does not turn its own `before` into its `after`."""
    return list(_failures(rules))


def _failures(rules: Rules) -> Iterator[Problem]:
    for rule in rules.rules:
        after = clean_with(rule, rules)
        if after != rule.after:
            yield Problem(
                rule.file,
                rule.line,
                f"{rule.id}.after",
                f"the rule leaves {after!r}, the example says {rule.after!r}",
                "mend the pattern or the example",
            )
        elif rule.before == rule.after:
            yield Problem(
                rule.file, rule.line, f"{rule.id}.before", "the example shows no change", "give one that does"
            )


def clean_with(rule: Rule, rules: Rules) -> str:
    """Return a rule's example text after that rule alone was applied."""
    alone = replace(rules, rules=(replace(rule, outlets=frozenset()),), selections={})
    selection = alone.for_outlet("", unaccented=False)
    lines = clean(rule.before, selection, rules.date_words, has_title=True)
    cut_signatures(lines, [0], selection, title_is_given=True)
    cuts: list[Change] = [cut for line in lines for cut in sorted(line.cuts, key=lambda cut: cut.start)]
    cleaned = apply(rule.before, cuts)
    return apply(cleaned, tidy(cleaned, [start for start, _ in Track(cuts).after_spans()]))

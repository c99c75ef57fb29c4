"""Rules as data: each passes its own example, mistakes are refused with file and line, an operator's rule works at once."""

from collections.abc import Callable
from pathlib import Path

import pytest

from services.normaliser.checking import check_rules
from services.normaliser.patterns import refuse_nested_repeats
from services.normaliser.rules import BUILT_IN, EVERY_LANGUAGE, Rules, load_rules
from services.normaliser.transform import normalise
from shared.reload import Reloading
from shared.yaml_config import ConfigError
from tests.unit.normaliser.conftest import MakeRaw
from tests.unit.normaliser.samples import read_samples

pytestmark = pytest.mark.slow

OPERATOR_RULE = """rules:
  - {id: bien.other.footer, family: other, where: line, pattern: 'Bến phà số \\d+', outlets: [Thời Báo Biển],
     before: "Nước lên.\\nBến phà số 4", after: "Nước lên."}
"""
Written = Callable[[str], Path]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    def write(text: str) -> Path:
        (tmp_path / "own.yaml").write_text(text, encoding="utf-8")
        return tmp_path

    return write


def problems_of(folder: Path) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        load_rules([folder])
    return [str(problem).removeprefix(str(folder)) for problem in refused.value.problems]


def test_every_rule_does_what_its_example_says(rules: Rules) -> None:
    assert check_rules(rules) == []


def test_rules_are_sorted_and_one_to_a_line() -> None:
    for path in BUILT_IN.glob("*/rules.yaml"):
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
        ids = [line.partition("id: ")[2].partition(",")[0] for line in lines[1:]]
        assert all(ids), f"{path}: a rule takes more than one line"
        assert ids == sorted(ids)


def test_a_language_is_a_folder_of_words_and_rules_with_samples(rules: Rules) -> None:
    assert {"en", "ru", "uk", "vi"} <= set(rules.languages)
    assert set(rules.languages) <= {sample.language for sample in read_samples()}
    for language in (*rules.languages, EVERY_LANGUAGE):
        assert {path.name for path in (BUILT_IN / language).iterdir()} == {"rules.yaml", "words.yaml"}


def test_an_operator_adds_a_rule_for_one_outlet(written: Written, make_raw: MakeRaw) -> None:
    rules = load_rules([written(OPERATOR_RULE)])
    assert check_rules(rules) == []
    text = "Nước lên nhanh trong đêm và phà phải nghỉ hai chuyến liền, theo ban quản lý bến.\nBến phà số 4"
    (article,) = normalise(make_raw(text), rules=rules)
    assert [edit.rule for edit in article.edits if edit.family == "other"] == ["bien.other.footer"]
    other = make_raw(text).model_copy(update={"source": make_raw(text).source.model_copy(update={"name": "Báo khác"})})
    assert "Bến phà số 4" in next(normalise(other, rules=rules)).body
    assert rules.version != load_rules().version


def test_a_rule_that_fails_its_example_is_named_with_its_line(written: Written) -> None:
    folder = written("# note\n" + OPERATOR_RULE.replace('after: "Nước lên."', 'after: "Nước xuống."'))
    (problem,) = check_rules(load_rules([folder]))
    assert problem.file == str(folder / "own.yaml")
    assert problem.line == 3
    assert problem.key == "bien.other.footer.after"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("'Bến phà số \\d+'", "'Bến (phà'", "/own.yaml:2: rules.0.pattern: not a regular expression"),
        ("'Bến phà số \\d+'", "'%nothing%'", "/own.yaml:2: rules.0.pattern: no words are called %nothing%"),
        ("'Bến phà số \\d+'", "'(a+)+b'", "/own.yaml:2: rules.0.pattern: a repeat without limit inside another one"),
        ("where: line", "where: nowhere", "/own.yaml:2: rules.0.where"),
        ("family: other", "famly: other", "/own.yaml:2: rules.0.famly: unknown key — did you mean `family`?"),
        ("bien.other.footer", "vi.credit.tail", "/own.yaml:2: id: vi.credit.tail is used twice"),
    ],
)
def test_a_mistake_is_refused_with_its_place(written: Written, old: str, new: str, expected: str) -> None:
    assert any(problem.startswith(expected) for problem in problems_of(written(OPERATOR_RULE.replace(old, new))))


@pytest.mark.parametrize("pattern", ["(a+)+", "(?:a*b?)*", "(x|y+)*z", "(?=(a+)+)b"])
def test_nested_repeats_without_limit_are_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="repeat without limit"):
        refuse_nested_repeats(pattern)


@pytest.mark.parametrize("pattern", ["(a{1,9})+", "a+b+", "(?:a+){1,5}", "[^a]*a"])
def test_repeats_with_a_limit_pass(pattern: str) -> None:
    refuse_nested_repeats(pattern)


def test_every_removed_span_names_its_rule_and_the_file_of_the_rule(written: Written, make_raw: MakeRaw) -> None:
    folder = written(OPERATOR_RULE)
    text = "Nước lên nhanh ở ba xã ven sông trong đêm qua, theo chính quyền.\nBến phà số 4\nẢnh: Kyodo"
    (article,) = normalise(make_raw(text, title="Nước lên"), rules=load_rules([folder]))
    assert {(edit.rule, edit.file) for edit in article.edits if edit.family != "space"} == {
        ("bien.other.footer", str(folder / "own.yaml")),
        ("vi.credit.line", "rules/vi/rules.yaml"),
    }


def test_an_operators_rule_is_picked_up_while_the_stage_runs(tmp_path: Path, make_raw: MakeRaw) -> None:
    now, folder = [0.0], tmp_path / "rules"
    folder.mkdir()
    rules = Reloading(
        "rules", lambda: load_rules([folder]), lambda: folder.glob("*.yaml"), clock=lambda: now[0], wall=lambda: 0.0
    )

    def body() -> str:
        now[0] += 2
        text = "Nước lên nhanh ở ba xã ven sông trong đêm qua, theo chính quyền.\nBến phà số 4"
        (article,) = normalise(make_raw(text, title="Nước lên"), rules=rules.get())
        return article.body

    assert "Bến phà" in body()
    (folder / "own.yaml").write_text(OPERATOR_RULE, encoding="utf-8")
    assert "Bến phà" not in body()
    (folder / "own.yaml").write_text("rules:\n  - {id: broken}\n", encoding="utf-8")
    assert "Bến phà" not in body()
    assert rules.problem is not None
    (folder / "own.yaml").unlink()
    assert "Bến phà" in body()

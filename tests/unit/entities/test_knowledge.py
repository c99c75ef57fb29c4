"""Alias files and watchlist: what is refused, with file, line and key, and that a good edit takes effect."""

import re
from pathlib import Path

import pytest

from services.extractor.entities import Knowledge, find_entities, knowledge_files, load_knowledge
from services.extractor.entities.grammar import read_grammar
from services.extractor.entities.inflection import decline
from services.extractor.entities.sets import AliasFile, alias_files
from services.extractor.entities.tables import quick_load, read_table
from shared.models import EntityType
from shared.reload import Reloading
from shared.yaml_config import ConfigError
from tests.unit.entities.conftest import CONFIG

pytestmark = pytest.mark.slow

WATCHLIST = "keywords:\n  - {name: Moon, any_of: [loc:moon]}\n"
SETS = "sets:\n  - {id: loc:moon, type: LOC, labels: {en: Moon}}\n"


def configuration(folder: Path, aliases: str, watchlist: str = WATCHLIST) -> Path:
    (folder / "aliases").mkdir(exist_ok=True)
    (folder / "aliases" / "own.yaml").write_text(aliases, encoding="utf-8")
    (folder / "watchlist.yaml").write_text(watchlist, encoding="utf-8")
    return folder


def problems(folder: Path) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        load_knowledge(folder)
    return [f"{Path(item.file).name}:{item.line}: {item.key}: {item.reason}" for item in refused.value.problems]


@pytest.mark.parametrize(
    ("addition", "expected"),
    [
        ("  - {id: loc:luna, type: LOC, labels: {en: Moon}}\n", "own.yaml:3: sets.1: alias `Moon` belongs to loc:moon"),
        (
            "  - {id: loc:moon, type: LOC, labels: {en: Luna}}\n",
            "own.yaml:3: sets.1.id: `loc:moon` is also in own.yaml",
        ),
        ("  - {id: loc:a, type: LOC, place: 1}\n", "own.yaml:3: sets.1.place: no place 1"),
        ("  - {id: loc:a, type: LOC, territory: XQ}\n", "own.yaml:3: sets.1.territory: no territory XQ"),
        (
            "  - {id: loc:a, type: LOC, aliases: [{text: A b, when: x}]}\n",
            "own.yaml:3: sets.1.aliases: `A b` needs an unknown",
        ),
        ("  - {id: loc:a, type: PLACE, labels: {en: A}}\n", "own.yaml:3: sets.1.type: "),
        ("  - {id: loc:a, type: LOC}\n", "own.yaml:3: sets.1: needs labels, aliases"),
        ("  - {id: Moon, type: LOC, labels: {en: A}}\n", "own.yaml:3: sets.1.id: "),
        ("contexts:\n  idle: {after: [near]}\n", "own.yaml:4: contexts.idle: no alias uses it: a dead rule"),
        ("contexts:\n  idle: {}\n", "own.yaml:4: contexts.idle: has no condition: a dead rule"),
        (
            "  - {id: loc:a, type: LOC, aliases: [Aa, Aa]}\n",
            "own.yaml:3: sets.1.aliases: `Aa` is given twice: a dead rule",
        ),
        (
            "  - {id: loc:a, type: LOC, aliases: [Aa, {text: Aa, when: c}]}\ncontexts:\n  c: {near: [sky]}\n",
            "own.yaml:3: sets.1.aliases: `Aa` counts without its context `c`, too: a dead rule",
        ),
        (
            "  - {id: loc:a, type: LOC, labels: {ru: Луна}, aliases: [{text: Луной, inflect: false}]}\n",
            "own.yaml:3: sets.1.aliases: `Луной` is a case form of `Луна`: a dead rule",
        ),
        (
            "  - {id: loc:a, type: LOC, aliases: [{text: Aa, when: c}]}\ncontexts:\n  c: {after: [tờ báo, báo]}\n",
            "own.yaml:5: contexts.c.after: `tờ báo` is covered by `báo`: a dead rule",
        ),
    ],
)
def test_alias_problems_name_file_line_and_key(addition: str, expected: str, tmp_path: Path) -> None:
    assert any(item.startswith(expected) for item in problems(configuration(tmp_path, SETS + addition)))


@pytest.mark.parametrize(
    ("watchlist", "expected"),
    [
        ("keywords:\n  - {name: A, any_of: [gn:1]}\n", "watchlist.yaml:2: keywords.0.any_of.0: unknown id `gn:1`"),
        (
            WATCHLIST + "  - {name: Moon, any_of: [moon]}\n",
            "watchlist.yaml:3: keywords.1.name: `Moon` is defined twice",
        ),
        ("keywords:\n  - {name: A}\n", "watchlist.yaml:2: keywords.0: needs any_of or all_of"),
        (
            "keywords:\n  - {name: A, any_of: [aa], acents: folded}\n",
            "watchlist.yaml:2: keywords.0.acents: unknown key",
        ),
        (
            "keywords:\n  - name: A\n    any_of: [aa]\n    alert: {windows: [1, 30]}\n",
            "watchlist.yaml:4: keywords.0.alert.windows.1: ",
        ),
        (
            "keywords:\n  - {name: A, any_of: [aa], alert: {critical_at: 2}}\n",
            "watchlist.yaml:2: keywords.0.alert: critical_at must not be below",
        ),
    ],
)
def test_watchlist_problems_name_file_line_and_key(watchlist: str, expected: str, tmp_path: Path) -> None:
    assert any(item.startswith(expected) for item in problems(configuration(tmp_path, SETS, watchlist)))


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    aliases = SETS + "  - {id: loc:a, type: LOC, place: 1}\n  - {id: loc:b, type: LOC, place: 2}\n"
    assert len(problems(configuration(tmp_path, aliases, "keywords:\n  - {name: A, any_of: [gn:1]}\n"))) == 3


def test_edit_takes_effect_and_a_broken_one_leaves_the_old(tmp_path: Path) -> None:
    now = 0.0
    folder = configuration(tmp_path, SETS)
    reloading = Reloading(
        "knowledge",
        lambda: load_knowledge(folder),
        lambda: knowledge_files(folder),
        clock=lambda: now,
        wall=lambda: 0.0,
    )
    before = reloading.get()
    configuration(folder, SETS.replace("en: Moon", "en: Moon, vi: Vệ tinh Trăng"))
    now = 2.0
    after = reloading.get()
    assert after.content_hash != before.content_hash
    assert find_entities("Vệ tinh Trăng", language="vi", knowledge=after)
    configuration(folder, "sets: [")
    now = 4.0
    assert reloading.get() is after
    assert reloading.problem is not None
    assert reloading.problem.problems[0].file.endswith("own.yaml")


def natural(identifier: str) -> tuple[bool, list[tuple[int, str]]]:
    """Return the order of ids in a file: Wikidata first, numbers by value."""
    parts = re.split(r"([0-9]+)", identifier)
    return identifier[0] != "Q", [(int(part), "") if part.isdigit() else (0, part) for part in parts]


@pytest.mark.parametrize("path", alias_files(CONFIG / "aliases"), ids=lambda path: path.stem)
def test_shipped_files_are_sorted(path: Path) -> None:
    ids = [item.id for item in quick_load(path, AliasFile).sets]
    assert ids == sorted(ids, key=natural)


def test_shipped_sets_are_many_and_of_all_kinds() -> None:
    sets = [item for path in alias_files(CONFIG / "aliases") for item in quick_load(path, AliasFile).sets]
    assert len(sets) >= 600
    assert {item.type for item in sets} == set(EntityType)


def test_shipped_watchlist_has_the_named_keywords(knowledge: Knowledge) -> None:
    names = {keyword.name for keyword in knowledge.watchlist.keywords}
    assert names >= {"Anchorage", "Kherson", "Kupyansk", "Kursk", "Tomahawk"}
    assert len(names) >= 15


@pytest.mark.parametrize("language", ["ru", "uk"])
def test_every_line_of_endings_gives_its_example(language: str) -> None:
    for line in read_table("inflection.yaml")[language]:
        base, form = line["example"]
        assert form in {base, *decline(base, EntityType.PERSON, language)}, line


def test_cues_are_listed_once_per_meaning() -> None:
    cues = [(word, cue) for word, _, cue in read_grammar().cues if cue.side in ("left", "right")]
    assert all(word == word.strip() and word for word, _ in cues)

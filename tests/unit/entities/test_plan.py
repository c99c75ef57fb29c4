"""`frontwire plan alias`: what a changed alias file would add and remove, before it is applied."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from services.commands.plan import plan
from services.extractor.entities import load_knowledge
from services.extractor.plan import Change, Tried, compare, read_article

pytestmark = pytest.mark.slow

SETS = """\
sets:
  - {id: loc:moon, type: LOC, labels: {en: Moon}}
  - {id: org:base, type: ORG, labels: {en: Tycho Base}}
"""
WATCHLIST = "keywords:\n  - {name: Lunar, any_of: [loc:moon]}\n"
CHANGED = SETS.replace("en: Moon", "en: Moon, vi: Vệ tinh Trăng").replace("Tycho Base", "Tycho Hall")
ARTICLES = (
    Tried("a", "Vệ tinh Trăng có nước", "Tàu đến Tycho Base. Vệ tinh Trăng lại gần.", "vi", "Đài thử"),
    Tried("b", "Không có gì", "Tàu về Vệ tinh Trăng.", "vi", "Đài thử"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plan")
    (folder / "config" / "aliases").mkdir(parents=True)
    (folder / "config" / "aliases" / "own.yaml").write_text(SETS, encoding="utf-8")
    (folder / "config" / "watchlist.yaml").write_text(WATCHLIST, encoding="utf-8")
    (folder / "own.yaml").write_text(CHANGED, encoding="utf-8")
    return folder


def test_additions_and_removals_are_counted_with_examples(folder: Path) -> None:
    before = load_knowledge(folder / "config")
    after = load_knowledge(folder / "config", aliases=folder / "own.yaml")
    changes = compare(ARTICLES, before, after, examples=1)
    assert changes == [
        Change("add", "keyword", "Lunar", "Vệ tinh Trăng", 3, 2, [("a", "[[Vệ tinh Trăng]] có nước")]),
        Change("add", "name", "loc:moon", "Vệ tinh Trăng", 3, 2, [("a", "[[Vệ tinh Trăng]] có nước")]),
        Change("remove", "name", "org:base", "Tycho Base", 1, 1,
               [("a", "Tàu đến [[Tycho Base]]. Vệ tinh Trăng lại gần.")]),
    ]  # fmt: skip


def test_command_reads_json_lines_and_changes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRONTWIRE_CONFIG_DIR", str(folder / "config"))
    rows = [{"id": item.id, "title": item.title, "text": item.body, "lang": "vi"} for item in ARTICLES]
    lines = folder / "articles.jsonl"
    lines.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    answer = CliRunner().invoke(
        plan, ["alias", str(folder / "own.yaml"), "--articles", str(lines), "--limit", "1", "--json"]
    )
    assert answer.exit_code == 0, answer.output
    assert [(item["id"], item["articles"]) for item in json.loads(answer.stdout)] == [
        ("Lunar", 1), ("loc:moon", 1), ("org:base", 1),
    ]  # fmt: skip
    assert (folder / "config" / "aliases" / "own.yaml").read_text(encoding="utf-8") == SETS


def test_changed_keywords_are_tried_beside_the_others(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRONTWIRE_CONFIG_DIR", str(folder / "config"))
    changed = folder / "watch.yaml"
    changed.write_text("keywords:\n  - {name: Bases, any_of: [org:base, nước]}\n", encoding="utf-8")
    lines = folder / "tried.jsonl"
    lines.write_text(json.dumps({"id": "a", "title": "Có nước", "text": "Tycho Base và Moon."}), encoding="utf-8")
    answer = CliRunner().invoke(plan, ["keyword", str(changed), "--articles", str(lines), "--json"])
    assert answer.exit_code == 0, answer.output
    found = [(item["action"], item["kind"], item["id"], item["text"]) for item in json.loads(answer.stdout)]
    assert found == [("add", "keyword", "Bases", "Tycho Base"), ("add", "keyword", "Bases", "nước")]


@pytest.mark.parametrize(
    "row",
    [
        {"id": "x", "text": "Thân bài", "title": "Tít", "lang": "vi", "source": "Đài"},
        {"article_id": "x", "body": "Thân bài", "title": "Tít", "language": {"code": "vi"}, "source": {"name": "Đài"}},
        {"article_id": "x", "body": "Thân bài", "title": "Tít", "language": "vi", "source": {"name": "Đài"}},
    ],
)
def test_articles_of_all_shapes_are_read(row: dict[str, Any]) -> None:
    assert read_article(row) == Tried("x", "Tít", "Thân bài", "vi", "Đài")


def test_a_line_that_is_no_article_is_refused_with_its_number(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRONTWIRE_CONFIG_DIR", str(folder / "config"))
    lines = folder / "broken.jsonl"
    lines.write_text('{"id": "a", "text": "b"}\n{"id": "c"}\n', encoding="utf-8")
    answer = CliRunner().invoke(plan, ["alias", str(folder / "own.yaml"), "--articles", str(lines)])
    assert answer.exit_code == 1
    assert "line 2" in answer.output

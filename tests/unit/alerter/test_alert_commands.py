"""`frontwire spikes` and `frontwire plan keyword`, as an operator runs them."""

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from services.commands.common import project_folder
from services.commands.plan import plan
from services.commands.spikes import spikes
from services.indexer.article import INDEXED_ARTICLE
from services.indexer.transform import document
from shared.alerts import AlertRule, NewTermRule
from shared.ids import article_id_for_text
from shared.models import Published, UniqueArticle
from shared.watchlist import WATCHLIST
from tests.unit.alerter.streams import HOUR, START, hit, in_order, ordinary, spike

AT = START.replace(day=4, hour=5)


def lines() -> str:
    hits = in_order([*ordinary(days=4, per_day={"Kupyansk": 3.0}), *spike(AT)])
    return "".join(
        json.dumps(
            {"timestamp": each.arrived_at.isoformat(), "ingested_at": each.arrived_at.isoformat(), "keyword": each.keyword,
             "source": each.source, "cluster_id": each.cluster_id, "title": each.title}, ensure_ascii=False,
        ) + "\n"
        for each in hits
    )  # fmt: skip


def test_spikes_reads_matches_and_writes_openings() -> None:
    ran = CliRunner().invoke(spikes, input=lines())
    assert ran.exit_code == 0, ran.output
    (row,) = [json.loads(line) for line in ran.stdout.splitlines()]
    assert list(row)[:3] == ["keyword", "fired_at", "window"]
    assert (row["keyword"], row["state"], row["window"]["end"]) == ("Kupyansk", "open", row["fired_at"])
    assert row["stories"][0]["title"].startswith("Tin spike")


def test_spikes_can_write_every_record() -> None:
    ran = CliRunner().invoke(spikes, ["--all"], input=lines())
    states = [json.loads(line)["state"] for line in ran.stdout.splitlines()]
    assert states[0] == "open"
    assert len(states) > 1


@pytest.mark.parametrize(
    "change", [{"ingested_at": "gestern"}, {"ingested_at": "2025-09-01T00:00:00"}, {"keyword": None}]
)
def test_a_match_that_cannot_be_read_ends_the_command(change: dict[str, str | None]) -> None:
    row = json.loads(lines().splitlines()[0]) | change
    if row["keyword"] is None:
        del row["keyword"]
    ran = CliRunner().invoke(spikes, input=json.dumps(row))
    assert ran.exit_code == 1
    assert "a match cannot be read" in ran.output


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / WATCHLIST).write_text("keywords:\n  - {name: Kupyansk, any_of: [gn:703656]}\n", encoding="utf-8")
    (tmp_path / "history.jsonl").write_text(lines(), encoding="utf-8")
    monkeypatch.setenv("FRONTWIRE_CONFIG_DIR", str(tmp_path))
    return tmp_path


def planned(folder: Path, alert: str, *options: str) -> tuple[int, str]:
    file = folder / "new.yaml"
    file.write_text(f"keywords:\n  - {{name: Kupyansk, any_of: [gn:703656], alert: {alert}}}\n", encoding="utf-8")
    ran = CliRunner().invoke(plan, ["keyword", str(file), "--history", str(folder / "history.jsonl"), *options])
    return ran.exit_code, ran.output


def test_plan_shows_alerts_lost_and_kept(folder: Path) -> None:
    code, text = planned(folder, "{min_stories: 40}")
    assert code == 0
    assert "lost  2025-09-04 05:" in text
    assert "0 gained, 1 lost, 0 kept" in text
    assert "0 gained, 0 lost, 1 kept" in planned(folder, "{min_stories: 4}")[1]


FULL = UniqueArticle.model_validate_json(
    (project_folder() / "schemas/examples/articles-unique-v1/full.json").read_text(encoding="utf-8")
)
NEW_KEYWORD = "keywords:\n  - {name: Surrender, any_of: [đầu hàng]}\n"


def unique(at: datetime, number: int, body: str, **update: object) -> UniqueArticle:
    article_id = article_id_for_text(f"{at} {number}")
    source = FULL.source.model_copy(update={"name": f"Báo {number % 5}"})
    return FULL.model_copy(
        update={
            "article_id": article_id, "cluster_id": article_id, "story_id": article_id, "body": body, "first_seen_at": at,
            "published": Published(), "source": source, "backlog": False, "replay": False, "entities": [], "duplicate_of": [],
            **update,
        }
    )  # fmt: skip


def past_articles() -> list[UniqueArticle]:
    """Return nine days with a story every three hours, and on the last one eight stories in a row that tell of a surrender."""
    village = FULL.entities[0].model_copy(update={"canonical": "gn:1", "label": "Làng Thử"})
    country = FULL.entities[0].model_copy(update={"canonical": "gn:2", "label": "Nước Thử"})
    ordinary = [
        unique(START + 3 * HOUR * number, number, "Trời yên biển lặng.", entities=[country]) for number in range(72)
    ]
    spiked = [
        unique(START + timedelta(days=9, minutes=5 * number), number, "Quân địch đầu hàng ở làng.", entities=[village])
        for number in range(8)
    ]
    return [*ordinary, *spiked]


def as_document(article: UniqueArticle) -> bytes:
    indexed = INDEXED_ARTICLE.validate_json(article.to_json())
    return msgspec.json.encode(document(indexed, indexed_at=START))


@pytest.mark.parametrize("write", [UniqueArticle.to_json, as_document])
def test_plan_matches_and_judges_past_articles(folder: Path, write: Callable[[UniqueArticle], bytes]) -> None:
    (folder / "articles.jsonl").write_bytes(b"\n".join(write(article) for article in reversed(past_articles())))
    (folder / "new.yaml").write_text(NEW_KEYWORD, encoding="utf-8")
    options = ["--alerts", "--articles", str(folder / "articles.jsonl")]
    ran = CliRunner().invoke(plan, ["keyword", str(folder / "new.yaml"), *options])
    assert ran.exit_code == 0, ran.output
    assert "Đột biến: Surrender — " in ran.output or "Từ mới: Surrender — " in ran.output
    assert "1 gained, 0 lost, 0 kept from 2025-09-01 00:00 to 2025-09-10 00:35 UTC" in ran.output
    (folder / "new.yaml").write_text("new_terms: {min_stories: 9}\n", encoding="utf-8")
    ran = CliRunner().invoke(plan, ["keyword", str(folder / "new.yaml"), *options, "--json"])
    difference = json.loads(ran.stdout)
    assert [alert["entity_id"] for alert in difference["lost"]] == ["gn:1"]
    assert difference["gained"] == difference["kept"] == []


def test_plan_names_the_line_that_is_no_article(folder: Path) -> None:
    (folder / "articles.jsonl").write_text('{"article_id": "1"}\n', encoding="utf-8")
    (folder / "new.yaml").write_text(NEW_KEYWORD, encoding="utf-8")
    options = ["--alerts", "--articles", str(folder / "articles.jsonl")]
    ran = CliRunner().invoke(plan, ["keyword", str(folder / "new.yaml"), *options])
    assert (ran.exit_code, "line 1: not a finished article" in ran.output) == (1, True)


def test_plan_as_json_holds_the_evidence(folder: Path) -> None:
    code, text = planned(folder, "{min_stories: 40}", "--json")
    assert code == 0
    (lost,) = json.loads(text)["lost"]
    assert lost["stories"][0]["title"].startswith("Tin spike")
    assert hit(AT + HOUR, story="x").keyword == lost["keyword"]


def test_plan_refuses_a_setting_that_makes_no_sense(folder: Path) -> None:
    from shared.yaml_config import ConfigError

    file = folder / "new.yaml"
    file.write_text("keywords:\n  - {name: K, any_of: [aa], alert: {windows: [48]}}\n", encoding="utf-8")
    ran = CliRunner().invoke(plan, ["keyword", str(file), "--history", str(folder / "history.jsonl")])
    assert isinstance(ran.exception, ConfigError)


@pytest.mark.parametrize(
    ("rule", "chapter", "elsewhere"),
    [
        (AlertRule, 1, set()),
        (NewTermRule, 2, {"channels", "group", "quiet_hours", "sensitivity", "silence", "timezone", "windows"}),
    ],
)  # fmt: skip
def test_every_setting_is_described(rule: type[AlertRule], chapter: int, elsewhere: set[str]) -> None:
    text = (project_folder() / "docs/alerts.md").read_text(encoding="utf-8").split("\n## ")[chapter]
    described = dict(re.findall(r"^\| `(\w+)` \| (.+?) \|", text, re.MULTILINE))
    assert described.keys() == rule.model_fields.keys() - elsewhere
    for name in described:
        field = rule.model_fields[name]
        default = list(field.default) if isinstance(field.default, tuple) else field.default
        shown = str(default).lower() if isinstance(default, bool) else str(default)
        assert described[name] in ({"none", "all"} if not default else {f"`{shown}`"})

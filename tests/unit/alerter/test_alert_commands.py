"""`frontwire spikes` and `frontwire plan keyword`, as an operator runs them."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from services.commands.common import project_folder
from services.commands.plan import plan
from services.commands.spikes import spikes
from shared.alerts import AlertRule, NewTermRule
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

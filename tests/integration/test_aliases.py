"""Alias sets on a running wire: an edit takes effect, a broken one does not, and a change is tried before it is made."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from services.commands.plan import plan
from tests.support.articles import raw_article
from tests.support.wire import ALIAS, WORKERS, Wire, wait_until

pytestmark = pytest.mark.engines

SEED = 71
NAME = "Đồn Gió Xám"
SETS = f"sets:\n  - {{id: loc:grey-wind-post, type: LOC, labels: {{vi: {NAME}}}}}\n"
BROKEN = "sets:\n  - {id: loc:grey-wind-post, type: LOC, lables: {vi: Đồn}}\n"
# What the issue allows between an edit and its effect, in seconds.
EFFECT = 5.0


def own_file(wire: Wire) -> Path:
    return wire.settings.config_dir / "aliases" / "own.yaml"


def send(wire: Wire, number: int) -> dict[str, Any]:
    """Send one article that holds the name and return its document."""
    text = f"Tin số {number} từ vùng biên\n\nNgười dân rời {NAME} trong đêm, theo lời một nhân chứng ở trạm {number}."
    raw = raw_article(number, seed=SEED, text=text)
    wire.publish([raw])
    wire.wait_indexed({raw.article_id})
    return wire.document(raw)


@pytest.fixture(scope="module")
def running(standing_wire: Wire) -> Wire:
    """A running wire that has read one article before anybody named the place in it."""
    standing_wire.start(*WORKERS)
    assert "loc:grey-wind-post" not in send(standing_wire, 1)["entity_ids"]
    return standing_wire


@pytest.fixture(scope="module")
def edited(running: Wire) -> dict[str, Any]:
    """The document of an article that came five seconds after the place was given a set."""
    own_file(running).write_text(SETS, encoding="utf-8")
    time.sleep(EFFECT)
    return send(running, 2)


def test_an_edit_takes_effect_without_a_restart(running: Wire, edited: dict[str, Any]) -> None:
    assert "loc:grey-wind-post" in edited["entity_ids"]
    assert running.supervisor.running["extractor"].restarts == 0


def test_a_broken_edit_is_reported_and_changes_nothing(running: Wire, edited: dict[str, Any]) -> None:
    log = running.supervisor.running["extractor"].log
    said = log.stat().st_size
    own_file(running).write_text(BROKEN, encoding="utf-8")
    time.sleep(EFFECT)
    after = send(running, 3)
    assert "loc:grey-wind-post" in after["entity_ids"]
    assert after["extractor_version"] == edited["extractor_version"]
    wait_until(lambda: running.metric("extractor", "frontwire_config_refused") == 1, "the refusal")
    lines = log.read_bytes()[said:].decode().splitlines()
    refused = [json.loads(line) for line in lines if '"config_refused"' in line]
    assert [(Path(line["file"]).name, line["line"], line["key"], line["reason"]) for line in refused] == [
        ("own.yaml", 2, "sets.0.lables", "unknown key")
    ]
    own_file(running).unlink()


def test_a_change_is_tried_on_the_articles_in_elasticsearch(
    running: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_file(running).unlink(missing_ok=True)
    (tmp_path / "own.yaml").write_text(SETS, encoding="utf-8")
    monkeypatch.setenv("FRONTWIRE_CONFIG_DIR", str(running.settings.config_dir))
    monkeypatch.setenv("FRONTWIRE_ELASTICSEARCH_URL", running.settings.elasticsearch_url)
    answer = CliRunner().invoke(plan, ["alias", str(tmp_path / "own.yaml"), "--json"])
    assert answer.exit_code == 0, answer.output
    added = {item["id"]: item for item in json.loads(answer.stdout) if item["action"] == "add"}
    assert added["loc:grey-wind-post"]["text"] == NAME
    naming = running.client.count(index=ALIAS, query={"match_phrase": {"body": NAME}})["count"]
    assert added["loc:grey-wind-post"]["articles"] == naming > 0
    assert f"[[{NAME}]]" in added["loc:grey-wind-post"]["examples"][0][1]

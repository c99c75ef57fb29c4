"""`frontwire alerts` without engines: wrong words, a channel that is tried."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from structlog.testing import capture_logs

from services.commands import alerts as module
from services.commands.alerts import alerts
from shared.alerts import AlertState
from tests.unit.notifier.samples import NOW, alert, later


@pytest.fixture(autouse=True)
def configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("FRONTWIRE_CONFIG_DIR", str(tmp_path))
    path = tmp_path / "channels.yaml"
    path.write_text(
        "channels:\n  - {name: sổ trực, type: log, enabled: false}\n"
        "  - {name: bot, type: telegram, token: {env: NOT_THERE}, chat_id: 1}\n",
        encoding="utf-8",
    )
    return path


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three alerts on the broker: one open, one resolved, one silenced."""
    found = [
        alert(0xA1),
        later(alert(0xB2, "Oskil"), NOW, AlertState.RESOLVED),
        later(alert(0xB3, "Pokrovsk"), NOW, AlertState.SUPPRESSED),
    ]
    monkeypatch.setattr(module, "_read", lambda: found)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(alerts, arguments)


def ids(result: Result) -> list[int]:
    rows: list[dict[str, Any]] = json.loads(result.output)
    return [int(row["alert_id"], 16) for row in rows]


def test_a_channel_is_tried_whether_it_is_switched_on_or_not() -> None:
    with capture_logs() as lines:
        tried = run("test-channel", "sổ trực", "--json")
    assert (tried.exit_code, json.loads(tried.stdout)["delivered"]) == (0, True)
    assert [line["kind"] for line in lines] == ["test"]
    failed = run("test-channel", "bot", "--json")
    assert failed.exit_code == 1
    assert json.loads(failed.stdout)["error"] == "the variable NOT_THERE is not set"
    assert run("test-channel", "telegraph").exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ([], [0xA1, 0xB3]),
        (["--all"], [0xA1, 0xB2, 0xB3]),
        (["--state", "resolved"], [0xB2]),
        (["--all", "--keyword", "Oskil"], [0xB2]),
        (["--keyword", "Oskil"], []),
    ],
)
def test_the_list_leaves_out_what_is_over(known: None, arguments: list[str], found: list[int]) -> None:
    assert sorted(ids(run("list", "--json", *arguments))) == found


def test_tables_for_people(known: None) -> None:
    assert "Kupyansk" in run("list").output
    shown = run("show", alert(0xA1).alert_id).output
    assert alert().reason_vi in shown
    assert "\n  https://bao.example/tin-1\n" in shown


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("show", "ffff"), 1),
        (("ack", "0000"), 1),
        (("silence", "keyword", "Kupyansk", "--reason", "x"), 2),
        (("silence", "keyword", "Kupyansk", "--for", "soon", "--reason", "x"), 2),
        (("silence", "planet", "Mars", "--for", "1h", "--reason", "x"), 2),
        (("silence", "keyword", "Kupyansk", "--for", "1h"), 2),
    ],
    ids=lambda value: value if isinstance(value, int) else " ".join(value),
)
def test_wrong_words(known: None, arguments: tuple[str, ...], code: int) -> None:
    assert run(*arguments).exit_code == code

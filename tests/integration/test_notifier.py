"""The notifier on a real broker: one message for an alert, one for its end, whatever dies in between. One wire for the file."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner, Result

from services.alerter.transform import snapshot
from services.cli import cli
from services.commands.demo_report import read_metrics
from shared.alerts import LOG_RECORD, Alert, AlertState, Command, Hit, LogRecord
from shared.ids import article_id_for_text, partition_of, trace_id_for
from shared.local_engines import free_port
from shared.notifications import Notification
from shared.settings import environment_of
from shared.supervisor import copies
from shared.topics import ALERTS, KEYWORD_HITS, NOTIFICATIONS
from shared.watchlist import WATCHLIST, WatchlistFile
from shared.yaml_config import load
from tests.support.desk_server import DeskServer, Request, desk_server
from tests.support.wire import JOBS, Wire, wait_until
from tests.unit.notifier.samples import alert, later

pytestmark = pytest.mark.engines

NOTIFIERS = copies(JOBS["notifier"], 2)
FIRST, SECOND = (job.label for job in NOTIFIERS)
CHANNELS = """\
grouping: {{wait: 0.5s}}
channels:
  - {{name: desk, type: webhook, url: "{desk}", timeout: 20s}}
  - {{name: dead, type: webhook, url: "http://127.0.0.1:{dead}/", timeout: 2s}}
"""


@pytest.fixture(scope="module")
def desk() -> Iterator[DeskServer]:
    with desk_server() as running:
        yield running


@pytest.fixture(scope="module")
def wire(standing_wire: Wire, desk: DeskServer) -> Wire:
    """A wire on which a notifier runs, with one channel that works and one that is dead."""
    text = CHANNELS.format(desk=desk.url, dead=free_port())
    (standing_wire.settings.config_dir / "channels.yaml").write_text(text, encoding="utf-8")
    standing_wire.start(NOTIFIERS[0])
    return standing_wire


def new_alert(number: int) -> Alert:
    """Return an alert that opens now, with stories of its own."""
    now = datetime.now(UTC)
    return alert(number, f"Từ khoá {number}", (number,), opened_at=now, updated_at=now)


def put(wire: Wire, record: Alert) -> None:
    key = record.alert_id
    wire.put(ALERTS, key.encode(), record.to_json(), partition=partition_of(key, ALERTS.partitions))


def about(desk: DeskServer, wanted: Alert) -> list[Request]:
    """Return the requests that tell of an alert."""
    return [
        request
        for request in desk.requests
        if any(
            each["alert_id"] == wanted.alert_id for known in request.json["notifications"] for each in known["alerts"]
        )
    ]


def kinds(requests: list[Request]) -> list[tuple[str, bool]]:
    return [(request.json["kind"], request.json["repeat"]) for request in requests]


def test_one_message_and_one_end_over_a_crash_beside_a_dead_channel(wire: Wire, desk: DeskServer) -> None:
    """What comes twice says so; the dead channel holds up nothing."""
    opened = new_alert(1)
    put(wire, opened)
    wait_until(lambda: about(desk, opened), "the opening", 60)
    wire.supervisor.kill(FIRST)
    put(wire, later(opened, datetime.now(UTC), AlertState.RESOLVED))
    wire.restart(FIRST)
    wait_until(lambda: ("resolved", False) in kinds(about(desk, opened)), "the end", 60)
    told = kinds(about(desk, opened))
    assert told.count(("opening", False)) == 1
    assert set(told) <= {("opening", False), ("opening", True), ("resolved", False)}
    assert told.count(("resolved", False)) == 1
    other = new_alert(2)
    put(wire, other)
    wait_until(lambda: about(desk, other), "another opening", 60)


def test_a_crash_in_the_middle_of_a_message_repeats_it_and_says_so(wire: Wire, desk: DeskServer) -> None:
    desk.hang = 30
    opened = new_alert(3)
    put(wire, opened)
    wait_until(lambda: about(desk, opened), "the first attempt", 60)
    wire.supervisor.kill(FIRST)
    desk.hang = 0
    wire.restart(FIRST)
    wait_until(lambda: len(about(desk, opened)) == 2, "the second attempt", 60)
    first, second = about(desk, opened)
    assert kinds([first, second]) == [("opening", False), ("opening", True)]
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert second.json["text"].startswith("Có thể bạn đã nhận tin này")


def test_an_edit_of_the_channels_counts_and_a_broken_one_does_not(wire: Wire, desk: DeskServer) -> None:
    path = wire.settings.config_dir / "channels.yaml"
    good = path.read_text(encoding="utf-8")
    path.write_text(good.replace("timeout:", "timeouts:"), encoding="utf-8")
    wait_until(lambda: wire.metric(FIRST, "frontwire_config_refused") == 1, "the refusal", 30)
    kept = new_alert(9)
    put(wire, kept)
    wait_until(lambda: about(desk, kept), "the opening by the last good file", 60)
    path.write_text(good.replace(desk.url, f"{desk.url}/moved"), encoding="utf-8")
    wait_until(lambda: wire.metric(FIRST, "frontwire_config_refused") == 0, "the good edit", 30)
    moved = new_alert(10)
    put(wire, moved)
    wait_until(lambda: about(desk, moved), "the opening at the new address", 60)
    assert about(desk, kept)[0].path == "/"
    assert about(desk, moved)[0].path == "/moved"
    path.write_text(good, encoding="utf-8")


def test_a_standby_takes_over_and_repeats_nothing(wire: Wire, desk: DeskServer) -> None:
    before, after = new_alert(4), new_alert(5)
    wire.supervisor.start_one(NOTIFIERS[1])
    put(wire, before)
    wait_until(lambda: about(desk, before), "the opening", 60)
    wait_until(lambda: ready(wire, FIRST) != ready(wire, SECOND), "one of two to be on duty", 60)
    working = FIRST if ready(wire, FIRST) else SECOND
    wait_until(lambda: is_kept(wire, before), "the delivery to be kept", 30)
    wire.supervisor.kill(working)
    put(wire, after)
    wait_until(lambda: about(desk, after), "the standby to notify", 60)
    assert ("opening", False) in kinds(about(desk, after))
    assert kinds(about(desk, before)).count(("opening", False)) == 1
    wire.restart(working)
    wait_until(lambda: wire.supervisor.running[working].restarts and answers(wire, working), "the other to be back", 60)
    last = new_alert(8)
    put(wire, last)
    wait_until(lambda: about(desk, last), "whoever is on duty after that", 60)
    assert kinds(about(desk, before)).count(("opening", False)) == 1


def answers(wire: Wire, label: str) -> bool:
    return bool(read_metrics(wire.supervisor.running[label].metrics_url))


def is_kept(wire: Wire, wanted: Alert) -> bool:
    """Return whether it is written down that the desk was told of an alert."""
    rows = [record for record in wire.read(NOTIFICATIONS) if record.key == wanted.alert_id.encode()]
    return bool(rows) and Notification.model_validate_json(rows[-1].value or b"").deliveries["desk"].messages == 1


def ready(wire: Wire, label: str) -> bool:
    return wire.metric(label, "frontwire_ready") == 1


def typed(wire: Wire, *arguments: str) -> Result:
    """Run `frontwire alerts …` against the wire, in this process: nine processes of their own take long."""
    return CliRunner().invoke(cli, ["alerts", *arguments], env=environment_of(wire.settings))


def found(at: datetime, name: str, source: str) -> Hit:
    """Return a story on Kupyansk as it stands in the alerter's log."""
    article_id = article_id_for_text(name)
    return Hit(
        article_id=article_id, keyword="Kupyansk", cluster_id=article_id, story_id=article_id, feed=source, source=source,
        language="vi", title=f"Tin {name}", url=f"https://bao.example/{article_id[:8]}", claimed_at=at, arrived_at=at,
        trace_id=trace_id_for(article_id, 0),
    )  # fmt: skip


def test_a_spike_is_one_message_within_two_minutes_of_the_story_that_tipped_it(wire: Wire, desk: DeskServer) -> None:
    """The alerter and the notifier together: three quiet days in the log, then nine stories in a row."""
    now = datetime.now(UTC)
    start = now - timedelta(days=3)
    history: list[LogRecord] = [snapshot(load(wire.settings.config_dir / WATCHLIST, WatchlistFile), start)]
    history += [found(start + timedelta(hours=8 * number), f"cũ {number}", f"Báo {number % 4}") for number in range(9)]
    for record in (*history, *(found(now, f"mới {number}", f"Báo {number % 4}") for number in range(9))):
        wire.put(KEYWORD_HITS, record.kind.encode(), record.to_json())
    wire.start(JOBS["alerter"])

    def told() -> list[Request]:
        return [request for request in desk.requests if "đột biến: Kupyansk" in request.json["subject"]]

    wait_until(told, "the message", 120)
    (message,) = told()
    (only,) = message.json["notifications"]
    (spike,) = only["alerts"]
    assert (message.json["kind"], spike["state"], spike["kind"]) == ("opening", "open", "spike")
    assert spike["reason_vi"] in message.json["text"]
    assert spike["stories"][0]["url"] in message.json["text"]
    assert only["late_seconds"] < 120
    assert run(wire, "recompute", spike["alert_id"])["same"]


def run(wire: Wire, *arguments: str) -> Any:
    """Run `frontwire alerts …`; gives what it printed as JSON."""
    ran = typed(wire, *arguments, "--json")
    assert ran.exit_code == 0, ran.output
    return json.loads(ran.stdout)


def test_an_operator_looks_and_answers(wire: Wire) -> None:
    """`alerts list` and `show` read alerts-v1; answers and silences are commands in the alerter's log."""
    opened, over = new_alert(6), new_alert(7)
    put(wire, opened)
    put(wire, later(over, datetime.now(UTC), AlertState.RESOLVED))
    put(wire, later(opened, datetime.now(UTC), AlertState.ACKNOWLEDGED))
    listed = {row["alert_id"]: row["state"] for row in run(wire, "list")}
    assert listed[opened.alert_id] == "acknowledged"
    assert over.alert_id not in listed
    assert over.alert_id in {row["alert_id"] for row in run(wire, "list", "--all", "--keyword", over.keyword)}
    shown = typed(wire, "show", opened.alert_id)
    assert opened.reason_vi in shown.stdout
    assert run(wire, "show", opened.alert_id)["sequence"] == 2
    missing = typed(wire, "ack", "f" * 32)
    assert (missing.exit_code, "no alert" in missing.stderr) == (1, True)
    several = typed(wire, "show", "0000")
    assert (several.exit_code, "begins" in several.stderr) == (1, True)
    for arguments in (
        ("ack", opened.alert_id, "--author", "lan", "--reason", "đang xem"),
        ("mark-false", opened.alert_id, "--author", "lan"),
        ("resolve", opened.alert_id, "--author", "lan"),
        ("silence", "keyword", "Kupyansk", "--for", "6h", "--author", "lan", "--reason", "bản tin lặp"),
        ("unsilence", "keyword", "Kupyansk", "--author", "lan"),
    ):
        ran = typed(wire, *arguments)
        assert ran.exit_code == 0, ran.output
    records = [LOG_RECORD.validate_json(record.value or b"") for record in wire.read(KEYWORD_HITS)]
    commands = [record for record in records if isinstance(record, Command)]
    assert [command.action for command in commands] == ["ack", "mark-false", "resolve", "silence", "unsilence"]
    assert {command.author for command in commands} == {"lan"}
    silence = commands[3]
    assert (silence.target and silence.target.name, silence.reason) == ("Kupyansk", "bản tin lặp")
    assert silence.until is not None
    assert 5.9 < (silence.until - silence.at).total_seconds() / 3600 <= 6


def test_what_is_no_alert_is_a_dead_letter_and_a_channel_can_be_tried(wire: Wire, desk: DeskServer) -> None:
    wire.put(ALERTS, b"broken", b"{")
    wait_until(lambda: wire.letters(ALERTS), "the dead letter", 60)
    assert {letter.reason for letter in wire.letters(ALERTS)} == {"broken_json"}
    assert run(wire, "test-channel", "desk") == {"channel": "desk", "delivered": True, "error": None}
    assert any(each.json["kind"] == "test" for each in desk.requests)
    failed = typed(wire, "test-channel", "dead")
    assert (failed.exit_code, "ConnectionRefused" in failed.stderr) == (1, True)
    unknown = typed(wire, "test-channel", "pigeon")
    assert (unknown.exit_code, "there are desk, dead" in unknown.stderr) == (2, True)


def test_a_dead_channel_is_reported_through_the_other(desk: DeskServer) -> None:
    """By now it has failed again and again, over every restart."""
    wait_until(lambda: any("Kênh dead" in request.json["subject"] for request in desk.requests), "the report", 90)

"""Alerts on the real engines, from raw articles to the index and to a desk's webhook. One wire for the file.

First the whole chain with a planted spike, then alerts put on the notifier's topic: one message for an alert, one for its end,
whatever dies in between.
"""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner, Result

from services.cli import cli
from services.commands.demo_report import read_metrics
from services.indexer import desk as indexed
from shared.alerts import LOG_RECORD, Alert, AlertState, Command, Hit, Named
from shared.ids import partition_of
from shared.local_engines import free_port
from shared.models import RawArticle
from shared.notifications import Notification
from shared.settings import environment_of
from shared.supervisor import copies
from shared.topics import ALERTS, KEYWORD_HITS, NOTIFICATIONS
from tests.support.alerting import article, put_quiet_days
from tests.support.desk_server import DeskServer, Request, desk_server
from tests.support.wire import JOBS, Wire, wait_until
from tests.unit.notifier.samples import alert, later

pytestmark = pytest.mark.engines

NOTIFIERS = copies(JOBS["notifier"], 2)
FIRST, SECOND = (job.label for job in NOTIFIERS)
CHAIN = tuple(JOBS[name] for name in ("normaliser", "extractor", "sketch", "decide", "alerter", "indexer"))
CHANNELS = """\
grouping: {{wait: {wait}}}
channels:
  - {{name: desk, type: webhook, url: "{desk}", timeout: 20s}}
  - {{name: dead, type: webhook, url: "http://127.0.0.1:{dead}/", timeout: 2s}}
"""
ELSEWHERE = ("Bakhmut", "Kharkiv", "Kherson", "Kursk", "Oreshnik", "Tomahawk")
SYLLABLES = (
    "ba", "chi", "đo", "gia", "hà", "khê", "lam", "minh", "ngà", "phú", "quỳ", "sơn", "thu", "vinh", "xuân", "yên", "bến", "đồi",
    "sông", "chợ", "cầu", "rừng", "thôn",
)  # fmt: skip


@pytest.fixture(scope="module")
def desk() -> Iterator[DeskServer]:
    with desk_server() as running:
        yield running


@pytest.fixture(scope="module")
def wire(own_wire: Wire, desk: DeskServer) -> Iterator[Wire]:
    """A wire with three quiet days behind it and every service from raw articles on; one channel works and one is dead."""
    set_channels(own_wire, desk, wait="5s")
    put_quiet_days(own_wire, datetime.now(UTC))
    own_wire.start(*CHAIN, NOTIFIERS[0])
    yield own_wire
    own_wire.supervisor.stop()


def set_channels(wire: Wire, desk: DeskServer, wait: str) -> None:
    text = CHANNELS.format(wait=wait, desk=desk.url, dead=free_port())
    (wire.settings.config_dir / "channels.yaml").write_text(text, encoding="utf-8")


def story(place: str, seed: int) -> str:
    """Return a text about a place, unlike that of any other seed."""
    pick = random.Random(seed)
    sentences = (" ".join(pick.choice(SYLLABLES) for _ in range(14)).capitalize() + "." for _ in range(8))
    return f"Tin {' '.join(pick.choice(SYLLABLES) for _ in range(5))} tại {place}\n\n" + " ".join(sentences)


def ordinary_day(now: datetime) -> Iterator[RawArticle]:
    """Yield what a day brings: a story here and there, and one wire story that fifty outlets carry."""
    for number, place in enumerate(ELSEWHERE):
        at = now - timedelta(hours=3 * number)
        yield article(story(place, number), f"Báo {number % 5}", at)
    for number in range(50):
        yield article(story("Pokrovsk", 50), f"Đài {number}", now - timedelta(minutes=number), f"copy {number}")


def spike(now: datetime) -> list[RawArticle]:
    """Return seven stories on Kupyansk by five outlets."""
    return [article(story("Kupyansk", 100 + number), f"Báo {number % 5}", now) for number in range(7)]


def latest(wire: Wire) -> dict[str, Alert]:
    """Return the last record of each alert, and hold that no sequence was written with two contents."""
    found: dict[str, Alert] = {}
    written: dict[tuple[str, int], bytes] = {}
    for record in wire.read(ALERTS):
        alert = Alert.model_validate_json(record.value or b"")
        assert written.setdefault((alert.alert_id, alert.sequence), record.value or b"") == record.value
        found[alert.alert_id] = alert
    return found


def documents(wire: Wire) -> dict[str, Any]:
    """Return the alerts in the index by their id."""
    wire.client.indices.refresh(index=indexed.ALERTS, ignore_unavailable=True)
    answer = wire.client.search(index=indexed.ALERTS, size=100, ignore_unavailable=True)
    return {hit["_id"]: hit["_source"] for hit in answer["hits"]["hits"]}


def found_on(wire: Wire, keyword: str) -> set[str]:
    """Return the ids of the articles that the log has on a keyword."""
    records = (LOG_RECORD.validate_json(record.value or b"") for record in wire.read(KEYWORD_HITS))
    return {record.article_id for record in records if isinstance(record, Hit) and record.keyword == keyword}


def names_in_the_log(wire: Wire) -> set[str]:
    """Return the ids of what articles name, as the log has them for new terms."""
    records = (LOG_RECORD.validate_json(record.value or b"") for record in wire.read(KEYWORD_HITS))
    return {name.id for record in records if isinstance(record, Named) for name in record.names}


def test_a_planted_spike_is_one_document_and_one_message_and_fifty_copies_are_none(
    wire: Wire, desk: DeskServer
) -> None:
    """From raw articles on; both within two minutes of the story that tipped it."""
    now = datetime.now(UTC)
    wire.publish(ordinary_day(now))
    wire.publish(spike(now))
    wait_until(lambda: desk.requests and documents(wire), "the message and the document", 120)
    wait_until(
        lambda: len(found_on(wire, "Pokrovsk")) == 50 and len(found_on(wire, "Kupyansk")) == 16, "every hit in the log"
    )
    assert {"gn:703656", "gn:704422"} <= names_in_the_log(wire)
    ((alert_id, document),) = documents(wire).items()
    assert (document["keyword"], document["kind"], document["state"]) == ("Kupyansk", "spike", "open")
    assert len(document["sources"]) >= 2
    (message,) = desk.requests
    ((told,),) = [known["alerts"] for known in message.json["notifications"]]
    assert (told["alert_id"], message.json["kind"], message.json["repeat"]) == (alert_id, "opening", False)
    assert datetime.fromisoformat(message.json["sent_at"]) - now < timedelta(minutes=2)
    assert told["reason_vi"].startswith("Đột biến: Kupyansk — ")
    assert told["reason_vi"] in message.json["text"]
    assert all(each["url"] in message.json["text"] and "Kupyansk" in each["title"] for each in told["stories"][:3])
    set_channels(wire, desk, wait="0.5s")


def test_a_killed_alerter_goes_on_and_an_operator_answers_the_spike(wire: Wire) -> None:
    """The answer stands behind another story in the log: when it is done, that story and the copies were judged."""
    (alert,) = latest(wire).values()
    wire.wait_indexed({raw.article_id for raw in spike(datetime.now(UTC))})
    again = run(wire, "recompute", alert.alert_id)
    assert (again["same"], again["evidence"], again["differences"]) == (True, [], [])
    assert again["index"]["stories"] >= alert.opening.stories
    wire.supervisor.kill("alerter")
    wire.publish([article(story("Kupyansk", 999), "Báo 9", datetime.now(UTC))])
    wire.restart("alerter")
    wait_until(lambda: len(found_on(wire, "Kupyansk")) == 17, "the story after the kill")
    assert typed(wire, "ack", alert.alert_id, "--author", "hoa").exit_code == 0
    wait_until(lambda: documents(wire)[alert.alert_id]["state"] == "acknowledged", "the answer in the index")
    assert set(latest(wire)) == set(documents(wire)) == {alert.alert_id}


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
    wait_until(lambda: about(desk, opened), "the opening")
    wire.supervisor.kill(FIRST)
    put(wire, later(opened, datetime.now(UTC), AlertState.RESOLVED))
    wire.restart(FIRST)
    wait_until(lambda: ("resolved", False) in kinds(about(desk, opened)), "the end")
    told = kinds(about(desk, opened))
    assert told.count(("opening", False)) == 1
    assert set(told) <= {("opening", False), ("opening", True), ("resolved", False)}
    assert told.count(("resolved", False)) == 1
    other = new_alert(2)
    put(wire, other)
    wait_until(lambda: about(desk, other), "another opening")


def test_a_crash_in_the_middle_of_a_message_repeats_it_and_says_so(wire: Wire, desk: DeskServer) -> None:
    desk.hang = 30
    opened = new_alert(3)
    put(wire, opened)
    wait_until(lambda: about(desk, opened), "the first attempt")
    wire.supervisor.kill(FIRST)
    desk.hang = 0
    wire.restart(FIRST)
    wait_until(lambda: len(about(desk, opened)) == 2, "the second attempt")
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
    wait_until(lambda: about(desk, kept), "the opening by the last good file")
    path.write_text(good.replace(desk.url, f"{desk.url}/moved"), encoding="utf-8")
    wait_until(lambda: wire.metric(FIRST, "frontwire_config_refused") == 0, "the good edit", 30)
    moved = new_alert(10)
    put(wire, moved)
    wait_until(lambda: about(desk, moved), "the opening at the new address")
    assert about(desk, kept)[0].path == "/"
    assert about(desk, moved)[0].path == "/moved"
    path.write_text(good, encoding="utf-8")


def test_a_standby_takes_over_and_repeats_nothing(wire: Wire, desk: DeskServer) -> None:
    before, after = new_alert(4), new_alert(5)
    wire.supervisor.start_one(NOTIFIERS[1])
    put(wire, before)
    wait_until(lambda: about(desk, before), "the opening")
    wait_until(lambda: ready(wire, FIRST) != ready(wire, SECOND), "one of two to be on duty")
    working = FIRST if ready(wire, FIRST) else SECOND
    wait_until(lambda: is_kept(wire, before), "the delivery to be kept")
    wire.supervisor.kill(working)
    put(wire, after)
    wait_until(lambda: about(desk, after), "the standby to notify")
    assert ("opening", False) in kinds(about(desk, after))
    assert kinds(about(desk, before)).count(("opening", False)) == 1
    wire.restart(working)
    wait_until(lambda: wire.supervisor.running[working].restarts and answers(wire, working), "the other to be back")
    last = new_alert(8)
    put(wire, last)
    wait_until(lambda: about(desk, last), "whoever is on duty after that")
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
    by_lan = [command for command in commands if command.author == "lan"]
    assert [command.action for command in by_lan] == ["ack", "mark-false", "resolve", "silence", "unsilence"]
    silence = by_lan[3]
    assert (silence.target and silence.target.name, silence.reason) == ("Kupyansk", "bản tin lặp")
    assert silence.until is not None
    assert 5.9 < (silence.until - silence.at).total_seconds() / 3600 <= 6


def test_what_is_no_alert_is_a_dead_letter_and_a_channel_can_be_tried(wire: Wire, desk: DeskServer) -> None:
    wire.put(ALERTS, b"broken", b"{")
    wait_until(lambda: wire.letters(ALERTS), "the dead letter")
    assert {letter.reason for letter in wire.letters(ALERTS)} == {"broken_json"}
    assert run(wire, "test-channel", "desk") == {"channel": "desk", "delivered": True, "error": None}
    assert any(each.json["kind"] == "test" for each in desk.requests)
    failed = typed(wire, "test-channel", "dead")
    assert (failed.exit_code, "ConnectionRefused" in failed.stderr) == (1, True)
    unknown = typed(wire, "test-channel", "pigeon")
    assert (unknown.exit_code, "there are desk, dead" in unknown.stderr) == (2, True)


def test_a_dead_channel_is_reported_through_the_other_and_the_spike_was_told_once(desk: DeskServer) -> None:
    """By now it has failed again and again, over every restart."""
    wait_until(lambda: any("Kênh dead" in request.json["subject"] for request in desk.requests), "the report")
    told = [request.json for request in desk.requests if "đột biến: Kupyansk" in request.json["subject"]]
    assert [(each["kind"], each["repeat"]) for each in told] == [("opening", False)]

"""What was taken down: the list, what each stage does with it, and what null records leave behind."""

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from unittest.mock import MagicMock

import click
import orjson
import pytest
from kafka.errors import KafkaConnectionError

from services.alerter import checkpoint
from services.alerter.detecting import DetectStage
from services.commands.common import project_folder
from services.commands.takedown import ArticleName, takedown
from services.commands.takedown_text import _last
from services.indexer import desk, routes, templates
from services.indexer.routes import Context
from shared.alerts import Alert, Hit, without_text
from shared.dead_letters import DeadLetter
from shared.errors import Drop, Reason, Rejected
from shared.faust_runner import StageRunner
from shared.ids import MAX_PARTS, article_id_for_link, article_of_key, family_of, partition_of
from shared.kibana_links import Kibana
from shared.models import RawArticle, UniqueArticle
from shared.service import Service
from shared.settings import load_settings
from shared.stage import Outcome, Record, Stage, refuse
from shared.status_server import Health
from shared.takedown_record import Lift, Takedown
from shared.takedowns import NUDGE, Follower, Takedowns, nudges
from shared.topics import (
    ALERTS,
    ARTICLES_NORMALISED,
    ARTICLES_RAW,
    ARTICLES_UNIQUE,
    FEED_STATE,
    INTERNAL,
    KEYWORD_HITS,
    TAKEDOWNS,
    Topic,
    all_topics,
)

GONE, KEPT = "a" * 32, "b" * 32
AT = datetime(2025, 11, 22, 4, 0, tzinfo=UTC)
EXAMPLES = project_folder() / "schemas/examples"
TAKEN = Takedown(article_id=GONE, host="wire.example", author="linh", reason="rút bài", at=AT)
LIFTED = TAKEN.model_copy(update={"lifted": Lift(at=AT, author="minh", reason="đăng lại")})


def row(value: bytes | None, key: bytes | None = GONE.encode(), topic: Topic = TAKEDOWNS, **more: Any) -> Record:
    return Record(topic.name, 0, 0, key, value, **more)


def taken(*values: bytes | None) -> Takedowns:
    found = Takedowns()
    for value in values:
        found.apply(row(value))
    return found


@pytest.mark.parametrize(
    ("values", "held"),
    [
        ([], False),
        ([TAKEN.to_json()], True),
        ([TAKEN.to_json(), LIFTED.to_json()], False),
        ([TAKEN.to_json(), LIFTED.to_json(), TAKEN.to_json()], True),
        ([TAKEN.to_json(), None], False),
        ([b"{"], True),
    ],
)
def test_the_last_record_of_an_article_counts_and_one_that_cannot_be_read_takes_down(
    values: list[bytes | None], held: bool
) -> None:
    found = taken(*values)
    assert found.holds(GONE) is found.holds(f"{GONE}#3") is found.covers(f"h|{GONE}#3".encode()) is held
    assert not found.holds(KEPT)
    found.apply(row(TAKEN.to_json(), key=b"no article"))
    assert not found.covers(b"no article")


@pytest.mark.parametrize(
    ("key", "article_id"),
    [
        (GONE, GONE), (f"{GONE}#12", GONE), (f"wire.example|{GONE}", GONE), (f"h|feed|{GONE}", GONE), (f"{GONE}#2/x-y", GONE),
        ("tick/3f2a", None), (f"{GONE}0", None), (f"x{GONE}", None), (f"{GONE}#", None), (f"t/0/1 {GONE}", None), ("", None),
    ],
)  # fmt: skip
def test_a_key_names_its_article(key: str, article_id: str | None) -> None:
    assert article_of_key(key.encode()) == article_id


def test_a_null_record_becomes_one_for_the_article_and_each_part_it_may_have_had() -> None:
    stage = Stage("s", ARTICLES_RAW, RawArticle, ARTICLES_NORMALISED, lambda raw: [raw], heirs=family_of)
    outcome = stage.process(row(None, topic=ARTICLES_RAW))
    assert [message.key for message in outcome.outputs] == [name.encode() for name in family_of(GONE)]
    assert len(outcome.outputs) == MAX_PARTS + 1
    assert {message.value for message in outcome.outputs} == {None}
    assert {message.partition for message in outcome.outputs} == {partition_of(GONE, ARTICLES_NORMALISED.partitions)}
    assert outcome.dropped is Drop.TOMBSTONE
    assert family_of(f"{GONE}#2") == (f"{GONE}#2",)


class Everything:
    """A stage that lets every record pass."""

    name = "everything"
    source = ARTICLES_RAW

    def process(self, record: Record) -> Outcome:
        return Outcome()


@pytest.mark.parametrize(
    ("screen", "value", "key", "dropped"),
    [
        (True, b"text", GONE, Drop.TAKEN_DOWN),
        (True, b"text", f"{GONE}#2", Drop.TAKEN_DOWN),
        (True, None, GONE, None),
        (True, b"text", KEPT, None),
        (False, b"text", GONE, None),
    ],
)
def test_the_runner_stops_what_was_taken_down_and_passes_null_records(
    screen: bool, value: bytes | None, key: str, dropped: Drop | None
) -> None:
    runner = object.__new__(StageRunner)
    runner.stage = Everything()
    runner._screen = taken(TAKEN.to_json()) if screen else None
    assert runner._outcome(row(value, key.encode(), ARTICLES_RAW)).dropped is dropped


def test_letters_share_no_key_and_know_that_of_their_record() -> None:
    letters = [
        refuse(record, ARTICLES_RAW, stage, Rejected(Reason.BUG, ""), AT).outputs[0]
        for record in (row(b"{", topic=ARTICLES_RAW), Record(ARTICLES_RAW.name, 0, 1, GONE.encode(), b"{"))
        for stage in ("indexer", "alerter")
    ]
    assert len({letter.key for letter in letters}) == 4
    assert {DeadLetter(Record("t", 0, 0, each.key, each.value, each.headers)).key for each in letters} == {
        GONE.encode()
    }
    keyless = refuse(row(b"{", None, ARTICLES_RAW), ARTICLES_RAW, "s", Rejected(Reason.BUG, ""), AT).outputs[0]
    assert keyless.key
    assert DeadLetter(Record("t", 0, 0, keyless.key, keyless.value, keyless.headers)).key is None


def context() -> Context:
    return Context(AT, {}, Kibana("http://k:5601"), taken(TAKEN.to_json()).holds)


def test_the_indexer_takes_in_no_article_letter_or_title_that_was_taken_down() -> None:
    value = orjson.loads((EXAMPLES / "articles-unique-v1/full.json").read_bytes())
    for article_id, expected in ((GONE, 0), (f"{GONE}#2", 0), (KEPT, 1)):
        made = UniqueArticle.model_validate(value | {"article_id": article_id, "parent_id": article_id[:32]})
        work = routes.article_work(row(made.to_json(), article_id.encode(), ARTICLES_UNIQUE), context())
        assert bool(work.items) is bool(expected)
        assert (work.dropped is Drop.TAKEN_DOWN) is not bool(expected)
        (letter,) = refuse(
            row(b"{", f"h|{article_id}".encode()), ARTICLES_RAW, "s", Rejected(Reason.BUG, ""), AT
        ).outputs
        refused = Record(letter.topic.name, 0, 0, letter.key, letter.value, letter.headers)
        assert len(routes.letter_work(refused, context()).items) == expected
    assert routes.article_work(row(b"{", topic=ARTICLES_UNIQUE), context()).dropped is Drop.TAKEN_DOWN
    (item,) = routes.alert_work(row(alert().to_json(), b"k", ALERTS), context()).items
    assert "Gone" not in item.lines.decode()
    assert "Kept" in item.lines.decode()


def alert() -> Alert:
    """Return an alert with one story that goes and one that stays."""
    value = orjson.loads((EXAMPLES / "alerts-v1/full.json").read_bytes())
    told = value["stories"][0]
    stories = [told | {"article_id": f"{GONE}#1", "title": "Gone"}, told | {"article_id": KEPT, "title": "Kept"}]
    return Alert.model_validate(value | {"stories": stories})


def test_evidence_loses_title_and_link_and_keeps_its_number() -> None:
    bare = without_text(alert(), taken(TAKEN.to_json()).holds)
    assert (bare.stories[0].title, bare.stories[0].url) == ("", None)
    assert bare.stories[1] == alert().stories[1]
    assert without_text(bare, taken(TAKEN.to_json()).holds) is bare


def test_the_document_of_a_takedown_has_exactly_the_fields_of_its_template() -> None:
    shipped = templates.load(project_folder() / "deploy/elasticsearch")
    (item,) = routes.takedown_work(row(LIFTED.model_copy(update={"removed": {"t": 2}}).to_json()), context()).items
    made = orjson.loads(item.lines.splitlines()[1])
    assert made.keys() == shipped.fields(desk.TAKEDOWNS).keys()
    assert (made["active"], made["records"], made["places"], made["lifted_by"]) == (False, 2, ["t"], "minh")


def hit(article_id: str, number: int) -> bytes:
    at = datetime(2025, 11, 22, 4, number, tzinfo=UTC)
    return Hit(
        article_id=article_id, keyword="Kupyansk", cluster_id=article_id, story_id=article_id, feed="F", source="S",
        language="vi", title=f"Tin {article_id[:4]}", url="https://w.example/", arrived_at=at, trace_id=KEPT,
    ).to_json()  # fmt: skip


def test_a_takedown_in_the_log_leaves_no_title_in_state_and_checkpoint() -> None:
    rows: dict[str, str] = {}
    stage = DetectStage(rows, lambda start, end: iter(()), lambda article_id: False)
    records = [(f"{GONE}#1/x", hit(f"{GONE}#1", 1)), (f"{KEPT}/y", hit(KEPT, 2)), (GONE, None), (KEPT[:31] + "c", None)]
    for offset, (key, value) in enumerate(records):
        outcome = stage.process(Record(KEYWORD_HITS.name, 0, offset, key.encode(), value))
        assert (outcome.dropped is Drop.TOMBSTONE) is (value is None)
        assert outcome.refused is None
        if offset == 1:
            for _ in range(3):
                checkpoint.save(rows, stage.detector.state, offset, [])
    assert sorted(rows) == ["0/0", "1/0", "head"]
    for each in (rows, rows | {"head": rows["head"].replace('"place":0', '"place":1')}):
        found = checkpoint.load(each)
        assert found is not None
        (watched,) = found[0].keywords.values()
        assert [(story.title, story.url is None) for story in watched.recent] == [("", True), ("Tin bbbb", False)]


def test_a_shorter_checkpoint_leaves_nothing_of_a_longer_one(monkeypatch: pytest.MonkeyPatch) -> None:
    rows: dict[str, str] = {}
    state = DetectStage({}, lambda start, end: iter(())).detector.state
    monkeypatch.setattr(checkpoint, "CHUNK", 64)
    for _ in range(checkpoint.PLACES):
        checkpoint.save(rows, state, 1, [])
    longer = len(rows)
    monkeypatch.setattr(checkpoint, "CHUNK", 1 << 20)
    for _ in range(checkpoint.PLACES):
        checkpoint.save(rows, state, 1, [])
    assert len(rows) == checkpoint.PLACES + 1 < longer


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (GONE.upper(), (GONE, None)),
        (f" {GONE}#3 ", (GONE, None)),
        ("http://Wire.example/a?utm_source=x#y", (article_id_for_link("https://wire.example/a"), "wire.example")),
    ],
)
def test_an_article_is_named_by_link_or_id(text: str, named: tuple[str, str | None]) -> None:
    assert ArticleName().convert(text, None, None) == named


@pytest.mark.parametrize("text", ["", "abc", GONE[:31], "ftp://wire.example/a", "list "])
def test_what_names_no_article_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="neither"):
        ArticleName().convert(text, None, None)


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["list"], "list"), ([GONE, "--reason", "x"], "article"), (["--reason", "x", GONE], "article"), (["lift", GONE], "lift"),
    ],
)  # fmt: skip
def test_an_article_needs_no_command(arguments: list[str], command: str) -> None:
    context = takedown.make_context("takedown", list(arguments), resilient_parsing=True)
    assert [*context._protected_args, *context.args][0] == command


def test_of_each_key_the_last_record_stands_as_after_compaction() -> None:
    values = [("k", b"1"), ("k", b"2"), ("l", b"3"), ("l", None), ("m", b"4"), ("n", None), ("n", b"5")]
    records = [row(value, key.encode()) for key, value in values]
    assert [record.value for record in _last(records, lambda record: record.key != b"m")] == [b"2", b"5"]


def test_every_partition_where_text_may_stand_is_nudged() -> None:
    nudged = {(message.topic.name, message.partition) for message in nudges()}
    for topic in all_topics():
        written = topic not in (FEED_STATE, TAKEDOWNS, *INTERNAL)
        assert nudged >= {(topic.name, number) for number in range(topic.partitions)} or not written
        assert written or not any(name == topic.name for name, _ in nudged)
    assert {(message.key, message.value) for message in nudges()} == {(NUDGE, None)}
    assert family_of(NUDGE.decode()) == (NUDGE.decode(),)


@dataclass
class Log:
    """A broker with takedowns-v1 on it, as kafka-python shows it; the first consumer meets a broker that is away."""

    values: list[bytes | None]
    gate: threading.Event = field(default_factory=threading.Event)
    consumers: int = 0
    read: int = 0

    def __call__(self, *_: object) -> "Log":
        self.consumers += 1
        if self.consumers == 1:
            raise KafkaConnectionError
        return self

    def assign(self, _: object) -> None: ...

    def seek_to_beginning(self, _: object) -> None: ...

    def close(self) -> None: ...

    def end_offsets(self, places: list[Any]) -> dict[Any, int]:
        return {place: len(self.values) for place in places}

    def position(self, _: object) -> int:
        return self.read

    def poll(self, timeout_ms: int) -> dict[Any, list[Any]]:
        if not self.gate.wait(timeout_ms / 1000) or self.read == len(self.values):
            return {}
        message = MagicMock(topic=TAKEDOWNS.name, key=GONE.encode(), value=self.values[self.read], headers=())
        self.read += 1
        return {0: [message]}


def test_a_stage_waits_until_the_list_is_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log([TAKEN.to_json(), LIFTED.to_json(), TAKEN.to_json()])
    monkeypatch.setattr("shared.takedowns.make_consumer", log)
    monkeypatch.setattr("shared.takedowns.RETRY_SECONDS", 0.0)
    monkeypatch.setattr("shared.takedowns.POLL_MS", 10)
    running = Service("s", load_settings(), Health("takedowns-test"))
    follower = Follower(running)
    assert running.health.unready() == {"takedowns": f"reading {TAKEDOWNS.name}"}
    log.gate.set()
    assert follower.wait()
    assert running.health.unready() == {}
    assert follower.holds(GONE)
    assert (log.read, log.consumers) == (3, 2)
    running.stopping.set()


def test_a_stage_that_is_stopped_first_waits_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.takedowns.make_consumer", Log([TAKEN.to_json()]))
    monkeypatch.setattr("shared.takedowns.POLL_MS", 10)
    running = Service("s", load_settings(), Health("takedowns-test"))
    running.stopping.set()
    assert not Follower(running).wait()

"""A backfill makes room for live articles: the rule, the waiting, and what becomes visible of it."""

import asyncio
import json
import os
from pathlib import Path

import pytest

from services.commands.feeds import feed_status
from services.fetcher import backfill, file_visit
from services.fetcher.backfill import GO_ON_BELOW, PAUSE_FROM, WAY, Backfill, must_wait
from services.fetcher.feeds import Feed
from shared.metrics import REGISTRY
from shared.models import RawArticle
from shared.stage import Record
from shared.supervisor import SERVICES
from shared.topics import ARTICLES_RAW, FEED_STATE, PIPELINE
from tests.unit.fetcher.test_fetcher_scheduler import START, Newsroom, play


def test_a_backfill_waits_at_a_mark_and_goes_on_at_a_lower_one() -> None:
    assert [must_wait(number, waiting=False) for number in (0, PAUSE_FROM - 1, PAUSE_FROM)] == [False, False, True]
    assert [must_wait(number, waiting=True) for number in (GO_ON_BELOW, GO_ON_BELOW - 1)] == [True, False]


def test_it_waits_until_the_stages_have_caught_up_and_says_so_once() -> None:
    lags, heard = iter((900, 700, GO_ON_BELOW, 20)), list[int | None]()
    assert Backfill(lambda: next(lags), lambda _: False, heard.append).make_room()
    assert heard == [900, None]
    assert next(lags, None) is None


def test_a_quiet_wire_is_not_waited_for() -> None:
    heard = list[int | None]()
    assert Backfill(lambda: 10, lambda _: False, heard.append).make_room()
    assert heard == []


def test_it_stops_when_it_is_no_longer_wanted() -> None:
    assert not Backfill(lambda: 900, lambda _: True).make_room()


def test_every_stage_between_the_fetcher_and_the_index_is_looked_at() -> None:
    labels = {job.label for job in SERVICES}
    assert {group.removeprefix("frontwire-") for group in WAY.values()} <= labels
    assert tuple(WAY) == PIPELINE[: len(WAY)]
    for (topic, group), following in zip(WAY.items(), [*list(WAY)[1:], None], strict=True):
        stage = group.removeprefix("frontwire-")
        assert stage in topic.consumers
        assert following is None or following.producer == stage


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a file of five articles, which go out in portions of two."""
    monkeypatch.setattr(file_visit, "BATCH_ITEMS", 2)
    monkeypatch.setattr(backfill, "LOOK_EVERY_SECONDS", 0.01)
    path = tmp_path / "archive.jsonl"
    path.write_text("".join(json.dumps({"text": f"Tin số {number}"}) + "\n" for number in range(5)), encoding="utf-8")
    os.utime(path, (START.timestamp() - 60,) * 2)
    return path


def test_a_waiting_backfill_is_shown_and_goes_on(archive: Path) -> None:
    feed = Feed(name="kho", paths=(archive,))
    room = Newsroom(feeds=[feed])
    lags = iter((900, 10, 10))
    room.scheduler.lag = lambda: next(lags)

    async def scenario() -> None:
        await room.visit()
        await room.visit(1)

    play(room, scenario)
    waiting, going_on, done, *_ = states = room.states()
    assert waiting.waits_since == START
    assert feed_status(feed, waiting)["status"] == "waits"
    assert (going_on.waits_since, done.waits_since) == (None, None)
    assert feed_status(feed, states[-1])["status"] == "ok"
    assert REGISTRY.get_sample_value("frontwire_feed_paused", {"feed": "kho"}) == 0
    assert sum(message.topic.name == "articles-raw-v1" for message in room.sent) == 5


def test_a_backfill_that_is_stopped_while_it_waits_goes_on_where_it_stopped(archive: Path) -> None:
    room = Newsroom(feeds=[Feed(name="kho", paths=(archive,))])
    lag = [900]
    room.scheduler.lag = lambda: lag[0]

    async def scenario() -> None:
        room.scheduler.tick()
        while not room.states():
            await asyncio.sleep(0.001)
        await room.scheduler.drop(set(range(FEED_STATE.partitions)))
        rows = [message for message in room.sent if message.topic is FEED_STATE]
        room.scheduler.load(Record(FEED_STATE.name, row.partition or 0, 0, row.key, row.value) for row in rows)
        for partition in range(FEED_STATE.partitions):
            room.scheduler.ready(partition)
        lag[0] = 0
        await room.visit()

    play(room, scenario)
    values = [message.value or b"" for message in room.sent if message.topic is ARTICLES_RAW]
    articles = [RawArticle.model_validate_json(value) for value in values]
    assert sorted(article.text for article in articles) == [f"Tin số {number}" for number in range(5)]
    assert all(article.backlog for article in articles)
    assert room.states()[0].waits_since
    assert not room.states()[-1].waits_since

"""The alerter on Faust: `collect` in any number of copies, `detect` one working and one standing by, and the minute ticks."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Final

from kafka import TopicPartition

from services.alerter.detecting import DetectStage, ReadLog
from services.alerter.ticking import Ticker
from services.alerter.transform import records_of
from shared import faust_runner, yaml_config
from shared.faust_runner import Rows, Stateful, Stateless
from shared.kafka_clients import make_consumer, record_of
from shared.models import UniqueArticle
from shared.reload import Reloading
from shared.service import service
from shared.settings import Settings
from shared.stage import Processor, Record, Stage, single_key
from shared.takedowns import Follower, IsTakenDown
from shared.topics import ARTICLES_UNIQUE, KEYWORD_HITS
from shared.watchlist import WATCHLIST, WatchlistFile

TABLE: Final = "alerter-state"


def collect_stage() -> Stage[UniqueArticle]:
    """Return the stateless stage that turns articles into records of the log."""
    return Stage(
        "collect",
        ARTICLES_UNIQUE,
        UniqueArticle,
        KEYWORD_HITS,
        records_of,
        key_of=lambda logged: single_key(logged.article_id),
    )


def detect_stage(rows: Rows, read_log: ReadLog, is_taken_down: IsTakenDown) -> tuple[Processor, Callable[[], None]]:
    """Return the ordered stage on the rows of its table, and what to call when they are complete."""
    stage = DetectStage(rows, read_log, is_taken_down)
    return stage, stage.restore


def log_reader(settings: Settings) -> ReadLog:
    """Return the function that reads a stretch of the log again."""

    def read(start: int, end: int) -> Iterator[Record]:
        partition = TopicPartition(KEYWORD_HITS.name, 0)
        with closing(make_consumer(settings, None, "frontwire-detect-gap")) as consumer:
            consumer.assign([partition])
            first = consumer.beginning_offsets([partition])[partition]
            consumer.seek(partition, max(start, first))
            while consumer.position(partition) < end:
                for records in consumer.poll(timeout_ms=1000).values():
                    yield from (record_of(message) for message in records if message.offset < end)

    return read


def run(settings: Settings) -> None:
    """Run the alerter until SIGTERM."""
    path = settings.config_dir / WATCHLIST
    watchlist = Reloading("watchlist", lambda: yaml_config.load(path, WatchlistFile), lambda: [path])
    read_log = log_reader(settings)
    with service("alerter", settings) as running:
        takedowns = Follower(running)
        ticker = Ticker(settings, watchlist, running.stopping)
        threading.Thread(target=ticker.run, name="ticker", daemon=True).start()
        faust_runner.run(
            running,
            Stateless(collect_stage()),
            Stateful(
                "detect",
                TABLE,
                KEYWORD_HITS.partitions,
                lambda rows: detect_stage(rows, read_log, takedowns.holds),
                screened=False,
            ),
            takedowns=takedowns,
        )

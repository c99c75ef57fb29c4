"""The deduplicator's two roles, on Faust: `sketch` in any number of copies, and `decide`, one working, one standing by."""

import time
from collections.abc import Callable, Iterator
from typing import Any, Final, Literal

from services.deduplicator.article import EXTRACTED_TEXT, SKETCHED_TEXT, Carried, ExtractedText, Passed, SketchedText
from services.deduplicator.transform import decide, sketch
from services.deduplicator.window import Window
from shared import faust_runner, metrics
from shared.faust_runner import Rows, Stateful, Stateless
from shared.service import service
from shared.settings import Settings
from shared.stage import Stage
from shared.topics import ARTICLES_EXTRACTED, ARTICLES_SKETCHED, ARTICLES_UNIQUE

Role = Literal["sketch", "decide", "both"]
TABLE: Final = "dedup-window"


def sketch_stage() -> Stage[Carried[ExtractedText]]:
    """Return the stateless stage that does the CPU-heavy part."""
    return Stage("sketch", ARTICLES_EXTRACTED, EXTRACTED_TEXT, ARTICLES_SKETCHED, sketch)


def decide_stage(rows: Rows) -> tuple[Stage[Any], Callable[[], None]]:
    """Return the stage that decides in the one order, on the rows of its table, and what to call when they are complete."""
    window = Window(rows)
    metrics.DEDUP_WINDOW_ROWS.set_function(lambda: float(len(window)))
    metrics.DEDUP_WINDOW_BYTES.set_function(lambda: float(window.nbytes))

    def decide_counted(article: Carried[SketchedText]) -> Iterator[Passed]:
        capped, capped_stories, expired = window.capped, window.capped_stories, window.expired
        yield from decide(article, window=window)
        metrics.DEDUP_CANDIDATES_CAPPED.inc(max(0, window.capped - capped))
        metrics.DEDUP_STORY_CANDIDATES_CAPPED.inc(max(0, window.capped_stories - capped_stories))
        metrics.DEDUP_ROWS_EXPIRED.inc(window.expired - expired)

    def rebuild() -> None:
        started = time.perf_counter()
        window.rebuild()
        metrics.DEDUP_REBUILD_SECONDS.set(time.perf_counter() - started)

    stage = Stage("decide", ARTICLES_SKETCHED, SKETCHED_TEXT, ARTICLES_UNIQUE, decide_counted, window.forget)
    return stage, rebuild


def run(settings: Settings, role: Role = "both") -> None:
    """Run one or both roles until SIGTERM."""
    workers: list[Stateless | Stateful] = []
    if role in ("sketch", "both"):
        workers.append(Stateless(sketch_stage()))
    if role in ("decide", "both"):
        workers.append(Stateful("decide", TABLE, ARTICLES_SKETCHED.partitions, decide_stage))
    name = "deduplicator" if role == "both" else role
    with service(name, settings) as running:
        faust_runner.run(running, *workers)

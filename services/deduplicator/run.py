"""The deduplicator's two roles, on Faust: `sketch` in any number of copies, and `decide`, one working, one standing by."""

from collections.abc import Callable, Iterator
from typing import Any, Final, Literal

from services.deduplicator.transform import decide, sketch
from services.deduplicator.window import Window
from shared import faust_runner, metrics
from shared.faust_runner import Rows, Stateful, Stateless
from shared.models import ExtractedArticle, SketchedArticle, UniqueArticle
from shared.service import service
from shared.settings import Settings
from shared.stage import Stage
from shared.topics import ARTICLES_EXTRACTED, ARTICLES_SKETCHED, ARTICLES_UNIQUE

Role = Literal["sketch", "decide", "both"]
TABLE: Final = "dedup-window"


def sketch_stage() -> Stage[ExtractedArticle]:
    """Return the stateless stage that does the CPU-heavy part."""
    return Stage("sketch", ARTICLES_EXTRACTED, ExtractedArticle, ARTICLES_SKETCHED, sketch)


def decide_stage(rows: Rows) -> tuple[Stage[Any], Callable[[], None]]:
    """Return the stage that decides in the one order, on the rows of its table, and what to call when they are complete."""
    window = Window(rows)
    metrics.DEDUP_WINDOW_ROWS.set_function(lambda: float(len(window)))

    def decide_counted(article: SketchedArticle) -> Iterator[UniqueArticle]:
        before = window.capped
        yield from decide(article, window=window)
        metrics.DEDUP_CANDIDATES_CAPPED.inc(window.capped - before)

    stage = Stage("decide", ARTICLES_SKETCHED, SketchedArticle, ARTICLES_UNIQUE, decide_counted, window.forget)
    return stage, window.rebuild


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

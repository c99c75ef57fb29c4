"""Duplicates in articles a second of processor time, and what the window costs as it grows: `python -m tests.bench.duplicates`.

rensa and datasketch are measured where they are installed; the wire needs neither.
"""

import argparse
import gc
import random
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, MutableMapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from services.commands.following import records_of, run_through
from services.deduplicator.article import EXTRACTED_TEXT, SKETCHED_TEXT, Carried, SketchedText
from services.deduplicator.comparison import form_of
from services.deduplicator.rows import Answer, Row, pack_row
from services.deduplicator.sketching import MAX_NUMBERS, PERMUTATIONS, PHRASE_KEYS, hashed_terms, sketch_form
from services.deduplicator.story import MAX_TERMS, story_terms
from services.deduplicator.story_index import KEYS_A_STORY, StoryIndex
from services.deduplicator.transform import decide, sketch
from services.deduplicator.window import DAYS, Window
from shared.models import ExtractedArticle
from shared.settings import load_settings
from shared.stage import article_message
from shared.topics import ARTICLES_EXTRACTED, ARTICLES_RAW
from tests.support.articles import START
from tests.support.duplicates import copied_articles
from tests.support.stored_rows import StoredRows

ROWS = (10_000, 100_000, 1_000_000)
ON_DISK = 100_000
LABELLED = 1300
"""Bytes of text in an article of some 200 words: as long as the labelled ones, with which the figures for `sketch` were set."""
SIZES = (LABELLED, 2400, 4000)
ARTICLES = 480
ROUND = ARTICLES // 4
ROUNDS = 5
OWN_WORK = (FORM, TERMS, SIGNATURE) = ("comparison form", "terms of the story", "signature, keys, numbers")
LOADS = (50_000, 1_000_000)
SPREAD = 60_000
"""Names that the filling articles draw theirs from, the first ones far more often than the last."""

T = TypeVar("T")


def measure_duplicates(windows: Sequence[int] = ROWS) -> str:
    """Measure sketching, its peers, and deciding in windows of these sizes; return the section of the page."""
    extracted = {size: _extracted(size) for size in SIZES}
    measured = [*_measure_windows(extracted[SIZES[-1]], windows)]
    return "\n".join([
        "## Duplicates, one process", "",
        f"By `python -m tests.bench.duplicates`, over {ARTICLES} generated articles with their linked names, each at the best of "
        f"{ROUNDS} rounds. Of the peers only the signature is counted: 128 values over runs of three words.", "",
        "| sketch | " + " | ".join(f"µs, {size:,} bytes, {_words(extracted[size])} words" for size in SIZES) + " |",
        "|---|" + "---:|" * len(SIZES),
        *_sketch_rows(extracted), "",
        "A third are copies, but for the last line: there every article has as many candidates as are verified at most. From the "
        "window of 1,000,000 rows one leaves with almost each that comes.", "",
        "| rows in the window | kept in | decide, articles/s | index, bytes a row | changelog, bytes a row | rebuild s |",
        "|---:|---|---:|---:|---:|---:|",
        *(each.row() for each in measured), "",
        *_arithmetic(measured), "",
    ])  # fmt: skip


def _extracted(size: int) -> list[ExtractedArticle]:
    raws = (article_message(ARTICLES_RAW, raw) for raw in copied_articles(ARTICLES, size, seed=24))
    made = records_of(run_through(load_settings(), list(raws)), ARTICLES_EXTRACTED)
    return [article for article in made if isinstance(article, ExtractedArticle)]


def _words(articles: list[ExtractedArticle]) -> int:
    """Return how many words an article has, on average."""
    return round(sum(len(article.body.split()) for article in articles) / len(articles))


def _sketch_rows(extracted: dict[int, list[ExtractedArticle]]) -> Iterator[str]:
    """Yield the lines of the table: the whole, its parts, then the peers."""
    costs: dict[str, list[float]] = {}
    for articles in extracted.values():
        for name, cost in _sketch_costs(articles).items():
            costs.setdefault(name, []).append(cost)
    for name, each in costs.items():
        yield f"| {name} | " + " | ".join(f"{cost:,.0f}" for cost in each) + " |"
    alone = [sum(each) for each in zip(*(costs[part] for part in OWN_WORK), strict=True)]
    for what, each in (("without reading and writing", alone), ("reading and writing included", costs["all"])):
        yield f"| **articles/s, {what}** | " + " | ".join(f"**{1e6 / cost:,.0f}**" for cost in each) + " |"


def _sketch_costs(articles: list[ExtractedArticle]) -> dict[str, float]:
    values = [article.to_json() for article in articles]
    read = [EXTRACTED_TEXT.of(article).text for article in articles]
    forms = [form_of(article.body) for article in articles]
    costs = {
        "all": _cost(lambda value: list(sketch(EXTRACTED_TEXT.validate_json(value))), values),
        "reading the record": _cost(EXTRACTED_TEXT.validate_json, values),
        FORM: _cost(lambda article: form_of(article.body), read),
        TERMS: _cost(lambda a: story_terms(a.title, a.body, a.mentions()), read),
        SIGNATURE: _cost(lambda form: sketch_form(form, ()), forms),
    }
    words = [form.text.split() for form in forms]
    shingles = [[" ".join(each[at : at + 3]) for at in range(len(each) - 2)] for each in words]
    return costs | {name: _cost(run, shingles) for name, run in _peers()}


def _peers() -> Iterator[tuple[str, Callable[[list[str]], object]]]:
    if find_spec("rensa"):
        rensa = import_module("rensa")

        def rensa_minhash(shingles: list[str]) -> object:
            made = rensa.RMinHash(num_perm=PERMUTATIONS, seed=1)
            made.update(shingles)
            return made.digest()

        yield "rensa `RMinHash`", rensa_minhash
    if find_spec("datasketch"):
        datasketch = import_module("datasketch")

        def datasketch_minhash(shingles: list[str]) -> object:
            made = datasketch.MinHash(num_perm=PERMUTATIONS)
            made.update_batch([shingle.encode() for shingle in shingles])
            return made

        yield "datasketch `MinHash`", datasketch_minhash


def _cost(run: Callable[[T], object], inputs: Sequence[T]) -> float:
    """Return the time of one call in µs: the mean over the inputs, each at its best round (a shared machine disturbs some)."""
    return float(np.mean(np.min([_times(run, inputs) for _ in range(ROUNDS)], axis=0))) / 1e3


def _times(run: Callable[[T], object], inputs: Sequence[T]) -> list[int]:
    """Return the nanoseconds that each call takes."""
    times = []
    for each in inputs:
        started = time.perf_counter_ns()
        run(each)
        times.append(time.perf_counter_ns() - started)
    return times


@dataclass(frozen=True)
class _Measured:
    """What a window of so many rows costs."""

    rows: int
    kept_in: str
    decide_us: float
    index_bytes: float
    changelog_bytes: float
    rebuild_seconds: float

    def row(self) -> str:
        return (
            f"| {self.rows:,} | {self.kept_in} | {1e6 / self.decide_us:,.0f} | {self.index_bytes:,.0f} | "
            f"{self.changelog_bytes:,.0f} | {self.rebuild_seconds:.1f} |"
        )


def _measure_windows(articles: list[ExtractedArticle], windows: Sequence[int]) -> Iterator[_Measured]:
    """Yield the cost of deciding on the same articles in windows of these sizes, in memory, and once with rows on disk."""
    sketched = _sketched(articles)
    for size in windows:
        yield _measure_window({}, "memory", size, sketched)
    with tempfile.TemporaryDirectory(prefix="frontwire-bench-rows-") as folder:
        rows = StoredRows(Path(folder))
        yield _measure_window(rows, "rocksdict", min(ON_DISK, max(windows)), sketched)
        rows.close()
    yield _measure_window({}, "memory, one text in all", min(ON_DISK, max(windows)), _sketched(_crowded(articles)))


def _sketched(articles: Iterable[ExtractedArticle]) -> list[Carried[SketchedText]]:
    return [SKETCHED_TEXT.of(made) for article in articles for made in sketch(EXTRACTED_TEXT.of(article))]


def _crowded(articles: list[ExtractedArticle]) -> Iterator[ExtractedArticle]:
    """Yield the articles with other bodies: each a choice of the sentences of the longest one, so that all share phrases."""
    sentences = max((article.body for article in articles), key=len).split(". ")
    for number, article in enumerate(articles):
        chosen = random.Random(number).sample(sentences, 2 * len(sentences) // 3)
        yield article.model_copy(update={"body": ". ".join(chosen)})


def _measure_window(
    rows: MutableMapping[str, Any], kept_in: str, size: int, articles: list[Carried[SketchedText]]
) -> _Measured:
    for article_id, row in _filling(size):
        rows[article_id] = pack_row(row)
    window = Window(rows)
    started = time.process_time()
    window.rebuild()
    rebuild = time.process_time() - started
    decide_one = partial(_decide, window=window)
    warm_up, *rounds = [articles[at : at + ROUND] for at in range(0, len(articles), ROUND)]
    _times(decide_one, warm_up)
    cost = min(sum(_times(decide_one, each)) for each in rounds) / ROUND / 1e3
    changelog = np.mean([len(rows[each.text.article_id]) + 2 + len(each.text.article_id) + 2 for each in articles])
    measured = _Measured(size, kept_in, cost, window.nbytes / len(window), float(changelog), rebuild)
    del window
    gc.collect()
    return measured


def _decide(article: Carried[SketchedText], *, window: Window) -> object:
    return list(decide(article, window=window))


def _filling(count: int) -> Iterator[tuple[str, Row]]:
    """Yield rows of articles that are no copies of anything, spread over the window's days; names are as rare as in news."""
    pick = np.random.default_rng(24)
    names = hashed_terms((f"name {number}", 1 + number % 15) for number in range(SPREAD))
    short = ((names >> np.uint64(36)) << np.uint64(4) | names & np.uint64(15)).astype(np.uint32)
    keys = StoryIndex(16)
    end = int(START.timestamp())
    for number in range(count):
        words = pick.integers(0, 1 << 32, PHRASE_KEYS + MAX_NUMBERS, dtype=np.uint32)
        terms = short[np.unique((SPREAD * pick.random(MAX_TERMS) ** 3).astype(np.int64))]
        time_at = end - int(DAYS * 86_400 * (count - number) / count)
        article_id = pick.bytes(16).hex()
        yield article_id, Row(
            order=number, entered=time_at, dated=True, time=time_at, shingles=700,
            signature=pick.integers(0, 256, PERMUTATIONS, dtype=np.uint8),
            phrases=words[:PHRASE_KEYS], phrases_taken=(1 << PHRASE_KEYS) - 1,
            story_keys=keys.keys_of(terms, time_at, article_id), story_taken=(1 << KEYS_A_STORY) - 1,
            terms=terms, numbers=np.sort(words[PHRASE_KEYS:]), cluster=article_id, story=article_id,
            answers=(_answer(number),),
        )  # fmt: skip


def _answer(number: int) -> Answer:
    return Answer(
        text=number.to_bytes(8, "little"), fetched_ms=number, method="new", neighbour=None, similarity=None,
        containment=None, number_agreement=None, threshold=None, story_neighbour=None, story_score=None, candidates=0,
        version=1, sequence=0, duplicate_of=(), linked_stories=(),
    )  # fmt: skip


def _arithmetic(measured: list[_Measured]) -> Iterator[str]:
    """Yield what 14 days of a load take, by the largest window that was measured in memory."""
    largest = max((each for each in measured if each.kept_in == "memory"), key=lambda each: each.rows)
    yield f"What {DAYS} days take, by the figures of {largest.rows:,} rows:"
    yield ""
    yield "| articles a day | rows | index in memory, GB | changelog and rows on disk, GB | rebuild s | of one core, deciding |"
    yield "|---:|---:|---:|---:|---:|---:|"
    for load in LOADS:
        rows = load * DAYS
        yield (
            f"| {load:,} | {rows / 1e6:.1f} million | {rows * largest.index_bytes / 1e9:.1f} | "
            f"{rows * largest.changelog_bytes / 1e9:.1f} | {rows / largest.rows * largest.rebuild_seconds:,.0f} | "
            f"{load / 86_400 * largest.decide_us / 1e6:.1%} |"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=ROWS, help="rows in the windows")
    print(measure_duplicates(parser.parse_args().rows))  # noqa: T201

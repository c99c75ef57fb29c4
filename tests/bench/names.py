"""Names in articles a second of processor time, by rules and by trained taggers: `python -m tests.bench.names`.

pyvi and underthesea are measured where they are installed; the wire needs neither.
"""

import json
import random
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from importlib.util import find_spec

from services.commands.common import project_folder
from tests.support.articles import text_of
from tests.unit.entities.scoring import read_passages

ARTICLES = 200
SIZE = 4000
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_WARM_UP = 50


def russian_text(number: int, size: int = SIZE) -> str:
    """Return an article of about `size` bytes made of the labelled Russian passages, the same for the same number."""
    passages = list(_russian_passages())
    random.Random(number).shuffle(passages)
    text = ""
    while len(text.encode()) < size:
        text += passages.pop() + "\n\n"
    return text


@cache
def _russian_passages() -> tuple[str, ...]:
    return tuple(passage.text for passage in read_passages() if passage.language == "ru")


def measure_names(articles: int = ARTICLES, size: int = SIZE) -> str:
    """Measure over generated articles of `size` bytes; return the section of the page."""
    vietnamese = [text_of(number, size) for number in range(articles)]
    russian = [russian_text(number, size) for number in range(articles)]
    rules, taggers = _started(taggers=False), _started(taggers=True)
    lines = [
        "## Names and dates, one process, processor time",
        "",
        f"Over {articles:,} articles of {size:,} bytes in memory, by `python -m tests.bench.names`; the Russian ones "
        "are the labelled passages in another order each. The extractor starts in "
        f"{rules['start']:.1f} s of processor time, all alias sets and libraries included, with the tagger in "
        f"{taggers['start']:.1f} s; after {_WARM_UP} Russian articles it has taken {rules['peak']:.0f} MB at most, "
        f"with the tagger {taggers['peak']:.0f} MB.",
        "",
        "| what | articles/s |",
        "|---|---:|",
        *(
            f"| {name} | {_rate(run, (russian if language == 'ru' else vietnamese)[: articles // share]):,.1f} |"
            for name, language, share, run in _runs()
        ),
    ]
    return "\n".join(lines) + "\n"


def _started(*, taggers: bool) -> dict[str, float]:
    """Return what a fresh process reports: seconds of its start, megabytes at its peak."""
    code = f"import tests.bench.names as names; names.report({taggers})"
    ran = subprocess.run([sys.executable, "-c", code], cwd=project_folder(), check=True, stdout=subprocess.PIPE)
    report: dict[str, float] = json.loads(ran.stdout)
    return report


def report(taggers: bool) -> None:
    """Load what the extractor loads, read some articles, and print {start, peak}: processor seconds and resident megabytes."""
    import services.extractor.run  # noqa: F401 - the libraries of the process
    from services.extractor.entities import find_entities, load_knowledge, load_taggers

    knowledge = load_knowledge(project_folder() / "deploy/config", taggers=load_taggers(taggers))
    start = time.process_time()
    for number in range(_WARM_UP):
        find_entities(russian_text(number), language="ru", knowledge=knowledge)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"start": start, "peak": peak}))  # noqa: T201


def _rate(run: Callable[[str], object], texts: list[str]) -> float:
    run(texts[0])
    started = time.process_time()
    for text in texts:
        run(text)
    return len(texts) / (time.process_time() - started)


def _runs() -> Iterator[tuple[str, str, int, Callable[[str], object]]]:
    """Yield name, language, by what the number of articles is divided, and what to do with a text."""
    from services.extractor.dates import find_dates
    from services.extractor.entities import find_entities, load_knowledge, load_taggers

    folder, taggers = project_folder() / "deploy/config", load_taggers(True)
    knowledge, more = load_knowledge(folder), load_knowledge(folder, taggers=taggers)
    yield "names by alias sets and rules", "vi", 1, lambda text: find_entities(text, language="vi", knowledge=knowledge)
    yield "dates by rules", "vi", 1, lambda text: find_dates(text, language="vi", published=None)
    yield (
        "Russian names by alias sets and rules",
        "ru",
        1,
        lambda text: find_entities(text, language="ru", knowledge=knowledge),
    )
    yield "Russian names with the tagger", "ru", 1, lambda text: find_entities(text, language="ru", knowledge=more)
    yield (
        "the tagger alone, on every sentence",
        "ru",
        4,
        lambda text: list(taggers["ru"].tag(_SENTENCE.split(text.strip()))),
    )
    if find_spec("pyvi"):
        tagger, tokenizer = import_module("pyvi.ViPosTagger"), import_module("pyvi.ViTokenizer")
        yield (
            "pyvi alone: words and parts of speech",
            "vi",
            10,
            lambda text: tagger.postagging(tokenizer.tokenize(text)),
        )
    if find_spec("underthesea"):
        ner = import_module("underthesea").ner
        yield (
            "underthesea alone: `ner` by sentence",
            "vi",
            40,
            lambda text: [ner(part) for part in _SENTENCE.split(text)],
        )


if __name__ == "__main__":
    print(measure_names())  # noqa: T201

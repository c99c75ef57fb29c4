"""Names in articles a second of processor time, by rules and by trained taggers: `python -m tests.bench.names`.

pyvi and underthesea are measured where they are installed; the wire needs neither.
"""

import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec

from services.commands.common import project_folder
from tests.support.articles import text_of

ARTICLES = 200
SIZE = 4000
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_START = (
    "import services.extractor.run as r; from shared.settings import load_settings; r.extractor_stage(load_settings())"
)


def measure_names(articles: int = ARTICLES, size: int = SIZE) -> str:
    """Measure over generated articles of `size` characters; return the section of the page."""
    texts = [text_of(number, size) for number in range(articles)]
    started = _children_seconds()
    subprocess.run([sys.executable, "-c", _START], cwd=project_folder(), check=True)
    start = _children_seconds() - started
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    lines = [
        "## Names and dates, one process, processor time",
        "",
        f"Over {articles:,} articles of {size:,} characters in memory, by `python -m tests.bench.names`. The extractor starts in "
        f"{start:.1f} s of processor time, all alias sets and libraries included, and takes {memory:.0f} MB then.",
        "",
        "| what | articles/s |",
        "|---|---:|",
        *(f"| {name} | {_rate(run, texts[: len(texts) // share]):,.1f} |" for name, share, run in _runs()),
    ]
    return "\n".join(lines) + "\n"


def _children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _rate(run: Callable[[str], object], texts: list[str]) -> float:
    run(texts[0])
    started = time.process_time()
    for text in texts:
        run(text)
    return len(texts) / (time.process_time() - started)


def _runs() -> Iterator[tuple[str, int, Callable[[str], object]]]:
    """Yield name, by what the number of articles is divided, and what to do with a text."""
    from services.extractor.dates import find_dates
    from services.extractor.entities import find_entities, load_knowledge

    knowledge = load_knowledge(project_folder() / "deploy/config")
    yield "names by alias sets and rules", 1, lambda text: find_entities(text, language="vi", knowledge=knowledge)
    yield "dates by rules", 1, lambda text: find_dates(text, language="vi", published=None)
    if find_spec("pyvi"):
        tagger, tokenizer = import_module("pyvi.ViPosTagger"), import_module("pyvi.ViTokenizer")
        yield (
            "pyvi alone: words and parts of speech",
            10,
            lambda text: tagger.postagging(tokenizer.tokenize(text)),
        )
    if find_spec("underthesea"):
        ner = import_module("underthesea").ner
        yield "underthesea alone: `ner` by sentence", 40, lambda text: [ner(part) for part in _SENTENCE.split(text)]


if __name__ == "__main__":
    print(measure_names())  # noqa: T201

"""The pure rules by themselves, in one process, beside the libraries one would use instead: CPU time, no broker."""

import time
import unicodedata
import warnings
from collections.abc import Callable
from datetime import UTC, datetime

import ftfy
from dateparser.search import search_dates

from services.extractor.dates import find_dates
from services.normaliser.rules import Rules, load_rules
from services.normaliser.transform import normalise
from shared.models import RawArticle
from tests.support.articles import raw_articles

_ROUNDS = 3
_DATED = 40  # articles for the dates: the library takes seconds for them


def measure_rules(articles: int, size: int) -> str:
    """Return the section of the page on the clean-up and the dates; each figure is the best of three rounds."""
    raws = [raw.to_json() for raw in raw_articles(articles, size, seed=40)]
    texts = [RawArticle.model_validate_json(raw).text for raw in raws[:_DATED]]
    characters = sum(map(len, texts))
    rules = load_rules()
    lines = [
        "## The rules alone, one process, CPU time",
        "",
        "| what | rate |",
        "|---|---:|",
        f"| normaliser, decoding and encoding included | {_best(lambda: _cleaned(raws, rules), len(raws)):,.0f} articles/s |",
        f"| `ftfy.fix_encoding` and NFC only, decoding included | {_best(lambda: _plain(raws), len(raws)):,.0f} articles/s |",
        f"| dates | {_best(lambda: _dated(texts), characters):,.0f} characters/s |",
        f"| dateparser's `search_dates` | {_best(lambda: _searched(texts), characters):,.0f} characters/s |",
    ]
    return "\n".join(lines) + "\n"


def _best(call: Callable[[], None], amount: int) -> float:
    call()
    rates = []
    for _ in range(_ROUNDS):
        begun = time.process_time()
        call()
        rates.append(amount / (time.process_time() - begun))
    return max(rates)


def _cleaned(raws: list[bytes], rules: Rules) -> None:
    for raw in raws:
        for article in normalise(RawArticle.model_validate_json(raw), rules=rules):
            article.to_json()


def _plain(raws: list[bytes]) -> None:
    for raw in raws:
        unicodedata.normalize("NFC", ftfy.fix_encoding(RawArticle.model_validate_json(raw).text))


def _dated(texts: list[str]) -> None:
    published = datetime(2025, 11, 21, tzinfo=UTC).date()
    for text in texts:
        find_dates(text, language="vi", published=published)


def _searched(texts: list[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for text in texts:
            search_dates(text, languages=["vi"], settings={"RELATIVE_BASE": datetime(2025, 11, 21)})  # noqa: DTZ001

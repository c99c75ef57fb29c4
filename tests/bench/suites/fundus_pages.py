"""flairNLP/fundus, `tests/resources/parser/test_data/`: saved article pages of five countries with their hand-checked article.

Text is judged by its bag of words against the body's (summary, headlines, paragraphs), the date by the instant, to the minute.
"""

import gzip
import json
import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from services.fetcher.documents import Page
from services.fetcher.page_parser import parse_page
from services.normaliser.publication import metadata_clue
from services.normaliser.rules import Rules, load_rules

FOLDER: Final = "tests/resources/parser/test_data"
# A feed's block says its zone; these are those of the five countries' capitals.
ZONES: Final = {
    "ru": "Europe/Moscow",
    "ua": "Europe/Kyiv",
    "uk": "Europe/London",
    "us": "America/New_York",
    "vn": "Asia/Ho_Chi_Minh",
}
_WORD: Final = re.compile(r"\w+")


@dataclass(frozen=True)
class PageScore:
    """One page: how much of its text is right, whether its instant is, and the processor time of its extraction in ms."""

    name: str
    precision: float
    recall: float
    instant: bool
    ms: float

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


def measure(clone: Path) -> list[PageScore]:
    """Return the score of every page of the five countries."""
    rules = load_rules()
    return [_score(path, url, stated, rules) for path, url, stated in _pages(clone / FOLDER)]


def _pages(folder: Path) -> Iterator[tuple[Path, str, dict[str, Any]]]:
    """Yield page, address and article; an outlet's pages by date go with its parsers by version."""
    for country in sorted(ZONES):
        urls = json.loads((folder / country / "meta.info").read_text(encoding="utf-8"))
        for versions in sorted((folder / country).glob("*.json")):
            articles = [article for _, article in sorted(json.loads(versions.read_text(encoding="utf-8")).items())]
            pages = sorted((folder / country).glob(f"{versions.stem}_*.html.gz"))
            for page, article in zip(pages, articles, strict=True):
                yield page, urls[page.name]["url"], article


def _score(path: Path, url: str, stated: dict[str, Any], rules: Rules) -> PageScore:
    body = gzip.decompress(path.read_bytes())
    started = time.process_time()
    page = parse_page(body, url, None)
    ms = (time.process_time() - started) * 1000
    wanted, found = _words(_body(stated["body"])), _words(page.text)
    common = (wanted & found).total()
    zone = ZONES[path.parent.name]
    return PageScore(
        name=f"{path.parent.name}/{path.name.removesuffix('.html.gz')}",
        precision=common / max(1, found.total()),
        recall=common / max(1, wanted.total()),
        instant=_instant(page, zone, rules) == _minute(datetime.fromisoformat(stated["publishing_date"])),
        ms=ms,
    )


def _body(body: dict[str, Any]) -> str:
    sections = [line for section in body["sections"] for line in (*section["headline"], *section["paragraphs"])]
    return "\n".join([*body["summary"], *sections])


def _words(text: str) -> Counter[str]:
    return Counter(_WORD.findall(text.casefold()))


def _instant(page: Page, zone: str, rules: Rules) -> datetime | None:
    clue = metadata_clue(page.published, zone, rules.date_words)
    moment = clue.moment if clue else None
    if moment is None or moment.clock is None:
        return None
    return _minute(datetime.combine(moment.day, moment.clock, moment.zone or UTC))


def _minute(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(second=0, microsecond=0)

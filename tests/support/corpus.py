"""A large index for tests: finished articles in four languages, as many as wanted, the same for the same seed.

The articles of the sample site go through every stage once; each generated article is put together from paragraphs, names and
keyword hits of some of them in one language, with towns of the gazetteer, invented names and numbers, a story and an outlet.
"""

import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final

from services.commands.common import project_folder
from services.commands.following import records_of, run_through
from services.indexer.article import INDEXED_ARTICLE, IndexedArticle
from shared.ids import article_id_for_text, trace_id_for
from shared.models import RawArticle, Source
from shared.sample_articles import read_articles, read_outlets
from shared.settings import Settings
from shared.stage import article_message
from shared.topics import ARTICLES_RAW, ARTICLES_UNIQUE
from tests.support.finished import fields_of, finished_article

NOW: Final = datetime(2025, 11, 22, 4, 0, tzinfo=UTC)
DAYS: Final = 90
LANGUAGES: Final = {"vi": 60, "en": 15, "ru": 13, "uk": 12}
OUTLETS: Final = 120
STORIES_WITH_COPIES: Final = 0.3
_SYLLABLES: Final = {
    "vi": ("ba", "chi", "đo", "gia", "hà", "khê", "lam", "minh", "ngà", "phú", "quỳ", "sơn", "thu", "vinh", "xuân", "yên"),
    "en": ("al", "ber", "cot", "dun", "ell", "far", "gar", "hol", "ing", "ker", "lan", "mor", "nor", "ox", "pen", "ster"),
    "ru": ("ал", "бор", "вен", "гор", "дым", "ель", "жар", "зим", "кол", "лес", "мир", "нов", "овч", "пол", "рок", "сты"),
    "uk": ("ал", "бір", "вен", "гай", "дім", "єль", "жито", "зір", "кол", "ліс", "мир", "нив", "овч", "пол", "рік", "їжа"),
}  # fmt: skip

Pool = dict[str, list[dict[str, Any]]]


def finished_samples(settings: Settings) -> Pool:
    """Return the sample site's articles as they come out of the last stage, by language, as plain mappings."""
    folder = project_folder() / "deploy/sample"
    outlets = {outlet.path: outlet for outlet in read_outlets(folder)}
    messages = []
    for item in read_articles(folder):
        outlet = outlets[item.key.partition("/")[0]]
        key = article_id_for_text(f"corpus {item.key}")
        messages.append(article_message(ARTICLES_RAW, RawArticle(
            article_id=key, feed=outlet.name, source=Source(name=outlet.name, language=outlet.language, country=outlet.country),
            title=item.article.title, text=item.article.body or item.article.title, fetched_at=NOW, first_seen_at=NOW,
            feed_published=item.article.published.isoformat(), trace_id=trace_id_for(key, 0),
        )))  # fmt: skip
    pool: Pool = defaultdict(list)
    for article in records_of(run_through(settings, messages), ARTICLES_UNIQUE):
        row = fields_of(INDEXED_ARTICLE.validate_json(article.to_json()))
        pool[row["language"]["code"]].append(row)
    return {language: pool[language] for language in LANGUAGES}


def corpus(pool: Pool, count: int, seed: int = 0) -> Iterator[IndexedArticle]:
    """Yield the first `count` articles of a large index, newest first over ninety days; three in ten join an earlier story."""
    stories: list[str] = []
    for number in range(count):
        pick = random.Random(f"{seed}/{number}")
        copied = bool(stories) and pick.random() < STORIES_WITH_COPIES
        story = pick.choice(stories[-300:]) if copied else f"story-{number}"
        stories.append(story)
        seen = NOW - timedelta(days=DAYS) * ((number + pick.random()) / count)
        yield _article(pool, number, pick, story, seen, is_copy=copied and pick.random() < 0.5)


def _article(
    pool: Pool, number: int, pick: random.Random, story: str, seen: datetime, *, is_copy: bool
) -> IndexedArticle:
    language = pick.choices(list(LANGUAGES), list(LANGUAGES.values()))[0]
    bases = pick.sample(pool[language], min(4, len(pool[language])))
    outlet = min(OUTLETS - 1, int(pick.paretovariate(0.7)) - 1)
    published = None if pick.random() < 0.03 else (seen - timedelta(minutes=pick.randrange(5, 240))).isoformat()
    key = article_id_for_text(f"corpus {number}")
    return finished_article(bases[0] | {
        "article_id": key, "parent_id": key, "story_id": story, "cluster_id": story if is_copy else f"cluster-{number}",
        "duplicate_of": [article_id_for_text(story)] if is_copy else [], "url": f"https://o{outlet}.example/{number}",
        "feed": f"Outlet {outlet}", "source": {"name": f"Outlet {outlet}", "country": ("VN", "UA", "RU", "GB")[outlet % 4],
                                               "side": ("ua", "ru", "other", None)[outlet % 4]},
        "title": f"{pick.choice(bases)['title']} {_name(pick, language)} {number}",
        "body": _body(bases, pick, language),
        "language": {"code": language, "score": 0.99},
        "published": {"value": published, "precision": "minute" if published else "none"},
        "flags": [] if published else ["undated"], "fetched_at": seen, "first_seen_at": seen, "backlog": pick.random() < 0.05,
        "dates": [_mention(seen, pick) for _ in range(pick.randrange(2, 8))],
        "entities": [mention for base in bases for mention in base["entities"]] + [_town(pick) for _ in range(6)],
        "hits": [hit for base in bases[:2] for hit in base["hits"]],
        "trace_id": trace_id_for(key, 0),
    })  # fmt: skip


def _body(bases: list[dict[str, Any]], pick: random.Random, language: str) -> str:
    paragraphs = [paragraph for base in bases for paragraph in base["body"].split("\n\n")]
    chosen = pick.sample(paragraphs, min(12, len(paragraphs)))
    return "\n\n".join(f"{paragraph} {_name(pick, language)} {pick.randrange(100_000)}." for paragraph in chosen)


def _name(pick: random.Random, language: str) -> str:
    return "".join(pick.choices(_SYLLABLES[language], k=3)).capitalize()


def _mention(seen: datetime, pick: random.Random) -> dict[str, Any]:
    day = seen.date() - timedelta(days=int(pick.expovariate(0.1)))
    length = pick.choice((0, 0, 0, 6, 29))
    return {
        "field": "body", "start": 0, "end": 4, "text": "x", "from": day.isoformat(),
        "to": (day + timedelta(days=length)).isoformat(), "kind": "day", "precision": "day", "rule": "x", "anchor": "x",
        "anchored": pick.random() < 0.95,
    }  # fmt: skip


def _town(pick: random.Random) -> dict[str, Any]:
    towns = _towns()
    identifier, name = towns[int(pick.paretovariate(0.5)) % len(towns)]
    return {"text": name, "type": "LOC", "canonical": f"gn:{identifier}", "label": name}


@cache
def _towns() -> list[tuple[str, str]]:
    path: Path = project_folder() / "services/extractor/entities/data/places.tsv"
    rows = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines())
    return [(row[0], row[3].partition("|")[0]) for row in rows]

"""What a demo must reach, what is there, and the difference: counts, searches, and the stages' own metrics."""

import urllib.request
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from elasticsearch import ApiError, Elasticsearch, TransportError
from prometheus_client.parser import text_string_to_metric_families

from shared import dead_letters
from shared.sample_expected import ExpectedSearch
from shared.settings import Settings
from shared.supervisor import Supervisor

ALIAS: Final = "news-articles"
STAGES: Final = ("fetcher", "normaliser", "extractor", "sketch", "decide", "indexer")
FILES_FEED_PREFIX: Final = "Your files"
Samples = dict[str, list[tuple[dict[str, str], float]]]


@dataclass(frozen=True)
class Expected:
    """What must be in the index at the end: article ids of the site, numbers of articles from files, dead letters."""

    site_ids: frozenset[str]
    files_feed: str | None
    file_articles: Mapping[str, int]
    dead_letters: Mapping[str, int]
    searches: Sequence[ExpectedSearch]
    ids_by_key: Mapping[str, str]

    @property
    def total(self) -> int:
        """How many articles must be searchable (an article cut into parts counts once)."""
        return len(self.site_ids) + sum(self.file_articles.values())


@dataclass
class Found:
    """What the index and the dead-letter topics hold."""

    parents: dict[str, set[str]] = field(default_factory=dict)
    documents: int = 0
    dead: Counter[str] = field(default_factory=Counter)

    def searchable(self) -> int:
        """How many articles are searchable, parts counted once."""
        return sum(len(ids) for ids in self.parents.values())


@dataclass(frozen=True)
class StageCount:
    """What one stage did since it was started; `per_second` while it had work."""

    stage: str
    records_in: int
    records_out: int
    dropped: dict[str, int]
    dead_lettered: dict[str, int]
    per_second: float | None


@dataclass(frozen=True)
class TriedSearch:
    """An example search, its hits, and the expected articles it did not find."""

    query: str
    shows: str
    hits: list[dict[str, str]]
    missing: list[str]


@dataclass(frozen=True)
class Report:
    """Everything the demo found, and what is wrong; empty `problems` means that every count is right."""

    expected: int
    searchable: int
    documents: int
    seconds: float
    stages: list[StageCount]
    searches: list[TriedSearch]
    files: list[dict[str, Any]]
    problems: list[str]


def look(client: Elasticsearch, settings: Settings) -> Found:
    """Return what is searchable now, by feed, and what is in the dead-letter topics."""
    found = Found()
    try:
        answer = client.search(
            index=ALIAS,
            size=10_000,
            source_includes=["feed", "parent_id"],
            ignore_unavailable=True,
            query={"match_all": {}},
        )
    except (ApiError, TransportError):
        return found
    for hit in answer["hits"]["hits"]:
        found.parents.setdefault(hit["_source"]["feed"], set()).add(hit["_source"]["parent_id"])
        found.documents += 1
    found.dead = Counter(letter.reason for _, letter in dead_letters.read_all(settings))
    return found


def judge(expected: Expected, found: Found) -> list[str]:
    """Return what differs between the expected and the found, a line each; empty when every count is right."""
    problems = []
    from_site = {
        parent
        for feed, parents in found.parents.items()
        if feed not in expected.file_articles and not feed.startswith(FILES_FEED_PREFIX)
        for parent in parents
    }
    keys = {article_id: key for key, article_id in expected.ids_by_key.items()}
    problems += [f"not searchable: {keys[missing]}" for missing in sorted(expected.site_ids - from_site)]
    problems += [f"searchable, but not expected: {keys.get(id_, id_)}" for id_ in sorted(from_site - expected.site_ids)]
    for feed, wanted in expected.file_articles.items():
        count = len(found.parents.get(feed, ()))
        if count != wanted:
            problems.append(f"{feed}: {count} articles searchable, {wanted} expected")
    if dict(found.dead) != dict(expected.dead_letters):
        problems.append(f"dead letters: {dict(found.dead)}, expected {dict(expected.dead_letters)}")
    return problems


def read_metrics(url: str) -> Samples:
    """Return a process's metrics as {sample name: [(labels, value)]}; empty when it does not answer."""
    samples: Samples = {}
    try:
        with urllib.request.urlopen(f"{url}/metrics", timeout=5) as response:  # noqa: S310
            text = response.read().decode()
    except OSError:
        return samples
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            samples.setdefault(sample.name, []).append((sample.labels, sample.value))
    return samples


def sum_of(samples: Samples, name: str, **labels: str) -> float:
    """Return the sum of a sample over the label values given."""
    return sum(
        value
        for found, value in samples.get(name, [])
        if all(found.get(key) == wanted for key, wanted in labels.items())
    )


def make_report(
    client: Elasticsearch, expected: Expected, found: Found, supervisor: Supervisor, seconds: float
) -> Report:
    """Return everything that is shown at the end, and what is wrong."""
    searches = [_try_search(client, example, expected) for example in expected.searches]
    files = _files(client, expected.files_feed) if expected.files_feed else []
    problems = judge(expected, found)
    problems += [f"search {tried.query!r} does not find {key}" for tried in searches for key in tried.missing]
    problems += [f"{row['title']!r} has no {name}" for row in files for name in _lacking(row, files)]
    return Report(
        expected.total,
        found.searchable(),
        found.documents,
        seconds,
        stage_counts(supervisor),
        searches,
        files,
        problems,
    )


def stage_counts(supervisor: Supervisor) -> list[StageCount]:
    """Return what went through each stage since the services were started, from their own metrics."""
    samples: Samples = {}
    for running in supervisor.running.values():
        for name, rows in read_metrics(running.metrics_url).items():
            samples.setdefault(name, []).extend(rows)
    return [_stage_count(samples, stage) for stage in STAGES]


def _stage_count(samples: Samples, stage: str) -> StageCount:
    def by_reason(name: str) -> dict[str, int]:
        return {
            labels["reason"]: int(value)
            for labels, value in samples.get(name, [])
            if labels["stage"] == stage and value
        }

    taken = sum_of(samples, "frontwire_records_in_total", stage=stage)
    busy = sum_of(samples, "frontwire_processing_seconds_sum", stage=stage)
    return StageCount(
        stage=stage,
        records_in=int(taken),
        records_out=int(sum_of(samples, "frontwire_records_out_total", stage=stage)),
        dropped=by_reason("frontwire_records_dropped_total"),
        dead_lettered=by_reason("frontwire_dead_letters_total"),
        per_second=taken / busy if busy else None,
    )


def search(client: Elasticsearch, text: str, size: int = 5) -> list[dict[str, Any]]:
    """Return the best articles for a query in the default fields: accents optional, exact spelling first."""
    query = {"simple_query_string": {"query": text, "default_operator": "and"}}
    found = client.search(index=ALIAS, query=query, size=size, ignore_unavailable=True)
    hits: list[dict[str, Any]] = found["hits"]["hits"]
    return hits


def _try_search(client: Elasticsearch, example: ExpectedSearch, expected: Expected) -> TriedSearch:
    hits = [hit["_source"] for hit in search(client, example.query, size=100)]
    ids = {hit["parent_id"] for hit in hits}
    return TriedSearch(
        query=example.query,
        shows=example.shows,
        hits=[{"title": hit["title"], "feed": hit["feed"], "published": hit["published"]["value"]} for hit in hits],
        missing=[key for key in example.hits if expected.ids_by_key[key] not in ids],
    )


def _lacking(row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what an article of the files should have and has not; a date may stand in another part of the same file."""
    lacking = [name for name in ("title", "language", "origin", "entities", "story") if not row[name]]
    dated = any(other["dates"] for other in rows if other["parent"] == row["parent"])
    return lacking if dated else [*lacking, "dates"]


def _files(client: Elasticsearch, feed: str) -> list[dict[str, Any]]:
    """Return what the given files became, a row an article."""
    found = client.search(
        index=ALIAS, size=1000, query={"term": {"feed": feed}}, sort=["parent_id", "part"], ignore_unavailable=True
    )
    rows = []
    for hit in found["hits"]["hits"]:
        article = hit["_source"]
        rows.append({
            "title": article["title"], "language": article["language"], "published": article["published"]["value"],
            "origin": article["published"]["origin"], "dates": len(article["dates"]), "entities": len(article["entities"]),
            "story": article["story_id"], "parent": article["parent_id"],
            "part": article["part"], "parts_total": article["parts_total"],
        })  # fmt: skip
    return rows

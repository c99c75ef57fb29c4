"""`frontwire demo`: the whole wire on the real engines with the bundled sample news site, counted and proven."""

import hashlib
import shutil
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import click
from elasticsearch import ApiError, Elasticsearch, TransportError
from prometheus_client.parser import text_string_to_metric_families
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from services.commands.common import err, fail, out, print_table, project_folder
from services.commands.local import engine_settings
from shared import dead_letters, local_engines, sample_expected, topic_admin
from shared.ids import article_id_for_link
from shared.kafka_clients import make_admin
from shared.links import clean_link
from shared.sample_expected import ExpectedSearch
from shared.settings import Settings, environment_of, load_settings
from shared.supervisor import SERVICES, Supervisor, supervised

SAMPLE: Final = project_folder() / "deploy/sample"
ALIAS: Final = "news-articles"
SAMPLE_FILES_FEED: Final = "Tệp mẫu"
WAIT_SECONDS: Final = 240.0
STAGES: Final = ("fetcher", "normaliser", "extractor", "sketch", "decide", "indexer")


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


@click.command()
@click.option(
    "--files", multiple=True, metavar="PATTERN", help="Add your own .txt, .html or .jsonl files (a quoted pattern)."
)
@click.option("--port", default=8765, show_default=True, help="Port of the sample news site; links depend on it.")
@click.option("--kafka-port", default=19092, show_default=True, help="Port of the demo's Kafka.")
@click.option("--elasticsearch-port", default=19200, show_default=True, help="Port of the demo's Elasticsearch.")
@click.option("--keep", is_flag=True, help="Leave everything running until Ctrl-C, to look around.")
@click.option("--reset", is_flag=True, help="Forget what earlier demos indexed.")
def demo(files: tuple[str, ...], port: int, kafka_port: int, elasticsearch_port: int, keep: bool, reset: bool) -> None:
    """Run the whole wire on a bundled sample news site and prove the counts.

    Fetches and starts real Kafka and Elasticsearch (own ports, own data under FRONTWIRE_DATA_DIR/demo), starts every service
    as a process, reads the site's feeds, waits until every article is searchable, prints what went through each stage and
    three searches. Exits with 0 only when every count is right.
    """
    base = load_settings()
    data = (base.data_dir / "demo").absolute()
    settings = base.model_copy(
        update={
            "data_dir": data,
            "config_dir": data / "config",
            "kafka_bootstrap": f"127.0.0.1:{kafka_port}",
            "elasticsearch_url": f"http://127.0.0.1:{elasticsearch_port}",
        }
    )
    local = engine_settings(settings)
    if reset:
        local_engines.reset(local)
        shutil.rmtree(data / "tables", ignore_errors=True)
    try:
        problems = _play(settings, local, files, port, keep=keep)
    except KeyboardInterrupt:
        fail("stopped", 130)
    if problems:
        fail("the counts are wrong:\n" + "\n".join(f"  {problem}" for problem in problems))
    out.print("every count is right", style="bold green")


def _play(
    settings: Settings, local: local_engines.EngineSettings, files: Sequence[str], port: int, *, keep: bool
) -> list[str]:
    patterns = [str(Path(pattern).absolute()) for pattern in files]
    expected = read_expected(f"http://127.0.0.1:{port}", patterns)
    _write_config(settings, port, patterns)
    engines = local_engines.start(local, err)
    try:
        with closing(make_admin(settings)) as admin:
            topic_admin.apply(admin)
        with (
            _sample_site(settings, port),
            supervised(settings, SERVICES) as supervisor,
            closing(Elasticsearch(settings.elasticsearch_url, request_timeout=10)) as client,
        ):
            started = time.monotonic()
            found = _wait(client, settings, expected, supervisor)
            _wait_quiet(supervisor)
            seconds = time.monotonic() - started
            print_stages(supervisor, seconds)
            problems = judge(expected, found) + _show_searches(client, expected)
            if expected.files_feed:
                problems += _show_files(client, expected.files_feed)
            _show_places(settings, port)
            if keep:
                out.print("Ctrl-C stops everything")
                while True:
                    time.sleep(1)
    finally:
        for name in engines.started:
            local_engines.stop(local, name)
    return problems


def read_expected(site: str, patterns: Sequence[str]) -> Expected:
    """Return what the sample and the given files must become. Exits when a pattern names no readable file."""
    from services.fetcher.files import list_files, read_file
    from services.fetcher.outbox import Refusal

    truth = sample_expected.read_expected(SAMPLE)
    ids_by_key = {article.key: _id_of(site + article.path) for article in truth.articles if article.path}
    site_ids = frozenset(ids_by_key[article.key] for article in truth.articles if article.outcome == "searchable")
    file_articles = {SAMPLE_FILES_FEED: truth.totals.file_articles}
    files_feed = _files_feed(patterns) if patterns else None
    dead = Counter(truth.totals.dead_letters)
    if files_feed:
        try:
            paths = list_files([Path(pattern) for pattern in patterns])
        except OSError as missing:
            fail(str(missing))
        rows = [found for path in paths for found in read_file(path)]
        file_articles[files_feed] = sum(not isinstance(row, Refusal) for row in rows)
        dead.update(row.reason.value for row in rows if isinstance(row, Refusal))
    return Expected(site_ids, files_feed, file_articles, dead, truth.searches, ids_by_key)


def _id_of(url: str) -> str:
    return article_id_for_link(clean_link(url) or url)


def _files_feed(patterns: Sequence[str]) -> str:
    """Return the name of the feed that holds the given files: another set of files is another feed."""
    return f"Your files {hashlib.sha256(repr(patterns).encode()).hexdigest()[:4]}"


def _write_config(settings: Settings, port: int, patterns: Sequence[str]) -> None:
    """Make the demo's configuration folder: the shipped watchlist and aliases, the sample's feeds, the given files."""
    shutil.rmtree(settings.config_dir, ignore_errors=True)
    shutil.copytree(project_folder() / "deploy/config", settings.config_dir)
    text = (SAMPLE / "feeds.yaml").read_text(encoding="utf-8")
    for name, value in {
        "SAMPLE_SITE": f"http://127.0.0.1:{port}",
        "SAMPLE_HOST": f"127.0.0.1:{port}",
        "SAMPLE_FILES": str(SAMPLE / "files"),
    }.items():
        text = text.replace(f"${{{name}}}", value)
    if patterns:
        listed = "".join(f"\n      - {pattern!r}" for pattern in patterns)
        text += f"  - name: {_files_feed(patterns)}\n    paths:{listed}\n    timezone: Asia/Ho_Chi_Minh\n"
    (settings.config_dir / "feeds.yaml").write_text(text, encoding="utf-8")


@contextmanager
def _sample_site(settings: Settings, port: int) -> Iterator[None]:
    """Serve the sample news site from a process of its own."""
    command = [sys.executable, "-m", "shared.sample_site", "--port", str(port)]
    folder = settings.data_dir / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "sample-site.log").open("ab") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env=environment_of(settings), start_new_session=True
        )
    try:
        _wait_for_site(process, port, folder / "sample-site.log")
        yield
    finally:
        process.terminate()
        process.wait(10)


def _wait_for_site(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    for _ in range(100):
        if process.poll() is not None:
            fail(f"the sample site does not start; is port {port} in use? See {log}, or choose another --port")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    fail(f"the sample site does not answer on port {port}")


def _wait(client: Elasticsearch, settings: Settings, expected: Expected, supervisor: Supervisor) -> Found:
    """Wait until everything expected is searchable and dead-lettered, with a progress bar; returns what is there at the end."""
    columns = (
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
    )  # fmt: skip
    until = time.monotonic() + WAIT_SECONDS
    with Progress(*columns, console=err, transient=True) as progress:
        bar = progress.add_task("searchable articles", total=expected.total)
        while True:
            found = look(client, settings)
            progress.update(bar, completed=found.searchable())
            if not judge(expected, found) or time.monotonic() > until:
                return found
            for dead in supervisor.dead():
                fail(f"{dead.job.label} ended with exit code {dead.process.returncode}, see {dead.log}")
            time.sleep(1)


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
        if feed not in expected.file_articles and not feed.startswith("Your files")
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


def _wait_quiet(supervisor: Supervisor) -> None:
    """Wait until no stage has anything in hand, so that the table shows final numbers."""
    before: dict[str, float] = {}
    for _ in range(20):
        counts = {label: _sum(read_metrics(running.metrics_url), "frontwire_records_in_total")
                  for label, running in supervisor.running.items()}  # fmt: skip
        if counts == before:
            return
        before = counts
        time.sleep(1)


Samples = dict[str, list[tuple[dict[str, str], float]]]


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


def _sum(samples: Samples, name: str, **labels: str) -> float:
    return sum(
        value
        for found, value in samples.get(name, [])
        if all(found.get(key) == wanted for key, wanted in labels.items())
    )


def print_stages(supervisor: Supervisor, seconds: float) -> None:
    """Print what went through each stage since the services were started."""
    samples: Samples = {}
    for running in supervisor.running.values():
        for name, rows in read_metrics(running.metrics_url).items():
            samples.setdefault(name, []).extend(rows)
    table: list[tuple[object, ...]] = []
    for stage in STAGES:
        taken = _sum(samples, "frontwire_records_in_total", stage=stage)
        busy = _sum(samples, "frontwire_processing_seconds_sum", stage=stage)
        dropped = ", ".join(
            f"{labels['reason']} {value:.0f}"
            for labels, value in samples.get("frontwire_records_dropped_total", [])
            if labels["stage"] == stage and value
        )
        refused = ", ".join(
            f"{labels['reason']} {value:.0f}"
            for labels, value in samples.get("frontwire_dead_letters_total", [])
            if labels["stage"] == stage and value
        )
        table.append((
            stage, taken, _sum(samples, "frontwire_records_out_total", stage=stage), dropped, refused,
            f"{taken / busy:,.0f}" if busy else "",
        ))  # fmt: skip
    print_table(
        f"What went through each stage in {seconds:.0f} s",
        ("stage", "in", "out", "dropped", "dead-lettered", "articles/s while working"),
        table,
    )


def search(client: Elasticsearch, text: str, size: int = 5) -> list[dict[str, Any]]:
    """Return the best articles for a query in the default fields: accents optional, exact spelling first."""
    query = {"simple_query_string": {"query": text, "default_operator": "and"}}
    found = client.search(index=ALIAS, query=query, size=size, ignore_unavailable=True)
    hits: list[dict[str, Any]] = found["hits"]["hits"]
    return hits


def _show_searches(client: Elasticsearch, expected: Expected) -> list[str]:
    problems = []
    for example in expected.searches:
        hits = search(client, example.query, size=100)
        ids = {hit["_source"]["parent_id"] for hit in hits}
        missing = [key for key in example.hits if expected.ids_by_key[key] not in ids]
        problems += [f"search {example.query!r} does not find {key}" for key in missing]
        print_table(f"Search “{example.query}” ({example.shows}): {len(hits)} hits", ("title", "feed", "published"), [
            (hit["_source"]["title"], hit["_source"]["feed"], hit["_source"]["published"]["value"] or "undated")
            for hit in hits[:5]
        ])  # fmt: skip
    return problems


def _show_files(client: Elasticsearch, feed: str) -> list[str]:
    """Print what the given files became, and return what an article lacks."""
    found = client.search(index=ALIAS, size=200, query={"term": {"feed": feed}}, sort="parent_id,part")
    problems, rows = [], []
    for hit in found["hits"]["hits"]:
        article = hit["_source"]
        published = article["published"]
        rows.append((
            article["title"][:60], article["language"], f"{published['value'] or 'undated'} ({published['origin']})",
            len(article["dates"]), len(article["entities"]), article["story_id"][:8],
        ))  # fmt: skip
        lacking = [name for name in ("title", "language", "dates", "entities", "story_id") if not article[name]]
        if lacking:
            problems.append(f"{article['title'][:60]!r} has no {', '.join(lacking)}")
    print_table("Your files", ("title", "language", "published (origin)", "dates", "entities", "story"), rows)
    return problems


def _show_places(settings: Settings, port: int) -> None:
    print_table("Where to look", ("what", "where"), [
        ("sample site", f"http://127.0.0.1:{port}/"),
        ("Elasticsearch (while it runs: --keep)", f"{settings.elasticsearch_url}/{ALIAS}/_search?pretty"),
        ("logs", settings.data_dir / "logs"),
    ])  # fmt: skip

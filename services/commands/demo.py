"""`frontwire demo`: the whole wire on the real engines with the bundled sample news site, counted and proven."""

import dataclasses
import hashlib
import shutil
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import click
from elasticsearch import Elasticsearch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from services.commands.common import err, fail, json_option, print_json, print_table, project_folder
from services.commands.demo_report import (
    ALIAS,
    FILES_FEED_PREFIX,
    Expected,
    Found,
    Report,
    judge,
    look,
    make_report,
    read_metrics,
    sum_of,
)
from services.commands.local import engine_settings
from shared import local_engines, sample_expected, topic_admin
from shared.ids import article_id_for_link
from shared.kafka_clients import make_admin
from shared.links import clean_link
from shared.settings import Settings, environment_of, load_settings
from shared.supervisor import SERVICES, Supervisor, supervised

SAMPLE: Final = project_folder() / "deploy/sample"
SAMPLE_FILES_FEED: Final = "Tệp mẫu"
WAIT_SECONDS: Final = 240.0


@click.command()
@click.option(
    "--files", multiple=True, metavar="PATTERN", help="Add your own .txt, .html or .jsonl files (a quoted pattern)."
)
@click.option("--port", default=8765, show_default=True, help="Port of the sample news site; links depend on it.")
@click.option("--kafka-port", default=19092, show_default=True, help="Port of the demo's Kafka.")
@click.option("--elasticsearch-port", default=19200, show_default=True, help="Port of the demo's Elasticsearch.")
@click.option("--keep", is_flag=True, help="Leave everything running until Ctrl-C, to look around.")
@click.option("--reset", is_flag=True, help="Forget what earlier demos indexed.")
@json_option
def demo(
    files: tuple[str, ...], port: int, kafka_port: int, elasticsearch_port: int, keep: bool, reset: bool, as_json: bool
) -> None:
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
            "engine_java_options": base.engine_java_options or local_engines.SHORT_RUN,
        }
    )
    local = engine_settings(settings)
    if reset:
        local_engines.reset(local)
        shutil.rmtree(data / "tables", ignore_errors=True)
    show = (
        (lambda report: print_json(dataclasses.asdict(report)))
        if as_json
        else (lambda report: _show(report, settings, port))
    )
    report = _play(settings, local, files, port, show, keep=keep)
    if report.problems:
        fail("the counts are wrong:\n" + "\n".join(f"  {problem}" for problem in report.problems))
    err.print("every count is right", style="bold green")


def _play(
    settings: Settings,
    local: local_engines.EngineSettings,
    files: Sequence[str],
    port: int,
    show: Callable[[Report], None],
    *,
    keep: bool,
) -> Report:
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
            report = make_report(client, expected, found, supervisor, seconds)
            show(report)
            if keep:
                err.print("Ctrl-C stops everything")
                while True:
                    time.sleep(1)
    finally:
        for name in engines.started:
            local_engines.stop(local, name)
    return report


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
    return f"{FILES_FEED_PREFIX} {hashlib.sha256(repr(patterns).encode()).hexdigest()[:4]}"


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


def _wait_quiet(supervisor: Supervisor) -> None:
    """Wait until no stage has anything in hand, so that the table shows final numbers."""
    before: dict[str, float] = {}
    for _ in range(20):
        counts = {label: sum_of(read_metrics(running.metrics_url), "frontwire_records_in_total")
                  for label, running in supervisor.running.items()}  # fmt: skip
        if counts == before:
            return
        before = counts
        time.sleep(1)


def _show(report: Report, settings: Settings, port: int) -> None:
    print_table(
        f"What went through each stage in {report.seconds:.0f} s",
        ("stage", "in", "out", "dropped", "dead-lettered", "articles/s while working"),
        [
            (row.stage, row.records_in, row.records_out, _listed(row.dropped), _listed(row.dead_lettered),
             f"{row.per_second:,.0f}" if row.per_second else "")
            for row in report.stages
        ],
    )  # fmt: skip
    for tried in report.searches:
        print_table(f"Search “{tried.query}” ({tried.shows}): {len(tried.hits)} hits", ("title", "feed", "published"), [
            (hit["title"], hit["feed"], hit["published"] or "undated") for hit in tried.hits[:5]
        ])  # fmt: skip
    if report.files:
        print_table("Your files", ("title", "part", "language", "published (origin)", "dates", "entities", "story"), [
            (row["title"][:60], f"{row['part']}/{row['parts_total']}", row["language"],
             f"{row['published'] or 'undated'} ({row['origin']})", row["dates"], row["entities"], row["story"][:8])
            for row in report.files
        ])  # fmt: skip
    print_table("Where to look", ("what", "where"), [
        ("sample site", f"http://127.0.0.1:{port}/"),
        ("Elasticsearch (with --keep)", f"{settings.elasticsearch_url}/{ALIAS}/_search?pretty"),
        ("logs", settings.data_dir / "logs"),
    ])  # fmt: skip


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())

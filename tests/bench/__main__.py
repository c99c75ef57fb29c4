"""Runs every benchmark on real engines of its own and writes docs/benchmarks.md: `python -m tests.bench [--only NAME]`."""

import argparse
import os
import platform
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import psutil

from services.commands.common import err, out, project_folder
from tests.bench import alerts, duplicates, fetching, indexer, names, stages, text_rules
from tests.support.articles import text_of
from tests.support.wire import Wire, copy_config, own_engines

PAGE = """# Benchmarks

Made by `make bench` on {date} ({machine}), with {articles:,} generated Vietnamese articles of {size:,} bytes of text (UTF-8, some
{characters:,} characters), of which every third is an edited copy of an earlier one. Both engines ran on the same machine as the
services, with heaps of 1 GB at most. Every figure comes with the ceiling of the client library, for the same messages in the same
run: rates of other runs and other machines are not comparable.

How well feeds and pages are read is measured with the public suites of others, which are no part of this repository:
`python -m tests.bench.suites --help`; the last figures stand in [decision 14](decisions/0014-reading-feeds-and-pages.md).

{sections}
"""

# What docker-compose.yml gives Elasticsearch.
HEAP = "-Xmx1g"

Measure = Callable[[Wire, argparse.Namespace], str]
SECTIONS: dict[str, Measure] = {
    "fetching": lambda *_: fetching.measure_fetching(),
    "names": lambda *_: names.measure_names(),
    "rules": lambda _, asked: text_rules.measure_rules(min(asked.articles, 400), asked.size),
    "detector": lambda _, asked: alerts.measure_detector(asked.judged),
    "duplicates": lambda *_: duplicates.measure_duplicates(),
    "stages": lambda wire, asked: "\n".join(
        stages.measure_stages(wire, asked.articles, size) for size in (asked.size, duplicates.LABELLED)
    ),
    "indexer": lambda wire, asked: indexer.measure_indexer(wire, asked.indexed, asked.size),
    "end-to-end": lambda wire, asked: stages.measure_end_to_end(wire, asked.articles, asked.size),
}


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--articles", type=int, default=3000, help="how many articles to send through each stage")
    parser.add_argument("--indexed", type=int, default=50_000, help="how many finished articles to send to the indexer")
    parser.add_argument("--judged", type=int, default=120_000, help="how many articles to send through the detector")
    parser.add_argument("--size", type=int, default=4000, help="bytes of text in an article (UTF-8)")
    parser.add_argument("--only", choices=SECTIONS, help="measure only this, and print it instead of writing the page")
    parser.add_argument("--output", type=Path, default=project_folder() / "docs/benchmarks.md")
    arguments = parser.parse_args()
    with own_engines("bench", HEAP) as engines:
        config = engines.data_dir / "config"
        copy_config(project_folder() / "deploy/config", config)
        wire = Wire(engines.model_copy(update={"config_dir": config}))
        try:
            sections = [SECTIONS[name](wire, arguments) for name in ([arguments.only] if arguments.only else SECTIONS)]
        finally:
            wire.close()
    if arguments.only:
        out.print("\n".join(sections), markup=False)
        return
    page = PAGE.format(
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        machine=f"{os.cpu_count()} cores, {psutil.virtual_memory().total >> 30} GiB, Python {platform.python_version()}",
        articles=arguments.articles,
        size=arguments.size,
        characters=round(len(text_of(0, arguments.size)), -2),
        sections="\n".join(sections),
    )
    arguments.output.write_text(page, encoding="utf-8")
    err.print(f"written: {arguments.output}")


main()

"""Feeds a minute and pages a second of the fetcher, beside plain GETs of the same addresses in the same run.

By itself: `python -m tests.bench.fetching`.
"""

import asyncio
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta

import aiohttp
import psutil

from services.commands.common import project_folder
from services.fetcher.dry_run import DryRun
from services.fetcher.feeds import Feed, Feeds, HostManners
from services.fetcher.parsing import PROCESSES
from shared import logs
from shared.local_engines import free_port
from shared.models import RawArticle
from tests.bench.site import ITEMS

FEEDS = 1000
PAGES = 200
AT_A_TIME = 16


def measure_fetching() -> str:
    """Visit 1,000 feeds, then 200 pages, of a local site; return the section of the page."""
    logs.configure("error", "auto")
    with _site() as host:
        feed_urls = [f"http://{host}/feed/{number}" for number in range(FEEDS)]
        page_urls = [f"http://{host}/page/{number}" for number in range(PAGES)]
        rows = [
            ("feeds of 20 items, text included", FEEDS, *_visit(host, feed_urls, "feed"), _plain(feed_urls)),
            ("article pages, parsed", PAGES, *_visit(host, feed_urls[: PAGES // ITEMS], "page"), _plain(page_urls)),
        ]
    lines = [
        "## The fetcher against a local site, one process, no Kafka",
        "",
        f"{AT_A_TIME} requests at a time to the one host and no pause: more than any outlet is asked for. The peer is aiohttp.",
        "By itself: `python -m tests.bench.fetching`.",
        "",
        "| what | number | a second | a minute | processor ms each | resident MB | physical MB | plain GETs, a second "
        "| processor ms each |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
        *(
            f"| {what} | {number:,} | {number / seconds:,.0f} | {number / seconds * 60:,.0f} "
            f"| {used / number * 1000:,.0f} | {memory.resident:,.0f} | {memory.physical:,.0f} | {rate:,.0f} | {ms:,.1f} |"
            for what, number, seconds, used, memory, (rate, ms) in rows
        ),
        "",
        f"Processor time and memory count the {PROCESSES} parser processes. Resident is the sum over the processes, in which",
        "a page of memory that three of them share counts three times; physical (PSS) counts it once. Both at their highest.",
    ]
    return "\n".join(lines) + "\n"


@contextmanager
def _site() -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "tests.bench.site", str(port)]
    with subprocess.Popen(command, cwd=project_folder()) as process:
        try:
            _wait_for(f"http://127.0.0.1:{port}/feed/0")
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()


def _wait_for(url: str) -> None:
    for _ in range(300):
        try:
            _plain([url])
            return
        except aiohttp.ClientError:
            time.sleep(0.1)
    raise TimeoutError(url)


@dataclass
class Memory:
    """The most memory that the fetcher and its parsers held, in MB: the sum of what each maps, and what all take together."""

    resident: float = 0.0
    physical: float = 0.0


def _visit(host: str, urls: Sequence[str], full_text: str) -> tuple[float, float, Memory]:
    """Return seconds, processor seconds and peak memory of one visit of every feed; every article must have come."""
    blocks = tuple(
        Feed.model_validate({"name": url, "url": url, "full_text": full_text, "allow_private": (host,)}) for url in urls
    )
    manners = HostManners(delay=timedelta(0), parallel=AT_A_TIME)
    articles = 0
    peak = Memory()

    def take(_: RawArticle) -> None:
        nonlocal articles
        articles += 1

    async def main() -> None:
        watcher = asyncio.create_task(_watch_memory(peak))
        await DryRun(Feeds(feeds=blocks, hosts={"127.0.0.1": manners}), "Frontwire/bench", take).run()
        watcher.cancel()

    started, used = time.monotonic(), _processor_seconds()
    asyncio.run(main())
    seconds, used = time.monotonic() - started, _processor_seconds() - used
    if articles != len(urls) * ITEMS:
        raise AssertionError(f"{articles} articles of {len(urls)} feeds")
    return seconds, used, peak


def _processor_seconds() -> float:
    """Return the processor time of this process and of its children that have ended: the parsers, not the site."""
    parts = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(part.ru_utime + part.ru_stime for part in parts)


async def _watch_memory(peak: Memory) -> None:
    while True:
        process = psutil.Process()
        with suppress(psutil.NoSuchProcess):  # a parser that is being replaced
            children = [child for child in process.children() if "parser_process" in " ".join(child.cmdline())]
            held = [part.memory_full_info() for part in (process, *children)]
            peak.resident = max(peak.resident, sum(part.rss for part in held) / 1e6)
            peak.physical = max(peak.physical, sum(part.pss for part in held) / 1e6)
        await asyncio.sleep(0.5)


def _plain(urls: Sequence[str]) -> tuple[float, float]:
    """Return plain GETs a second and processor ms of each: as many at a time, over connections of their own, as the fetcher's."""

    async def main() -> tuple[float, float]:
        connector = aiohttp.TCPConnector(limit=AT_A_TIME, force_close=True)
        async with aiohttp.ClientSession(connector=connector) as session:

            async def get(url: str) -> None:
                async with session.get(url) as response:
                    await response.read()

            started, used = time.monotonic(), time.process_time()
            await asyncio.gather(*(get(url) for url in urls))
            used = time.process_time() - used
            return len(urls) / (time.monotonic() - started), used / len(urls) * 1000

    return asyncio.run(main())


if __name__ == "__main__":
    print(measure_fetching())  # noqa: T201

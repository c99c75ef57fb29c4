"""`frontwire ingest`: files straight into the wire."""

from pathlib import Path

import click

from services.commands.common import err, fail, out
from shared.settings import load_settings


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--source", default="ingest", show_default=True, help="Name of the source the articles are filed under.")
@click.option("--timezone", default="Asia/Ho_Chi_Minh", show_default=True, help="Time zone of dates without one.")
@click.option("--no-wait", is_flag=True, help="Do not make room for live articles.")
def ingest(paths: tuple[Path, ...], source: str, timezone: str, no_wait: bool) -> None:
    """Publish the articles of .txt, .html and .jsonl files (folders are searched through) to articles-raw-v1.

    The same text is always the same article: ingesting a file twice makes no second article. More than 500 articles go out in
    portions, each when the one before it has nearly arrived, so that live articles wait for a portion at most.
    """
    from services.fetcher.run import ingest as ingest_files

    on_wait = None if no_wait else _tell
    tally = ingest_files(load_settings(), paths, source=source, timezone=timezone, on_wait=on_wait)
    taken_down = f", taken down {tally.taken_down}" if tally.taken_down else ""
    out.print(f"published {tally.published}, dead-lettered {tally.refused}, already known {tally.known}{taken_down}")
    if not tally.published and not tally.known and not tally.taken_down:
        fail("no article was published; `frontwire dlq show articles-raw-v1` says why")


def _tell(on_their_way: int | None) -> None:
    if on_their_way is not None:
        err.print(f"making room for live articles: {on_their_way:,} are on their way (--no-wait does not)")

"""`frontwire ingest`: files straight into the wire."""

from pathlib import Path

import click

from services.commands.common import fail, out
from shared.settings import load_settings


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--source", default="ingest", show_default=True, help="Name of the source the articles are filed under.")
@click.option("--timezone", default="Asia/Ho_Chi_Minh", show_default=True, help="Time zone of dates without one.")
def ingest(paths: tuple[Path, ...], source: str, timezone: str) -> None:
    """Publish the articles of .txt, .html and .jsonl files (folders are searched through) to articles-raw-v1.

    The same text is always the same article: ingesting a file twice makes no second article.
    """
    from services.fetcher.run import ingest as ingest_files

    tally = ingest_files(load_settings(), paths, source=source, timezone=timezone)
    taken_down = f", taken down {tally.taken_down}" if tally.taken_down else ""
    out.print(f"published {tally.published}, dead-lettered {tally.refused}, already known {tally.known}{taken_down}")
    if not tally.published and not tally.known and not tally.taken_down:
        fail("no article was published; `frontwire dlq show articles-raw-v1` says why")

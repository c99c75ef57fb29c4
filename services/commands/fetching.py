"""`frontwire fetch --once`: every feed once, to standard output, without Kafka."""

import asyncio
from pathlib import Path

import click

from services.commands.common import err, fail
from shared.settings import load_settings


@click.command()
@click.option(
    "--once", is_flag=True, help="Visit every feed once and exit (needed; `frontwire run fetcher` runs for good)."
)
@click.option(
    "--feeds", "path", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The list of feeds, instead of feeds.yaml in FRONTWIRE_CONFIG_DIR.",
)  # fmt: skip
def fetch(once: bool, path: Path | None) -> None:
    """Visit every feed once and print its articles as JSON Lines (model RawArticle); Kafka is not touched.

    Feeds that fail are named on standard error. Exits with 1 when every feed failed.
    """
    from services.fetcher.dry_run import DryRun
    from services.fetcher.feeds import load_feeds

    if not once:
        fail("`frontwire fetch` needs --once; `frontwire run fetcher` starts the service", 2)
    settings = load_settings()
    feeds = load_feeds(path or settings.config_dir / "feeds.yaml")
    run = DryRun(feeds, settings.user_agent, lambda article: click.echo(article.to_json()))
    tried = asyncio.run(run.run())
    failed = [state for state in tried.states.values() if state.failures]
    for state in sorted(failed, key=lambda state: state.feed):
        err.print(f"{state.feed}: {state.last_error}: {state.last_error_detail}", style="red", markup=False)
    if failed and len(failed) == len(tried.states):
        fail("no feed could be read")

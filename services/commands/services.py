"""`frontwire run`: one service."""

import importlib
from typing import Final

import click

from shared.settings import load_settings

# The folder of the code and the arguments of its run(); imported only when run, so that none pays for the libraries of another.
RUNNERS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "alerter": ("alerter", ()),
    "decide": ("deduplicator", ("decide",)),
    "deduplicator": ("deduplicator", ()),
    "extractor": ("extractor", ()),
    "fetcher": ("fetcher", ()),
    "indexer": ("indexer", ()),
    "normaliser": ("normaliser", ()),
    "notifier": ("notifier", ()),
    "sketch": ("deduplicator", ("sketch",)),
}


@click.command()
@click.argument("name", type=click.Choice(sorted(RUNNERS)))
def run(name: str) -> None:
    """Run one service until it gets SIGTERM.

    Start it several times to share the work (give each its own FRONTWIRE_WORKER_ID). `deduplicator` runs both of its roles;
    `sketch` and `decide` run one. Settings come from the environment, see docs/operations.md.
    """
    folder, arguments = RUNNERS[name]
    importlib.import_module(f"services.{folder}.run").run(load_settings(), *arguments)

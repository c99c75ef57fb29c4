"""`frontwire run` and `frontwire up`: one service, or all of them with the local engines."""

import importlib
import time
from contextlib import closing
from typing import Final

import click

from services.commands.common import engine_settings, err, out, print_table
from shared import local_engines, topic_admin
from shared.kafka_clients import make_admin
from shared.settings import load_settings
from shared.supervisor import SERVICES, Supervisor, supervised

# The folder of the code and the arguments of its run(); imported only when run, so that none pays for the libraries of another.
RUNNERS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "decide": ("deduplicator", ("decide",)),
    "deduplicator": ("deduplicator", ()),
    "extractor": ("extractor", ()),
    "fetcher": ("fetcher", ()),
    "indexer": ("indexer", ()),
    "normaliser": ("normaliser", ()),
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


@click.command()
def up() -> None:
    """Run the local engines and every service with your configuration, until Ctrl-C. Data is kept between runs.

    Reads FRONTWIRE_CONFIG_DIR (deploy/config), keeps everything under FRONTWIRE_DATA_DIR (.frontwire).
    """
    settings = load_settings()
    local = engine_settings(settings)
    engines = local_engines.start(local, err)
    try:
        with closing(make_admin(settings)) as admin:
            topic_admin.apply(admin)
        with supervised(settings, SERVICES) as supervisor:
            _show(supervisor, engines)
            while True:
                time.sleep(1)
                for restarted in supervisor.restart_dead():
                    err.print(f"{restarted.job.label} ended by itself and was started again, see {restarted.log}")
    except KeyboardInterrupt:
        out.print("stopping")
    finally:
        for name in engines.started:
            local_engines.stop(local, name)


def _show(supervisor: Supervisor, engines: local_engines.Engines) -> None:
    print_table("Frontwire is up (Ctrl-C stops it)", ("what", "address", "log"), [
        ("kafka", engines.bootstrap_servers, ""),
        ("elasticsearch", engines.elasticsearch_url, ""),
        *((running.job.label, f"{running.metrics_url}/metrics", running.log) for running in supervisor.running.values()),
    ])  # fmt: skip

"""`frontwire engines`: the real Kafka and Elasticsearch on this machine, without Docker and without Java."""

import dataclasses

import click

from services.commands.common import err, json_option, print_json, print_table
from services.commands.local import engine_settings
from shared import local_engines
from shared.settings import load_settings


@click.group()
def engines() -> None:
    """Run real Kafka and Elasticsearch on this machine.

    They are fetched once (about 250 MB, verified by SHA-256) and listen on 127.0.0.1 only. Data is kept under FRONTWIRE_DATA_DIR
    until `reset`.
    """


@engines.command()
def start() -> None:
    """Fetch what is missing and start both engines; does nothing when they run."""
    started = local_engines.start(engine_settings(load_settings()), err)
    print_table("Engines", ("engine", "address"), [
        ("kafka", started.bootstrap_servers), ("elasticsearch", started.elasticsearch_url),
    ])  # fmt: skip


@engines.command()
def stop() -> None:
    """Stop both engines; their data stays."""
    stopped = local_engines.stop(engine_settings(load_settings()))
    click.echo(f"stopped: {', '.join(stopped)}" if stopped else "nothing was running")


@engines.command()
@json_option
def status(as_json: bool) -> None:
    """Show whether the engines run, where they listen and what they use."""
    rows = local_engines.status(engine_settings(load_settings()))
    if as_json:
        print_json([dataclasses.asdict(row) for row in rows])
        return
    print_table("Engines", ("engine", "state", "port", "version", "memory MB", "data", "log"), [
        (row.name, row.state, str(row.port), row.version, str(row.rss_mb or ""), row.data, row.log) for row in rows
    ])  # fmt: skip


@engines.command()
@click.confirmation_option(prompt="Delete all topics and indices of the local engines?")
def reset() -> None:
    """Stop the engines and delete their data."""
    local_engines.reset(engine_settings(load_settings()))
    click.echo("the engines' data is gone")

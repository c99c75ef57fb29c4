"""`frontwire topics` and `frontwire schemas`: the contract on the broker and on paper."""

import sys
from contextlib import closing

import click

from services.commands.common import fail, json_option, print_json, print_table, project_folder
from shared import contract, topic_admin
from shared.kafka_clients import make_admin
from shared.settings import load_settings
from shared.topics import all_topics


@click.group()
def topics() -> None:
    """Show the topic table, or bring the broker to it."""


@topics.command()
@json_option
def show(as_json: bool) -> None:
    """Show every topic: key, partitions, retention, who writes and who reads. Needs no broker."""
    rows = [
        {
            "topic": topic.name,
            "key": topic.key,
            "partitions": topic.partitions,
            "retention_days": topic.retention.days if topic.retention else None,
            "cleanup": topic.config()["cleanup.policy"],
            "producer": topic.producer,
            "consumers": list(topic.consumers),
        }
        for topic in all_topics()
    ]
    if as_json:
        print_json(rows)
        return
    print_table("Topics", ("topic", "key", "partitions", "days kept", "cleanup", "written by", "read by"), [
        (row["topic"], row["key"], row["partitions"], str(row["retention_days"] or "for ever"), row["cleanup"],
         row["producer"], " ".join(topic.consumers))
        for row, topic in zip(rows, all_topics(), strict=True)
    ])  # fmt: skip


@topics.command("apply")
@click.option("--check", is_flag=True, help="Change nothing; exit with 1 when the broker differs from the table.")
def apply_topics(check: bool) -> None:
    """Create missing topics and set what differs; nothing is ever deleted."""
    settings = load_settings()
    with closing(make_admin(settings)) as admin:
        if check:
            found = topic_admin.differences(admin)
            for difference in found:
                click.echo(str(difference))
            sys.exit(1 if found else 0)
        for line in topic_admin.apply(admin, settings.kafka_replication) or ["the broker is as the table says"]:
            click.echo(line)


@click.group()
def schemas() -> None:
    """Write or check the JSON Schemas of the topics."""


@schemas.command()
def write() -> None:
    """Write schemas/*.schema.json from the models."""
    changed = contract.write_schemas(project_folder() / "schemas")
    click.echo("\n".join(str(path) for path in changed) or "the schemas are current")


@schemas.command("check")
def check_schemas() -> None:
    """Exit with 1 when the schemas on disk are not what the models say."""
    stale = contract.stale_schemas(project_folder() / "schemas")
    if stale:
        fail("\n".join(f"{path}: not current, run `frontwire schemas write`" for path in stale))
    click.echo("the schemas are current")

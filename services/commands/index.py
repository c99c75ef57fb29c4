"""`frontwire index`: the templates and indices on the cluster, what differs, and the move to a new mapping."""

from functools import partial
from pathlib import Path
from typing import Any

import click
from elasticsearch import ApiError, Elasticsearch
from rich.progress import Progress, TaskID

from services.commands.common import err, fail, json_option, out, print_json, print_table
from services.indexer import desk, elastic, templates
from services.indexer.rebuild import rebuild as rebuild_index
from services.indexer.templates import Change, Templates
from shared import takedowns
from shared.settings import load_settings
from shared.takedowns import IsTakenDown


@click.group()
def index() -> None:
    """Bring Elasticsearch to what deploy/elasticsearch says, and look at what it holds."""


@index.command("apply")
@click.option("--check", is_flag=True, help="Change nothing; exit with 1 when something differs.")
def apply_templates(check: bool) -> None:
    """Show what differs from deploy/elasticsearch, then bring the cluster to it.

    Templates are written anew, and indices learn the fields they lack. A field of another type needs `frontwire index rebuild`.
    """
    client, shipped = _open()
    found = templates.changes(client, shipped)
    for change in found:
        _show(change)
    if check and found:
        fail("the cluster differs from deploy/elasticsearch; run `frontwire index apply`")
    templates.apply(client, found)
    if problems := templates.lacking(client, shipped):
        fail("\n".join([*problems, "run `frontwire index rebuild NAME` for each"]))


@index.command()
@json_option
def status(as_json: bool) -> None:
    """Show every index with its documents, its size and what its mapping lacks."""
    client, shipped = _open()
    problems = {problem.partition(" ")[0]: problem.partition(" ")[2] for problem in templates.lacking(client, shipped)}
    rows: list[dict[str, Any]] = []
    for alias in shipped.indices:
        listed: Any = client.cat.indices(index=f"{alias}-*", format="json", h="index,health,docs.count,store.size").body
        rows += [{**row, "mapping": problems.get(row["index"], "complete"), "alias": alias} for row in listed]
    if as_json:
        print_json(rows)
        return
    managed = "ILM" if templates.has_lifecycle(client) else "the indexer"
    kept = ", ".join(f"{alias} {days} days" for alias, days in shipped.retention_days.items())
    print_table(
        f"Indices (kept by {managed}: {kept})",
        ("alias", "index", "health", "documents", "size", "mapping"),
        [
            (row["alias"], row["index"], row["health"], row["docs.count"], row["store.size"], row["mapping"])
            for row in rows
        ],
    )


@index.command()
@click.argument("names", nargs=-1)
def rebuild(names: tuple[str, ...]) -> None:
    """Move the indices NAMES (as news-articles-2025.11; all when none is given) to the mapping of deploy/elasticsearch.

    A new index is filled beside the old one and takes over both its names in one step: search has no gap, no decision of a newer
    version is lost. The indexer goes on meanwhile and waits only for the last look. What was taken down is left behind.
    """
    client, shipped = _open()
    templates.apply(client, templates.changes(client, shipped))
    by_name = {name: alias for alias in shipped.indices for name in monthly_names(client, alias)}
    if unknown := sorted(set(names) - by_name.keys()):
        fail(f"no such index: {', '.join(unknown)}; there are {', '.join(sorted(by_name)) or 'none'}", 2)
    taken = takedowns.read(load_settings())

    def excluded(alias: str) -> IsTakenDown:
        """The records of the takedowns themselves stay."""
        return (lambda article_id: False) if alias == desk.TAKEDOWNS else taken.holds

    for name in sorted(names or by_name):
        with Progress(console=err, transient=True) as bar:
            task = bar.add_task(name, total=int(client.count(index=name)["count"]))
            done = rebuild_index(
                client, shipped, by_name[name], name, partial(_advance, bar, task), excluded(by_name[name])
            )
        out.print(f"{name}: {done.documents} documents are now in {done.index}, {done.removed} left meanwhile")


def monthly_names(client: Elasticsearch, alias: str) -> list[str]:
    """Return the names under which the indices of an alias are written: their own, or the one they took over."""
    found = client.indices.get_alias(index=f"{alias}-*", ignore_unavailable=True).body
    return sorted(
        next((name for name in body["aliases"] if name.startswith(f"{alias}-")), index) for index, body in found.items()
    )


def _advance(bar: Progress, task: TaskID, copied: int) -> None:
    bar.update(task, completed=copied)


def _open() -> tuple[Elasticsearch, Templates]:
    settings = load_settings()
    folder: Path = settings.elasticsearch_templates
    client = elastic.connect(settings)
    try:
        client.cluster.health()
    except ApiError as error:
        fail(f"Elasticsearch at {settings.elasticsearch_url} refuses: {error}")
    return client, templates.load(folder)


def _show(change: Change) -> None:
    out.print(f"{change.kind} {change.name}", style="bold", markup=False)
    for line in change.lines:
        out.print(f"  {line}", markup=False)

"""Moves an index to the mapping that the templates say: a new index beside it, then one atomic swap.

Search sees the old index until the swap and the new one from then on, under the same names. Writers go on during the copy; for
the last look the old index takes no writes, the indexer waits meanwhile, and its next request reaches the new index.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from elasticsearch import Elasticsearch, helpers

from services.indexer import elastic
from services.indexer.elastic import Item, Result
from services.indexer.templates import Templates
from shared.errors import Transient
from shared.takedowns import IsTakenDown
from shared.text import fold

_PAGE: Final = 500
# The copy must not fit the templates' patterns: it would be searched beside the index that it replaces.
_PREFIX: Final = "rebuilt-"
_FOLDED: Final = ("title", "body")


@dataclass(frozen=True)
class Rebuilt:
    """What a rebuild did: the index that serves the name now, its documents, and those that left during the copy."""

    name: str
    index: str
    documents: int
    removed: int


def rebuild(
    client: Elasticsearch,
    templates: Templates,
    alias: str,
    name: str,
    progress: Callable[[int], None],
    is_taken_down: IsTakenDown = lambda article_id: False,
) -> Rebuilt:
    """Rebuild the index behind a monthly name; `progress` is told how many documents were copied.

    What is about an article that was taken down does not come along.

    Raises `Transient` when Elasticsearch is unwell or refuses a document: then the old index serves on and takes writes again.
    """
    old = next(iter(client.indices.get_alias(index=name).body))
    new = f"{_PREFIX}{name}-{datetime.now(UTC):%Y%m%d%H%M%S%f}"
    _create(client, templates, alias, name, new)
    try:
        _copy(client, templates.fields(alias), old, new, progress, is_taken_down)
        client.indices.put_settings(index=old, settings={"index.blocks.write": True})
        copied = _copy(client, templates.fields(alias), old, new, progress, is_taken_down)
        removed = _remove_absent(client, old, new)
        client.indices.refresh(index=new)
        _swap(client, alias, name, old, new)
    except BaseException:
        if client.indices.exists(index=old):
            client.indices.put_settings(index=old, settings={"index.blocks.write": None})
            client.indices.delete(index=new)
        raise
    return Rebuilt(name, new, copied, removed)


def adapted(source: dict[str, Any], fields: dict[str, str]) -> dict[str, Any]:
    """Return a stored document for another mapping: what that has no field for is left out, folded texts are made anew."""
    document = _kept(source, set(fields), "")
    for name in _FOLDED:
        if f"{name}_folded" in fields and name in source:
            document[f"{name}_folded"] = fold(source[name])
    return document


def _kept(source: dict[str, Any], names: set[str], path: str) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, value in source.items():
        if path + name in names:
            kept[name] = value
        elif isinstance(value, dict) and any(other.startswith(f"{path}{name}.") for other in names):
            kept[name] = _kept(value, names, f"{path}{name}.")
    return kept


def _create(client: Elasticsearch, templates: Templates, alias: str, name: str, new: str) -> None:
    """Create the new index with the settings and mapping that the templates give this name, without its aliases."""
    simulated = client.indices.simulate_index_template(name=f"{alias}-simulated").body["template"]
    client.indices.create(
        index=new,
        settings=simulated["settings"],
        mappings=templates.indices[alias]["template"]["mappings"],
    )


def _copy(
    client: Elasticsearch,
    fields: dict[str, str],
    old: str,
    new: str,
    progress: Callable[[int], None],
    is_taken_down: IsTakenDown,
) -> int:
    """Copy every document with its version, so that one that is there already is left; return how many that are."""
    client.indices.refresh(index=old)
    copied = 0
    waiting: list[Item] = []
    for hit in _documents(client, old, source=True):
        if is_taken_down(hit["_source"].get("article_id", "")):
            continue
        waiting.append(elastic.index_item(new, hit["_id"], hit["_version"], adapted(hit["_source"], fields)))
        copied += 1
        if len(waiting) == _PAGE:
            _send(client, waiting)
            progress(copied)
            waiting = []
    _send(client, waiting)
    progress(copied)
    return copied


def _send(client: Elasticsearch, items: list[Item]) -> None:
    for chunk in elastic.chunks(items, _PAGE, elastic.MAX_REQUEST_BYTES):
        for item, (result, text) in zip(chunk, elastic.bulk(client, chunk), strict=True):
            if result not in (Result.DONE, Result.STALE):
                raise Transient(f"{item.article_id} is not taken by the new index: {text}")


def _remove_absent(client: Elasticsearch, old: str, new: str) -> int:
    """Delete from the new index what was removed from the old one after it was copied."""
    client.indices.refresh(index=new)
    there = {hit["_id"] for hit in _documents(client, old, source=False)}
    gone = [hit for hit in _documents(client, new, source=False) if hit["_id"] not in there]
    _send(client, [elastic.delete_item(new, hit["_id"], hit["_version"] + 1) for hit in gone])
    return len(gone)


def _documents(client: Elasticsearch, index: str, *, source: bool) -> Iterator[dict[str, Any]]:
    query = {"query": {"match_all": {}}, "sort": ["_doc"], "version": True, "_source": source}
    yield from helpers.scan(client, index=index, query=query, size=_PAGE)


def _swap(client: Elasticsearch, alias: str, name: str, old: str, new: str) -> None:
    """In one step: the new index serves both names, the old one is gone."""
    client.indices.update_aliases(
        actions=[
            {"remove_index": {"index": old}},
            {"add": {"index": new, "alias": alias}},
            {"add": {"index": new, "alias": name}},
        ]
    )

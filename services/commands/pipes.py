"""Commands that read JSON Lines on standard input and write JSON Lines: one rule set at a time, the same code as the services."""

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import click
import orjson

from services.commands.common import fail
from shared.settings import load_settings

Row = dict[str, Any]


def _rows() -> Iterator[Row]:
    for number, line in enumerate(sys.stdin.buffer, 1):
        if not line.strip():
            continue
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            fail(f"standard input, line {number}: not JSON: {error}")
        if not isinstance(row, dict):
            fail(f"standard input, line {number}: expected an object")
        yield row


def _write(rows: Iterable[Row]) -> None:
    for row in rows:
        sys.stdout.buffer.write(orjson.dumps(row) + b"\n")
    sys.stdout.buffer.flush()


def _each(transform: Callable[[Row], Row]) -> None:
    def guarded() -> Iterator[Row]:
        for number, row in enumerate(_rows(), 1):
            try:
                yield transform(row)
            except (KeyError, TypeError, ValueError) as error:
                fail(f"standard input, document {number} ({row.get('id')}): {type(error).__name__}: {error}")

    _write(guarded())


@click.command()
def normalise() -> None:
    """Clean, split and date documents from standard input.

    Reads {id, input: {text, title?, url?, feed_published?, feed_timezone?, fetched_at}} a line, writes what was removed, the
    parts, the language and the publication date, with code-point offsets into the given text.
    """
    from services.normaliser.cli_io import normalise_document
    from services.normaliser.rules import load_rules

    rules = load_rules([load_settings().config_dir / "rules"])
    _each(lambda row: normalise_document(row, rules))


@click.command()
def annotate() -> None:
    """Find date mentions and names in documents from standard input.

    Reads {id, lang?, published?, text} a line, writes {id, mentions, entities} with code-point offsets.
    """
    from services.extractor.annotate import annotate_document
    from services.extractor.entities import load_knowledge

    knowledge = load_knowledge(load_settings().config_dir)
    _each(lambda row: annotate_document(row, knowledge))


@click.command()
def cluster() -> None:
    """Group copies and stories among articles from standard input, in the order given.

    Reads {id, published, url, title, body} a line, writes {id, cluster, duplicate_of, story, method, score, neighbour}; an
    article that was glued from several gives one line a part (`id#1`).
    """
    from services.deduplicator.cluster import cluster_documents
    from services.normaliser.cli_io import normalise_document
    from services.normaliser.rules import load_rules

    rules = load_rules([load_settings().config_dir / "rules"])

    def cleaned() -> Iterator[Row]:
        for row in _rows():
            given = {
                "text": row["body"],
                "title": row.get("title"),
                "url": row.get("url"),
                "fetched_at": row.get("published"),
            }
            parts = normalise_document({"id": row["id"], "input": given}, rules)["parts"]
            for number, part in enumerate(parts, 1):
                name = row["id"] if len(parts) == 1 else f"{row['id']}#{number}"
                yield row | {"id": name, "title": part["title"], "body": part["text"]}

    _write(cluster_documents(cleaned()))

"""Commands that read JSON Lines on standard input and write JSON Lines: one rule set at a time, the same code as the services."""

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import click
import orjson

from services.commands.common import fail
from shared.errors import Rejected
from shared.settings import load_settings

Row = dict[str, Any]
T = TypeVar("T")


def read_rows() -> Iterator[Row]:
    """Yield the objects of standard input; what is none ends the command with its line."""
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


def write_rows(rows: Iterable[Row]) -> None:
    """Write objects to standard output as they come."""
    for row in rows:
        sys.stdout.buffer.write(orjson.dumps(row) + b"\n")
    sys.stdout.buffer.flush()


def _guarded(transform: Callable[[Row], T]) -> Iterator[T]:
    """Yield what a transform makes of each document; one that it cannot read ends the command with its number and id."""
    for number, row in enumerate(read_rows(), 1):
        try:
            yield transform(row)
        except (KeyError, TypeError, ValueError, Rejected) as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            fail(f"standard input, document {number} ({row.get('id')}): {reason}")


@click.command()
def normalise() -> None:
    """Clean, split and date documents from standard input.

    Reads {id, input: {text, title?, url?, feed_published?, feed_timezone?, fetched_at}} a line, writes what was removed, the
    parts, the language and the publication date, with code-point offsets into the given text.
    """
    from services.normaliser.cli_io import normalise_document
    from services.normaliser.rules import load_rules

    rules = load_rules([load_settings().config_dir / "rules"])
    write_rows(_guarded(lambda row: normalise_document(row, rules)))


@click.command()
def annotate() -> None:
    """Find date mentions and names in documents from standard input.

    Reads {id, lang?, published?, text} a line, writes {id, mentions, entities} with code-point offsets.
    """
    from services.extractor.annotate import annotate_document
    from services.extractor.entities import load_knowledge, load_taggers

    settings = load_settings()
    knowledge = load_knowledge(settings.config_dir, taggers=load_taggers(settings.name_taggers))
    write_rows(_guarded(lambda row: annotate_document(row, knowledge)))


@click.command()
def cluster() -> None:
    """Group copies and stories among articles from standard input, in the order given.

    Reads {id, published, url, title, body} a line, writes {id, cluster, duplicate_of, story, method, score, neighbour}; an
    article that was glued from several gives one line a part (`id#1`).
    """
    from services.commands.clustering import make_prepare
    from services.deduplicator.cluster import cluster_articles

    prepare = make_prepare(load_settings())
    write_rows(cluster_articles(pair for pairs in _guarded(prepare) for pair in pairs))

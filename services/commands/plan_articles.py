"""Past articles on which `frontwire plan` tries a change of names or keywords, and how it shows the difference."""

import dataclasses
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import orjson
from rich.progress import track

from services.commands.common import err, fail, out, print_json, print_table
from shared.settings import Settings

if TYPE_CHECKING:
    from services.extractor.entities import Knowledge
    from services.extractor.plan import Change, Tried

_PAGE: Final = 500
_FIELDS: Final = ["article_id", "title", "body", "language", "source.name"]
_ORDER: Final = [{"first_seen_at": "desc"}, {"article_id": "asc"}]

articles_option = click.option(
    "--articles",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="JSON Lines of articles ({id, text, title?, lang?, source?}) to try instead of those in Elasticsearch.",
)
limit_option = click.option(
    "--limit", type=click.IntRange(1), default=2000, show_default=True, help="How many articles, the newest first."
)
examples_option = click.option(
    "--examples", type=click.IntRange(0), default=3, show_default=True, help="How many examples of each change."
)


@dataclasses.dataclass(frozen=True)
class Trial:
    """On what a change is tried: articles of a JSON Lines file or of Elasticsearch, how many, with how many examples."""

    settings: Settings
    articles: Path | None
    limit: int
    examples: int
    as_json: bool

    def show(self, before: "Knowledge", after: "Knowledge") -> None:
        """Print what `after` finds in the articles that `before` does not, and the other way round."""
        from services.extractor.plan import compare

        tried = past_articles(self.settings, self.articles, self.limit)
        changes = compare(track(tried, "articles", console=err, transient=True), before, after, examples=self.examples)
        if self.as_json:
            print_json([dataclasses.asdict(change) for change in changes])
        else:
            _show(changes, len(tried))


def past_articles(settings: Settings, path: Path | None, limit: int) -> "list[Tried]":
    """Return the articles of a JSON Lines file or, without one, the newest in Elasticsearch; at most `limit`."""
    rows = _rows_of_file(path) if path else _rows_of_index(settings)
    return list(islice(rows, limit))


def _rows_of_file(path: Path) -> "Iterator[Tried]":
    from services.extractor.plan import read_article

    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                try:
                    yield read_article(orjson.loads(line))
                except (KeyError, TypeError, ValueError) as error:
                    fail(f"{path}, line {number}: not an article: {type(error).__name__}: {error}")


def _rows_of_index(settings: Settings) -> "Iterator[Tried]":
    from services.extractor.plan import read_article
    from services.indexer.elastic import connect
    from services.indexer.transform import ALIAS

    client = connect(settings)
    after: dict[str, Any] = {}
    while True:
        answer = client.search(index=ALIAS, size=_PAGE, source_includes=_FIELDS, sort=_ORDER, **after)
        hits = answer["hits"]["hits"]
        if not hits:
            return
        yield from (read_article(hit["_source"]) for hit in hits)
        after = {"search_after": hits[-1]["sort"]}


def _show(changes: "list[Change]", articles: int) -> None:
    if not changes:
        out.print(f"{articles:,} articles: no difference")
        return
    rows = [(item.action, item.kind, item.id, item.text, item.mentions, item.articles) for item in changes]
    print_table(f"{articles:,} articles", ("", "what", "id or keyword", "text", "places", "articles"), rows)
    for change in changes:
        for article, excerpt in change.examples:
            sign = "+" if change.action == "add" else "-"
            out.print(f"{sign} {change.id}  {article}  {excerpt}", markup=False)

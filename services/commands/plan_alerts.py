"""Past articles as the alerter's log would have had them under other keywords, for `frontwire plan keyword --alerts`."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from services.commands.common import fail
from shared.alerts import Hit, LoggedArticle, Name, Named
from shared.models import EntityMention, Published
from shared.settings import Settings

if TYPE_CHECKING:
    from services.extractor.watchlist import Watchlist

Row = Mapping[str, Any]

_PAGE: Final = 500
_FIELDS: Final = [
    "article_id", "backlog", "body", "cluster_id", "duplicate_of", "entities", "feed", "first_seen_at", "language", "published",
    "replay", "source.name", "story_id", "title", "trace_id", "url",
]  # fmt: skip
_ORDER: Final = [{"first_seen_at": "asc"}, {"article_id": "asc"}]


@dataclass
class Past:
    """A stretch of the alerter's log before and after a change, and when it began and ended."""

    start: datetime
    end: datetime
    before: list[Hit | Named] = field(default_factory=list)
    after: list[Hit | Named] = field(default_factory=list)


def past_of(rows: Iterable[Row], current: "Watchlist", proposed: "Watchlist") -> Past | None:
    """Return the logs that two watchlists would have given over articles in the order of their arrival; None over none.

    Rows are indexed documents or records of articles-unique-v1. Raises `KeyError`, `TypeError` or `ValueError` for another one.
    """
    past: Past | None = None
    for row in rows:
        logged = _logged(row)
        past = past or Past(logged.arrived_at, logged.arrived_at)
        past.end = logged.arrived_at
        names = _names(row)
        for watchlist, log in ((current, past.before), (proposed, past.after)):
            log.extend(Hit(**dict(logged), keyword=keyword) for keyword in _keywords(row, logged, names, watchlist))
            if names and not row["duplicate_of"]:
                log.append(Named(**dict(logged), names=names))
    return past


def rows_of_index(settings: Settings, days: int) -> Iterator[Row]:
    """Yield the documents of articles that arrived in the last days, the oldest first."""
    from services.indexer.elastic import connect
    from services.indexer.transform import ALIAS

    client = connect(settings)
    since = datetime.now(UTC) - timedelta(days=days)
    after: dict[str, Any] = {}
    while True:
        answer = client.search(
            index=ALIAS, size=_PAGE, source_includes=_FIELDS, sort=_ORDER,
            query={"range": {"first_seen_at": {"gte": since.isoformat()}}}, **after,
        )  # fmt: skip
        found = answer["hits"]["hits"]
        if not found:
            return
        yield from (hit["_source"] for hit in found)
        after = {"search_after": found[-1]["sort"]}


def rows_of_file(path: Path) -> list[Row]:
    """Return the articles of a JSON Lines file in the order of their arrival; ends the command at a line that is none."""
    rows: list[Row] = []
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                try:
                    row = orjson.loads(line)
                    _logged(row)
                    rows.append(row)
                except (KeyError, TypeError, ValueError) as error:
                    fail(f"{path}, line {number}: not a finished article: {type(error).__name__}: {error}")
    return sorted(rows, key=lambda row: _logged(row).arrived_at)


def _logged(row: Row) -> LoggedArticle:
    from services.alerter.transform import claimed_at

    language = row["language"]
    return LoggedArticle(
        article_id=row["article_id"],
        cluster_id=row["cluster_id"],
        story_id=row["story_id"],
        feed=row["feed"],
        source=row["source"]["name"],
        language=language["code"] if isinstance(language, Mapping) else language,
        title=row["title"],
        url=row.get("url"),
        claimed_at=claimed_at(Published.model_validate(row["published"])),
        arrived_at=row["first_seen_at"],
        backlog=row["backlog"],
        replay=row["replay"],
        trace_id=row["trace_id"],
    )


def _names(row: Row) -> tuple[Name, ...]:
    """Return the names in an article: the index has one row for each, the wire one for each place."""
    found = {each.get("id") or each["canonical"]: each for each in row["entities"]}
    return tuple(Name(id=key, label=found[key]["label"], type=found[key]["type"]) for key in sorted(found))


def _keywords(row: Row, logged: LoggedArticle, names: Iterable[Name], watchlist: "Watchlist") -> list[str]:
    mentions = [
        EntityMention(
            field="title",
            start=0,
            end=0,
            text="",
            type=name.type,
            canonical=name.id,
            label=name.label,
            rule="",
            alias="",
        )
        for name in names
    ]
    hits = watchlist.find(
        {"title": row["title"], "body": row["body"]}, mentions, language=logged.language, source=logged.source
    )
    return sorted({hit.keyword for hit in hits})

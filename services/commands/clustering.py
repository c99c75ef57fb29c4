"""`frontwire cluster`: articles of a file through the rules of every stage, in memory, down to the duplicate decision."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from shared.ids import article_id_for_link, trace_id_for
from shared.models import ExtractedArticle, RawArticle, Source
from shared.settings import Settings

Row = dict[str, Any]
Prepare = Callable[[Row], list[tuple[str, ExtractedArticle]]]

# A file is read long after its articles were published: one common time of fetching, later than any of them.
FETCHED_AT = datetime(2100, 1, 1, tzinfo=UTC)


def make_prepare(settings: Settings) -> Prepare:
    """Return the function that cleans, splits and annotates one document {id, published, url, title, body}.

    It gives (name, article) for each part: the document's id, or `<id>#<part>` for a glued one.
    """
    from services.extractor.entities import load_knowledge, load_taggers
    from services.extractor.transform import extract
    from services.normaliser.rules import load_rules
    from services.normaliser.transform import normalise

    rules = load_rules([settings.config_dir / "rules"])
    knowledge = load_knowledge(settings.config_dir, taggers=load_taggers(settings.name_taggers))

    def prepare(row: Row) -> list[tuple[str, ExtractedArticle]]:
        raw = _raw_article(row)
        return [
            (str(row["id"]) if part.parts_total == 1 else f"{row['id']}#{part.part}", article)
            for part in normalise(raw, rules=rules)
            for article in extract(part, knowledge=knowledge)
        ]

    return prepare


def _raw_article(row: Row) -> RawArticle:
    article_id = article_id_for_link(str(row["id"]))
    return RawArticle(
        article_id=article_id,
        feed="cluster",
        source=Source(name="cluster"),
        url=row.get("url"),
        title=row.get("title"),
        text=row["body"],
        feed_published=row.get("published"),
        fetched_at=FETCHED_AT,
        first_seen_at=FETCHED_AT,
        backlog=True,
        trace_id=trace_id_for(article_id, 0),
    )

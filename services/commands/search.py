"""`frontwire search`: stories in the index, as an operator asks for them."""

from datetime import datetime, timedelta
from typing import Any

import click
from elasticsearch import ApiError, Elasticsearch

from services.commands.common import fail, json_option, out, print_json
from services.indexer import elastic
from services.indexer.query import QueryError, parse, query
from services.indexer.transform import ALIAS
from shared import kibana_links
from shared.kibana_links import Kibana, Period
from shared.settings import load_settings

_MARGIN = timedelta(days=1)
_SHOWN = ["article_id", "title", "source.name", "language", "published_at", "first_seen_at", "story_id", "url"]


@click.command()
@click.argument("words", nargs=-1, required=True)
@click.option("--size", default=10, show_default=True, help="How many stories to show.")
@json_option
def search(words: tuple[str, ...], size: int, as_json: bool) -> None:
    """Find stories: the best article of each, with how many articles tell it, and where to see it in Kibana.

    \b
    frontwire search dau hang             accents are optional, the exact form comes first
    frontwire search '"đầu hàng"'         exactly this phrase
    frontwire search entity:Q212          an entity by its id; also keyword:, language:, source:, feed:, country:, side:, story:
    frontwire search event:2025-10        something that happened then: a year, a month or a day
    """
    settings = load_settings()
    kibana = Kibana(settings.kibana_url, settings.kibana_space)
    try:
        stories = find(elastic.connect(settings), " ".join(words), size, kibana)
    except QueryError as error:
        fail(str(error), 2)
    except ApiError as error:
        fail(f"Elasticsearch refuses: {error}")
    if as_json:
        print_json(stories)
        return
    for story in stories:
        copies = f"  {story['articles']} articles" if story["articles"] > 1 else ""
        out.print(f"{story['title']}", style="bold", markup=False)
        out.print(
            f"  {story['published_at'] or 'undated'}  {story['source']}  {story['language']}{copies}", markup=False
        )
        out.print(f"  {story['links']['discover']}", style="dim", markup=False)
    if not stories:
        fail("nothing was found")


def find(client: Elasticsearch, text: str, size: int, kibana: Kibana) -> list[dict[str, Any]]:
    """Return the best article of each story for a query, with how many articles of the story match. Raises `QueryError`."""
    found = client.search(
        index=ALIAS,
        query=query(parse(text)),
        size=size,
        source_includes=_SHOWN,
        collapse={"field": "story_id", "inner_hits": {"name": "articles", "size": 0}},
        sort=["_score", {"first_seen_at": "desc"}],
        ignore_unavailable=True,
    )
    return [_story(hit, kibana) for hit in found["hits"]["hits"]]


def _story(hit: dict[str, Any], kibana: Kibana) -> dict[str, Any]:
    article = hit["_source"]
    moments = [datetime.fromisoformat(article[name]) for name in ("published_at", "first_seen_at") if article[name]]
    period = Period(min(moments) - _MARGIN, max(moments) + _MARGIN)
    asked = kibana_links.is_exactly("story_id", article["story_id"])
    return {
        **{name: value for name, value in article.items() if name != "source"},
        "source": article["source"]["name"],
        "articles": hit["inner_hits"]["articles"]["hits"]["total"]["value"],
        "links": {
            "discover": kibana_links.discover(kibana, asked, period),
            "dashboard": kibana_links.dashboard(kibana, asked, period),
        },
    }

"""An index of twice the proof's articles: how long the operator's queries and every panel of the dashboards take."""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, Final

import pytest
from elasticsearch import Elasticsearch

from services.commands.common import project_folder
from services.commands.kibana_objects import panel_request
from services.commands.kibana_pages import DASHBOARDS, SEARCHES, VIEWS, Dashboard, Panel
from services.commands.search import find
from services.indexer import desk, elastic, templates
from services.indexer.elastic import Delivery, Item
from services.indexer.transform import document, index_name
from shared.kibana_links import Kibana
from shared.models import FeedState, index_version
from shared.settings import Settings, load_settings
from tests.integration.test_kibana_panels import alert
from tests.prove.conftest import Record
from tests.support.corpus import DAYS, NOW, OUTLETS, corpus, finished_samples
from tests.support.wire import delete_indices

pytestmark = [pytest.mark.engines, pytest.mark.prove]

KIBANA: Final = Kibana("http://127.0.0.1:5601")
QUERIES: Final = (
    "dau hang", "đầu hàng", '"ngừng bắn"', "tên lửa Kupyansk", "ракет", "Києві", "entity:Q212", "event:2025-10",
    "keyword:Pokrovsk Pokrovsk", "language:uk country:UA",
)  # fmt: skip
ALERTS, LETTERS = 900, 5_000
WARMING, RUNS = 3, 20
# What Kibana shows of a saved search.
LISTED = 500
_HOURS: Final = {"h": 1, "d": 24}
# Days and instants alike, as Kibana says it.
_INSTANT: Final = "strict_date_optional_time"


@pytest.fixture(scope="module")
def filled(engines: Settings, articles: int, proof: Record) -> Iterator[Elasticsearch]:
    """A cluster with the large index, alerts, feeds and dead letters."""
    client = elastic.connect(engines)
    delete_indices(client)
    shipped = templates.load(project_folder() / "deploy/elasticsearch")
    templates.apply(client, templates.changes(client, shipped))
    count = articles * 2
    started = time.monotonic()
    for made in (article_items(count), desk_items()):
        deliver(client, made)
    client.indices.refresh(index="news-*")
    seconds = time.monotonic() - started
    assert client.count(index="news-articles")["count"] == count
    size = client.indices.stats(index="news-articles", metric="store")["_all"]["total"]["store"]["size_in_bytes"]
    proof(
        "a large index in four languages, ninety days, 120 outlets",
        count,
        f"{size / 1e6:,.0f} MB; made in {seconds:,.0f} s",
    )
    yield client
    delete_indices(client)
    client.close()


def article_items(count: int) -> Iterator[Item]:
    """Yield the generated articles as bulk actions."""
    pool = finished_samples(load_settings(config_dir=project_folder() / "deploy/config"))
    for made in corpus(pool, count):
        yield elastic.index_item(index_name(made), made.article_id, index_version(made), document(made, indexed_at=NOW))


def desk_items() -> Iterator[Item]:
    """Yield alerts, feed states and dead letters as bulk actions."""
    for number in range(ALERTS):
        made = alert(number)
        row = desk.alert_document(made, indexed_at=NOW, kibana=KIBANA)
        yield elastic.index_item(desk.alert_index(made), made.alert_id, 1, row)
    for number in range(OUTLETS):
        state = FeedState(
            feed=f"Outlet {number}", url="https://o.example", last_success_at=NOW - timedelta(hours=number)
        )
        row = desk.feed_document("o.example", state, updated_at=NOW)
        yield elastic.index_item(desk.FEEDS_INDEX, state.feed, 1, row)
    for number in range(LETTERS):
        row = {
            "at": NOW - timedelta(minutes=number), "stage": ("normaliser", "indexer")[number % 2],
            "reason": ("bug", "too_large", "wrong_type")[number % 3], "error": f"field {number % 50}: wrong",
        }  # fmt: skip
        yield elastic.index_item("news-dead-letters-2025.11", str(number), 1, row)


def deliver(client: Elasticsearch, items: Iterator[Item]) -> None:
    """Send the items, a thousand at a time; each must be taken."""
    waiting: list[Item] = []
    for item in items:
        waiting.append(item)
        if len(waiting) == elastic.MAX_ITEMS:
            Delivery(client, waiting).send()
            waiting = []
    Delivery(client, waiting).send()


def p95(ask: Callable[[], Any]) -> float:
    """Return the 95th percentile of a request's milliseconds on the client's clock, once it is warm."""
    taken = []
    for _ in range(WARMING + RUNS):
        begun = time.perf_counter()
        ask()
        taken.append((time.perf_counter() - begun) * 1000)
    return sorted(taken[WARMING:])[round(RUNS * 0.95) - 1]


@pytest.mark.parametrize("text", QUERIES)
def test_a_query_of_an_operator(filled: Elasticsearch, proof: Record, articles: int, text: str) -> None:
    assert find(filled, text, 10, KIBANA)
    proof(f"`frontwire search {text}`", articles * 2, f"p95 {p95(lambda: find(filled, text, 10, KIBANA)):,.0f} ms")


@pytest.mark.parametrize(
    ("dashboard", "panel"),
    [
        pytest.param(dashboard, panel, id=f"{dashboard.id}/{panel.id}")
        for dashboard in DASHBOARDS
        for panel in dashboard.panels
    ],
)
def test_a_panel(filled: Elasticsearch, proof: Record, articles: int, dashboard: Dashboard, panel: Panel) -> None:
    index, field, request = asked(panel)

    def ask(hours: int) -> Any:
        period = {
            "range": {
                field: {"gte": (NOW - timedelta(hours=hours)).isoformat(), "lte": NOW.isoformat(), "format": _INSTANT}
            }
        }
        query = {"bool": {"filter": [request["query"], period]}}
        # A cached answer would say nothing about the aggregation.
        return filled.search(index=index, **request | {"query": query}, request_cache=False)

    own = int(dashboard.time_from[4:-1]) * _HOURS[dashboard.time_from[-1]]
    assert ask(DAYS * 24)["hits"]["total"]["value"] > 0
    proof(
        f"panel {dashboard.title}: {panel.title}", articles * 2,
        f"p95 {p95(lambda: ask(own)):,.0f} ms over its {own} hours, {p95(lambda: ask(DAYS * 24)):,.0f} ms over ninety days",
    )  # fmt: skip


def asked(panel: Panel) -> tuple[str, str, dict[str, Any]]:
    """Return a panel's index, the field of its time filter, and its request as Kibana makes it."""
    if panel.shape == "search":
        search = next(search for search in SEARCHES if search.id == panel.id)
        view = next(view for view in VIEWS if view.id == search.view)
        listing = panel_request(Panel(panel.id, panel.title, "search", where=search.where))
        order = [{name: direction} for name, direction in search.sort]
        return view.title, view.time_field, listing | {"size": LISTED, "sort": order, "fields": ["*"], "source": False}
    view = next(view for view in VIEWS if view.id == panel.view)
    request = panel_request(panel)
    if panel.shape == "map":
        grid = {"geotile_grid": {"field": "locations", "precision": 8, "size": 10_000}, "aggs": request["aggs"]}
        request["aggs"] = {"by": grid}
    return view.title, view.time_field, request

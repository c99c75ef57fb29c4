"""Every panel of the dashboards, as the aggregation it stands for, on the real Elasticsearch: its counts are the documents' own.

The two percentiles of the delay are asked for but not compared: Elasticsearch estimates them.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from elasticsearch import Elasticsearch

from services.commands.common import project_folder
from services.commands.kibana_objects import panel_request
from services.commands.kibana_pages import DASHBOARDS, VIEWS, Panel
from services.indexer import desk, elastic, templates
from services.indexer.article import IndexedArticle
from services.indexer.elastic import Delivery
from services.indexer.transform import document, index_name
from shared.alerts import Alert
from shared.kibana_links import Kibana
from shared.models import FeedState
from shared.settings import Settings
from tests.support.aggregations import answered, counted
from tests.support.finished import FULL, fields_of, finished_article
from tests.support.wire import delete_indices

pytestmark = pytest.mark.engines

NOW = datetime(2025, 11, 22, 4, 0, tzinfo=UTC)
PANELS = [
    pytest.param(panel, id=f"{dashboard.id}/{panel.id}")
    for dashboard in DASHBOARDS
    for panel in dashboard.panels
    if panel.columns
]
Documents = dict[str, list[dict[str, Any]]]


def article(number: int) -> IndexedArticle:
    """Return one of sixty articles: twenty stories, three languages, six sources, a third copies, a tenth undated."""
    story = number % 20
    day = f"2025-11-{10 + number % 9:02}"
    return finished_article(fields_of(FULL) | {
        "article_id": f"{number:032x}", "story_id": f"story-{story}", "duplicate_of": [f"{story:032x}"] if number >= 40 else [],
        "language": {"code": ("vi", "en", "uk")[number % 3], "score": 0.9}, "feed": f"feed-{number % 6}",
        "source": {"name": f"Báo {number % 6}", "country": "VN", "side": ("ua", "ru", None)[number % 3]},
        "published": {"value": None} if number % 10 == 0 else {
            "value": (NOW - timedelta(minutes=37 * number)).isoformat(), "precision": "minute", "origin": "feed"},
        "flags": ["undated"] if number % 10 == 0 else [], "backlog": number % 7 == 0,
        "first_seen_at": NOW - timedelta(minutes=11 * number),
        "dates": [{"field": "body", "start": 0, "end": 4, "text": "ngày", "from": day, "to": day, "kind": "day",
                   "precision": "day", "rule": "r", "anchor": "a", "anchored": number % 4 > 0}],
        "entities": [{"canonical": f"Q{number % 5}", "label": f"Tên {number % 5}", "type": "PERSON", "text": "x"}],
        "hits": [{"keyword": f"Từ {number % 4}", "alias": "x", "field": "body", "start": 0, "end": 1, "text": "x"}],
    })  # fmt: skip


def alert(number: int) -> Alert:
    """Return one of nine alerts on three keywords, in all states."""
    opened = NOW - timedelta(hours=9 * number)
    reading = {"hours": 3, "start": opened, "end": NOW, "stories": 9, "expected": 1.0, "usual_spread": 1.0,
               "ratio": float(2 + number), "probability": 10.0**-number}  # fmt: skip
    handling = [
        {"action": "ack", "at": opened + timedelta(minutes=number + 1), "author": "An"},
        {"action": "mark-false", "at": NOW, "author": "An"},
        {"action": "silence", "at": NOW, "author": "An", "until": NOW + timedelta(hours=number)},
    ]
    return Alert.model_validate({
        "alert_id": f"{number:032x}", "sequence": 1, "kind": "spike", "state": ("open", "acknowledged", "suppressed")[number % 3],
        "severity": ("notice", "warning")[number % 2], "keyword": f"Từ {number % 3}", "opened_at": opened, "updated_at": NOW,
        "opening": reading, "peak": reading, "handling": handling[number % 3 :], "reason_vi": "x", "reason_en": "x",
        "rule_hash": "r", "config_hash": "c", "detector_version": "1",
    })  # fmt: skip


def sample() -> dict[str, list[tuple[str, str, dict[str, Any]]]]:
    """Return by alias the index, the id and the document of everything."""
    feeds = [
        FeedState(feed=f"feed-{n}", url="https://x.example", failures=n, last_success_at=NOW - timedelta(hours=n))
        for n in range(4)
    ]
    letters = [
        {"at": NOW, "stage": ("normaliser", "indexer")[n % 2], "reason": ("bug", "too_large", "bug")[n % 3]}
        for n in range(7)
    ]
    alerts = [alert(number) for number in range(9)]
    return {
        "news-articles": [
            (index_name(made), made.article_id, document(made, indexed_at=NOW)) for made in map(article, range(60))
        ],
        "news-alerts": [
            (
                desk.alert_index(made),
                made.alert_id,
                desk.alert_document(made, indexed_at=NOW, kibana=Kibana("http://k")),
            )
            for made in alerts
        ],
        "news-feeds": [
            (desk.FEEDS_INDEX, state.feed, desk.feed_document("x.example", state, updated_at=NOW)) for state in feeds
        ],
        "news-dead-letters": [("news-dead-letters-2025.11", str(n), letter) for n, letter in enumerate(letters)],
    }


@pytest.fixture(scope="module")
def desk_of(engines: Settings) -> Iterator[tuple[Elasticsearch, Documents]]:
    """The sample in the cluster, and its documents as they were written, by alias."""
    client = elastic.connect(engines)
    delete_indices(client)
    shipped = templates.load(project_folder() / "deploy/elasticsearch")
    templates.apply(client, templates.changes(client, shipped))
    written = sample()
    items = [elastic.index_item(index, key, 1, made) for rows in written.values() for index, key, made in rows]
    delivery = Delivery(client, items).send()
    assert {delivery.result(item)[0] for item in items} == {elastic.Result.DONE}
    client.indices.refresh(index="news-*")
    yield client, {alias: [_as_read(made) for *_, made in rows] for alias, rows in written.items()}
    delete_indices(client)
    client.close()


def _as_read(document: dict[str, Any]) -> dict[str, Any]:
    return msgspec.json.decode(msgspec.json.encode(document), type=dict[str, Any])


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_shows_what_the_documents_hold(desk_of: tuple[Elasticsearch, Documents], panel: Panel) -> None:
    client, documents = desk_of
    view = next(view for view in VIEWS if view.id == panel.view)
    answer = client.search(index=view.title, **panel_request(panel))
    wanted = counted(panel, documents[view.alias])
    assert answered(panel, answer.body) == wanted
    assert any(any(row) for row in wanted.values()) or panel.id == "lag"

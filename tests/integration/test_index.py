"""The index on the real Elasticsearch: templates and their differences, fields that are lacking, the move to a new mapping."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from elasticsearch import Elasticsearch
from msgspec import structs

from services.cli import cli
from services.commands.common import project_folder
from services.commands.search import find
from services.indexer import elastic, templates
from services.indexer.article import IndexedArticle
from services.indexer.elastic import Delivery, Result
from services.indexer.rebuild import rebuild
from services.indexer.templates import Templates
from services.indexer.transform import document, index_name
from shared.errors import Transient
from shared.kibana_links import Kibana
from shared.settings import Settings, environment_of
from tests.support.finished import FULL, like_full
from tests.support.wire import delete_indices

pytestmark = pytest.mark.engines

FOLDER = project_folder() / "deploy/elasticsearch"
NAME = index_name(FULL)
NOW = datetime(2025, 11, 22, 4, 0, tzinfo=UTC)


@pytest.fixture
def client(engines: Settings) -> Iterator[Elasticsearch]:
    """A cluster without our templates and indices."""
    made = elastic.connect(engines)
    forget(made)
    yield made
    forget(made)
    made.close()


def forget(client: Elasticsearch) -> None:
    delete_indices(client)
    for name in templates.load(FOLDER).indices:
        client.options(ignore_status=404).indices.delete_index_template(name=name)


def article(number: int) -> IndexedArticle:
    return like_full(article_id=f"{number:032x}", title=f"Bản tin số {number}")


def put(client: Elasticsearch, *articles: IndexedArticle, version: int = 7) -> list[Result]:
    items = [elastic.index_item(NAME, made.article_id, version, document(made, indexed_at=NOW)) for made in articles]
    sent = Delivery(client, items).send()
    return [sent.result(item)[0] for item in items]


def ids(client: Elasticsearch) -> list[str]:
    client.indices.refresh(index="news-articles")
    return sorted(hit["_id"] for hit in client.search(index="news-articles", size=100)["hits"]["hits"])


def applied(client: Elasticsearch) -> Templates:
    shipped = templates.load(FOLDER)
    templates.apply(client, templates.changes(client, shipped))
    return shipped


def test_what_is_applied_differs_no_more_and_a_slip_is_shown(client: Elasticsearch) -> None:
    shipped = applied(client)
    assert templates.changes(client, shipped) == []
    body = json.loads(json.dumps(shipped.indices["news-feeds"]))
    body["template"]["mappings"]["properties"]["failures"]["type"] = "keyword"
    client.indices.put_index_template(name="news-feeds", **body)
    (change,) = templates.changes(client, shipped)
    assert change.lines == ("template.mappings.properties.failures.type: keyword -> integer",)


def test_an_index_learns_new_fields_and_one_of_another_type_is_named(client: Elasticsearch) -> None:
    client.indices.create(index=NAME, mappings={"dynamic": "strict", "properties": {"title": {"type": "long"}}})
    shipped = applied(client)
    assert templates.lacking(client, shipped) == [f"{NAME} holds as another type: title"]
    types = templates.field_types(client.indices.get_mapping(index=NAME)[NAME]["mappings"])
    assert types.keys() == shipped.fields("news-articles").keys()


def test_a_rebuild_keeps_versions_and_leaves_no_gap(client: Elasticsearch) -> None:
    shipped = applied(client)
    assert set(put(client, *(article(number) for number in range(6)))) == {Result.DONE}
    seen: list[int] = []

    def meanwhile(copied: int) -> None:
        seen.append(int(client.count(index="news-articles")["count"]))
        if len(seen) == 1:
            put(client, structs.replace(article(1), title="Bản mới"), version=8)
            put(client, article(9))
            Delivery(client, [elastic.delete_item(NAME, article(2).article_id, 9)]).send()
            client.indices.refresh(index=NAME)

    done = rebuild(client, shipped, "news-articles", NAME, meanwhile)
    assert (done.documents, done.removed) == (6, 1)
    assert seen == [6, 6]
    assert list(client.indices.get_alias(index="news-articles")) == [done.index]
    assert ids(client) == [article(number).article_id for number in (0, 1, 3, 4, 5, 9)]
    newest = client.get(index=NAME, id=article(1).article_id)
    assert (newest["_version"], newest["_source"]["title"]) == (8, "Bản mới")
    assert put(client, article(1)) == [Result.STALE]
    assert put(client, article(10)) == [Result.DONE]
    again = rebuild(client, shipped, "news-articles", NAME, lambda copied: None)
    assert (again.documents, again.removed) == (7, 0)
    assert list(client.indices.get(index="rebuilt-*,news-articles-*")) == [again.index]


def test_a_rebuild_that_fails_leaves_everything_as_it_was(client: Elasticsearch) -> None:
    applied(client)
    put(client, article(1))
    broken: Any = templates.load(FOLDER)
    broken.indices["news-articles"]["template"]["mappings"]["properties"]["title"] = {"type": "long"}
    with pytest.raises(Transient, match="not taken by the new index"):
        rebuild(client, broken, "news-articles", NAME, lambda copied: None)
    assert list(client.indices.get(index="rebuilt-*,news-articles-*")) == [NAME]
    assert put(client, article(2)) == [Result.DONE]
    assert len(ids(client)) == 2


def test_old_indices_are_removed_by_the_month_in_their_name(client: Elasticsearch) -> None:
    shipped = applied(client)
    for name in ("news-articles-2020.01", "news-articles-2025.11", "news-feeds-current", "news-dead-letters-2025.01"):
        client.indices.create(index=name)
    now = datetime(2025, 11, 22, tzinfo=UTC)
    assert sorted(templates.remove_old(client, shipped, now)) == ["news-articles-2020.01", "news-dead-letters-2025.01"]
    assert templates.remove_old(client, shipped, now + timedelta(days=1)) == []


def story(number: int, title: str, body: str, **more: Any) -> IndexedArticle:
    made = {
        "article_id": f"{number:032x}",
        "title": title,
        "body": body,
        "story_id": f"s{number}",
        "dates": [],
        "entities": [],
    }
    return like_full(**made | more)


def test_the_query_forms_of_an_operator(client: Elasticsearch) -> None:
    """Accents optional with the exact form first, phrases exact, Cyrillic untouched, entities, event time, stories."""
    applied(client)
    october = [{"field": "body", "start": 0, "end": 4, "text": "tháng 10", "from": "2025-10-01", "to": "2025-10-31",
                "kind": "month", "precision": "month", "rule": "r", "anchor": "publication"}]  # fmt: skip
    ukraine = [{"canonical": "Q212", "label": "Ukraina", "type": "LOC", "text": "Ukraine"}]
    put(
        client,
        story(1, "Quân đồn trú đầu hàng", "Họ đầu hàng sáng nay.", dates=october),
        story(2, "Dau hang o Kupyansk", "Tin khong dau ve vu dau hang.", entities=ukraine),
        story(3, "Hàng đầu", "Một nhà máy hàng đầu mở cửa."),
        story(4, "У Києві знову світло", "Столиця України має світло."),
        story(5, "Họ không đầu hàng", "Bản sao.", story_id="s1"),
        story(6, "В Киеве свет", "Свет дали."),
    )
    client.indices.refresh(index="news-articles")

    def stories(text: str) -> list[str]:
        return [found["story_id"] for found in find(client, text, 10, Kibana("http://k:5601"))]

    assert stories("dau hang")[0] == "s2"
    assert stories("đầu hàng")[0] == "s1"
    assert sorted(stories("dau hang")) == sorted(stories("đầu hàng")) == ["s1", "s2", "s3"]
    assert stories('"đầu hàng"') == ["s1"]
    assert stories('"dau hang"') == ["s2"]
    assert stories("Києві") == ["s4"]
    assert stories("Киеве") == ["s6"]
    assert stories("entity:Q212") == stories("entity:Q212 dau") == ["s2"]
    assert stories("event:2025-10") == stories("event:2025-10-07") == stories("event:2025") == ["s1"]
    assert stories("event:2025-11") == []
    (copied,) = find(client, '"đầu hàng"', 10, Kibana("http://k:5601"))
    assert copied["articles"] == 2
    assert "s1" in copied["links"]["discover"]

    def typed(kql: str) -> list[str]:
        """What Kibana makes of its bar: a lenient multi_match over the default fields, a match of a named field."""
        name, _, value = kql.rpartition(":")
        asked: dict[str, Any] = {"match": {name: value}} if name else {"multi_match": {"query": value, "lenient": True}}
        return [hit["_source"]["story_id"] for hit in client.search(index="news-articles", query=asked)["hits"]["hits"]]

    assert typed("dau hang")[0] == "s2"
    assert set(typed("dau hang")) == {"s1", "s2", "s3"}
    assert set(typed("đầu hàng")) == {"s1", "s3"}
    assert typed("Києві") == ["s4"]
    assert typed("entity:Q212") == ["s2"]
    assert typed("event:2025-10") == ["s1"]


def watched(number: int, at: datetime) -> IndexedArticle:
    """Return a story of its own, of one of five outlets, that arrived, and was published, at a moment."""
    published = structs.replace(FULL.published, value=at.isoformat(), precision="minute")
    source = structs.replace(FULL.source, name=f"Báo {number // 2 % 5}")
    return story(number, f"Bản tin số {number}", "Phà nghỉ." if number % 2 else "Chợ đông.", cluster_id=f"c{number}",
                 duplicate_of=[], first_seen_at=at, fetched_at=at, published=published, source=source,
                 entities=FULL.entities)  # fmt: skip


def test_a_keyword_is_judged_over_the_articles_in_the_index(
    client: Elasticsearch, engines: Settings, tmp_path: Path
) -> None:
    """`plan keyword --alerts` reads page after page, the oldest first, and finds the alert that a keyword would have given."""
    applied(client)
    now = datetime.now(UTC)
    quiet = [watched(2 * n, now - timedelta(minutes=30 * (n + 3))) for n in range(600)]
    rare = [watched(2 * n + 1, now - timedelta(days=2 * n + 2)) for n in range(5)]
    spike = [watched(101 + 2 * n, now - timedelta(minutes=50 - n)) for n in range(12)]
    made = [*quiet, *rare, *spike]
    items = [elastic.index_item(index_name(each), each.article_id, 7, document(each, indexed_at=now)) for each in made]
    Delivery(client, items).send()
    client.indices.refresh(index="news-articles")
    changes = tmp_path / "ferries.yaml"
    changes.write_text("keywords:\n  - name: Ferries\n    any_of: [phà nghỉ]\n", encoding="utf-8")
    command = ["plan", "keyword", str(changes), "--alerts", "--days", "20", "--json"]
    ran = CliRunner().invoke(cli, command, env=environment_of(engines))
    assert ran.exit_code == 0, ran.output
    found = json.loads(ran.stdout)
    assert (found["lost"], found["kept"]) == ([], [])
    (alert,) = found["gained"]
    assert (alert["keyword"], alert["kind"]) == ("Ferries", "spike")
    assert {told["article_id"] for told in alert["stories"]} <= {each.article_id for each in spike}


def test_a_write_block_is_waited_for(client: Elasticsearch) -> None:
    applied(client)
    put(client, article(1))
    client.indices.put_settings(index=NAME, settings={"index.blocks.write": True})
    sent = Delivery(client, [elastic.index_item(NAME, "2" * 32, 1, document(article(2), indexed_at=NOW))])
    with pytest.raises(Transient, match="cluster_block_exception"):
        sent.send()
    client.indices.put_settings(index=NAME, settings={"index.blocks.write": None})
    sent.send()
    assert len(ids(client)) == 2

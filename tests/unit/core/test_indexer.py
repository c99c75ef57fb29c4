"""From a finished article to its document and its bulk actions."""

import json
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import msgspec
import orjson
import pytest
from elastic_transport import ApiResponseMeta, ConnectionTimeout, HttpHeaders, NodeConfig
from elastic_transport import ConnectionError as ElasticConnectionError
from elasticsearch import ApiError
from pydantic import ValidationError

from services.commands.common import project_folder
from services.indexer import elastic
from services.indexer.article import INDEXED_ARTICLE, IndexedArticle
from services.indexer.elastic import Item, RequestTooLarge, Result
from services.indexer.places import point_of
from services.indexer.transform import document, index_name, published_instant, stale_ids
from shared.errors import Transient
from shared.ids import MAX_PARTS
from shared.models import UniqueArticle, index_version
from shared.stage import Reads
from tests.support.finished import EXAMPLES, FULL, fields_of, finished_article
from tests.support.finished import like_full as article

NOW = datetime(2025, 11, 22, 4, 0, tzinfo=UTC)
MAPPING = json.loads((project_folder() / "deploy/elasticsearch/news-articles.json").read_text(encoding="utf-8"))[
    "template"
]["mappings"]
MINIMAL = INDEXED_ARTICLE.validate_json((EXAMPLES / "minimal.json").read_bytes())


def indexed(made: IndexedArticle) -> dict[str, Any]:
    """Return the document as Elasticsearch reads it."""
    found: dict[str, Any] = orjson.loads(
        elastic.index_item("i", "id", 1, document(made, indexed_at=NOW)).lines.split(b"\n")[1]
    )
    return found


def unlike(value: Any, mapping: dict[str, Any], where: str = "$") -> list[str]:
    """Return where a document's keys differ from the mapping's fields, at every level that is indexed."""
    properties = mapping.get("properties")
    if properties is None:
        free = mapping["type"] in {"date_range", "object"}
        return [f"{where}: an object"] if isinstance(value, dict) and not free else []
    if isinstance(value, list):
        return [line for item in value for line in unlike(item, mapping, f"{where}[]")]
    assert isinstance(value, dict), where
    real = {name: field for name, field in properties.items() if field.get("type") != "alias"}
    differing = [f"{where}.{name}" for name in value.keys() ^ real.keys()]
    return differing + [
        line for name in value.keys() & real.keys() for line in unlike(value[name], real[name], f"{where}.{name}")
    ]


@pytest.mark.parametrize("made", [FULL, MINIMAL], ids=["full", "minimal"])
def test_the_keys_are_the_fields_of_the_mapping_at_every_level(made: IndexedArticle) -> None:
    assert MAPPING["dynamic"] == "strict"
    assert unlike(indexed(made), MAPPING) == []


def test_the_full_example_fills_every_level() -> None:
    made = indexed(FULL)
    for name in ("dates", "entities", "hits", "event_dates", "entity_ids", "keywords", "duplicate_of", "removed_rules"):
        assert made[name], name


def test_the_indexer_reads_what_the_contract_says() -> None:
    """The lean reader has fields of the contract only, reads the same values, and refuses what the contract refuses."""
    assert set(IndexedArticle.__struct_fields__) < UniqueArticle.model_fields.keys()
    for name in ("full", "minimal"):
        text = (EXAMPLES / f"{name}.json").read_bytes()
        lean = fields_of(INDEXED_ARTICLE.validate_json(text))
        full = UniqueArticle.model_validate_json(text).model_dump(mode="json", by_alias=True)
        assert unequal(lean, {name: full[name] for name in lean}) == []


@pytest.mark.parametrize("name", [field.name for field in msgspec.structs.fields(IndexedArticle) if field.required])
def test_a_field_that_the_contract_requires_is_required(name: str) -> None:
    fields = json.loads((EXAMPLES / "full.json").read_text(encoding="utf-8"))
    del fields[name]
    readings: tuple[Reads[object], ...] = (INDEXED_ARTICLE, UniqueArticle)
    for reading in readings:
        with pytest.raises(ValidationError):
            reading.validate_json(json.dumps(fields).encode())
    with pytest.raises(msgspec.ValidationError):
        finished_article(fields)


@pytest.mark.parametrize("name", ["dates", "entities", "hits", "edits"])
@pytest.mark.parametrize("wrong", ["text", ["text"], [{}]])
def test_a_mention_of_the_wrong_type_is_refused(name: str, wrong: Any) -> None:
    fields = json.loads((EXAMPLES / "full.json").read_text(encoding="utf-8")) | {name: wrong}
    readings: tuple[Reads[object], ...] = (INDEXED_ARTICLE, UniqueArticle)
    for reading in readings:
        with pytest.raises(ValidationError):
            reading.validate_json(json.dumps(fields).encode())
    with pytest.raises(msgspec.ValidationError):
        finished_article(fields)


def unequal(lean: Any, full: Any, where: str = "$") -> list[str]:
    """Return where the lean reading has another value than the full one; the lean one may leave things out."""
    if isinstance(lean, dict):
        return [line for name in lean for line in unequal(lean[name], full[name], f"{where}.{name}")]
    if isinstance(lean, list) and len(lean) == len(full):
        return [
            line for number in range(len(lean)) for line in unequal(lean[number], full[number], f"{where}[{number}]")
        ]
    return [] if lean == full else [f"{where}: {lean!r} is not {full!r}"]


def test_the_comparison_with_the_mapping_refuses_a_slip() -> None:
    made = indexed(FULL)
    made["source"]["nane"] = made["source"].pop("name")
    assert sorted(unlike(made, MAPPING)) == ["$.source.name", "$.source.nane"]


def test_the_month_is_that_of_the_first_sight_in_utc() -> None:
    seen = datetime(2025, 12, 1, 6, 59, tzinfo=timezone(timedelta(hours=7)))
    assert index_name(article(first_seen_at=seen)) == "news-articles-2025.11"
    assert index_name(article(first_seen_at=seen + timedelta(minutes=1))) == "news-articles-2025.12"


def test_versions_grow_with_revisions_and_with_decisions() -> None:
    earlier = article(fetched_at=NOW, decision_seq=999)
    later = article(fetched_at=NOW + timedelta(milliseconds=1), decision_seq=0)
    assert (
        index_version(article(fetched_at=NOW, decision_seq=0)) < index_version(earlier) < index_version(later) < 2**63
    )


def mention(start: str | None, end: str | None, *, anchored: bool = True) -> dict[str, Any]:
    return {
        "field": "body", "start": 0, "end": 4, "text": "ngày", "from": start, "to": end, "kind": "day", "precision": "day",
        "rule": "vi.day", "anchor": "publication", "anchored": anchored, "known": {"month": 9},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("start", "end", "anchored", "ranges"),
    [
        ("2025-11-22", "2025-11-22", True, [{"gte": "2025-11-22", "lt": "2025-11-23"}]),
        ("2025-12-01", "2025-12-31", True, [{"gte": "2025-12-01", "lt": "2026-01-01"}]),
        ("2024-02-29", None, True, [{"gte": "2024-02-29"}]),
        (None, "2025-11-22", True, [{"lt": "2025-11-23"}]),
        (None, None, True, []),
        (None, None, False, []),
        ("9999-12-31", "9999-12-31", True, []),
        ("2025-01-01", "9999-12-31", True, []),
        ("0001-01-01", "0001-01-01", True, []),
        ("0999-12-31", "1000-01-01", True, []),
        ("1000-01-01", "2999-12-31", True, [{"gte": "1000-01-01", "lt": "3000-01-01"}]),
    ],
)
def test_date_ranges(start: str | None, end: str | None, anchored: bool, ranges: list[dict[str, str]]) -> None:
    made = indexed(article(dates=[mention(start, end, anchored=anchored)]))
    assert made["event_dates"] == ranges
    assert (made["dates"][0]["from"], made["dates"][0]["to"]) == (start, end)
    assert made["dates"][0]["known"] == {"month": 9}
    assert made["unanchored_dates"] == int(not anchored)


def published(value: str | None, timezone_name: str | None = None, outlet: str | None = None) -> str | None:
    source = {"name": "Báo Mẫu", "timezone": outlet}
    made = published_instant(article(published={"value": value, "timezone": timezone_name}, source=source))
    return made.isoformat() if made else None


@pytest.mark.parametrize(
    ("value", "zone", "outlet", "instant"),
    [
        (None, None, None, None),
        ("2025-11-22", None, None, "2025-11-22T00:00:00+00:00"),
        ("2025-11-22", None, "Asia/Ho_Chi_Minh", "2025-11-22T00:00:00+07:00"),
        ("2025-11-22", "Europe/Kyiv", "Asia/Ho_Chi_Minh", "2025-11-22T00:00:00+02:00"),
        ("2025-11-22T08:30:00", "UTC+07:00", None, "2025-11-22T08:30:00+07:00"),
        ("2025-11-22T08:30:00+03:00", "Asia/Ho_Chi_Minh", None, "2025-11-22T08:30:00+03:00"),
        ("2025-11-22T08:30:00Z", None, None, "2025-11-22T08:30:00+00:00"),
        ("9999-12-31", None, "Asia/Ho_Chi_Minh", "9999-12-31T00:00:00+07:00"),
        ("0001-01-01", None, None, "0001-01-01T00:00:00+00:00"),
    ],
)
def test_published_instants(value: str | None, zone: str | None, outlet: str | None, instant: str | None) -> None:
    assert published(value, zone, outlet) == instant


def test_nothing_without_a_zone_is_published_after_it_was_fetched() -> None:
    source = {"name": "Báo Mẫu", "timezone": None}
    made = article(published={"value": "2025-11-22T23:30:00"}, source=source, fetched_at="2025-11-22T16:31:00Z")
    assert published_instant(made) == datetime(2025, 11, 22, 16, 31, tzinfo=UTC)


@pytest.mark.parametrize("zone", ["Nơi/Nào_Đó", "GMT+7", "America", "../etc/passwd", "x" * 300])
def test_an_unknown_time_zone_counts_as_utc(zone: str) -> None:
    assert published("2025-11-22", zone) == "2025-11-22T00:00:00+00:00"


def test_an_interval_counts_once_and_a_long_one_is_not_on_the_timeline() -> None:
    spans = [
        ("2025-11-22", "2025-11-22"),
        ("2025-10-01", "2025-10-31"),
        ("1990-01-01", "1999-12-31"),
        ("2025-01-01", None),
    ]
    made = indexed(article(dates=[mention(*span) for span in [*spans, spans[0]]]))
    assert len(made["event_dates"]) == 4
    assert made["event_days"] == ["2025-10-01", "2025-11-22"]
    assert made["event_precisions"] == ["day"]
    assert len(made["dates"]) == 5


def named(canonical: str, label: str, kind: str, text: str) -> dict[str, str]:
    return {"canonical": canonical, "label": label, "type": kind, "text": text}


def test_entities_are_one_row_each_with_flat_ids_names_and_places() -> None:
    made = indexed(article(entities=[
        named("Q7747", "Vladimir Putin", "PERSON", "Putin"), named("gn:703656", "Kupyansk", "LOC", "Kupiansk"),
        named("Q7747", "Vladimir Putin", "PERSON", "ông Putin"), named("Q212", "Ukraina", "LOC", "Ukraine"),
        named("Q7747", "Vladimir Putin", "PERSON", "Putin"),
    ]))  # fmt: skip
    assert made["entity_ids"] == ["Q212", "Q7747", "gn:703656"]
    assert made["entity_names"] == ["Kupyansk", "Ukraina", "Vladimir Putin"]
    assert made["named"]["loc"] == ["Kupyansk", "Ukraina"]
    assert made["named"]["person"] == ["Vladimir Putin"]
    assert made["named"]["weapon"] == []
    assert made["locations"] == [[37.616, 49.71]]
    assert made["entities"][0] == {
        "id": "Q7747", "label": "Vladimir Putin", "type": "PERSON", "mentions": 3, "forms": ["Putin", "ông Putin"],
    }  # fmt: skip


def test_the_towns_of_the_gazetteer_have_a_place_on_earth() -> None:
    """A town that came into the gazetteer since the table was compiled is only missing on the map: few may be."""
    gazetteer = project_folder() / "services/extractor/entities/data/places.tsv"
    towns = [line.partition("\t")[0] for line in gazetteer.read_text(encoding="utf-8").splitlines()]
    points = [point for town in towns if (point := point_of(f"gn:{town}"))]
    assert len(points) >= 0.98 * len(towns)
    assert all(-180 <= longitude <= 180 and -90 <= latitude <= 90 for longitude, latitude in points)
    assert point_of("703656") is None


@pytest.mark.parametrize(
    ("value", "precision", "lag"),
    [("2025-11-22T00:00:00Z", "minute", 3600), ("2025-11-22", "day", None), (None, "none", None),
     ("2025-11-22T03:00:00Z", "second", 0)],
)  # fmt: skip
def test_the_lag_is_from_the_publication_to_the_first_sight(value: str | None, precision: str, lag: int | None) -> None:
    seen = datetime(2025, 11, 22, 1, 0, tzinfo=UTC)
    made = indexed(article(published={"value": value, "precision": precision}, first_seen_at=seen))
    assert made["lag_seconds"] == lag


def parts(part: int, total: int) -> IndexedArticle:
    return article(article_id=f"{FULL.parent_id}#{part}", part=part, parts_total=total)


def test_a_revision_with_fewer_parts_removes_the_stale_ones() -> None:
    stale = stale_ids(parts(1, 3))
    assert stale[:2] == [FULL.parent_id, f"{FULL.parent_id}#4"]
    assert not {f"{FULL.parent_id}#{part}" for part in (1, 2, 3)} & set(stale)


def test_a_revision_that_became_whole_removes_every_part() -> None:
    stale = stale_ids(FULL)
    assert stale[0] == f"{FULL.parent_id}#1"
    assert FULL.parent_id not in stale
    assert len(stale) == len(set(stale))


def test_every_part_that_the_normaliser_can_make_is_removed() -> None:
    assert f"{FULL.parent_id}#{MAX_PARTS}" in stale_ids(FULL)


def test_bulk_actions() -> None:
    item = elastic.index_item("news-articles-2025.11", "a#1", 17, {"title": "Đầu hàng"})
    action, source, end = item.lines.split(b"\n")
    assert json.loads(action) == {
        "index": {"_index": "news-articles-2025.11", "_id": "a#1", "version": 17, "version_type": "external"}
    }
    assert (json.loads(source), end) == ({"title": "Đầu hàng"}, b"")
    removal = elastic.delete_item("i", "a", 18)
    assert removal.lines.count(b"\n") == 1
    assert json.loads(removal.lines)["delete"]["version"] == 18


@pytest.mark.parametrize(
    ("sizes", "max_items", "max_bytes", "expected"),
    [
        ([], 2, 10, []),
        ([5], 2, 10, [[5]]),
        ([5, 5], 2, 10, [[5, 5]]),
        ([5, 6], 2, 10, [[5], [6]]),
        ([1, 1, 1], 2, 10, [[1, 1], [1]]),
        ([99], 2, 10, [[99]]),
        ([1, 99, 1], 9, 10, [[1], [99], [1]]),
        ([3, 3], 9, 1, [[3], [3]]),
    ],
)
def test_chunks(sizes: list[int], max_items: int, max_bytes: int, expected: list[list[int]]) -> None:
    items = [Item(str(number), b"x" * size) for number, size in enumerate(sizes)]
    made = list(elastic.chunks(items, max_items, max_bytes))
    assert [[len(item.lines) for item in chunk] for chunk in made] == expected
    assert [item for chunk in made for item in chunk] == items


class Client:
    """Answers every request with the given items, or raises."""

    def __init__(self, answer: list[dict[str, Any]] | Exception) -> None:
        self.answer = answer
        self.body = b""

    def perform_request(self, method: str, path: str, *, headers: dict[str, str], body: bytes) -> Any:
        assert (method, path.partition("?")[0]) == ("POST", "/_bulk")
        assert headers["content-type"] == "application/x-ndjson"
        self.body = body
        if isinstance(self.answer, Exception):
            raise self.answer
        return SimpleNamespace(body={"items": self.answer})


def bulk(answer: Any, items: int = 1) -> list[tuple[Result, str]]:
    client: Any = Client(answer)
    made = elastic.bulk(client, [Item(str(number), b"{}\n") for number in range(items)])
    assert client.body == b"{}\n" * items
    return made


def error(kind: str, reason: str = "vì thế", cause: str | None = None) -> dict[str, Any]:
    return {"type": kind, "reason": reason} | ({"caused_by": {"reason": cause}} if cause else {})


@pytest.mark.parametrize(
    ("item", "result", "text"),
    [
        ({"status": 200}, Result.DONE, ""),
        ({"status": 201}, Result.DONE, ""),
        ({"status": 404}, Result.DONE, ""),
        ({"status": 409, "error": error("version_conflict_engine_exception")}, Result.STALE, ""),
        ({"status": 429, "error": error("es_rejected_execution_exception")}, Result.RETRY,
         "es_rejected_execution_exception; vì thế"),
        ({"status": 503, "error": error("unavailable_shards_exception")}, Result.RETRY, "unavailable_shards_exception; vì thế"),
        ({"status": 403, "error": error("cluster_block_exception")}, Result.RETRY, "cluster_block_exception; vì thế"),
        ({"status": 400, "error": error("index_closed_exception")}, Result.RETRY, "index_closed_exception; vì thế"),
        ({"status": 400, "error": error("document_parsing_exception", "bad date", "year 99999")}, Result.REFUSED,
         "document_parsing_exception; bad date; year 99999"),
        ({"status": 400, "error": error("strict_dynamic_mapping_exception")}, Result.REFUSED,
         "strict_dynamic_mapping_exception; vì thế"),
        ({"status": 403, "error": error("security_exception")}, Result.REFUSED, "security_exception; vì thế"),
        ({"status": 500}, Result.FAULT, "status 500"),
    ],
)  # fmt: skip
def test_what_each_answer_means(item: dict[str, Any], result: Result, text: str) -> None:
    assert bulk([{"index": item}]) == [(result, text)]


def test_answers_come_in_the_order_of_the_items() -> None:
    answers = [{"index": {"status": 201}}, {"delete": {"status": 404}}, {"index": {"status": 409}}]
    assert [result for result, _ in bulk(answers, items=3)] == [Result.DONE, Result.DONE, Result.STALE]


def api_error(status: int) -> ApiError:
    meta = ApiResponseMeta(status, "1.1", HttpHeaders(), 0.0, NodeConfig("http", "127.0.0.1", 9200))
    return ApiError("said no", meta, {})


@pytest.mark.parametrize(
    ("failure", "outcome"),
    [
        (api_error(413), RequestTooLarge),
        (api_error(429), Transient),
        (api_error(503), Transient),
        (api_error(401), Transient),
        (ElasticConnectionError("refused"), Transient),
        (ConnectionTimeout("30 s"), Transient),
    ],
    ids=repr,
)
def test_a_request_that_fails_as_a_whole(failure: Exception, outcome: type[Exception]) -> None:
    with pytest.raises(outcome):
        bulk(failure)


class Server:
    """Answers each request in turn: a status for every item, or an error for the whole."""

    def __init__(self, *answers: int | Exception) -> None:
        self.answers = list(answers)
        self.sizes: list[int] = []

    def perform_request(self, method: str, path: str, *, headers: dict[str, str], body: bytes) -> Any:
        lines = body.count(b"\n")
        self.sizes.append(lines)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return SimpleNamespace(body={"items": [{"index": {"status": answer}}] * lines})


def delivery(server: Any, count: int = 2) -> tuple[elastic.Delivery, list[Item]]:
    items = [Item(str(number), b"{}\n") for number in range(count)]
    return elastic.Delivery(server, items), items


def test_a_delivery_sends_again_what_was_not_taken() -> None:
    server = Server(429, 201)
    made, items = delivery(server)
    with pytest.raises(Transient):
        made.send()
    made.send().send()
    assert [made.result(item)[0] for item in items] == [Result.DONE, Result.DONE]
    assert server.sizes == [2, 2]


def test_a_delivery_that_is_too_large_is_split_down_to_one_and_then_refused() -> None:
    made, items = delivery(Server(api_error(413)))
    made.send()
    assert [made.result(item) for item in items] == [(Result.REFUSED, "larger than Elasticsearch takes")] * 2


def test_a_fault_of_the_server_is_tried_again_for_a_while_and_then_refused() -> None:
    server = Server(500)
    made, items = delivery(server, 1)
    for _ in range(elastic.SERVER_FAULT_TRIES - 1):
        with pytest.raises(Transient, match="status 500"):
            made.send()
    assert made.send().result(items[0]) == (Result.REFUSED, "status 500")
    healed, items = delivery(Server(500, 500, 200))
    for _ in range(2):
        with pytest.raises(Transient):
            healed.send()
    assert healed.send().result(items[0])[0] is Result.DONE


def test_a_request_that_breaks_off_keeps_the_answers_it_had() -> None:
    server = Server(201, api_error(429), 409)
    items = [Item(str(number), b"x" * 3_000_000 + b"\n") for number in range(2)]
    made = elastic.Delivery(server, items)  # type: ignore[arg-type]
    with pytest.raises(Transient):
        made.send()
    assert [made.send().result(item)[0] for item in items] == [Result.DONE, Result.STALE]
    assert server.sizes == [1, 1, 1]


def test_an_undated_article_keeps_the_days_between_which_it_was_published() -> None:
    made = indexed(
        article(published={"value": None, "origin": "inferred", "earliest": "2025-11-03", "latest": "2025-11-09"})
    )
    assert made["published_at"] is None
    assert (made["published"]["earliest"], made["published"]["latest"]) == ("2025-11-03", "2025-11-09")


def test_removed_spans_name_their_rules_and_the_files_these_are_in() -> None:
    made = indexed(article(edits=[
        {"rule": "vi.credit", "file": "rules/credits.yaml", "length": 9}, {"rule": "space.around", "length": 1},
        {"rule": "vi.credit", "file": "rules/credits.yaml", "length": 12},
    ]))  # fmt: skip
    assert made["removed_rules"] == ["space.around", "vi.credit"]
    assert made["removed_by_files"] == ["rules/credits.yaml"]
    assert made["removed_characters"] == 22

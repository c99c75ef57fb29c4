"""Alerts, feeds and dead letters as documents; the shipped templates as the cluster gives them back."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from services.commands.common import project_folder
from services.indexer import desk, routes, templates
from services.indexer.routes import Context
from shared import headers
from shared.alerts import Alert
from shared.errors import Reason, Rejected
from shared.kibana_links import Kibana
from shared.models import FeedState
from shared.stage import Record, refuse
from shared.topics import ARTICLES_RAW, FEED_STATE

NOW = datetime(2025, 11, 22, 4, 0, tzinfo=UTC)
KIBANA = Kibana("http://kibana.example:5601")
SHIPPED = templates.load(project_folder() / "deploy/elasticsearch")
READING = {"hours": 3, "start": NOW - timedelta(hours=3), "end": NOW, "stories": 14, "expected": 1.2, "usual_spread": 1.1,
           "ratio": 11.7, "probability": 1e-9}  # fmt: skip
CONTEXT = Context(NOW, {}, KIBANA)


def alert(**changes: Any) -> Alert:
    return Alert.model_validate({
        "alert_id": "0" * 32, "sequence": 3, "kind": "spike", "state": "acknowledged", "severity": "warning",
        "keyword": "Київ & co",
        "opened_at": NOW, "updated_at": NOW, "opening": READING, "peak": READING, "windows": [READING],
        "sources": [{"name": "Báo Mẫu", "stories": 4}], "languages": [{"name": "vi", "stories": 4}],
        "stories": [{"article_id": "1" * 32, "cluster_id": "c", "story_id": "s", "title": "Tin", "source": "Báo Mẫu",
                     "language": "vi", "at": NOW}],
        "handling": [{"action": "ack", "at": NOW + timedelta(minutes=9), "author": "An"},
                     {"action": "mark-false", "at": NOW + timedelta(minutes=10), "author": "An"}],
        "reason_vi": "Đột biến", "reason_en": "Spike", "rule_hash": "r", "config_hash": "c", "detector_version": "1",
    } | changes)  # fmt: skip


def names(value: Any, types: dict[str, str], path: str = "") -> set[str]:
    """Return the dotted names of a document's fields, down to those that the mapping does not look into."""
    found: set[str] = set()
    for name, item in value.items():
        if isinstance(item, dict) and types.get(path + name) != "object":
            found |= names(item, types, f"{path}{name}.")
        else:
            found.add(path + name)
    return found


def test_the_document_of_an_alert_has_exactly_the_fields_of_its_template() -> None:
    made = orjson.loads(orjson.dumps(desk.alert_document(alert(), indexed_at=NOW, kibana=KIBANA)))
    types = SHIPPED.fields("news-alerts")
    assert names(made, types) == types.keys()
    assert (made["score"], made["acknowledge_seconds"], made["marked_false"]) == (9.0, 540, True)
    assert made["links"]["discover"].startswith("http://kibana.example:5601/app/discover#/view/")
    assert "silenced_until" in made


def test_a_probability_of_nothing_has_the_highest_score_and_a_silence_its_end() -> None:
    until = NOW + timedelta(days=1)
    made = desk.alert_document(
        alert(
            state="suppressed",
            peak=READING | {"probability": 0.0},
            handling=[{"action": "silence", "at": NOW, "author": "An", "until": until}],
        ),
        indexed_at=NOW,
        kibana=KIBANA,
    )
    assert (made["score"], made["silenced_until"], made["acknowledged_at"]) == (300.0, until, None)


def test_the_document_of_a_feed_has_exactly_the_fields_of_its_template() -> None:
    state = FeedState(feed="Báo Mẫu", url="https://mau.example/rss", etag="x", failures=2, last_error="503")
    value = state.to_json()
    record = Record(
        FEED_STATE.name, 0, 5, b"mau.example|B\xc3\xa1o M\xe1\xba\xabu", value, timestamp_ms=1_763_784_000_000
    )
    (item,) = routes.feed_work(record, CONTEXT).items
    action, source = (orjson.loads(line) for line in item.lines.splitlines())
    assert action["index"]["_index"] == "news-feeds-current"
    assert action["index"]["version"] == 1_763_784_000_000_005
    types = SHIPPED.fields("news-feeds")
    assert names(source, types) == types.keys()
    assert source["host"] == "mau.example"


def test_an_item_of_a_feed_is_no_document_and_a_forgotten_feed_goes() -> None:
    assert routes.feed_work(Record(FEED_STATE.name, 0, 5, b"h|f|item", b"{}"), CONTEXT).items == ()
    (item,) = routes.feed_work(Record(FEED_STATE.name, 0, 5, b"h|f", None), CONTEXT).items
    assert b"delete" in item.lines


def test_the_document_of_a_dead_letter_has_exactly_the_fields_of_its_template() -> None:
    refused = Record(ARTICLES_RAW.name, 2, 7, b"1" * 32, "Đầu hàng \xff".encode() * 400)
    (letter,) = refuse(refused, ARTICLES_RAW, "normaliser", Rejected(Reason.EMPTY_BODY, "no text"), NOW).outputs
    record = Record(letter.topic.name, 0, 1, letter.key, letter.value, letter.headers, 1_763_784_000_000)
    made = orjson.loads(orjson.dumps(desk.letter_document(record)))
    assert made.keys() == SHIPPED.fields("news-dead-letters").keys() - {"error.raw"}
    assert (made["reason"], made["stage"], made["topic"]) == ("empty_body", "normaliser", ARTICLES_RAW.name)
    assert (made["origin"], made["at"]) == (f"{ARTICLES_RAW.name}/2/7", "2025-11-22T04:00:00+00:00")
    assert len(made["preview"]) == desk.PREVIEW_CHARACTERS
    assert desk.letter_index(record) == "news-dead-letters-2025.11"


def test_a_foreign_dead_letter_without_headers_is_a_document_too() -> None:
    made = desk.letter_document(Record("articles-raw-v1-dlq", 0, 1, None, None, ((headers.DLQ_SIZE, b"12"),)))
    assert (made["reason"], made["size"], made["article_id"]) == ("unknown", 12, "")


@pytest.mark.parametrize("name", [*SHIPPED.indices, *SHIPPED.components])
def test_a_template_equals_itself_as_the_cluster_gives_it_back(name: str) -> None:
    body = SHIPPED.indices.get(name) or SHIPPED.components[name]
    given_back = json.loads(json.dumps(body))
    settings = given_back["template"].pop("settings")
    nested: dict[str, Any] = {"index": {}}
    for key, value in settings.items():
        holder = nested
        *path, last = key.split(".")
        for step in path:
            holder = holder.setdefault(step, {})
        holder[last] = value if isinstance(value, list) else str(value)
    given_back["template"]["settings"] = nested
    given_back["_meta"] = {"by": "hand"}
    assert templates.flat(given_back) == templates.flat(body)


@pytest.mark.parametrize(
    ("index", "end"),
    [
        ("news-articles-2025.11", datetime(2025, 12, 1, tzinfo=UTC)),
        ("rebuilt-news-articles-2025.12-20260101000000", datetime(2026, 1, 1, tzinfo=UTC)),
        ("news-feeds-current", None),
        ("news-articles", None),
    ],
)
def test_the_month_of_an_index(index: str, end: datetime | None) -> None:
    assert templates.month_end(index) == end

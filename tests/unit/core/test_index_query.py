"""What an operator types, taken apart and made a query."""

import pytest

from services.commands.common import project_folder
from services.indexer.query import FIELDS, Asked, QueryError, parse, query
from services.indexer.templates import load


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("dau hang", Asked(words=("dau", "hang"))),
        ('"đầu hàng" Kyiv', Asked(words=("Kyiv",), phrases=("đầu hàng",))),
        ("entity:Q212 event:2025-10", Asked(fields=(("entity_ids", "Q212"), ("event_dates", "2025-10")))),
        ('source:"Báo Mẫu"', Asked(fields=(("source.name", "Báo Mẫu"),))),
        ("entity:gn:703656", Asked(fields=(("entity_ids", "gn:703656"),))),
        ('"" 10:30', Asked(words=("10:30",))),
        ("  ", Asked()),
        ('chưa "đóng', Asked(words=("chưa", "đóng"))),
    ],
)
def test_parse(text: str, asked: Asked) -> None:
    assert parse(text) == asked


@pytest.mark.parametrize(("text", "said"), [("entty:Q1", "no field entty:"), ("event:hôm-qua", "no time")])
def test_refusals_say_what_is_possible(text: str, said: str) -> None:
    with pytest.raises(QueryError, match=said):
        parse(text)


def test_every_short_name_is_a_field_that_can_be_searched() -> None:
    types = load(project_folder() / "deploy/elasticsearch").fields("news-articles")
    assert {types[field] for field in FIELDS.values()} == {"keyword", "date_range"}


def test_nothing_asked_matches_everything() -> None:
    assert query(Asked()) == {"bool": {"must": [{"match_all": {}}], "filter": []}}

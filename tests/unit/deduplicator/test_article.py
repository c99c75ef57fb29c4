"""The lean reading: checked as by the full models, and everything else travels on untouched."""

import json
from typing import Any

import pytest
from msgspec import structs
from pydantic import ValidationError

from services.deduplicator.article import EXTRACTED_TEXT, SKETCHED_TEXT, ExtractedText, SketchedText
from services.deduplicator.transform import decide, sketch
from services.deduplicator.window import Window
from shared.models import DateMention, EntityMention, EntityType, ExtractedArticle, Model, SketchedArticle
from shared.stage import Reads
from tests.unit.deduplicator.labelled import FIRE, article, decided, sketched

DAY = DateMention(
    field="body", start=0, end=9, text="sáng 1/2", from_="2026-02-01", to="2026-02-01",
    kind="day", precision="day", rule="vi.day", anchor="publication",
)  # fmt: skip
NAME = EntityMention(
    field="title", start=0, end=10, text="Kramatorsk", type=EntityType.LOC, canonical="Q156736",
    label="Kramatorsk", rule="alias", alias="Kramatorsk",
)  # fmt: skip
GIVEN = article("a", FIRE, title='Kramatorsk: ,"sketch":{"version":1}}').model_copy(
    update={"dates": [DAY], "entities": [NAME]}
)


def _fields(given: Model) -> dict[str, Any]:
    fields = json.loads(given.to_json())
    assert isinstance(fields, dict)
    return fields


def test_what_is_not_read_travels_on_and_only_the_sketch_is_taken_out() -> None:
    made = sketched(GIVEN)
    assert _fields(made).items() >= _fields(GIVEN).items()
    unique = decided(GIVEN, Window({}))
    assert _fields(unique).items() >= _fields(GIVEN).items()
    (passed,) = decide(SKETCHED_TEXT.of(made), window=Window({}))
    assert "sketch" not in json.loads(passed.to_json())


@pytest.mark.parametrize("indent", [None, 2])
def test_any_layout_of_a_record_is_read(indent: int | None) -> None:
    fields = _fields(sketched(GIVEN))
    text = json.dumps({"sketch": fields.pop("sketch"), **fields, "later": {"minor": 1}}, indent=indent) + "\n"
    value = text.encode()
    (passed,) = decide(SKETCHED_TEXT.validate_json(value), window=Window({}))
    again = json.loads(passed.to_json())
    assert "sketch" not in again
    assert again.items() >= (fields | {"later": {"minor": 1}}).items()
    (passed,) = sketch(EXTRACTED_TEXT.validate_json(value))
    assert structs.asdict(SKETCHED_TEXT.of(passed).text.sketch) == sketched(GIVEN).sketch.model_dump()


def test_mentions_are_those_of_the_full_article() -> None:
    assert [term for *_, term in EXTRACTED_TEXT.of(GIVEN).text.mentions()] == ["entity Q156736", "day 2026-02-01"]


READ: dict[type[ExtractedText | SketchedText], tuple[Reads[object], Reads[object], Model]] = {
    ExtractedText: (EXTRACTED_TEXT, ExtractedArticle, GIVEN),
    SketchedText: (SKETCHED_TEXT, SketchedArticle, sketched(GIVEN)),
}
WRONG: dict[str, Any] = {
    "article_id": "not an id", "trace_id": None, "title": 5, "body": ["text"], "backlog": "perhaps", "sketch": {},
    "published": "today", "fetched_at": "2026-02-01T08:00:00", "first_seen_at": "soon",
    "entities": [{"field": "body", "start": -1, "end": 3, "canonical": "Q1"}], "dates": [{"field": "link"}],
}  # fmt: skip


@pytest.mark.parametrize(("struct", "name"), [(struct, name) for struct in READ for name in struct.__struct_fields__])
def test_a_wrong_field_is_refused_as_by_the_full_model(struct: type[ExtractedText | SketchedText], name: str) -> None:
    lean, full, given = READ[struct]
    for reading in (lean, full):
        reading.validate_json(given.to_json())
        with pytest.raises(ValidationError) as refusal:
            reading.validate_json(json.dumps(_fields(given) | {name: WRONG[name]}).encode())
        assert refusal.value.errors()[0]["loc"][0] == name

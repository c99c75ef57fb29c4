"""The written contract: current, closed, compatible with the committed one; and every example ever committed still holds."""

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from services.commands.common import project_folder
from shared import contract
from shared.topics import ARTICLES_EXTRACTED, ARTICLES_RAW, PIPELINE, Topic, by_name
from tests.contract.closed_validator import slips, violations

SCHEMAS = project_folder() / "schemas"
EXAMPLES = sorted((SCHEMAS / "examples").glob("*/*.json"))


@cache
def schema_named(name: str) -> contract.Schema:
    """Return a topic's schema, made once: that takes 30 ms."""
    return contract.schema_of(by_name(name))


def schema_of(topic: Topic) -> contract.Schema:
    return schema_named(topic.name)


def ids(item: Any) -> str:
    return item.name if isinstance(item, Topic) else f"{item.parent.name}/{item.stem}"


def committed(path: Path) -> str | None:
    """Return a file as it is at HEAD, or None where git knows nothing of it."""
    if not shutil.which("git"):
        return None
    name = path.relative_to(project_folder()).as_posix()
    shown = subprocess.run(["git", "show", f"HEAD:{name}"], cwd=project_folder(), capture_output=True, check=False)
    return shown.stdout.decode() if shown.returncode == 0 else None


def kept(given: Any, parsed: Any) -> bool:
    """Return whether everything that was given is still there, with defaults for what was left out."""
    if isinstance(given, dict):
        return all(name in parsed and kept(value, parsed[name]) for name, value in given.items())
    if isinstance(given, list):
        return len(given) == len(parsed) and all(kept(one, other) for one, other in zip(given, parsed, strict=True))
    return bool(given == parsed)


def test_the_schemas_on_disk_are_what_the_models_say() -> None:
    assert contract.stale_schemas(SCHEMAS) == []


def test_there_is_no_schema_without_a_topic() -> None:
    assert {path.name for path in SCHEMAS.glob("*.json")} == {f"{topic.name}.schema.json" for topic in PIPELINE}


def test_a_stale_and_a_missing_schema_are_noticed_and_written_anew(tmp_path: Path) -> None:
    contract.write_schemas(tmp_path)
    edited, deleted = (contract.schema_file(tmp_path, topic) for topic in PIPELINE[:2])
    edited.write_text(edited.read_text(encoding="utf-8").replace('"string"', '"number"', 1), encoding="utf-8")
    deleted.unlink()
    assert contract.stale_schemas(tmp_path) == [edited, deleted]
    assert contract.write_schemas(tmp_path) == [edited, deleted]
    assert contract.stale_schemas(tmp_path) == []


@pytest.mark.parametrize("topic", PIPELINE, ids=ids)
def test_the_contract_is_closed_and_holds_no_slip(topic: Topic) -> None:
    assert list(slips(schema_of(topic))) == []


@pytest.mark.parametrize("topic", PIPELINE, ids=ids)
def test_the_contract_is_compatible_with_the_committed_one(topic: Topic) -> None:
    before = committed(contract.schema_file(SCHEMAS, topic))
    if before is None:
        pytest.skip("outside git, or a topic that is not committed yet")
    assert contract.breaking_changes(json.loads(before), schema_of(topic)) == []


@pytest.mark.parametrize(
    ("find", "put", "said"),
    [
        ('"additionalProperties"', '"aditionalProperties"', "unknown keyword aditionalProperties"),
        ('"required"', '"requierd"', "unknown keyword requierd"),
        ('"pattern"', '"patern"', "unknown keyword patern"),
        ('"minimum"', '"min"', "unknown keyword min"),
        ('"integer"', '"int"', "unknown type int"),
        ('"date-time"', '"datetime"', "unknown format datetime"),
        ('"additionalProperties": false', '"additionalProperties": true', "open object"),
        ('"article_id",', '"artikle_id",', "requires unknown artikle_id"),
    ],
)
def test_a_planted_slip_is_refused(find: str, put: str, said: str) -> None:
    text = json.dumps(schema_of(ARTICLES_EXTRACTED))
    assert find in text
    assert any(slip.endswith(said) for slip in slips(json.loads(text.replace(find, put))))


@pytest.mark.parametrize("topic", PIPELINE, ids=ids)
def test_every_topic_has_a_minimal_and_a_full_example(topic: Topic) -> None:
    names = {path.stem for path in EXAMPLES if path.parent.name == topic.name}
    assert {name.partition("-")[0] for name in names} >= {"minimal", "full"}


@pytest.mark.parametrize("path", EXAMPLES, ids=ids)
def test_an_example_still_parses_and_is_valid(path: Path) -> None:
    topic = by_name(path.parent.name)
    text = path.read_text(encoding="utf-8")
    schema = schema_of(topic)
    assert list(violations(json.loads(text), schema, schema)) == []
    model: Any = topic.model
    parsed = TypeAdapter(model).validate_json(text)
    assert kept(json.loads(text), json.loads(parsed.to_json()))


@pytest.mark.parametrize("path", [path for path in EXAMPLES if path.stem.startswith("full")], ids=ids)
def test_a_full_example_leaves_out_nothing(path: Path) -> None:
    value = json.loads(path.read_text(encoding="utf-8"))
    model: Any = by_name(path.parent.name).model
    assert value.keys() == json.loads(TypeAdapter(model).validate_python(value).to_json()).keys()
    if path.parent.name.startswith("articles-"):
        assert "Ukraine" in (value.get("text") or value["body"])


RAW = {
    "article_id": "0" * 32, "feed": "f", "source": {"name": "s"}, "text": "t", "trace_id": "1" * 32,
    "fetched_at": "2025-11-22T03:00:00Z", "first_seen_at": "2025-11-22T03:00:00Z",
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"text": 5}, "$.text: not string"),
        ({"revision": 0}, "$.revision: less than 1"),
        ({"revision": True}, "$.revision: not integer"),
        ({"revision": 1.5}, "$.revision: not integer"),
        ({"article_id": "0" * 31}, "$.article_id: not like"),
        ({"media_type": "text/pdf"}, "$.media_type: not one of"),
        ({"fetched_at": "2025-11-22T03:00:00"}, "$.fetched_at: no time zone"),
        ({"url": 1}, "$.url: none of the choices"),
        ({"tite": "a"}, "$.tite: not in the contract"),
        ({"source": {"name": "s", "nam": "x"}}, "$.source.nam: not in the contract"),
        ({"source": {}}, "$.source.name: missing"),
    ],
)
def test_a_planted_error_in_a_record_is_refused(change: dict[str, Any], said: str) -> None:
    schema = schema_of(ARTICLES_RAW)
    assert list(violations(RAW, schema, schema)) == []
    (found,) = violations(RAW | change, schema, schema)
    assert found.startswith(said)


def test_a_reader_is_tolerant_where_the_contract_is_closed() -> None:
    model: Any = ARTICLES_RAW.model
    assert model.model_validate(RAW | {"new_in_1_7": 1, "source": {"name": "s", "new": []}}).text == "t"

"""What counts as a breaking change: each change judged in both directions, forth and back."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from shared import contract
from shared.contract import Schema, breaking_changes
from shared.topics import ARTICLES_RAW, FEED_STATE, Topic

BASE: Schema = {
    "$defs": {
        "Colour": {"enum": ["red", "green"], "type": "string"},
        "Node": {
            "additionalProperties": False,
            "properties": {
                "name": {"type": "string"},
                "next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}], "default": None},
            },
            "required": ["name"],
            "type": "object",
        },
        "Cat": {"additionalProperties": False, "properties": {"kind": {"const": "cat", "type": "string"}},
                "required": ["kind"], "title": "Cat", "type": "object"},
        "Dog": {"additionalProperties": False, "properties": {"kind": {"const": "dog", "type": "string"}},
                "required": ["kind"], "title": "Dog", "type": "object"},
    },
    "additionalProperties": False,
    "properties": {
        "any": {},
        "code": {"pattern": "^[a-z]+$", "type": "string"},
        "colours": {"items": {"$ref": "#/$defs/Colour"}, "type": "array"},
        "count": {"minimum": 0, "type": "integer"},
        "free": {"type": "array"},
        "known": {"additionalProperties": {"type": "integer"}, "type": "object"},
        "node": {"$ref": "#/$defs/Node"},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        "open": {"type": "object"},
        "pet": {"anyOf": [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}]},
        "score": {"maximum": 1, "minimum": 0, "type": "number"},
        "text": {"type": "string"},
        "when": {"format": "date-time", "type": "string"},
        "word": {"maxLength": 10, "minLength": 1, "type": "string"},
        "words": {"items": {"type": "string"}, "maxItems": 5, "type": "array"},
    },
    "required": ["text"],
    "type": "object",
}  # fmt: skip

Change = Callable[[Schema], object]
OK, BREAKS = False, True


def at(schema: Schema, path: str) -> Any:
    node: Any = schema
    for step in path.split("/"):
        node = node[int(step) if isinstance(node, list) else step]
    return node


def put(path: str, **values: Any) -> Change:
    return lambda schema: at(schema, path).update(values)


def drop(path: str, *names: str) -> Change:
    return lambda schema: [at(schema, path).pop(name) for name in names]


def append(path: str, value: Any) -> Change:
    return lambda schema: at(schema, path).append(value)


def remove(path: str, value: Any) -> Change:
    return lambda schema: at(schema, path).remove(value)


STRING = {"type": "string"}
# name, change, whether it breaks, whether taking it back breaks
CHANGES: list[tuple[str, Change, bool, bool]] = [
    ("optional property added", put("properties", fresh={"type": "string", "default": ""}), OK, BREAKS),
    ("required property added",
     lambda schema: (put("properties", fresh=STRING)(schema), append("required", "fresh")(schema)), BREAKS, BREAKS),
    ("optional property became required", append("required", "code"), BREAKS, OK),
    ("property renamed", lambda schema: put("properties", texte=schema["properties"].pop("text"))(schema), BREAKS, BREAKS),
    ("enum narrowed in an array", remove("$defs/Colour/enum", "green"), BREAKS, OK),
    ("enum on a free string", put("properties/text", enum=["a"]), BREAKS, OK),
    ("const on a free string", put("properties/text", const="a"), BREAKS, OK),
    ("const changed", put("$defs/Cat/properties/kind", const="lynx"), BREAKS, BREAKS),
    ("pattern changed", put("properties/code", pattern="^[a-z]{2}$"), BREAKS, BREAKS),
    ("pattern added", put("properties/text", pattern="."), BREAKS, OK),
    ("format added", put("properties/text", format="uri"), BREAKS, OK),
    ("format changed", put("properties/when", format="date"), BREAKS, BREAKS),
    ("integer became number", put("properties/count", type="number"), OK, BREAKS),
    ("string became integer", put("properties/text", type="integer"), BREAKS, BREAKS),
    ("type became free", drop("properties/text", "type"), OK, BREAKS),
    ("nullable removed", remove("properties/note/anyOf", {"type": "null"}), BREAKS, OK),
    ("nullable became plain", lambda schema: put("properties", note=dict(STRING))(schema), BREAKS, OK),
    ("choice added", append("properties/note/anyOf", {"type": "integer"}), OK, BREAKS),
    ("choice of an object removed", remove("properties/pet/anyOf", {"$ref": "#/$defs/Dog"}), BREAKS, OK),
    ("choice narrowed inside", put("properties/note/anyOf/0", minLength=1), BREAKS, OK),
    ("choices written as oneOf",
     lambda schema: put("properties/pet", oneOf=at(schema, "properties/pet").pop("anyOf"))(schema), OK, OK),
    ("choice removed from a oneOf", lambda schema: put("properties", pet={"oneOf": [{"$ref": "#/$defs/Cat"}]})(schema),
     BREAKS, OK),
    ("rule beside the choices", put("properties/note", minLength=3), BREAKS, OK),
    ("minimum raised", put("properties/count", minimum=1), BREAKS, OK),
    ("minimum added", put("properties/words", minItems=1), BREAKS, OK),
    ("exclusive minimum added", put("properties/count", exclusiveMinimum=0), BREAKS, OK),
    ("maximum lowered", put("properties/score", maximum=0.5), BREAKS, OK),
    ("shorter text", put("properties/word", maxLength=9), BREAKS, OK),
    ("longer text at least", put("properties/word", minLength=2), BREAKS, OK),
    ("fewer items", put("properties/words", maxItems=4), BREAKS, OK),
    ("items changed", put("properties/words/items", type="integer"), BREAKS, BREAKS),
    ("items of a free array given", put("properties/free", items=dict(STRING)), BREAKS, OK),
    ("values of a map changed", put("properties/known/additionalProperties", type="string"), BREAKS, BREAKS),
    ("values of a map widened", put("properties/known/additionalProperties", type="number"), OK, BREAKS),
    ("values of an open object given", put("properties/open", additionalProperties=dict(STRING)), BREAKS, OK),
    ("open object closed", put("properties/open", additionalProperties=False), BREAKS, OK),
    ("nested definition: required added", append("$defs/Node/required", "next"), BREAKS, OK),
    ("nested definition: optional added", put("$defs/Node/properties", extra={"type": "string", "default": ""}), OK, BREAKS),
    ("nested definition: type changed", put("$defs/Node/properties/name", type="integer"), BREAKS, BREAKS),
    ("anything became something", put("properties/any", type="string"), BREAKS, OK),
    ("a keyword nobody compares", put("properties/count", multipleOf=5), BREAKS, OK),
    ("names of properties restricted", put("properties/known", propertyNames={"pattern": "^a"}), BREAKS, OK),
    ("reference written out", lambda schema: put("properties/colours", items=dict(schema["$defs"]["Colour"]))(schema), OK, OK),
    ("words of description", put("properties/text", title="Text", description="chữ", examples=["x"]), OK, OK),
    ("default changed", put("properties/note", default="-"), OK, OK),
    ("nothing", lambda _: None, OK, OK),
]  # fmt: skip


def judge(change: Change) -> tuple[list[str], list[str]]:
    old, new = copy.deepcopy(BASE), copy.deepcopy(BASE)
    change(new)
    return breaking_changes(old, new), breaking_changes(new, old)


@pytest.mark.parametrize(
    ("change", "breaks", "breaks_back"), [pytest.param(*row[1:], id=row[0].replace(" ", "-")) for row in CHANGES]
)
def test_change(change: Change, breaks: bool, breaks_back: bool) -> None:
    forth, back = judge(change)
    assert bool(forth) is breaks, forth
    assert bool(back) is breaks_back, back


def test_there_are_enough_changes_to_trust_the_judge() -> None:
    assert len(CHANGES) >= 25
    assert sum(row[2] is OK for row in CHANGES) >= 8


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (append("required", "code"), ["$.code: became required"]),
        (drop("properties", "code"), ["$.code: was removed"]),
        (remove("$defs/Colour/enum", "green"), ["$.colours[]: no longer allowed: green"]),
        (put("properties/text", type="integer"), ["$.text: type string became integer"]),
        (put("properties/count", minimum=1), ["$.count: minimum became 1"]),
        (remove("properties/pet/anyOf", {"$ref": "#/$defs/Dog"}), ["$.pet: Dog is no longer accepted"]),
        (put("properties/count", multipleOf=5), ["$.count: multipleOf cannot be compared"]),
        (put("properties/known/additionalProperties", type="string"), ["$.known.*: type integer became string"]),
    ],
)
def test_the_judge_says_where_and_what(change: Change, said: list[str]) -> None:
    assert judge(change)[0] == said


def test_changes_do_not_hide_each_other() -> None:
    old, new = copy.deepcopy(BASE), copy.deepcopy(BASE)
    append("required", "code")(new)
    put("properties/text", type="integer")(new)
    put("$defs/Node/properties/name", type="integer")(new)
    assert len(breaking_changes(old, new)) >= 3


@pytest.mark.parametrize("topic", [ARTICLES_RAW, FEED_STATE], ids=lambda topic: topic.name)
def test_our_own_contracts_are_compatible_with_themselves_and_not_without_their_properties(topic: Topic) -> None:
    schema = contract.schema_of(topic)
    assert breaking_changes(schema, copy.deepcopy(schema)) == []
    for definition in [schema, *schema.get("$defs", {}).values()]:
        for name in definition.get("properties", {}):
            shorter = copy.deepcopy(schema)
            found = shorter if definition is schema else shorter["$defs"][_name_of(schema, definition)]
            found["properties"].pop(name)
            assert breaking_changes(schema, shorter), name


def _name_of(schema: Schema, definition: Schema) -> str:
    definitions: dict[str, Schema] = schema["$defs"]
    return next(name for name, value in definitions.items() if value is definition)

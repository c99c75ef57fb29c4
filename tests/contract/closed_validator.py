"""A small JSON Schema validator for the keywords our contracts use, and no others: a misspelt keyword is an error here.

Many validators ignore a keyword they do not know, so that a slip of the pen (`aditionalProperties`) switches a rule off in
silence. This one refuses the schema.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

Schema = dict[str, Any]

_ANNOTATIONS = {"$schema", "$id", "$defs", "default", "description", "title"}
_RULES = {
    "$ref", "additionalProperties", "anyOf", "const", "enum", "format", "items", "maximum", "minimum", "pattern", "properties",
    "required", "type",
}  # fmt: skip
_TYPES: dict[str, tuple[type, ...]] = {
    "array": (list,), "boolean": (bool,), "integer": (int,), "null": (type(None),), "number": (int, float), "object": (dict,),
    "string": (str,),
}  # fmt: skip


def slips(schema: Schema, where: str = "$") -> Iterator[str]:
    """Yield what is wrong with a schema itself: unknown keywords, unknown types and formats, open objects."""
    for keyword in sorted(schema.keys() - _ANNOTATIONS - _RULES):
        yield f"{where}: unknown keyword {keyword}"
    if schema.get("type") not in {None, *_TYPES}:
        yield f"{where}: unknown type {schema['type']}"
    if schema.get("format") not in {None, "date-time"}:
        yield f"{where}: unknown format {schema['format']}"
    closed = schema.get("additionalProperties")
    if (
        schema.get("type") == "object"
        and closed is not False
        and ("properties" in schema or not isinstance(closed, dict))
    ):
        yield f"{where}: open object"
    if missing := set(schema.get("required", [])) - set(schema.get("properties", {})):
        yield f"{where}: requires unknown {', '.join(sorted(missing))}"
    for name, child in (schema.get("properties", {}) | schema.get("$defs", {})).items():
        yield from slips(child, f"{where}.{name}")
    for number, child in enumerate(schema.get("anyOf", [])):
        yield from slips(child, f"{where}|{number}")
    for keyword in ("items", "additionalProperties"):
        if isinstance(schema.get(keyword), dict):
            yield from slips(schema[keyword], f"{where}[]")


def violations(value: Any, schema: Schema, root: Schema, where: str = "$") -> Iterator[str]:
    """Yield what in a value the schema does not allow."""
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    if "anyOf" in schema:
        if all(list(violations(value, choice, root, where)) for choice in schema["anyOf"]):
            yield f"{where}: none of the choices"
        return
    expected = _TYPES.get(schema.get("type", ""), (object,))
    if not isinstance(value, expected) or (isinstance(value, bool) and bool not in expected and object not in expected):
        yield f"{where}: not {schema['type']}"
        return
    yield from _scalar(value, schema, where)
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from violations(item, schema.get("items", {}), root, f"{where}[{number}]")
    if isinstance(value, dict):
        yield from _object(value, schema, root, where)


def _scalar(value: Any, schema: Schema, where: str) -> Iterator[str]:
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where}: not one of {schema['enum']}"
    if "const" in schema and value != schema["const"]:
        yield f"{where}: not {schema['const']}"
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{where}: not like {schema['pattern']}"
    if schema.get("format") == "date-time" and datetime.fromisoformat(value).tzinfo is None:
        yield f"{where}: no time zone"
    if "minimum" in schema and value < schema["minimum"]:
        yield f"{where}: less than {schema['minimum']}"
    if "maximum" in schema and value > schema["maximum"]:
        yield f"{where}: more than {schema['maximum']}"


def _object(value: dict[str, Any], schema: Schema, root: Schema, where: str) -> Iterator[str]:
    properties, extra = schema.get("properties", {}), schema.get("additionalProperties", True)
    for name in sorted(set(schema.get("required", [])) - set(value)):
        yield f"{where}.{name}: missing"
    for name, item in value.items():
        if name in properties:
            yield from violations(item, properties[name], root, f"{where}.{name}")
        elif isinstance(extra, dict):
            yield from violations(item, extra, root, f"{where}.{name}")
        elif extra is False:
            yield f"{where}.{name}: not in the contract"

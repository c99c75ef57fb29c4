"""The written contract: JSON Schemas from the models, checked for being current and backward compatible.

Closed contract, tolerant reader: the schemas forbid further properties, so that a new optional property is a compatible change
(on an open schema it would not be); the models themselves ignore what they do not know.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter

from shared.topics import PIPELINE, Topic

Schema = dict[str, Any]

_ANNOTATIONS: Final = frozenset(
    {"$defs", "$id", "$schema", "default", "deprecated", "description", "discriminator", "examples", "title"}
)
_CONSTRAINTS: Final = frozenset(
    {
        "additionalProperties", "const", "enum", "exclusiveMaximum", "exclusiveMinimum", "format", "items", "maxItems",
        "maxLength", "maximum", "minItems", "minLength", "minimum", "pattern", "properties", "required", "type",
    }
)  # fmt: skip
_UNDERSTOOD: Final = _ANNOTATIONS | _CONSTRAINTS | {"anyOf", "oneOf"}


def schema_of(topic: Topic) -> Schema:
    """Return the closed JSON Schema (draft 2020-12) of a topic's records."""
    model: Any = topic.model
    adapter: TypeAdapter[Any] = TypeAdapter(model)
    schema = adapter.json_schema(by_alias=True, mode="validation")
    _close(schema)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"{topic.name}.schema.json",
        **schema,
    }


def schema_file(folder: Path, topic: Topic) -> Path:
    """Return where a topic's schema is kept."""
    return folder / f"{topic.name}.schema.json"


def write_schemas(folder: Path) -> list[Path]:
    """Write the schema of every pipeline topic; return the files whose content changed."""
    changed = []
    for topic in PIPELINE:
        path = schema_file(folder, topic)
        text = _render(schema_of(topic))
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed


def stale_schemas(folder: Path) -> list[Path]:
    """Return the schema files that differ from what the models say now."""
    return [
        schema_file(folder, topic)
        for topic in PIPELINE
        if not schema_file(folder, topic).exists()
        or schema_file(folder, topic).read_text(encoding="utf-8") != _render(schema_of(topic))
    ]


def breaking_changes(old: Schema, new: Schema) -> list[str]:
    """Return why records written under `old` might not be read under `new`, one line each; empty when compatible.

    Conservative: what is not known to be safe is reported.
    """
    return list(_compare(old, new, old, new, "$", frozenset()))


def _render(schema: Schema) -> str:
    return json.dumps(schema, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def _close(node: Any) -> None:
    if isinstance(node, dict):
        if node.get("type") == "object" and "properties" in node:
            node["additionalProperties"] = False
        for child in node.values():
            _close(child)
    elif isinstance(node, list):
        for child in node:
            _close(child)


def _resolve(node: Schema, root: Schema) -> Schema:
    while "$ref" in node:
        target: Any = root
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        node = target
    return node


def _compare(
    old: Schema, new: Schema, old_root: Schema, new_root: Schema, where: str, seen: frozenset[tuple[int, int]]
) -> Iterator[str]:
    old, new = _resolve(old, old_root), _resolve(new, new_root)
    if old == new and old_root is new_root:
        return
    if (id(old), id(new)) in seen:
        return
    seen |= {(id(old), id(new))}
    yield from _compare_unknown(old, new, where)
    old_choices, new_choices = _choices(old), _choices(new)
    if old_choices or new_choices:
        for choice in old_choices or [old]:
            problems = [
                list(_compare(choice, candidate, old_root, new_root, where, seen)) for candidate in new_choices or [new]
            ]
            if all(problems):
                yield f"{where}: {_name(choice, old_root)} is no longer accepted"
        return
    yield from _compare_values(old, new, where)
    yield from _compare_objects(old, new, old_root, new_root, where, seen)
    if "items" in new:
        yield from _compare(old.get("items", {}), new["items"], old_root, new_root, f"{where}[]", seen)
    extra_old, extra_new = old.get("additionalProperties", True), new.get("additionalProperties", True)
    if isinstance(extra_old, dict) and isinstance(extra_new, dict):
        yield from _compare(extra_old, extra_new, old_root, new_root, f"{where}.*", seen)
    elif extra_old is not False and extra_new is not True:
        yield f"{where}: further properties are no longer free"


def _choices(node: Schema) -> list[Schema] | None:
    choices: list[Schema] | None = node.get("anyOf") or node.get("oneOf")
    return choices


def _compare_unknown(old: Schema, new: Schema, where: str) -> Iterator[str]:
    beside = _CONSTRAINTS if _choices(new) else frozenset()
    for keyword in sorted((new.keys() - _UNDERSTOOD) | (new.keys() & beside)):
        if old.get(keyword) != new[keyword]:
            yield f"{where}: {keyword} cannot be compared"


def _compare_values(old: Schema, new: Schema, where: str) -> Iterator[str]:
    old_type, new_type = old.get("type"), new.get("type")
    if old_type != new_type and not (old_type == "integer" and new_type == "number") and new_type is not None:
        yield f"{where}: type {old_type} became {new_type}"
    if "enum" in new or "const" in new:
        allowed = set(new.get("enum", [new.get("const")]))
        lost = set(old.get("enum", [old["const"]] if "const" in old else [])) - allowed
        if lost or not ("enum" in old or "const" in old):
            yield f"{where}: no longer allowed: {', '.join(sorted(map(str, lost))) or 'free values'}"
    for keyword in ("pattern", "format"):
        if new.get(keyword) is not None and new.get(keyword) != old.get(keyword):
            yield f"{where}: {keyword} became {new[keyword]}"
    for keyword, stricter in (("minimum", 1), ("minLength", 1), ("minItems", 1), ("exclusiveMinimum", 1),
                              ("maximum", -1), ("maxLength", -1), ("maxItems", -1), ("exclusiveMaximum", -1)):  # fmt: skip
        before, after = old.get(keyword), new.get(keyword)
        if after is not None and (before is None or (after - before) * stricter > 0):
            yield f"{where}: {keyword} became {after}"


def _compare_objects(
    old: Schema, new: Schema, old_root: Schema, new_root: Schema, where: str, seen: frozenset[tuple[int, int]]
) -> Iterator[str]:
    old_properties, new_properties = old.get("properties", {}), new.get("properties", {})
    for name in sorted(set(new.get("required", [])) - set(old.get("required", []))):
        yield f"{where}.{name}: became required"
    for name in sorted(set(old_properties) - set(new_properties)):
        yield f"{where}.{name}: was removed"
    for name in sorted(set(old_properties) & set(new_properties)):
        yield from _compare(old_properties[name], new_properties[name], old_root, new_root, f"{where}.{name}", seen)


def _name(node: Schema, root: Schema) -> str:
    node = _resolve(node, root)
    return str(node.get("title") or node.get("type") or "a value")

"""Index templates: what deploy/elasticsearch says, what the cluster holds, and the difference before anything is changed.

A file with `index_patterns` is an index template, one without is a component template; both are named after their file.
retention.json says for how many days each alias keeps its monthly indices: by ILM where the cluster has it, else by `remove_old`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal

from elasticsearch import ApiError, Elasticsearch, TransportError

from shared.errors import Transient

RETENTION_FILE: Final = "retention.json"
_MONTH: Final = re.compile(r"-(\d{4})\.(\d{2})(-[a-z0-9-]+)?$")
_LIFECYCLE: Final = "index.lifecycle.name"
# ILM counts from the making of an index, which is in the first days of its month; what is kept came up to a month later.
_MONTH_DAYS: Final = 31


@dataclass(frozen=True)
class Templates:
    """The shipped templates by name, and for how many days each alias keeps an index."""

    components: dict[str, dict[str, Any]]
    indices: dict[str, dict[str, Any]]
    retention_days: dict[str, int]

    def fields(self, alias: str) -> dict[str, str]:
        """Return the type of every field of an alias's documents, by its dotted name."""
        return field_types(self.indices[alias]["template"]["mappings"])


@dataclass(frozen=True)
class Change:
    """One thing that `apply` does: of what kind, to what, and the lines that say what differs."""

    kind: Literal["component", "index", "lifecycle", "mapping", "settings"]
    name: str
    lines: tuple[str, ...]
    body: dict[str, Any]


def load(folder: Path) -> Templates:
    """Return the templates of a folder."""
    bodies = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}
    retention = bodies.pop(Path(RETENTION_FILE).stem)
    indices = {name: body for name, body in bodies.items() if "index_patterns" in body}
    return Templates({name: body for name, body in bodies.items() if name not in indices}, indices, retention)


def has_lifecycle(client: Elasticsearch) -> bool:
    """Return whether the cluster removes old indices by itself (ILM)."""
    nodes = client.nodes.info(metric="plugins", filter_path="nodes.*.modules.name").body.get("nodes", {})
    return any(module["name"] == "x-pack-ilm" for node in nodes.values() for module in node.get("modules", ()))


def changes(client: Elasticsearch, templates: Templates) -> list[Change]:
    """Return what has to be done so that the cluster holds the templates, and its indices every field; nothing is changed."""
    managed = has_lifecycle(client)
    found = list(_lifecycle_changes(client, templates)) if managed else []
    for name, body in templates.components.items():
        found += _difference("component", name, _component_on_cluster(client, name), body)
    for name, body in templates.indices.items():
        lifecycle = {_LIFECYCLE: name} if managed and name in templates.retention_days else {}
        wanted = json.loads(json.dumps(body))
        wanted["template"]["settings"] |= lifecycle
        found += _difference("index", name, _template_on_cluster(client, name), wanted)
        found += _new_fields(client, name, templates)
        found += _unmanaged(client, name) if lifecycle else []
    return found


def apply(client: Elasticsearch, found: list[Change]) -> None:
    """Do what `changes` found, components before the templates that are made of them."""
    for change in found:
        match change.kind:
            case "lifecycle":
                client.ilm.put_lifecycle(name=change.name, policy=change.body)
            case "component":
                client.cluster.put_component_template(name=change.name, **change.body)
            case "index":
                client.indices.put_index_template(name=change.name, **change.body)
            case "mapping":
                client.indices.put_mapping(index=change.name, **change.body)
            case "settings":
                client.indices.put_settings(index=change.name, settings=change.body)


def lacking(client: Elasticsearch, templates: Templates) -> list[str]:
    """Return for each index of ours which fields of the model it lacks or holds as another type; none when all is well.

    Raises `Transient` when Elasticsearch cannot answer.
    """
    problems: list[str] = []
    try:
        for alias in templates.indices:
            wanted = templates.fields(alias)
            for index, types in _mappings(client, alias).items():
                absent = sorted(wanted.keys() - types.keys())
                other = sorted(name for name in wanted.keys() & types.keys() if types[name] != wanted[name])
                problems += [f"{index} lacks {', '.join(absent)}"] if absent else []
                problems += [f"{index} holds as another type: {', '.join(other)}"] if other else []
    except (ApiError, TransportError) as error:
        raise Transient(f"Elasticsearch: {str(error)[:200]}") from error
    return problems


def remove_old(client: Elasticsearch, templates: Templates, now: datetime) -> list[str]:
    """Delete the monthly indices that are older than their alias keeps, where the cluster does not do it; return their names."""
    if has_lifecycle(client):
        return []
    old = [
        index
        for alias, days in templates.retention_days.items()
        for index in client.indices.get(index=f"{alias}-*", filter_path="*.settings.index.uuid").body
        if (end := month_end(index)) and end < now - timedelta(days=days)
    ]
    for index in old:
        client.indices.delete(index=index)
    return old


def month_end(index: str) -> datetime | None:
    """Return when the month of an index ends; None for an index that is not monthly.

    >>> month_end("news-articles-2025.12").isoformat()
    '2026-01-01T00:00:00+00:00'
    """
    found = _MONTH.search(index)
    if not found:
        return None
    year, month = int(found[1]), int(found[2])
    return datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)


def field_types(mappings: Mapping[str, Any], path: str = "") -> dict[str, str]:
    """Return the type of every field of a mapping by its dotted name; an object that is not indexed counts as one field."""
    types: dict[str, str] = {}
    for name, field in mappings.get("properties", {}).items():
        if "properties" in field and "type" not in field:
            types |= field_types(field, f"{path}{name}.")
        else:
            types[path + name] = field.get("type", "object")
    return types


def _lifecycle_changes(client: Elasticsearch, templates: Templates) -> Iterator[Change]:
    for alias, days in templates.retention_days.items():
        age = f"{days + _MONTH_DAYS}d"
        wanted = {"phases": {"hot": {"actions": {}}, "delete": {"min_age": age, "actions": {"delete": {}}}}}
        try:
            held = client.ilm.get_lifecycle(name=alias).body[alias]["policy"]["phases"].get("delete", {}).get("min_age")
        except ApiError as error:
            if error.status_code != 404:
                raise
            held = None
        if held != age:
            yield Change("lifecycle", alias, (f"delete.min_age: {held or 'absent'} -> {age}",), wanted)


def _unmanaged(client: Elasticsearch, alias: str) -> Iterator[Change]:
    """Yield the indices that were made before the cluster had ILM: no template reaches them."""
    held = client.indices.get_settings(index=f"{alias}-*", ignore_unavailable=True, flat_settings=True).body
    for index, body in sorted(held.items()):
        if body["settings"].get(_LIFECYCLE) != alias:
            yield Change("settings", index, (f"{_LIFECYCLE}: absent -> {alias}",), {_LIFECYCLE: alias})


def _component_on_cluster(client: Elasticsearch, name: str) -> dict[str, Any]:
    if not client.cluster.exists_component_template(name=name):
        return {}
    body: dict[str, Any] = client.cluster.get_component_template(name=name).body["component_templates"][0]
    held: dict[str, Any] = body["component_template"]
    return held


def _template_on_cluster(client: Elasticsearch, name: str) -> dict[str, Any]:
    if not client.indices.exists_index_template(name=name):
        return {}
    body: dict[str, Any] = client.indices.get_index_template(name=name).body["index_templates"][0]
    held: dict[str, Any] = body["index_template"]
    return held


def _difference(
    kind: Literal["component", "index"], name: str, held: Mapping[str, Any], wanted: dict[str, Any]
) -> list[Change]:
    before, after = flat(held), flat(wanted)
    lines = [
        f"{key}: {before.get(key, 'absent')} -> {after.get(key, 'absent')}"
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    ]
    return [Change(kind, name, tuple(lines), wanted)] if lines else []


def flat(template: Mapping[str, Any]) -> dict[str, str]:
    """Return a template as dotted names to text, alike for what was written and what the cluster gives back."""
    found: dict[str, str] = {}

    def visit(path: tuple[str, ...], value: Any) -> None:
        if isinstance(value, Mapping) and value:
            for key, item in value.items():
                visit((*path, *str(key).split(".")), item)
        else:
            found[".".join(path)] = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

    visit((), {key: value for key, value in template.items() if key != "_meta"})
    return found


def _new_fields(client: Elasticsearch, alias: str, templates: Templates) -> Iterator[Change]:
    """Yield the fields that an index has yet to learn; one that has another type there needs `frontwire index rebuild`."""
    mappings = templates.indices[alias]["template"]["mappings"]
    wanted = templates.fields(alias)
    for index, types in _mappings(client, alias).items():
        if absent := sorted(wanted.keys() - types.keys()):
            body = {"properties": _only(mappings["properties"], set(absent), "")}
            yield Change("mapping", index, tuple(f"{name}: absent -> {wanted[name]}" for name in absent), body)


def _only(properties: Mapping[str, Any], names: set[str], path: str) -> dict[str, Any]:
    """Return the part of a mapping that holds these fields."""
    kept: dict[str, Any] = {}
    for name, field in properties.items():
        if path + name in names:
            kept[name] = field
        elif "properties" in field and (inner := _only(field["properties"], names, f"{path}{name}.")):
            kept[name] = {"properties": inner}
    return kept


def _mappings(client: Elasticsearch, alias: str) -> dict[str, dict[str, str]]:
    """Return the field types of every index of an alias."""
    answer = client.indices.get_mapping(index=f"{alias}-*", ignore_unavailable=True).body
    return {index: field_types(body["mappings"]) for index, body in sorted(answer.items())}

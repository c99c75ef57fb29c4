"""Checks saved objects without Kibana: references, fields and their types, versions, the grid. Pure."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from services.commands.kibana_objects import GRID_COLUMNS, TYPE_VERSIONS, SavedObject
from services.indexer.templates import Templates

_NUMBERS: Final = frozenset({"double", "float", "integer", "long"})
_NEEDS: Final[Mapping[str, frozenset[str]]] = {
    "date_histogram": frozenset({"date"}),
    "max": _NUMBERS | {"date"},
    "median": _NUMBERS,
    "min": _NUMBERS | {"date"},
    "percentile": _NUMBERS,
    "sum": _NUMBERS,
    "terms": frozenset({"alias", "boolean", "keyword"}) | _NUMBERS,
    "unique_count": frozenset({"alias", "boolean", "date", "keyword"}) | _NUMBERS,
}
_KQL_FIELD: Final = re.compile(r"([\w.]+)\s*:")
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"')


def problems(objects: Sequence[SavedObject], templates: Templates) -> list[str]:
    """Return what Kibana would refuse or show broken, one line each; none when all is well."""
    by_key = {(item["type"], item["id"]): item for item in objects}
    found = [f"{len(objects) - len(by_key)} objects have the type and id of another"] * (len(by_key) < len(objects))
    fields = {
        item["id"]: _fields(item["attributes"]["title"], templates)
        for item in objects
        if item["type"] == "index-pattern"
    }
    for item in objects:
        found += [f"{item['type']} {item['id']}: {line}" for line in _of_object(item, by_key.keys(), fields)]
    return found


def _fields(title: str, templates: Templates) -> dict[str, str]:
    """Return the field types behind an index pattern, multi-fields included; empty when no template of ours has it."""
    for alias, body in templates.indices.items():
        if title in body["index_patterns"]:
            types = templates.fields(alias)
            properties = body["template"]["mappings"]["properties"]
            return types | {
                f"{name}.{sub}": inner["type"]
                for name, field in properties.items()
                for sub, inner in field.get("fields", {}).items()
            }
    return {}


def _of_object(item: SavedObject, known: Any, fields: Mapping[str, dict[str, str]]) -> Iterator[str]:
    kind, attributes = item["type"], item["attributes"]
    if item.get("typeMigrationVersion") != TYPE_VERSIONS.get(kind):
        yield f"version {item.get('typeMigrationVersion')} is not {TYPE_VERSIONS.get(kind)}"
    for reference in item["references"]:
        if (reference["type"], reference["id"]) not in known:
            yield f"refers to {reference['type']} {reference['id']}, which is not there"
    names = {reference["name"]: reference["id"] for reference in item["references"]}
    match kind:
        case "index-pattern":
            held = fields[item["id"]]
            if held.get(attributes["timeFieldName"]) != "date":
                yield f"time field {attributes['timeFieldName']} is no date of {attributes['title']}"
        case "lens":
            yield from _of_lens(attributes, fields.get(next(iter(names.values()), ""), {}))
        case "search":
            held = fields.get(next(iter(names.values()), ""), {})
            wanted = [*attributes["columns"], *(pair[0] for pair in attributes["sort"])]
            source = json.loads(attributes["kibanaSavedObjectMeta"]["searchSourceJSON"])
            yield from _absent([*wanted, *_asked(source["query"])], held)
        case "map":
            held = fields.get(next(iter(names.values()), ""), {})
            for layer in json.loads(attributes["layerListJSON"]):
                field = layer["sourceDescriptor"]["geoField"]
                if held.get(field) != "geo_point":
                    yield f"{field} is no geo_point"
        case "dashboard":
            yield from _of_dashboard(attributes, names, fields)


def _of_lens(attributes: Mapping[str, Any], held: Mapping[str, str]) -> Iterator[str]:
    state = attributes["state"]
    yield from _absent(_asked(state["query"]), held)
    (layer,) = state["datasourceStates"]["formBased"]["layers"].values()
    for name, column in layer["columns"].items():
        field, operation = column["sourceField"], column["operationType"]
        yield from _absent(_asked(column.get("filter", {})), held)
        if field != "___records___" and held.get(field) not in _NEEDS[operation]:
            yield f"{operation} cannot take {field} ({held.get(field, 'absent')})"
        ordered_by = column.get("params", {}).get("orderBy", {}).get("columnId", name)
        if ordered_by not in layer["columns"]:
            yield f"{name} is ordered by {ordered_by}, which is no column"
    shown = {value for value in _strings(state["visualization"]) if re.fullmatch(r"c\d+", value)}
    if shown != set(layer["columns"]) or sorted(layer["columnOrder"]) != sorted(layer["columns"]):
        yield f"shows {sorted(shown)} of the columns {sorted(layer['columns'])}"


def _of_dashboard(
    attributes: Mapping[str, Any], names: Mapping[str, str], fields: Mapping[str, dict[str, str]]
) -> Iterator[str]:
    boxes: list[tuple[int, int, int, int]] = []
    for panel in json.loads(attributes["panelsJSON"]):
        grid = panel["gridData"]
        if f"{panel['panelIndex']}:{panel['panelRefName']}" not in names or grid["i"] != panel["panelIndex"]:
            yield f"panel {panel['panelIndex']} stands for nothing"
        x, y, width, height = (grid[side] for side in "xywh")
        if x < 0 or width < 1 or x + width > GRID_COLUMNS:
            yield f"panel {panel['panelIndex']} leaves the grid"
        if any(x < a + w and a < x + width and y < b + h and b < y + height for a, b, w, h in boxes):
            yield f"panel {panel['panelIndex']} lies over another"
        boxes.append((x, y, width, height))
    for name, control in json.loads(attributes["controlGroupInput"]["panelsJSON"]).items():
        view = names.get(f"controlGroup_{name}:optionsListDataView", "")
        yield from _absent([control["explicitInput"]["fieldName"]], fields.get(view, {}))


def _asked(query: Mapping[str, Any]) -> list[str]:
    return _KQL_FIELD.findall(_QUOTED.sub('""', query.get("query", "")))


def _absent(names: Sequence[str], held: Mapping[str, str]) -> Iterator[str]:
    for name in names:
        if name not in held:
            yield f"{name} is no field of its data view"


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)

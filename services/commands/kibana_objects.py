"""Saved objects of Kibana made of the pages' description, and the Elasticsearch request that each panel stands for. Pure.

The version fields are those that Kibana 8.17 knows: it and every later Kibana takes them, migrating upward.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from services.commands.kibana_pages import DASHBOARDS, SEARCHES, VIEWS, Column, Dashboard, Panel, Search, View, Where
from shared.kibana_links import is_exactly

CORE_VERSION: Final = "8.8.0"
TYPE_VERSIONS: Final = {
    "index-pattern": "8.0.0",
    "search": "10.3.0",
    "lens": "8.9.0",
    "map": "8.4.0",
    "dashboard": "10.2.0",
}
GRID_COLUMNS: Final = 48
_LAYER: Final = "l1"
_SOURCE: Final = "kibanaSavedObjectMeta.searchSourceJSON.index"
_TYPES: Final = {"terms": "string", "date_histogram": "date"}
_DATES: Final = ("_at", "_days", "_until")

SavedObject = dict[str, Any]


def saved_objects() -> list[SavedObject]:
    """Return every object in the order of import: what is referred to comes first."""
    made = [_data_view(view) for view in VIEWS] + [_search(search) for search in SEARCHES]
    for dashboard in DASHBOARDS:
        made += [_panel_object(dashboard, panel) for panel in dashboard.panels if panel.shape != "search"]
        made.append(_dashboard(dashboard))
    return made


def ndjson(objects: Sequence[SavedObject]) -> str:
    """Return saved objects as the file that Kibana imports: one JSON object a line."""
    return "".join(json.dumps(item, ensure_ascii=False, sort_keys=True) + "\n" for item in objects)


def kql(where: Sequence[Where]) -> str:
    """Return conditions as KQL."""
    return " and ".join(f"{'not ' if item.not_ else ''}{is_exactly(item.field, *item.values)}" for item in where)


def panel_request(panel: Panel) -> dict[str, Any]:
    """Return the search request that a panel stands for: nested buckets, with its numbers as aggregations.

    As in Lens the innermost bucket of terms is ordered by the first number.
    """
    request: dict[str, Any] = {"size": 0, "track_total_hits": True, "query": _filter(panel.where)}
    buckets = [column for column in panel.columns if column.is_bucket]
    numbers = [column for column in panel.columns if not column.is_bucket]
    level = request
    for column in buckets:
        level["aggs"] = {"by": _bucket(column, _order(numbers[0]) if column is buckets[-1] else "_count")}
        level = level["aggs"]["by"]
    metrics = {f"n{place}": found for place, column in enumerate(numbers) if (found := _metric(column))}
    if metrics:
        level["aggs"] = metrics
    return request


def _filter(where: Sequence[Where]) -> dict[str, Any]:
    held = [{"terms": {item.field: list(item.values)}} for item in where if not item.not_]
    absent = [{"terms": {item.field: list(item.values)}} for item in where if item.not_]
    return {"bool": {"filter": held, "must_not": absent}}


def _order(number: Column) -> str:
    """Return the path by which a bucket is ordered by a panel's first number."""
    if number.operation == "count" and not number.where:
        return "_count"
    return f"n0.{number.percentile}" if number.operation == "percentile" else "n0"


def _bucket(column: Column, order: str) -> dict[str, Any]:
    if column.operation == "terms":
        return {"terms": {"field": column.field, "size": column.size, "order": {order: "desc"}}}
    return {"date_histogram": {"field": column.field, "fixed_interval": column.interval, "min_doc_count": 1}}


def _metric(column: Column) -> dict[str, Any] | None:
    match column.operation:
        case "count":
            return {"filter": _filter((column.where,))} if column.where else None
        case "unique_count":
            return {"cardinality": {"field": column.field}}
        case "median" | "percentile":
            percent = 50 if column.operation == "median" else column.percentile
            return {"percentiles": {"field": column.field, "percents": [percent]}}
        case operation:
            return {operation: {"field": column.field}}


def _object(
    kind: str, identifier: str, attributes: dict[str, Any], references: Sequence[dict[str, str]] = ()
) -> SavedObject:
    return {
        "type": kind,
        "id": identifier,
        "attributes": attributes,
        "references": list(references),
        "coreMigrationVersion": CORE_VERSION,
        "typeMigrationVersion": TYPE_VERSIONS[kind],
    }


def _reference(name: str, kind: str, identifier: str) -> dict[str, str]:
    return {"name": name, "type": kind, "id": identifier}


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _query(where: Sequence[Where]) -> dict[str, str]:
    return {"language": "kuery", "query": kql(where)}


def _data_view(view: View) -> SavedObject:
    return _object("index-pattern", view.id, {
        "title": view.title, "name": view.name, "timeFieldName": view.time_field, "allowNoIndex": True,
        "fieldFormatMap": "{}", "fieldAttrs": "{}", "runtimeFieldMap": "{}", "sourceFilters": "[]",
    })  # fmt: skip


def _search(search: Search) -> SavedObject:
    source = {"query": _query(search.where), "filter": [], "indexRefName": _SOURCE}
    return _object("search", search.id, {
        "title": search.title, "description": "", "columns": list(search.columns), "sort": [list(pair) for pair in search.sort],
        "grid": {}, "hideChart": False, "isTextBasedQuery": False,
        "kibanaSavedObjectMeta": {"searchSourceJSON": _text(source)},
    }, [_reference(_SOURCE, "index-pattern", search.view)])  # fmt: skip


def _panel_object(dashboard: Dashboard, panel: Panel) -> SavedObject:
    identifier = f"{dashboard.id}-{panel.id}"
    return _map(identifier, panel) if panel.shape == "map" else _lens(identifier, panel)


def _lens(identifier: str, panel: Panel) -> SavedObject:
    names = [f"c{place}" for place in range(len(panel.columns))]
    columns = {name: _lens_column(column, panel, names) for name, column in zip(names, panel.columns, strict=True)}
    kind, visualization = _visualization(panel, names)
    layer = {"columnOrder": names, "columns": columns, "incompleteColumns": {}, "sampling": 1}
    return _object("lens", identifier, {
        "title": panel.title, "description": "", "visualizationType": kind,
        "state": {
            "datasourceStates": {"formBased": {"layers": {_LAYER: layer}}},
            "visualization": visualization, "query": _query(panel.where), "filters": [],
            "internalReferences": [], "adHocDataViews": {},
        },
    }, [_reference(f"indexpattern-datasource-layer-{_LAYER}", "index-pattern", panel.view)])  # fmt: skip


def _lens_column(column: Column, panel: Panel, names: Sequence[str]) -> dict[str, Any]:
    is_date = column.operation in ("max", "min") and column.field.endswith(_DATES)
    made: dict[str, Any] = {
        "label": column.label or column.field, "customLabel": True, "operationType": column.operation,
        "dataType": _TYPES.get(column.operation, "date" if is_date else "number"),
        "isBucketed": column.is_bucket, "scale": "ratio", "sourceField": column.field or "___records___",
    }  # fmt: skip
    if column.where:
        made["filter"] = _query((column.where,))
    match column.operation:
        case "terms":
            numbers = [name for name, other in zip(names, panel.columns, strict=True) if not other.is_bucket]
            made |= {"scale": "ordinal", "params": {
                "size": column.size, "orderBy": {"type": "column", "columnId": numbers[0]}, "orderDirection": "desc",
                "otherBucket": False, "missingBucket": False, "parentFormat": {"id": "terms"},
            }}  # fmt: skip
        case "date_histogram":
            made |= {
                "scale": "interval",
                "params": {"interval": column.interval, "includeEmptyRows": True, "dropPartials": False},
            }
        case "percentile":
            made["params"] = {"percentile": column.percentile}
        case _:
            made["params"] = {"emptyAsNull": True}
    return made


def _visualization(panel: Panel, names: Sequence[str]) -> tuple[str, dict[str, Any]]:
    buckets = [name for name, column in zip(names, panel.columns, strict=True) if column.is_bucket]
    numbers = [name for name in names if name not in buckets]
    layer = {"layerId": _LAYER, "layerType": "data"}
    if panel.shape == "metric":
        return "lnsMetric", layer | {"metricAccessor": numbers[0]}
    if panel.shape == "table":
        return "lnsDatatable", layer | {
            "columns": [{"columnId": name} for name in names],
            "sorting": {"columnId": numbers[0], "direction": "desc"},
            "paging": {"size": 20, "enabled": True},
        }
    if panel.shape == "cloud":
        return "lnsTagcloud", layer | {
            "tagAccessor": buckets[0], "valueAccessor": numbers[0], "maxFontSize": 64, "minFontSize": 14,
            "orientation": "single", "showLabel": False,
        }  # fmt: skip
    series = layer | {"seriesType": panel.shape, "xAccessor": buckets[0], "accessors": numbers}
    if len(buckets) > 1:
        series["splitAccessor"] = buckets[1]
    return "lnsXY", {
        "legend": {"isVisible": True, "position": "right"},
        "valueLabels": "hide",
        "preferredSeriesType": panel.shape,
        "layers": [series],
    }


def _map(identifier: str, panel: Panel) -> SavedObject:
    """Return a map of points in a grid: places have no outline of ours, and tiles from outside may be absent."""
    grid = {
        "id": "places", "label": panel.title, "type": "MVT_VECTOR", "visible": True, "minZoom": 0, "maxZoom": 24, "alpha": 0.8,
        "sourceDescriptor": {
            "type": "ES_GEO_GRID", "id": "places-source", "geoField": "locations", "requestType": "point",
            "resolution": "MOST_FINE",
            "metrics": [{"type": "cardinality", "field": panel.columns[0].field, "label": panel.columns[0].label}],
            "applyGlobalQuery": True, "applyGlobalTime": True, "applyForceRefresh": True,
            "indexPatternRefName": "layer_0_source_index_pattern",
        },
        "style": {"type": "VECTOR", "properties": {}, "isTimeAware": True},
    }  # fmt: skip
    state = {"zoom": 4, "center": {"lat": 48.5, "lon": 33.0}, "filters": [], "query": _query(panel.where)}
    return _object("map", identifier, {
        "title": panel.title, "description": "", "layerListJSON": _text([grid]), "mapStateJSON": _text(state),
        "uiStateJSON": "{}",
    }, [_reference("layer_0_source_index_pattern", "index-pattern", panel.view)])  # fmt: skip


def _dashboard(dashboard: Dashboard) -> SavedObject:
    panels, references = [], []
    for place, (panel, x, y) in enumerate(_placed(dashboard.panels)):
        name = f"p{place}"
        kind = panel.shape if panel.shape in ("map", "search") else "lens"
        target = panel.id if kind == "search" else f"{dashboard.id}-{panel.id}"
        panels.append({
            "version": "8.17.0", "type": kind, "panelIndex": name, "panelRefName": f"panel_{name}", "embeddableConfig": {},
            "title": panel.title, "gridData": {"x": x, "y": y, "w": panel.width, "h": panel.height, "i": name},
        })  # fmt: skip
        references.append(_reference(f"{name}:panel_{name}", kind, target))
    controls = {
        f"k{place}": {
            "type": "optionsListControl", "order": place, "width": "medium", "grow": True,
            "explicitInput": {"id": f"k{place}", "fieldName": field, "title": title, "selectedOptions": []},
        }
        for place, (_, field, title) in enumerate(dashboard.controls)
    }  # fmt: skip
    references += [
        _reference(f"controlGroup_k{place}:optionsListDataView", "index-pattern", view)
        for place, (view, _, _) in enumerate(dashboard.controls)
    ]
    source = {"query": _query(()), "filter": []}
    return _object("dashboard", dashboard.id, {
        "title": dashboard.title, "description": dashboard.description, "panelsJSON": _text(panels),
        "optionsJSON": _text({"useMargins": True, "syncColors": True, "hidePanelTitles": False}),
        "kibanaSavedObjectMeta": {"searchSourceJSON": _text(source)},
        "timeRestore": True, "timeFrom": dashboard.time_from, "timeTo": "now",
        "refreshInterval": {"pause": False, "value": dashboard.refresh_seconds * 1000},
        "controlGroupInput": {
            "controlStyle": "oneLine", "chainingSystem": "HIERARCHICAL", "showApplySelections": False,
            "panelsJSON": _text(controls), "ignoreParentSettingsJSON": "{}",
        },
    }, references)  # fmt: skip


def _placed(panels: Sequence[Panel]) -> Iterator[tuple[Panel, int, int]]:
    """Yield each panel with its place: from left to right, a new row where it does not fit."""
    x = y = row = 0
    for panel in panels:
        if x + panel.width > GRID_COLUMNS:
            x, y, row = 0, y + row, 0
        yield panel, x, y
        x, row = x + panel.width, max(row, panel.height)

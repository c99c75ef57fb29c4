"""The numbers of a Kibana panel, counted in Python from the documents: what Elasticsearch's aggregation must say."""

import statistics
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from services.commands.kibana_pages import Column, Panel, Where

Document = dict[str, Any]
_STEPS = {"10m": timedelta(minutes=10), "1h": timedelta(hours=1), "1d": timedelta(days=1)}


def counted(panel: Panel, documents: Sequence[Document]) -> dict[tuple[str, ...], list[float | None]]:
    """Return for each combination of the panel's buckets its numbers, in the order of the columns."""
    buckets = [column for column in panel.columns if column.is_bucket]
    numbers = [column for column in panel.columns if not column.is_bucket]
    rows: dict[tuple[str, ...], list[Document]] = {(): held(panel.where, documents)}
    for column in buckets:
        deeper: dict[tuple[str, ...], list[Document]] = defaultdict(list)
        for key, found in rows.items():
            for document in found:
                for value in set(keys(column, document)):
                    deeper[(*key, value)].append(document)
        rows = deeper
    return {key: [number(column, found) for column in numbers] for key, found in rows.items()}


def answered(panel: Panel, answer: Any) -> dict[tuple[str, ...], list[float | None]]:
    """Return the same table from Elasticsearch's answer to the panel's request."""
    numbers = [column for column in panel.columns if not column.is_bucket]
    total = answer["hits"]["total"]["value"]
    top: dict[str, Any] = {"doc_count": total, **answer.get("aggregations", {})}
    rows: list[tuple[tuple[str, ...], dict[str, Any]]] = [((), top)]
    for _ in range(len(panel.columns) - len(numbers)):
        rows = [
            ((*key, str(bucket.get("key_as_string", bucket["key"]))[:19]), bucket)
            for key, level in rows
            for bucket in level["by"]["buckets"]
        ]
    return {key: [_said(column, level, place) for place, column in enumerate(numbers)] for key, level in rows}


def held(where: Sequence[Where], documents: Sequence[Document]) -> list[Document]:
    """Return the documents for which every condition holds."""
    return [
        document
        for document in documents
        if all(bool(set(texts(document, item.field)) & set(item.values)) != item.not_ for item in where)
    ]


def values(document: Document, field: str) -> list[Any]:
    """Return the values of a field given by its dotted name."""
    found: Any = document
    for name in field.split("."):
        found = (found or {}).get(name)
    return found if isinstance(found, list) else [] if found is None else [found]


def texts(document: Document, field: str) -> list[str]:
    """Return the values of a field as Elasticsearch writes them."""
    return [str(value).lower() if isinstance(value, bool) else str(value) for value in values(document, field)]


def keys(column: Column, document: Document) -> list[str]:
    """Return the buckets that a document falls into."""
    if column.operation == "terms":
        return texts(document, column.field)
    step = _STEPS[column.interval]
    moments = (moment(value) for value in values(document, column.field))
    zero = datetime(1970, 1, 1, tzinfo=UTC)
    starts = (zero + (at - zero) // step * step for at in moments)
    shape = "%Y-%m-%d" if column.field == "event_days" else "%Y-%m-%dT%H:%M:%S"
    return [f"{start:{shape}}" for start in starts]


def moment(value: Any) -> datetime:
    """Return a date of a document as an instant."""
    made = datetime.fromisoformat(str(value))
    return made if made.tzinfo else made.replace(tzinfo=UTC)


def number(column: Column, documents: Sequence[Document]) -> float | None:
    """Return one number over the documents of a bucket."""
    if column.operation == "count":
        return float(len(held((column.where,) if column.where else (), documents)))
    found = [value for document in documents for value in values(document, column.field)]
    if column.operation == "unique_count":
        return float(len(set(found)))
    if not found:
        return 0.0 if column.operation == "sum" else None
    amounts = [value if isinstance(value, int | float) else moment(value).timestamp() * 1000 for value in found]
    match column.operation:
        case "max":
            return float(max(amounts))
        case "min":
            return float(min(amounts))
        case "sum":
            return float(sum(amounts))
        case "median":
            return float(statistics.median(amounts))
        case _:
            return None


def _said(column: Column, level: dict[str, Any], place: int) -> float | None:
    if column.operation == "count" and not column.where:
        return float(level["doc_count"])
    answer = level[f"n{place}"]
    if column.operation == "count":
        return float(answer["doc_count"])
    if column.operation == "median":
        return None if answer["values"]["50.0"] is None else float(answer["values"]["50.0"])
    if column.operation == "percentile":
        return None
    return None if answer["value"] is None else float(answer["value"])

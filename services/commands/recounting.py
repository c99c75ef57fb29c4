"""An alert held against itself and against the index: for `frontwire alerts recompute`, which outlives the alerter's log."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from shared.alerts import Alert, AlertKind, Reading
from shared.models import Published
from shared.settings import Settings

Row = Mapping[str, Any]

_ROUNDING: Final = 0.1
"""Numbers are stored rounded: a probability worked out from them is the stored one to within this much of its logarithm."""
_STORY_MEMORY: Final = timedelta(hours=72)
_SECOND: Final = timedelta(seconds=1)
_PAGE: Final = 1000
_FIELDS: Final = ["article_id", "backlog", "cluster_id", "first_seen_at", "published", "replay", "source.name"]


@dataclass(frozen=True)
class Recount:
    """The stories of an alert's opening window that the index has, from how many sources; stories of the alert that it lacks."""

    stories: int
    sources: int
    missing: tuple[str, ...]


def evidence_problems(alert: Alert) -> list[tuple[str, Any, Any]]:
    """Return every stored number that does not follow from the others as (path, stored, worked out)."""
    readings = [("opening", alert.opening), ("peak", alert.peak)]
    readings += [(f"windows.{number}", reading) for number, reading in enumerate(alert.windows)]
    return [problem for path, reading in readings for problem in _problems(path, reading, alert.kind)]


def _problems(path: str, reading: Reading, kind: AlertKind) -> Iterator[tuple[str, Any, Any]]:
    from services.alerter.statistics import lower_tail, upper_tail

    ratio = reading.stories / max(reading.expected, 0.01)
    if abs(ratio - reading.ratio) > 0.01 + 0.01 * ratio:
        yield f"{path}.ratio", reading.ratio, round(ratio, 2)
    excess = reading.usual_spread**2 - reading.expected
    if reading.expected <= 0 or excess <= 0:
        return
    tail = lower_tail if kind is AlertKind.SILENCE else upper_tail
    probability = tail(reading.stories, reading.expected, reading.expected**2 / excess)
    stored = reading.probability
    if min(probability, stored) <= 0 or abs(math.log10(probability) - math.log10(stored)) > _ROUNDING:
        yield f"{path}.probability", stored, float(f"{probability:.4g}")


def recount(alert: Alert, rows: Iterable[Row]) -> Recount:
    """Return what documents on an alert's subject, in the order of their arrival, say of it; the detector counts in seconds."""
    from services.alerter.transform import claimed_at

    first: dict[str, tuple[datetime, datetime, str]] = {}
    for row in rows:
        arrived = datetime.fromisoformat(row["first_seen_at"]).replace(microsecond=0)
        claimed = claimed_at(Published.model_validate(row["published"]))
        if not (row["backlog"] or row["replay"]):
            first.setdefault(row["cluster_id"], (min(arrived, claimed or arrived), arrived, row["source"]["name"]))
    window = alert.opening
    inside = [
        source
        for at, arrived, source in first.values()
        if window.start < at <= window.end and arrived <= alert.opened_at
    ]
    return Recount(len(inside), len(set(inside)), tuple(sorted(set(alert.cluster_ids) - first.keys())))


def rows_of_index(settings: Settings, alert: Alert) -> Iterator[Row]:
    """Yield the documents on an alert's subject that may have counted, the oldest first.

    Raises what the client raises when Elasticsearch does not answer.
    """
    from services.indexer.elastic import connect
    from services.indexer.transform import ALIAS

    field, value = ("entity_ids", alert.entity_id) if alert.entity_id else ("keywords", alert.keyword)
    since, until = alert.opening.start - _STORY_MEMORY, max(alert.opened_at, alert.updated_at)
    within = {"range": {"first_seen_at": {"gte": since.isoformat(), "lt": (until + _SECOND).isoformat()}}}
    query = {"bool": {"filter": [{"term": {field: value}}, within]}}
    client = connect(settings)
    after: dict[str, Any] = {}
    while True:
        order = [{"first_seen_at": "asc"}, {"article_id": "asc"}]
        found = client.search(index=ALIAS, size=_PAGE, source_includes=_FIELDS, sort=order, query=query, **after)[
            "hits"
        ]["hits"]
        if not found:
            return
        yield from (hit["_source"] for hit in found)
        after = {"search_after": found[-1]["sort"]}

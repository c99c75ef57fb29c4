"""The detector over JSON Lines of keyword matches, in file order: the same code as the service, without a broker."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from services.alerter.detector import Detector
from shared.alerts import Alert, Hit, Named, Tick

TICK: Final = timedelta(minutes=10)
Row = dict[str, Any]


def alerts_of(rows: Iterable[Row], detector: Detector | None = None) -> Iterator[Alert]:
    """Yield every alert record over matches {timestamp, ingested_at, keyword, source, cluster_id}, time passing between them.

    Raises `KeyError` or `ValueError` for a match that cannot be read.
    """
    yield from folded((hit_of(row, number) for number, row in enumerate(rows)), detector or Detector())


def folded(log: Iterable[Hit | Named], detector: Detector) -> Iterator[Alert]:
    """Yield every alert record over articles in order of arrival, time passing between them; goes on where the detector is."""
    begun = detector.state.ticked or detector.state.started
    clock = datetime.fromtimestamp(begun, UTC) if begun else None
    for record in log:
        if clock is None:
            clock = record.arrived_at
        while clock + TICK <= record.arrived_at:
            clock += TICK
            yield from detector.apply(Tick(at=clock))
        yield from detector.apply(record)


def hit_of(row: Row, number: int) -> Hit:
    """Return a match as a hit of the log; `number` stands for its article."""
    arrived = _moment(row["ingested_at"])
    claimed = row.get("timestamp")
    return Hit.model_construct(
        article_id=f"{number:032x}",
        keyword=str(row["keyword"]),
        cluster_id=str(row["cluster_id"]),
        story_id=str(row["cluster_id"]),
        feed=str(row["source"]),
        source=str(row["source"]),
        language=row.get("language") or "und",
        title=row.get("title") or "",
        url=row.get("url"),
        claimed_at=_moment(claimed) if claimed else None,
        arrived_at=arrived,
        backlog=bool(row.get("backlog")),
        replay=bool(row.get("replay")),
        trace_id="0" * 32,
    )


def opening_row(alert: Alert) -> Row:
    """Return the opening of an alert as one line of output."""
    return {
        "keyword": alert.keyword,
        "fired_at": alert.opened_at.isoformat().replace("+00:00", "Z"),
        "window": {
            "start": alert.opening.start.isoformat().replace("+00:00", "Z"),
            "end": alert.opening.end.isoformat().replace("+00:00", "Z"),
        },
        **alert.model_dump(mode="json", exclude={"keyword"}),
    }


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"no UTC offset in {text!r}")
    return moment.astimezone(UTC)

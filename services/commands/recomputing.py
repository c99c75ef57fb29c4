"""`frontwire alerts recompute`: the log folded once more, and what of an alert comes out differently."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from services.alerter.detector import Detector
from shared.alerts import LOG_RECORD, Alert
from shared.errors import Rejected
from shared.ids import article_of_key
from shared.stage import Record, decode


@dataclass(frozen=True)
class Recomputed:
    """What a fold of the log gave: the record of the same alert and number, None when it gave none; records read until then."""

    alert: Alert | None
    records: int


def recompute(stored: Alert, log: Iterable[Record]) -> Recomputed:
    """Return what the detector makes of the log, up to the record that is stored; the newest of its alert when none is equal."""
    detector = Detector()
    newest: Alert | None = None
    count = 0
    for count, record in enumerate(log, 1):
        for alert in _apply(detector, record):
            if alert.alert_id == stored.alert_id:
                newest = alert
                if alert.sequence == stored.sequence:
                    return Recomputed(alert, count)
    return Recomputed(newest, count)


def _apply(detector: Detector, record: Record) -> list[Alert]:
    """Fold one record as the service does: a null record takes an article down, one that cannot be read is left out."""
    if record.value is None:
        return detector.take_down(article_of_key(record.key))
    try:
        return detector.apply(decode(record, LOG_RECORD))
    except Rejected:
        return []


def differences(stored: Alert, again: Alert) -> list[tuple[str, Any, Any]]:
    """Return every field that differs as (path, stored, recomputed)."""
    return list(_compare("", stored.model_dump(mode="json"), again.model_dump(mode="json")))


def _compare(path: str, stored: Any, again: Any) -> Iterable[tuple[str, Any, Any]]:
    if stored == again:
        return
    if isinstance(stored, dict) and isinstance(again, dict):
        for name in sorted(stored.keys() | again.keys()):
            yield from _compare(f"{path}.{name}".lstrip("."), stored.get(name), again.get(name))
    elif isinstance(stored, list) and isinstance(again, list) and len(stored) == len(again):
        for number, (left, right) in enumerate(zip(stored, again, strict=True)):
            yield from _compare(f"{path}.{number}", left, right)
    else:
        yield path, stored, again

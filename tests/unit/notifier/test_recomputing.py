"""`alerts recompute`: the same log gives the same alert, another log says what is different."""

from datetime import datetime, timedelta
from functools import cache

from services.alerter.detector import Detector
from services.alerter.spikes import TICK
from services.commands.recomputing import differences, recompute
from services.commands.recounting import evidence_problems, recount
from shared.alerts import Alert, Hit, LogRecord, Tick
from shared.stage import Record
from shared.topics import KEYWORD_HITS
from tests.unit.alerter.streams import END, HOUR, MINUTE, in_order, opened, ordinary, spike

SECOND = timedelta(seconds=1)


@cache
def log() -> tuple[LogRecord, ...]:
    """Return nine days of hits with a spike, and the ticks between them."""
    records: list[LogRecord] = []
    clock = None
    for hit in in_order([*ordinary(), *spike(END - 20 * HOUR)]):
        clock = clock or hit.arrived_at
        while clock + TICK <= hit.arrived_at:
            clock += TICK
            records.append(Tick(at=clock))
        records.append(hit)
    return tuple(records)


@cache
def written() -> tuple[Record, ...]:
    """Return the log as it stands on the broker; a record that cannot be read among it."""
    values = [record.model_dump_json().encode() for record in log()]
    values.insert(5, b"{")
    return tuple(Record(KEYWORD_HITS.name, 0, offset, b"key", value) for offset, value in enumerate(values))


@cache
def alerts() -> tuple[Alert, ...]:
    detector = Detector()
    return tuple(alert for record in log() for alert in detector.apply(record))


def test_the_same_log_gives_the_same_alert() -> None:
    (opening,) = opened(alerts())
    made = recompute(opening, written())
    assert made.alert is not None
    assert differences(opening, made.alert) == []
    assert made.records < len(written())
    last = [alert for alert in alerts() if alert.alert_id == opening.alert_id][-1]
    again = recompute(last, written()).alert
    assert again is not None
    assert differences(last, again) == []


def test_what_has_changed_is_named() -> None:
    (opening,) = opened(alerts())
    stored = opening.model_copy(
        update={"detector_version": "0", "opening": opening.opening.model_copy(update={"stories": 99})}
    )
    made = recompute(stored, written())
    assert made.alert is not None
    assert differences(stored, made.alert) == [
        ("detector_version", "0", opening.detector_version),
        ("opening.stories", 99, opening.opening.stories),
    ]


def test_a_log_that_holds_less_gives_no_such_alert() -> None:
    (opening,) = opened(alerts())
    without = tuple(record for record, made in zip(written()[6:], log()[5:], strict=True) if not isinstance(made, Hit))
    assert recompute(opening, without).alert is None


def document(
    number: int, at: datetime, *, source: str = "Báo 1", cluster: str = "", **fields: object
) -> dict[str, object]:
    row: dict[str, object] = {
        "article_id": f"{number:032x}", "cluster_id": cluster or f"spike {END - 20 * HOUR} {number}", "replay": False,
        "first_seen_at": at.isoformat(), "published": {"value": None}, "source": {"name": source}, "backlog": False,
    }  # fmt: skip
    return row | fields


def test_the_stored_numbers_follow_from_each_other() -> None:
    assert [evidence_problems(alert) for alert in alerts() if evidence_problems(alert)] == []
    (opening,) = opened(alerts())
    forged = opening.opening.model_copy(update={"stories": opening.opening.stories + 3})
    told = evidence_problems(opening.model_copy(update={"opening": forged}))
    assert [field for field, _, _ in told] == ["opening.ratio", "opening.probability"]


def test_the_index_is_counted_like_the_log() -> None:
    (opening,) = opened(alerts())
    start = END - 20 * HOUR
    rows = [
        document(number, start + number * 6 * MINUTE + 0.9 * SECOND, source=f"Báo {number % 5}") for number in range(9)
    ]
    copies = [document(20, start, cluster=f"spike {start} 0"), document(21, start, cluster="old", backlog=True)]
    late = document(22, start, cluster="late", published={"value": "2025-09-01T00:00:00Z", "precision": "minute"})
    inside = recount(opening, [rows[0], *copies, late, *rows[1:]])
    assert inside.stories == opening.opening.stories
    assert inside.sources == len(opening.sources)
    gone = recount(opening, rows[1:])
    assert (gone.stories, f"spike {start} 0" in gone.missing) == (inside.stories - 1, True)

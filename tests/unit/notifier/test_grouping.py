"""Which alerts become one message, and which records of an alert are news."""

import pytest

from services.notifier.channels import Grouping
from services.notifier.grouping import home_of, shared_part, with_alert
from shared.alerts import Alert, AlertKind, AlertState
from tests.unit.notifier.samples import NOW, alert, later, minutes, notification


def silent(number: int, feed: str, subject: str = "feed") -> Alert:
    return alert(number, feed, ()).model_copy(update={"kind": AlertKind.SILENCE, "subject": subject})


@pytest.mark.parametrize(
    ("mine", "theirs", "share"),
    [
        ((1, 2, 3), (1, 2, 3), 1.0),
        ((1, 2), (1, 2, 3, 4), 1.0),
        ((1, 2, 3, 4), (4, 5), 0.5),
        ((1,), (2,), 0.0),
        ((), (1,), 0.0),
    ],
)
def test_the_shared_part_is_of_the_smaller_one(mine: tuple[int, ...], theirs: tuple[int, ...], share: float) -> None:
    assert shared_part(alert(1, clusters=mine), [alert(2, clusters=theirs)]) == share


def test_keywords_that_share_stories_are_one_message() -> None:
    first = notification(alert(1, "Kupyansk", (1, 2, 3)))
    other = notification(alert(2, "Pokrovsk", (7, 8, 9)))
    assert home_of(alert(3, "Oskil", (2, 3, 4)), [first, other], Grouping()) is first
    assert home_of(alert(3, "Oskil", (3, 4, 5)), [first, other], Grouping()) is None
    assert home_of(alert(3, "Oskil", (2, 3, 8, 9)), [other, first], Grouping()) in (first, other)


def test_silences_that_begin_together_are_one_message() -> None:
    outage = notification(silent(1, "Báo Mẫu"))
    assert home_of(silent(2, "Wire"), [outage], Grouping()) is outage
    assert home_of(silent(2, "uk", subject="language"), [outage], Grouping()) is None
    assert home_of(alert(2), [outage], Grouping()) is None


def test_what_is_over_or_long_open_takes_nobody_in() -> None:
    first = alert(1)
    companion = alert(2, opened_at=NOW + minutes(11))
    assert home_of(companion, [notification(first)], Grouping()) is None
    assert home_of(companion, [notification(first)], Grouping(within=minutes(11))) is not None
    over = notification(later(first, NOW, AlertState.RESOLVED))
    assert home_of(alert(2), [over], Grouping()) is None


def test_only_a_newer_record_changes_anything() -> None:
    first = alert(1)
    second = later(first, NOW + minutes(5), AlertState.ACKNOWLEDGED)
    known = notification(first)
    assert with_alert(known, first) is None
    changed = with_alert(known, second)
    assert changed is not None
    assert changed.alerts == (second,)
    assert with_alert(changed, first) is None
    joined = with_alert(changed, alert(2, "Oskil"))
    assert joined is not None
    assert [each.keyword for each in joined.alerts] == ["Kupyansk", "Oskil"]

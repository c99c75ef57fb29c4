"""What a changed configuration would have done: the same history judged twice, and the alerts gained and lost."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from services.alerter.detector import Detector
from services.alerter.spikes import folded
from shared.alerts import Alert, AlertKind, ConfigSnapshot, Hit, Named

SAME_WITHIN: Final = timedelta(hours=6)
"""Two openings on one keyword this near are the same alert, earlier or later."""


@dataclass(frozen=True)
class Difference:
    """The openings that only the new configuration gives, that only the old one gives, and the pairs that both give."""

    gained: list[Alert]
    lost: list[Alert]
    kept: list[tuple[Alert, Alert]]


def openings(log: Iterable[Hit | Named], config: ConfigSnapshot) -> list[Alert]:
    """Return the spikes and new terms that a configuration alerts on over a history in the order of arrival."""
    detector = Detector()
    detector.apply(config)
    return [alert for alert in folded(log, detector) if alert.sequence == 1 and alert.kind is not AlertKind.SILENCE]


def compare(old: Sequence[Alert], new: Sequence[Alert]) -> Difference:
    """Return what changes between two lists of openings; each is paired at most once, with the nearest."""
    kept: list[tuple[Alert, Alert]] = []
    lost: list[Alert] = []
    left = list(new)
    for before in old:
        near = [
            after
            for after in left
            if after.keyword == before.keyword and abs(after.opened_at - before.opened_at) <= SAME_WITHIN
        ]
        if near:
            after = min(near, key=lambda found: abs(found.opened_at - before.opened_at))
            left.remove(after)
            kept.append((before, after))
        else:
            lost.append(before)
    return Difference(left, lost, kept)

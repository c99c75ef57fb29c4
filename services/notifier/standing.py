"""How a notification stands just now: the sum of its alerts, or of its failing channel. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from shared.alerts import Action, Alert, AlertKind, AlertState, Severity
from shared.notifications import Notification, Told, Trouble

_RANK: Final = {severity: rank for rank, severity in enumerate(Severity)}


@dataclass(frozen=True)
class Standing:
    """State, severity and times of a notification.

    `ratio` is the greatest peak over what is usual; `hushed` says that it ended under a silence.
    """

    state: AlertState
    severity: Severity
    opened_at: datetime
    changed_at: datetime
    alert_ids: tuple[str, ...] = ()
    ratio: float = 0.0
    hushed: bool = False

    def told(self) -> Told:
        """Return what somebody knows who is told of this now."""
        return Told(severity=self.severity, alert_ids=self.alert_ids, ratio=self.ratio)


def rank(severity: Severity) -> int:
    """Return the place of a severity, the least being 0."""
    return _RANK[severity]


def standing(notification: Notification) -> Standing:
    """Return how a notification stands: as open as its most open alert, as severe as its most severe one that is not over."""
    if notification.trouble is not None:
        return _of_trouble(notification.trouble)
    alerts = notification.alerts
    lasting = [alert for alert in alerts if alert.state is not AlertState.RESOLVED] or list(alerts)
    state = next(
        state
        for state in (AlertState.OPEN, AlertState.ACKNOWLEDGED, AlertState.SUPPRESSED, AlertState.RESOLVED)
        if any(alert.state is state for alert in lasting)
    )
    told_of = [alert for alert in lasting if alert.state is not AlertState.SUPPRESSED] or lasting
    return Standing(
        state=state,
        severity=max((alert.severity for alert in told_of), key=rank),
        opened_at=min(alert.opened_at for alert in told_of),
        changed_at=max(alert.updated_at for alert in alerts),
        alert_ids=tuple(alert.alert_id for alert in told_of),
        ratio=max((alert.peak.ratio for alert in told_of if alert.kind is not AlertKind.SILENCE), default=0.0),
        hushed=state is AlertState.RESOLVED and all(_silenced(alert) for alert in alerts),
    )


def _of_trouble(trouble: Trouble) -> Standing:
    return Standing(
        state=AlertState.RESOLVED if trouble.ended_at else AlertState.OPEN,
        severity=Severity.WARNING,
        opened_at=trouble.since,
        changed_at=trouble.ended_at or trouble.since,
    )


def _silenced(alert: Alert) -> bool:
    """Return whether an alert that is over ended under a silence."""
    ended = alert.resolved_at or alert.updated_at
    last = next((each for each in reversed(alert.handling) if each.action in (Action.SILENCE, Action.UNSILENCE)), None)
    return last is not None and last.action is Action.SILENCE and (last.until is None or last.until > ended)


def escalated(now: Standing, told: Told) -> bool:
    """Return whether more is known than the reader was told: more severe, another keyword, or twice as far from usual."""
    return (
        rank(now.severity) > rank(told.severity)
        or bool(set(now.alert_ids) - set(told.alert_ids))
        or (told.ratio > 0 and now.ratio >= 2 * told.ratio)
    )


def lateness(since: datetime, now: datetime) -> timedelta:
    """Return how long ago something was news; nothing is early."""
    return max(timedelta(0), now - since)

"""Which alerts become one message: keywords that share their stories, and silences that begin together. Pure."""

from collections.abc import Iterable
from datetime import datetime

from services.notifier.channels import Grouping
from shared.alerts import Alert, AlertKind, AlertState
from shared.notifications import Notification


def with_alert(notification: Notification, alert: Alert) -> Notification | None:
    """Return a notification with a newer record of one of its alerts, or with one alert more; None when nothing is new.

    A record that is not newer comes from a replay or a crash: it says what is known.
    """
    for position, known in enumerate(notification.alerts):
        if known.alert_id == alert.alert_id:
            if alert.sequence <= known.sequence:
                return None
            alerts = (*notification.alerts[:position], alert, *notification.alerts[position + 1 :])
            return notification.model_copy(update={"alerts": alerts})
    return notification.model_copy(update={"alerts": (*notification.alerts, alert)})


def home_of(alert: Alert, notifications: Iterable[Notification], grouping: Grouping) -> Notification | None:
    """Return the notification that a new alert joins: the one that shares most with it; None when it needs its own.

    An alert joins what is not over and opened at most `grouping.within` before or after it.
    """
    best: tuple[float, datetime, Notification] | None = None
    for candidate in notifications:
        if not _may_join(alert, candidate, grouping):
            continue
        share = shared_part(alert, candidate.alerts)
        if share >= grouping.shared_stories and (best is None or (share, candidate.received_at) > best[:2]):
            best = (share, candidate.received_at, candidate)
    return best[2] if best else None


def _may_join(alert: Alert, notification: Notification, grouping: Grouping) -> bool:
    lasting = [known for known in notification.alerts if known.state is not AlertState.RESOLVED]
    return bool(lasting) and abs(alert.opened_at - lasting[0].opened_at) <= grouping.within


def shared_part(alert: Alert, others: Iterable[Alert]) -> float:
    """Return which part of the smaller one's stories an alert shares with others; silences of one kind share everything."""
    others = list(others)
    if alert.kind is AlertKind.SILENCE or any(other.kind is AlertKind.SILENCE for other in others):
        same = all(other.kind is alert.kind and other.subject == alert.subject for other in others)
        return 1.0 if same else 0.0
    mine = set(alert.cluster_ids)
    theirs = {cluster for other in others for cluster in other.cluster_ids}
    smaller = min(len(mine), len(theirs))
    return len(mine & theirs) / smaller if smaller else 0.0

"""What the notifier remembers: every notification with its deliveries, in memory and as rows of notifications-v1."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final

import structlog
from pydantic import ValidationError

from services.notifier.channels import Grouping
from services.notifier.grouping import home_of, with_alert
from services.notifier.standing import Standing, standing
from shared import headers as record_headers
from shared.alerts import Alert, AlertState
from shared.headers import Headers
from shared.models import SCHEMA_VERSION
from shared.notifications import Notification
from shared.stage import Outgoing
from shared.topics import NOTIFICATIONS

# Longer than any alert is news: what is forgotten is not told again.
KEEP: Final = timedelta(days=7)
_HEADERS: Final[Headers] = (
    (record_headers.SCHEMA_VERSION_HEADER, SCHEMA_VERSION.encode()),
    (record_headers.CONTENT_TYPE, b"application/json"),
)

log = structlog.get_logger("frontwire.notifier.book")


class Book:
    """The notifications by id; `unsaved` names those whose rows are not written yet."""

    def __init__(self) -> None:
        self._rows: dict[str, Notification] = {}
        self._standings: dict[str, Standing] = {}
        self._home: dict[str, str] = {}
        self._changed: set[str] = set()
        self.unsaved: set[str] = set()

    def load(self, key: bytes | None, value: bytes | None) -> None:
        """Take in a row as it stands in the topic; one that cannot be read is logged and left out."""
        name = (key or b"").decode("utf-8", "replace")
        if value is None:
            self._drop(name)
            return
        try:
            self.keep(Notification.model_validate_json(value))
        except ValidationError as error:
            log.warning("row_refused", key=name[:200], errors=error.error_count())

    def put(self, notification: Notification) -> None:
        """Remember a notification as it is now."""
        self.keep(notification)
        self.unsaved.add(notification.notification_id)

    def get(self, notification_id: str) -> Notification | None:
        """Return a notification by its id."""
        return self._rows.get(notification_id)

    def all(self) -> list[Notification]:
        """Return every notification."""
        return list(self._rows.values())

    def standing(self, notification_id: str) -> Standing | None:
        """Return how a notification stands."""
        return self._standings.get(notification_id)

    def take_changed(self) -> set[str]:
        """Return the ids of what came, changed or went since the last call."""
        changed, self._changed = self._changed, set()
        return changed

    def take(self, alert: Alert, grouping: Grouping, now: datetime) -> None:
        """File a record of an alert: under its notification, one it shares stories with, or a new one.

        What is over when it is first heard of, or comes from a replay, was never told and never will be.
        """
        known = self._rows.get(self._home.get(alert.alert_id, ""))
        if known is None:
            if alert.replay or alert.state is AlertState.RESOLVED:
                return
            known = home_of(alert, self.all(), grouping) or Notification(
                notification_id=alert.alert_id, received_at=now
            )
        changed = with_alert(known, alert)
        if changed is not None:
            self.put(changed)

    def forget(self, now: datetime) -> list[str]:
        """Forget what has been over for `KEEP`; return the ids, whose rows are to be removed."""
        gone = [
            name
            for name, stands in self._standings.items()
            if stands.state is AlertState.RESOLVED and now - stands.changed_at > KEEP
        ]
        for name in gone:
            self._drop(name)
        return gone

    def rows(self, names: Iterable[str]) -> Iterator[Outgoing]:
        """Yield the messages that keep these notifications, null records for those that are forgotten."""
        for name in names:
            notification = self._rows.get(name)
            yield row(name, notification)

    def keep(self, notification: Notification) -> None:
        """Remember a notification whose row is written."""
        self._rows[notification.notification_id] = notification
        self._standings[notification.notification_id] = standing(notification)
        self._changed.add(notification.notification_id)
        for alert in notification.alerts:
            self._home[alert.alert_id] = notification.notification_id

    def _drop(self, name: str) -> None:
        dropped = self._rows.pop(name, None)
        self._standings.pop(name, None)
        self._changed.add(name)
        for alert in dropped.alerts if dropped else ():
            self._home.pop(alert.alert_id, None)


def row(name: str, notification: Notification | None) -> Outgoing:
    """Return the message that keeps a notification, or that removes it when there is none."""
    value = notification.to_json() if notification is not None else None
    return Outgoing(NOTIFICATIONS, 0, name.encode(), value, _HEADERS)

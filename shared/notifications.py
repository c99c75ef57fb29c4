"""Records of the notifier: which message is about which alerts, and what each channel was told of it."""

from enum import StrEnum

from pydantic import AwareDatetime, Field

from shared.alerts import Alert, AlertId, Amount, Count, Severity
from shared.models import Model


class MessageKind(StrEnum):
    """Why a channel is written to."""

    OPENING = "opening"
    REMINDER = "reminder"
    RESOLVED = "resolved"
    UPDATE = "update"


class Told(Model):
    """What the reader of a channel knows: the severity, the alerts and the greatest ratio of the last message."""

    severity: Severity
    alert_ids: tuple[AlertId, ...] = ()
    ratio: Amount = 0.0


class Intent(Model):
    """A message that was about to be sent: as long as this stands, nobody knows whether it arrived."""

    message_id: str
    kind: MessageKind
    at: AwareDatetime


class Delivery(Model):
    """What one channel was told of one notification.

    `messages` counts those that were taken, `reference` is the channel's own name of the first one (for replies), `attempts` the
    refusals of the next one, `given_up` why no more is sent.
    """

    told: Told | None = None
    first_at: AwareDatetime | None = None
    last_at: AwareDatetime | None = None
    resolved_at: AwareDatetime | None = None
    messages: Count = 0
    reminders: Count = 0
    reference: str | None = None
    intent: Intent | None = None
    attempts: Count = 0
    given_up: str | None = None


class Trouble(Model):
    """A channel that does not take messages."""

    channel: str
    since: AwareDatetime
    failures: Count
    error: str
    ended_at: AwareDatetime | None = None


class Notification(Model):
    """One message over its whole life: the alerts (or the failing channel) it is about, and every channel's part of it.

    `received_at` is when the notifier first heard of it, by the wall clock.
    """

    notification_id: str
    received_at: AwareDatetime
    alerts: tuple[Alert, ...] = ()
    trouble: Trouble | None = None
    deliveries: dict[str, Delivery] = Field(default_factory=dict)

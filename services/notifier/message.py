"""A message as the senders get it: everything is decided, only the way to the channel is theirs. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.notifier.channels import AnyChannel, Channels
from services.notifier.standing import lateness
from services.notifier.steps import Step
from services.notifier.text import Writer
from services.notifier.transform import Envelope
from shared.notifications import Delivery

TEST_KIND = "test"
DIGEST_KIND = "digest"


@dataclass(frozen=True)
class Message:
    """One message: `kind` is a `MessageKind`, `digest` or `test`.

    `reference` is the channel's name of the first message on the same notification, None when this is the first. `facts` is
    the whole as data, for programs.
    """

    message_id: str
    kind: str
    subject: str
    body: str
    sent_at: datetime
    repeat: bool
    facts: dict[str, Any]
    reference: str | None = None
    steps: tuple[Step, ...] = ()

    @property
    def text(self) -> str:
        """The whole as one text."""
        return f"{self.subject}\n{self.body}"


def compose(envelope: Envelope, config: Channels) -> Message:
    """Return the message of an envelope, in the language of its channel."""
    writer = Writer(envelope.channel.language, config)
    single = envelope.steps[0] if len(envelope.steps) == 1 else None
    known = single.notification.deliveries.get(envelope.channel.name, Delivery()) if single else Delivery()
    subject, body = writer.subject(envelope), writer.body(envelope)
    kind = single.kind.value if single else DIGEST_KIND
    facts = {
        "id": envelope.message_id,
        "kind": kind,
        "severity": envelope.steps[0].standing.severity.value,
        "sent_at": envelope.planned_at.isoformat(),
        "repeat": envelope.repeat,
        "subject": subject,
        "text": body,
        "notifications": [_facts(step, writer, envelope.planned_at) for step in envelope.steps],
    }
    return Message(
        message_id=envelope.message_id,
        kind=kind,
        subject=subject,
        body=body,
        sent_at=envelope.planned_at,
        repeat=envelope.repeat,
        facts=facts,
        reference=known.reference,
        steps=envelope.steps,
    )


def compose_test(channel: AnyChannel, config: Channels, message_id: str, now: datetime) -> Message:
    """Return a test message: it has the shape of a real one, and says what it is."""
    writer = Writer(channel.language, config)
    subject, body = writer.test_subject(), writer.test_body(channel.name)
    facts = {
        "id": message_id,
        "kind": TEST_KIND,
        "severity": "notice",
        "sent_at": now.isoformat(),
        "repeat": False,
        "subject": subject,
        "text": body,
        "notifications": [],
    }
    return Message(message_id, TEST_KIND, subject, body, now, repeat=False, facts=facts)


def _facts(step: Step, writer: Writer, now: datetime) -> dict[str, Any]:
    links = writer.links(step)
    trouble = step.notification.trouble
    return {
        "notification_id": step.notification.notification_id,
        "kind": step.kind.value,
        "state": step.standing.state.value,
        "severity": step.standing.severity.value,
        "late_seconds": round(lateness(step.news_at, now).total_seconds()),
        "repeat": step.repeat,
        "trouble": trouble.model_dump(mode="json") if trouble else None,
        "alerts": [
            {**alert.model_dump(mode="json"), "link": links[alert.alert_id]}
            for alert in step.notification.alerts
            if alert.alert_id in links
        ],
    }

"""Prometheus' Alertmanager, API v2 (https://github.com/prometheus/alertmanager, api/v2/openapi.yaml): it keeps what is open."""

from datetime import datetime, timedelta
from typing import Any, Final

import orjson

from services.notifier.channels import AlertmanagerChannel
from services.notifier.message import TEST_KIND, Message
from services.notifier.senders.web import failure, post, secret
from services.notifier.standing import rank
from services.notifier.transform import Delivered, Outcome
from shared.alerts import Alert, AlertState, Severity
from shared.notifications import MessageKind

# Longer than the longest pause between two reminders: Alertmanager forgets an alert at its end.
OPEN_FOR: Final = timedelta(days=8)
TEST_FOR: Final = timedelta(minutes=5)


def send(channel: AlertmanagerChannel, message: Message) -> Outcome:
    """Post every alert of a message with its labels, annotations, begin and end. Raises `NotSent` and `SettingsError`."""
    headers = {"Authorization": f"Bearer {secret(channel.token)}"} if channel.token is not None else {}
    url = f"{channel.url.rstrip('/')}/api/v2/alerts"
    answer = post(url, orjson.dumps(alerts_of(channel, message)), headers, channel.timeout, channel.ca_file)
    return failure(answer, message.sent_at) or Delivered()


def alerts_of(channel: AlertmanagerChannel, message: Message) -> list[dict[str, Any]]:
    """Return the alerts of a message as the API takes them.

    The severity is a label, so that routes can look at it; an alert that became more severe is another one, and the less
    severe one ends.
    """
    later = message.sent_at + OPEN_FOR
    if message.kind == TEST_KIND:
        test = {"alertname": "FrontwireTest", "severity": Severity.NOTICE.value}
        return [_alert(channel, message, test, message.sent_at, message.sent_at + TEST_FOR)]
    found: list[dict[str, Any]] = []
    for step in message.steps:
        trouble = step.notification.trouble
        if trouble is not None:
            labels = {"alertname": "FrontwireChannelFailing", "channel": trouble.channel}
            labels["severity"] = step.standing.severity.value
            found.append(_alert(channel, message, labels, trouble.since, trouble.ended_at or later))
        for alert in step.notification.alerts:
            if alert.state is AlertState.SUPPRESSED:
                continue
            end = later if alert.state is not AlertState.RESOLVED else alert.resolved_at or alert.updated_at
            found.append(_alert(channel, message, _labels(alert, alert.severity), alert.opened_at, end))
            for severity in Severity:
                if rank(severity) < rank(alert.severity) and step.kind is MessageKind.UPDATE:
                    found.append(_alert(channel, message, _labels(alert, severity), alert.opened_at, message.sent_at))
    return found


def _labels(alert: Alert, severity: Severity) -> dict[str, str]:
    return {
        "alertname": f"Frontwire{alert.kind.value.title().replace('_', '')}",
        "alert_id": alert.alert_id,
        alert.subject: alert.keyword,
        "severity": severity.value,
    }


def _alert(
    channel: AlertmanagerChannel, message: Message, labels: dict[str, str], start: datetime, end: datetime
) -> dict[str, Any]:
    return {
        "labels": {**channel.labels, **labels},
        "annotations": {"summary": message.subject, "description": message.body},
        "startsAt": start.isoformat(),
        "endsAt": end.isoformat(),
    }

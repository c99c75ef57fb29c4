"""From a message to its channel: which sender, and what became of it, in words that hold no secret."""

from typing import Final

import structlog

from services.notifier.channels import (
    AlertmanagerChannel,
    AnyChannel,
    EmailChannel,
    LogChannel,
    SlackChannel,
    TelegramChannel,
    WebhookChannel,
)
from services.notifier.message import Message
from services.notifier.senders import alertmanager, mail, slack, telegram, webhook
from services.notifier.senders.web import NotSent, secret
from services.notifier.transform import Delivered, Failed, Outcome
from shared.config_types import SecretName
from shared.settings import SettingsError

MAX_ERROR: Final = 300

log = structlog.get_logger("frontwire.notifier")


def deliver(channel: AnyChannel, message: Message) -> Outcome:
    """Send a message to its channel and return what became of it; never raises, never names a secret."""
    try:
        outcome = _send(channel, message)
    except NotSent as error:
        outcome = Failed(str(error), doubtful=error.doubtful)
    except SettingsError as error:
        outcome = Failed(str(error))
    except Exception as bug:
        # Without its words and the traceback: they may hold a part of a secret.
        outcome = Failed(f"a fault of ours: {type(bug).__name__}", refused=True)
    if isinstance(outcome, Failed):
        outcome = Failed(
            without_secrets(outcome.error, channel)[:MAX_ERROR], outcome.refused, outcome.doubtful, outcome.retry_after
        )
    return outcome


def _send(channel: AnyChannel, message: Message) -> Outcome:
    match channel:
        case AlertmanagerChannel():
            return alertmanager.send(channel, message)
        case EmailChannel():
            return mail.send(channel, message)
        case SlackChannel():
            return slack.send(channel, message)
        case TelegramChannel():
            return telegram.send(channel, message)
        case WebhookChannel():
            return webhook.send(channel, message)
        case LogChannel():
            # Shown at every log level that can be set.
            log.critical("alert", channel=channel.name, kind=message.kind, subject=message.subject, text=message.body)
            return Delivered()


def without_secrets(text: str, channel: AnyChannel) -> str:
    """Return a text in which no secret of a channel stands, should its server have sent one back."""
    for name in type(channel).model_fields:
        value = getattr(channel, name)
        if isinstance(value, SecretName):
            try:
                text = text.replace(secret(value), "***")
            except SettingsError:
                continue
    return text

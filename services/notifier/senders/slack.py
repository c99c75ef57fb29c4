"""Incoming webhooks of Slack and of what takes the same (https://api.slack.com/messaging/webhooks)."""

import orjson

from services.notifier.channels import SlackChannel
from services.notifier.message import Message
from services.notifier.senders.web import address_of, failure, post
from services.notifier.transform import Delivered, Outcome


def send(channel: SlackChannel, message: Message) -> Outcome:
    """Post a message with its subject in bold. Raises `NotSent` and `SettingsError`."""
    body = orjson.dumps({"text": f"*{escaped(message.subject)}*\n{escaped(message.body)}"})
    answer = post(address_of(channel.url), body, {}, channel.timeout, channel.ca_file)
    return failure(answer, message.sent_at) or Delivered()


def escaped(text: str) -> str:
    """Return text in which nothing is a mention or a link of Slack's own making."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

"""Signed webhooks as https://www.standardwebhooks.com describes them: three headers, HMAC-SHA256 over id, time and body."""

import base64
import binascii
import hashlib
import hmac
from typing import Final

import orjson

from services.notifier.channels import WebhookChannel
from services.notifier.message import Message
from services.notifier.senders.web import address_of, failure, post, secret
from services.notifier.transform import Delivered, Outcome

_PREFIX: Final = "whsec_"


def send(channel: WebhookChannel, message: Message) -> Outcome:
    """Post a message as JSON. Raises `NotSent` and `SettingsError`."""
    body = orjson.dumps(message.facts)
    timestamp = str(int(message.sent_at.timestamp()))
    headers = {"webhook-id": message.message_id, "webhook-timestamp": timestamp}
    if channel.secret is not None:
        headers["webhook-signature"] = signature(secret(channel.secret), message.message_id, timestamp, body)
    answer = post(address_of(channel.url), body, headers, channel.timeout, channel.ca_file)
    return failure(answer, message.sent_at) or Delivered()


def signature(key: str, message_id: str, timestamp: str, body: bytes) -> str:
    """Return the value of `webhook-signature`; a key that begins with `whsec_` is base64, any other is taken as it is."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.new(_key(key), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def _key(key: str) -> bytes:
    if key.startswith(_PREFIX):
        try:
            return base64.b64decode(key.removeprefix(_PREFIX), validate=True)
        except binascii.Error:
            return key.encode()
    return key.encode()

"""Telegram's Bot API (https://core.telegram.org/bots/api#sendmessage). Plain text: no markup can be broken by a headline."""

from datetime import timedelta
from typing import Any, Final

import orjson

from services.notifier.channels import TelegramChannel
from services.notifier.message import Message
from services.notifier.senders.web import failure, post, secret
from services.notifier.transform import Delivered, Failed, Outcome

# Telegram counts UTF-16 units.
MAX_UNITS: Final = 4096


def send(channel: TelegramChannel, message: Message) -> Outcome:
    """Send a message to the chat, as a reply to the first one on the same alert. Raises `NotSent` and `SettingsError`."""
    body: dict[str, Any] = {
        "chat_id": channel.chat_id,
        "text": cut(message.text, MAX_UNITS),
        "link_preview_options": {"is_disabled": True},
    }
    if channel.thread_id is not None:
        body["message_thread_id"] = channel.thread_id
    if message.reference is not None and message.reference.isdecimal():
        body["reply_parameters"] = {"message_id": int(message.reference), "allow_sending_without_reply": True}
    url = f"{channel.api_url.rstrip('/')}/bot{secret(channel.token)}/sendMessage"
    answer = post(url, orjson.dumps(body), {}, channel.timeout, channel.ca_file)
    said = answer.json()
    said = said if isinstance(said, dict) else {}
    failed = failure(answer, message.sent_at, str(said.get("description", "")))
    if failed is not None:
        return _with_pause(failed, said)
    result = said.get("result")
    number = result.get("message_id") if isinstance(result, dict) else None
    return Delivered(str(number) if isinstance(number, int) else None)


def _with_pause(failed: Failed, said: dict[str, Any]) -> Failed:
    """Return a failure with the pause that stands in the answer's body: Telegram sends no Retry-After header."""
    parameters = said.get("parameters")
    seconds = parameters.get("retry_after") if isinstance(parameters, dict) else None
    pause = timedelta(seconds=min(seconds, 86_400)) if isinstance(seconds, int) else failed.retry_after
    return Failed(failed.error, failed.refused, failed.doubtful, pause)


def cut(text: str, units: int) -> str:
    """Return a text of at most so many UTF-16 units, ended by an ellipsis when something is missing."""
    encoded = text.encode("utf-16-le")
    if len(encoded) <= 2 * units:
        return text
    return encoded[: 2 * (units - 1)].decode("utf-16-le", "ignore") + "…"
